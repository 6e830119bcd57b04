"""Concurrency and rate of a client's calls."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve
from servers import OK, Exchange, Shop, asked, hang, late, make_response

from kellyapi._core.limits import Rate
from kellyapi._core.messages import Headers
from kellyapi._core.retry import NO_RETRY
from kellyapi.errors import RateLimitError, RequestTimeoutError, TransportError

from .shop_calls import timeout_of


async def test_calls_above_max_concurrency_wait_in_order_and_a_cancelled_one_makes_room() -> None:
    gates = {f"/{number}": asyncio.Event() for number in range(4)}

    async def gated(exchange: Exchange) -> None:
        await gates[exchange.seen.target].wait()
        await exchange.write(OK)

    async with asked(gated, max_concurrency=1) as (shop, server):
        calls = [asyncio.create_task(shop.look(path)) for path in gates]
        await server.until(lambda: len(server.requests) == 1)
        calls[1].cancel()  # waits for its turn
        calls[0].cancel()  # gets its response
        await server.until(lambda: len(server.requests) == 2)
        gates["/2"].set()
        assert await calls[2] == {}
        await server.until(lambda: len(server.requests) == 3)
        gates["/3"].set()
        assert await calls[3] == {}
        assert [seen.target for seen in server.requests] == ["/0", "/2", "/3"]


async def test_the_deadline_of_a_call_includes_the_wait_for_its_turn() -> None:
    async with asked(hang, max_concurrency=1) as (shop, server):
        first = asyncio.create_task(shop.look())
        await server.until(lambda: len(server.requests) == 1)
        with pytest.raises(TransportError) as caught:
            await shop.with_options(timeout=0.05).buy()
        assert (caught.value.provider, caught.value.sent, caught.value.outcome_unknown) == ("shop", False, False)
        assert len(server.requests) == 1
        first.cancel()


async def test_the_wait_for_its_turn_is_subtracted_from_the_time_of_a_call() -> None:
    async with asked(late(0.1, OK), OK, max_concurrency=1) as (shop, server):
        first = asyncio.create_task(shop.look())
        await server.until(lambda: len(server.requests) == 1)
        timeout = await timeout_of(shop.with_options(timeout=10), lambda shop: shop.look())
        assert timeout.total is not None
        assert timeout.total < 9.95
        await first


async def test_calls_above_the_rate_wait_in_order() -> None:
    async with asked(OK, rate=Rate(2, per=0.1)) as (shop, server):
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(shop.look(f"/{number}") for number in range(4)))
        assert asyncio.get_running_loop().time() - started >= 0.1
        assert [seen.target for seen in server.requests][2:] == ["/2", "/3"]


async def test_a_retry_waits_for_the_rate_like_a_first_attempt() -> None:
    async with asked(make_response(503), OK, rate=Rate(1, per=60), timeout=5) as (shop, server):
        with pytest.raises(RequestTimeoutError, match="did not get its turn in time"):
            await shop.look()
        assert len(server.requests) == 1


async def test_a_pause_that_a_server_requests_applies_to_the_next_call() -> None:
    async with asked(make_response(429, Retry_After="0.1"), OK) as (shop, _):
        paused = shop.with_options(timeout=0.05)
        started = asyncio.get_running_loop().time()
        with pytest.raises(RateLimitError):
            await paused.look()  # too short to wait
        assert await paused.look("/at-once") == {}  # sent, not failed here
        assert await shop.look("/later") == {}
        assert asyncio.get_running_loop().time() - started >= 0.1


async def test_a_client_without_retries_ignores_pauses() -> None:
    async with asked(make_response(429, Retry_After="50"), OK, retry=NO_RETRY) as (shop, _):
        with pytest.raises(RateLimitError):
            await shop.look()
        assert await shop.look() == {}


async def test_rate_limit_headers_of_a_provider_slow_its_client_down_before_it_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read_rate_limit(headers: Headers) -> tuple[float, float, float]:
        return float(headers["X-Left"]), 2.0, 0.1

    monkeypatch.setattr(Shop, "PROVIDER", evolve(Shop.PROVIDER, read_rate_limit=read_rate_limit))
    async with asked(make_response(X_Left="1"), make_response(X_Left="0"), make_response(X_Left="1")) as (shop, _):
        started = asyncio.get_running_loop().time()
        for _ in range(2):
            await shop.look()
        before = asyncio.get_running_loop().time() - started
        await anext(shop.listen())
        assert before < 0.1 <= asyncio.get_running_loop().time() - started


async def test_cancelling_a_call_frees_its_connection() -> None:
    async with asked(hang) as (shop, server):
        for call in (shop.look(), shop.buy(), anext(shop.listen())):
            server.requests.clear()
            task = asyncio.ensure_future(call)
            await server.until(lambda: len(server.requests) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.until(lambda: server.open == 0)
