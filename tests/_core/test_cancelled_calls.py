"""Calls that are cancelled at any moment leave no file, task or connection behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest
from servers import KEY, Server, Shop, asked, make_response

from .cancelled_calls import (
    CALLS,
    KINDS,
    LIMITS,
    LINES,
    cancel_each,
    closed_but,
    download,
    open_files,
    slow,
    tasks_but_the_servers,
    unfinished,
)


@pytest.mark.parametrize(("limits", "calls"), [("connections", CALLS), ("concurrency", 200), ("rate", 200)])
async def test_after_many_cancelled_calls_as_many_succeed_and_nothing_remains(
    limits: str, calls: int, file: Path
) -> None:
    random = Random(1)
    async with Server(slow(random)) as server:
        tasks, files = tasks_but_the_servers(), open_files()
        async with Shop(KEY, base_url=server.url, max_connections=LINES, **LIMITS[limits]) as shop:
            ends: list[Any] = []
            for number in range(calls // 50):
                kinds = [KINDS[(number + each) % len(KINDS)] for each in range(50)]
                ends += await cancel_each([kind(shop, file) for kind in kinds], random)
            cancelled = [end for end in ends if isinstance(end, asyncio.CancelledError)]
            assert len(cancelled) > calls / 4
            assert [end for end in ends if not (end is True or isinstance(end, asyncio.CancelledError))] == []
            await server.until(lambda: server.open <= LINES)

            async with asyncio.timeout(30):
                good = await asyncio.gather(*(KINDS[each % 3](shop, file) for each in range(calls)))
            assert good == [True] * calls
            assert server.open <= LINES
            assert tasks_but_the_servers() <= tasks
        await server.until(lambda: server.open == 0)
        await closed_but(files)
    assert {path.name for path in file.parent.iterdir()} <= {file.name, "copy"}


async def test_a_cancelled_download_leaves_no_file(file: Path) -> None:
    async with asked(unfinished, max_connections=1) as (shop, server):
        before = sorted(file.parent.iterdir())
        for turns in range(20):
            call = asyncio.create_task(download(shop, file))
            if turns > 10:
                await server.until(lambda: server.open == 1)
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert call.cancelled()
            await server.until(lambda: server.open == 0)
        # A cancelled call does not wait for the thread that opens its file; the thread removes the file later.
        await asyncio.get_running_loop().shutdown_default_executor()
        assert sorted(file.parent.iterdir()) == before


async def test_calls_that_wait_for_a_connection_can_be_cancelled() -> None:
    async with asked(unfinished, make_response(), max_connections=1) as (shop, server):
        async with shop.listen():
            waiting = [asyncio.create_task(shop.look()) for _ in range(50)]
            for _ in range(5):
                await asyncio.sleep(0)
            for call in waiting[:-1]:
                call.cancel()
            await asyncio.gather(*waiting[:-1], return_exceptions=True)
            assert not waiting[-1].done()
        assert await waiting[-1] == {}
        assert len(server.requests) == 2
