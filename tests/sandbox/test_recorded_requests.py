"""The requests that the sandbox records."""

from __future__ import annotations

import pytest
from http_client import PROVIDER_REQUESTS, Send

from kellyapi import Sandbox
from kellyapi.sandbox import app

pytestmark = pytest.mark.usefixtures("own_sandbox")


async def test_requests_are_recorded_without_their_keys(send: Send, sandbox: Sandbox) -> None:
    statuses_received = []
    for provider, (method, path, key) in PROVIDER_REQUESTS.items():
        secret = {name: value.replace("key", "s3cret") for name, value in key.items()}
        headers = {**secret, "Cookie": "a=s3cret", "X-Mine": "1"}
        statuses_received.append((await send(method, f"{path}?of={provider}%20a", headers=headers)).status)
    requests = sandbox.requests
    assert [(one.method, one.path) for one in requests] == [
        (method, f"{path}?of={provider}%20a") for provider, (method, path, _) in PROVIDER_REQUESTS.items()
    ]
    assert {one.headers["x-mine"] for one in requests} == {"1"}
    assert [one.status for one in requests] == statuses_received
    assert "s3cret" not in repr(requests)


async def test_each_retry_is_recorded_as_a_request(sandbox: Sandbox) -> None:
    sandbox.fail_next("/v1/translate", status=503, times=2)
    async with sandbox.api() as api:
        assert (await api.translate("Good morning", "en-tw")).text == "Maakye"
    assert [one.status for one in sandbox.requests] == [503, 503, 200]


async def test_the_newest_10_000_requests_are_recorded(send: Send, sandbox: Sandbox) -> None:
    await send("GET", "/v1/languages")
    (first,) = sandbox.requests
    for _ in range(10_000):
        sandbox._record(first)
    assert len(sandbox.requests) == 10_000
    await send("GET", "/newest")
    assert len(sandbox.requests) == 10_000
    assert sandbox.requests[-1].path == "/newest"


async def test_recorded_requests_take_a_limited_amount_of_memory(
    send: Send, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MAX_RECORDED", 20_000)
    for number in range(10):
        await send("GET", f"/v1/{number}", headers={"X-Long": "a" * 6000})
    assert [one.path for one in sandbox.requests] == ["/v1/7", "/v1/8", "/v1/9"]
