"""Options reach the connections of all clients, and of their siblings."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import NO_RETRY, NO_TIMEOUT, PROVIDERS, KellyAPI, Khaya, Rate, Timeout


def clients(api: KellyAPI) -> dict[str, Any]:
    """Return the four clients by name."""
    return {name: getattr(api, name) for name in PROVIDERS}


CHANGED: dict[str, Any] = {
    "timeout": NO_TIMEOUT,
    "retry": NO_RETRY,
    "headers": {"X-A": "1"},
    "proxy": "http://proxy.example:3128",
    "max_response_bytes": 5,
    "allow_http": True,
    "on_response": lambda request, response: None,
    "on_upload": lambda sent, size: None,
    "logger": logging.getLogger("mine"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_each_option_reaches_all_four_and_varies_on_all_levels(name: str) -> None:
    value = CHANGED[name]
    made, varied = KellyAPI("k", **{name: value}), KellyAPI("k").with_options(**{name: value})
    for client in (*clients(made).values(), *clients(varied).values(), Khaya("k").with_options(**{name: value})):
        found = getattr(client._connection, name)
        assert (found.logger if name == "logger" else found) == value


async def test_a_sibling_differs_only_in_the_given_options(wire: Responses) -> None:
    api = KellyAPI("k", khaya=Khaya("k2", asr_version="v1"), retry=NO_RETRY)
    sibling = api.with_options(timeout=5)
    assert type(sibling) is KellyAPI
    for name, client in clients(sibling).items():
        before = clients(api)[name]._connection
        assert client._connection.transport is before.transport
        assert client._connection.timeout == Timeout(total=5)
        assert client._connection.retry == before.retry
        assert before.timeout is None
    sent = respond(wire, "POST", "https://translation-api.ghananlp.org/asr/v1/transcribe?language=twi", json="Maakye")
    async with sibling:
        await sibling.transcribe(b"RIFF", "twi")
    assert sent[0].headers["Ocp-Apim-Subscription-Key"] == "k2"


def test_a_sibling_with_other_limits_uses_the_same_quota() -> None:
    khaya = Khaya("k", max_concurrency=3, rate=Rate(10))
    sibling = khaya.with_options(max_concurrency=1)
    assert sibling._connection.limits is not khaya._connection.limits
    assert sibling._connection.limits.quota is khaya._connection.limits.quota
    assert khaya.with_options(timeout=5)._connection.limits is khaya._connection.limits
