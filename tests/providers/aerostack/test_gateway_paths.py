"""The two forms of the paths of consumers' calls: the one that the server knows is found and remembered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from servers import Exchange, Server, make_response

from kellyapi import NO_RETRY, Aerostack, KellyAPIError, NotFoundError, RateLimitError, Sandbox, ServerError

REPLY = b'{"id": "c1", "choices": [{"index": 0, "message": {"content": "Hello!"}, "finish_reason": "stop"}]}'
WALLET = b'{"wallet": {"balance": 5}}'
FIRST = ("/v1/ai/gateway/tutor/chat/completions", "/v1/ai/gateway/me/wallet?api_slug=tutor")
SECOND = ("/api/gateway/tutor/v1/chat/completions", "/api/gateway/me/wallet?api_slug=tutor")


def knowing(*targets: str, otherwise: bytes) -> Callable[[Exchange], Awaitable[None]]:
    """Respond to known paths with success, and to others as told."""

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        known = exchange.seen.target in targets
        body = WALLET if "wallet" in exchange.seen.target else REPLY
        await exchange.write(make_response(body=body) if known else otherwise)

    return script


async def chat(aerostack: Aerostack) -> Any:
    return (await aerostack.gateway.chat("tutor", "Hi", consumer="ask_live_1")).text


async def stream(aerostack: Aerostack) -> Any:
    async with aerostack.gateway.chat_stream("tutor", "Hi", consumer="ask_live_1") as pieces:
        return (await pieces.finish()).text


async def wallet(aerostack: Aerostack) -> Any:
    return (await aerostack.gateway.wallet("tutor", consumer="ask_live_1")).balance


def client(server: Server, **options: Any) -> Aerostack:
    return Aerostack("key", base_url=f"{server.url}/v1", retry=NO_RETRY, **options)


@pytest.mark.parametrize("missing", [404, 405])
@pytest.mark.parametrize("call", [chat, stream, wallet])
async def test_the_second_form_is_tried_and_remembered_for_all_calls(missing: int, call: Any) -> None:
    async with Server(knowing(*SECOND, otherwise=make_response(missing))) as server, client(server) as aerostack:
        assert await call(aerostack) in ("Hello!", 5.0)
        place = 1 if call is wallet else 0
        assert [seen.target for seen in server.requests] == [FIRST[place], SECOND[place]]
        assert {seen.headers["authorization"] for seen in server.requests} == {"Bearer ask_live_1"}
        assert not [seen for seen in server.requests if "x-aerostack-key" in seen.headers]
        for later in (chat, stream, wallet):
            await later(aerostack.with_options(timeout=5))
        assert [seen.target for seen in server.requests[2:]] == [SECOND[0], SECOND[0], SECOND[1]]


async def test_a_server_that_knows_the_first_form_gets_no_other_request() -> None:
    async with Server(knowing(*FIRST, otherwise=make_response(404))) as server, client(server) as aerostack:
        assert [await call(aerostack) for call in (chat, stream, wallet)] == ["Hello!", "Hello!", 5.0]
        assert len(server.requests) == 3


async def test_the_first_form_is_found_again_when_the_second_has_gone() -> None:
    scripts = [make_response(404), make_response(body=WALLET), make_response(404), make_response(body=WALLET)]
    async with Server(*scripts) as server, client(server) as aerostack:
        for _ in range(3):
            assert await wallet(aerostack) == 5.0
        assert [seen.target for seen in server.requests] == [FIRST[1], SECOND[1], SECOND[1], FIRST[1], FIRST[1]]


async def test_what_is_remembered_belongs_to_one_address() -> None:
    async with Server(knowing(*SECOND, otherwise=make_response(404))) as old, client(old) as aerostack:
        await wallet(aerostack)
        async with Server(knowing(*FIRST, otherwise=make_response(404))) as new:
            await wallet(aerostack.with_access(base_url=f"{new.url}/v1"))
            assert [seen.target for seen in new.requests] == [FIRST[1]]


@pytest.mark.parametrize("call", [chat, stream, wallet])
async def test_an_api_that_neither_form_knows_raises_the_first_error_and_remembers_nothing(call: Any) -> None:
    first = make_response(404, b'{"code": "NOT_FOUND", "message": "no such API"}')
    async with Server(first, make_response(404)) as server, client(server) as aerostack:
        with pytest.raises(NotFoundError, match="no such API"):
            await call(aerostack)
        with pytest.raises(NotFoundError):
            await call(aerostack)
        places = [seen.target.startswith("/v1/") for seen in server.requests]
        assert places == [True, False, True, False]


@pytest.mark.parametrize("call", [chat, stream, wallet])
@pytest.mark.parametrize(("status", "error"), [(429, RateLimitError), (500, ServerError)])
async def test_other_errors_are_raised_at_once(call: Any, status: int, error: type[KellyAPIError]) -> None:
    async with Server(make_response(status)) as server, client(server) as aerostack:
        with pytest.raises(error):
            await call(aerostack)
        assert len(server.requests) == 1
    async with Server(make_response(404), make_response(status)) as server, client(server) as aerostack:
        with pytest.raises(error):
            await call(aerostack)
        assert len(server.requests) == 2


async def test_both_forms_work_with_the_sandbox() -> None:
    async with Sandbox(keep_engines=True) as sandbox, sandbox.api() as api:
        before = await api.aerostack.gateway.wallet("tutor", consumer="ask_live_1")
        sandbox.fail_next("/v1/ai/gateway/tutor/chat/completions", status=404)
        assert (await api.aerostack.gateway.chat("tutor", "Hi", consumer="ask_live_1")).text
        assert (await api.aerostack.gateway.wallet("tutor", consumer="ask_live_1")).balance < before.balance
        assert sandbox.requests[-1].path == "/api/gateway/me/wallet?api_slug=tutor"
