"""Many calls at once, on many connections and on few."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path
from random import Random

from servers import Exchange, asked, make_response

from .cancelled_calls import CALLS, KINDS, LINES, slow


async def test_ten_times_more_calls_of_every_kind_than_connections_all_finish(file: Path) -> None:
    async with asked(slow(Random(2)), max_connections=LINES) as (shop, server):
        calls = [KINDS[number % len(KINDS)](shop, file) for number in range(10 * LINES)]
        assert await asyncio.gather(*calls) == [True] * len(calls)
        assert len(server.requests) == len(calls)
        await server.until(lambda: server.open <= LINES)


async def test_a_thousand_calls_at_once_share_a_hundred_connections_in_their_order() -> None:
    async with asked(slow(Random(5)), max_connections=CALLS // 10) as (shop, server):
        assert await asyncio.gather(*(shop.look(f"/{number}") for number in range(CALLS))) == [None] * CALLS
        assert server.connections == CALLS // 10
        arrived = [int(seen.target.removeprefix("/")) for seen in server.requests]
        assert sorted(arrived) == list(range(CALLS))
        assert max(number - place for place, number in enumerate(arrived)) <= server.connections  # none overtook more


async def test_a_thousand_calls_are_in_flight_at_once() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # both sides are in this process
    ready = asyncio.Event()

    async def together(exchange: Exchange) -> None:
        await exchange.read()
        await ready.wait()
        await exchange.write(make_response())

    async with asked(together, max_connections=CALLS) as (shop, server):
        calls = [asyncio.create_task(shop.buy()) for _ in range(CALLS)]
        await server.until(lambda: len(server.requests) == CALLS)
        assert not [call for call in calls if call.done()]
        ready.set()
        assert await asyncio.gather(*calls) == [{}] * CALLS
        assert (len(server.requests), server.connections) == (CALLS, CALLS)
