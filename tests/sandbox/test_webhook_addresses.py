"""Which addresses the sandbox accepts for webhooks, and which of them it calls."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from http_client import Send
from servers import OK, Server, make_response

from kellyapi import Sandbox
from kellyapi.sandbox.skytells.outgoing_webhooks import is_called

KEY = {"x-api-key": "sk-mine"}
FAILING = {"prompt": "fail please"}


async def create(url: str, webhook: Any) -> tuple[int, Any, str | None]:
    """Create a prediction that fails at once, and return status, body and the sandbox's note."""
    order = {"model": "truefusion", "input": FAILING, "webhook": webhook}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/predict", headers=KEY, json=order) as response,
    ):
        return response.status, await response.json(), response.headers.get("X-Sandbox-Note")


@pytest.mark.parametrize(
    "url",
    ["", " ", "example.org", "http://", "http:///path", "https://:80/", "http://[::1/", "http://a:99999/", "http://a:0/",
     "http://a:b/", "ftp://localhost/", "file:///etc/passwd", "gopher://localhost:70/", "javascript:alert(1)",
     "http://a b/", "//localhost/", f"http://{'a' * 64}.example/", 5, ["http://localhost/"]],
)  # fmt: skip
@pytest.mark.parametrize("form", ["text", "object"])
async def test_what_cannot_be_called_is_refused_when_it_is_given(send: Send, url: Any, form: str) -> None:
    order = {"model": "truefusion", "input": FAILING, "webhook": url if form == "text" else {"url": url}}
    refused = await send("POST", "/v1/predict", headers=KEY, json=order)
    assert (refused.status, refused.json["error"]["error_id"]) == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize("url", ["http://café.localhost:1/ɛ?x=ö", "https://example.org", "http://[::1]:1/"])
async def test_an_address_is_kept_as_it_was_given(sandbox: Sandbox, url: str) -> None:
    status, created, _ = await create(sandbox.url, url)
    assert (status, created["webhook"]["url"]) == (200, url)


@pytest.mark.parametrize(
    ("url", "called"),
    [("http://localhost/", True), ("http://LOCALHOST.:1/", True), ("http://a.localhost/", True),
     ("http://127.1.2.3/", True), ("http://[::1]/", True), ("http://[::ffff:127.0.0.1]/", True),
     ("http://user@localhost/", True), ("http://app:8080/hook", True), ("http://APP/", True),
     ("http://example.org/", False), ("http://localhost.example.org/", False), ("http://10.0.0.1/", False),
     ("http://169.254.169.254/latest", False), ("http://localhost@example.org/", False), ("http://xapp/", False)],
)  # fmt: skip
def test_webhooks_of_other_machines_are_called_only_if_their_host_is_named(url: str, called: bool) -> None:
    assert is_called(url, frozenset({"app"})) is called


async def test_another_machine_is_not_called_which_a_note_says() -> None:
    async with Sandbox(prediction_time=0) as sandbox:
        status, _, note = await create(sandbox.url, "http://example.org/hook")
        assert (status, "webhook_hosts" in (note or "")) == (200, True)
    async with Sandbox(prediction_time=0, webhook_hosts=["example.org"]) as sandbox:
        assert await create(sandbox.url, "http://example.org:1/hook") is not None
        assert (await create(sandbox.url, "http://localhost:1/"))[2] is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with Server(OK) as other:
        redirect = make_response(status, Location=f"{other.url}/hook")
        async with (
            Server(redirect) as server,
            Sandbox(prediction_time=0, webhook_retries=(0,), keep_engines=True) as sandbox,
        ):
            await create(sandbox.url, {"url": f"{server.url}/hook", "events": ["failed"]})
            await server.until(lambda: len(server.requests) == 2 and server.open == 0)
        assert not other.requests


async def test_a_name_under_localhost_is_this_machine_whatever_dns_says() -> None:
    async with Server(OK) as server, Sandbox(prediction_time=0, keep_engines=True) as sandbox:
        port = server.url.rpartition(":")[2]
        await create(sandbox.url, {"url": f"http://no-such-name.localhost:{port}/", "events": ["failed"]})
        await server.until(lambda: len(server.requests) == 1 and server.open == 0)
        assert server.requests[0].headers["host"] == f"no-such-name.localhost:{port}"
