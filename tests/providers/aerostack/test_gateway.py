"""The API gateway: a consumer's key in place of the project's."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import Aerostack, ChatCompletion, ConfigurationError, GatewayUsage, Message, Wallet

from .messages import BASE, CONSUMER, HELLO


@pytest.mark.parametrize(
    ("options", "data"),
    [
        ({}, {}),
        ({"model": "m", "temperature": 0.0, "max_tokens": 9}, {"model": "m", "temperature": 0.0, "max_tokens": 9}),
    ],
)
async def test_gateway_chat_sends_only_the_consumers_key(
    wire: Responses, aerostack: Aerostack, options: Any, data: Any
) -> None:
    reply = {"id": "c1", "choices": [{"index": 0, "message": {"content": "Hello!"}}]}
    sent = respond(wire, "POST", f"{BASE}/ai/gateway/my-api/chat/completions", json=reply)
    completion = await aerostack.gateway.chat("my-api", [Message("user", "hi")], consumer="ask_live_1", **options)
    assert isinstance(completion, ChatCompletion)
    assert completion.text == "Hello!"
    headers = {**CONSUMER, "Content-Type": "application/json"}
    assert [(one.headers, one.json) for one in sent] == [(headers, {"messages": [HELLO], **data})]


async def test_the_wallet_request_sends_only_the_consumers_key(wire: Responses, aerostack: Aerostack) -> None:
    held = {"balance": "9.5", "total_consumed": 1, "plan_type": "flat", "hard_limit": None, "bonus": 3}
    sent = respond(wire, "GET", f"{BASE}/ai/gateway/me/wallet?api_slug=my-api", json={"wallet": held})
    wallet = await aerostack.gateway.wallet("my-api", consumer="ask_live_1")
    assert wallet == Wallet(balance=9.5, total_consumed=1.0, plan_type="flat")
    assert [(one.headers, one.body) for one in sent] == [(CONSUMER, b"")]


async def test_a_consumers_key_may_be_a_function_and_needs_no_key_of_the_project(wire: Responses) -> None:
    async def ask() -> str:
        return "ask_live_1"

    sent = respond(wire, "GET", f"{BASE}/ai/gateway/me/wallet?api_slug=a", json={"wallet": {}})
    async with Aerostack() as aerostack:
        assert await aerostack.gateway.wallet("a", consumer=ask) == Wallet()
    assert [one.headers for one in sent] == [CONSUMER]


@pytest.mark.parametrize("consumer", ["", "  ", lambda: "", lambda: None, "a\nb"])
async def test_a_consumer_without_a_key_never_uses_the_key_of_the_project(
    wire: Responses, aerostack: Aerostack, consumer: Any
) -> None:
    with pytest.raises(ConfigurationError):
        await aerostack.gateway.wallet("my-api", consumer=consumer)
    with pytest.raises(ConfigurationError):
        await aerostack.gateway.chat("my-api", "hi", consumer=consumer)
    assert not wire.requests


@pytest.mark.parametrize(("days", "query"), [(None, ""), (7, "&days=7")])
@pytest.mark.parametrize("base_url", ["https://api.aerostack.ai/v1", "https://proxy.example/aerostack"])
async def test_usage_is_asked_at_the_host(wire: Responses, base_url: str, days: int | None, query: str) -> None:
    body = {"total_tokens": 5, "total_requests": 2, "days": 7}
    host = base_url.removesuffix("/v1")
    sent = respond(wire, "GET", f"{host}/api/gateway/me/usage?api_slug=my-api{query}", json=body)
    async with Aerostack("key", base_url=base_url) as client:
        usage = await client.gateway.usage("my-api", consumer="ask_live_1", days=days)
    assert usage == GatewayUsage(total_tokens=5, total_requests=2, days=7)
    assert [(one.headers["Authorization"], "X-Aerostack-Key" in one.headers) for one in sent] == [
        ("Bearer ask_live_1", False)
    ]
