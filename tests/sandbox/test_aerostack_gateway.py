"""Aerostack's services and API gateway in the sandbox, A14 to A17, and the parameters of a chat."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from http_client import Send

from kellyapi import Aerostack, GatewayUsage, NotFoundError, Sandbox

HELLO = [{"role": "user", "content": "Say something else"}]
PROJECT = {"X-Aerostack-Key": "key"}
CONSUMER = {"Authorization": "Bearer ask_live_1"}


@pytest.fixture
def post(send: Send) -> Any:
    return partial(send, "POST", headers=PROJECT)


@pytest.mark.parametrize("data", [None, 0, "text", [1, {"a": None}], {"ü": 1.5}])
async def test_the_service_echo_returns_its_input(aerostack: Aerostack, post: Any, data: Any) -> None:
    response = await post("/v1/services/invoke", json={"serviceName": "echo", "data": data})
    assert (response.status, response.json) == (200, {"success": True, "result": data})
    assert (await aerostack.services.invoke("echo", data)).result == data


async def test_another_service_is_a_404(aerostack: Aerostack) -> None:
    with pytest.raises(NotFoundError, match=r"There is no service '\.\./x'") as caught:
        await aerostack.services.invoke("../x", {})
    assert caught.value.code == "SERVICE_NOT_FOUND"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("services/invoke", {"data": 1}, "serviceName"),
        ("services/invoke", {"serviceName": "echo"}, "data"),
        ("gateway/billing/log", {"apiId": "a", "units": 1}, "consumerId"),
        ("gateway/billing/log", {"consumerId": "a", "units": 1}, "apiId"),
        ("gateway/billing/log", {"consumerId": "a", "apiId": "a"}, "units"),
        ("gateway/billing/log", {"consumerId": "a", "apiId": "a", "units": -1}, "units"),
        ("gateway/billing/log", {"consumerId": "a", "apiId": "a", "units": "1"}, "units"),
        ("gateway/billing/log", {"consumerId": "a", "apiId": "a", "units": 1, "metric": 1}, "metric"),
        ("ai/chat", {"messages": HELLO, "temperature": 2.1}, "temperature"),
        ("ai/chat", {"messages": HELLO, "temperature": "1"}, "temperature"),
        ("ai/chat", {"messages": HELLO, "max_tokens": 0}, "max_tokens"),
        ("ai/chat", {"messages": HELLO, "max_tokens": 1.5}, "max_tokens"),
        ("ai/chat", {"messages": HELLO, "top_p": -0.1}, "top_p"),
    ],
)
async def test_wrong_input_is_a_400_that_names_the_field(post: Any, path: str, body: Any, field: str) -> None:
    response = await post(f"/v1/{path}", json=body)
    assert (response.status, response.json["code"]) == (400, "VALIDATION_ERROR")
    assert response.json["details"] == {"field": field}


@pytest.mark.usefixtures("own_sandbox")
async def test_usage_and_chats_are_charged_to_the_wallet_of_consumer_and_api(aerostack: Aerostack) -> None:
    gateway, consumer = aerostack.gateway, {"consumer": "ask_live_1"}
    assert (await gateway.wallet("shop", **consumer)).balance == 100_000
    assert await gateway.log_usage("ask_live_1", "shop", 7, metric="pages") == 7
    completion = await gateway.chat("shop", HELLO, **consumer)
    assert completion.choices[0].message.content == "[sandbox] You said: Say something else"
    wallet = await gateway.wallet("shop", **consumer)
    assert (wallet.balance, wallet.total_consumed) == (100_000 - 7 - 9, 7 + 9)
    assert (await gateway.wallet("other", **consumer)).total_consumed == 0
    assert (await gateway.wallet("shop", consumer="ask_live_2")).total_consumed == 0


@pytest.mark.usefixtures("own_sandbox")
async def test_the_response_bodies_are_exact(post: Any, send: Send) -> None:
    response = await post("/v1/gateway/billing/log", json={"consumerId": "ask_live_1", "apiId": "shop", "units": 3})
    assert (response.status, response.json) == (200, {"success": True, "loggedUnits": 3})
    for path in ("/v1/ai/gateway/me/wallet", "/api/gateway/me/wallet"):
        response = await send("GET", path, params={"api_slug": "shop"}, headers=CONSUMER)
        assert (response.status, response.json) == (200, {"wallet": {"balance": 99_997, "total_consumed": 3}})
        response = await send("GET", path, headers=CONSUMER)
        message = "api_slug is required"
        expected = {"code": "VALIDATION_ERROR", "message": message, "details": {"field": "api_slug"}}
        assert (response.status, response.json) == (400, expected)
    for path in ("/v1/ai/gateway/shop/chat/completions", "/api/gateway/shop/v1/chat/completions"):
        response = await send("POST", path, headers=CONSUMER, json={"messages": HELLO})
        assert set(response.json) == {"id", "object", "created", "model", "choices", "usage"}


@pytest.mark.parametrize(
    "headers",
    [{}, PROJECT, {"Authorization": "Bearer "}, {"Authorization": "Basic a"}, {"Authorization": "ask_live_1"}],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "ai/gateway/shop/chat/completions"), ("GET", "ai/gateway/me/wallet?api_slug=shop")]
)
async def test_the_gateway_requires_a_consumers_key(
    send: Send, headers: dict[str, str], method: str, path: str
) -> None:
    response = await send(method, f"/v1/{path}", headers=headers, json={"messages": HELLO})
    message = "The Authorization header with a consumer's key is missing"
    assert (response.status, response.json) == (401, {"code": "AUTH_INVALID_KEY", "message": message})


async def test_the_gateway_accepts_any_consumer_even_if_the_sandbox_has_keys() -> None:
    async with Sandbox(keys=["right"]) as restricted, restricted.api() as api:
        assert (await api.aerostack.gateway.wallet("shop", consumer="ask_live_1")).balance == 100_000


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "db/query"),
        ("POST", "db/batch"),
        ("POST", "auth/signup"),
        ("POST", "auth/signin"),
        ("POST", "cache/get"),
        ("POST", "queue/enqueue"),
        ("POST", "services/invoke"),
        ("POST", "storage/upload"),
        ("POST", "storage/get"),
        ("POST", "ai/search/query"),
        ("GET", "ai/search/listTypes"),
        ("POST", "gateway/billing/log"),
    ],
)
async def test_every_resource_requires_the_projects_key(send: Send, method: str, path: str) -> None:
    response = await send(method, f"/v1/{path}", headers={"Authorization": "Bearer key"}, json={})
    assert (response.status, response.json["code"]) == (401, "AUTH_INVALID_KEY")


async def test_usage_counts_the_chats_of_the_last_days() -> None:
    now = 1_800_000_000.0
    async with Sandbox(clock=lambda: now) as sandbox, sandbox.api() as api:
        gateway, consumer = api.aerostack.gateway, {"consumer": "ask_live_1"}
        assert await gateway.usage("shop", **consumer) == GatewayUsage(total_tokens=0, total_requests=0, days=30)
        await gateway.chat("shop", HELLO, **consumer)
        now += 24 * 3600
        await gateway.chat_stream("shop", HELLO, **consumer).finish()
        await gateway.log_usage("ask_live_1", "shop", 7)
        found = [await gateway.usage("shop", days=days, **consumer) for days in (1, 2)]
        assert [(one.total_tokens, one.total_requests, one.days) for one in found] == [(9, 1, 1), (18, 2, 2)]
        assert (await gateway.usage("other", **consumer)).total_requests == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "api_slug"),
        *(({"api_slug": "shop", "days": days}, "days") for days in ("0", "366", "-1", "1.5", "", "\u0661", "9" * 5000)),
    ],
)
async def test_a_wrong_query_for_the_usage_is_a_400(send: Send, query: Any, field: str) -> None:
    response = await send("GET", "/api/gateway/me/usage", params=query, headers=CONSUMER)
    assert (response.status, response.json["details"]) == (400, {"field": field})
