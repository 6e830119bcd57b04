"""Calls that are cancelled at any moment, and streams that are left early: nothing of them stays behind.

Moments are counted in turns of the event loop and drawn from a seed, so every run cancels at the same ones as far as
the machine allows, and none depends on its speed.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import pytest
from servers import KEY, Exchange, Server, Shop, answer, asked

from kellyapi import Rate
from kellyapi.media import open_media, save_stream
from kellyapi.wire import Part

LINES = 10
CALLS = 1000
TURNS = 60
"""More than a call takes against the server below when nothing else runs."""


def slow(random: Random) -> Callable[[Exchange], Awaitable[None]]:
    """Answer in pieces, with turns of the loop before each."""
    pieces = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", b"Content-Length: 4\r\n\r\n", b"nu", b"ll")

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        for piece in pieces:
            for _ in range(random.randrange(5)):
                await asyncio.sleep(0)
            await exchange.write(piece)

    return script


async def listen(shop: Shop, _: Path) -> bool:
    async with shop.listen() as stream:
        return b"".join([piece async for piece in stream]) == b"null"


async def download(shop: Shop, file: Path) -> bool:
    async with shop._stream_link(f"{shop.base_url}/file") as pieces:
        await save_stream(file.with_name("copy"), pieces)
    return True


async def fill(shop: Shop, file: Path) -> bool:
    media = await open_media(file, "file")
    return await shop.fill(Part("file", media.body, filename="sound"), into=object) is None


async def look(shop: Shop, _: Path) -> bool:
    return await shop.look() is None


async def buy(shop: Shop, _: Path) -> bool:
    return await shop.buy() is None


async def send(shop: Shop, file: Path) -> bool:
    return await shop.send(file) is None


KINDS = (look, buy, listen, download, fill, send)
LIMITS: dict[str, dict[str, Any]] = {
    "connections": {},
    "concurrency": {"max_concurrency": LINES // 2},
    "rate": {"rate": Rate(1_000_000, per=1.0)},
}


def open_files() -> list[str]:
    """Give what every open file of this process is."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except FileNotFoundError:  # the directory itself
            continue
    return sorted(found)


def tasks_but_the_servers() -> int:
    return len([task for task in asyncio.all_tasks() if "_serve" not in repr(task.get_coro())])


async def cancel_each(calls: list[Coroutine[Any, Any, Any]], random: Random) -> list[Any]:
    """Start calls, cancel each at a moment of its own, and give what became of them."""
    due: dict[int, list[asyncio.Task[Any]]] = {}
    tasks = [asyncio.create_task(call) for call in calls]
    for task in tasks:
        due.setdefault(random.randrange(TURNS), []).append(task)
    for turn in range(TURNS):
        for task in due.get(turn, ()):
            task.cancel()
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    path.write_bytes(b"RIFF----WAVE" + bytes(2**16))
    return path


@pytest.mark.parametrize("limits", LIMITS)
async def test_after_a_thousand_cancelled_calls_a_thousand_go_well_and_nothing_is_left(limits: str, file: Path) -> None:
    random = Random(1)
    async with Server(slow(random)) as server:
        tasks, files = tasks_but_the_servers(), open_files()
        async with Shop(KEY, base_url=server.url, max_connections=LINES, **LIMITS[limits]) as shop:
            ends: list[Any] = []
            for number in range(CALLS // 50):
                kinds = [KINDS[(number + each) % len(KINDS)] for each in range(50)]
                ends += await cancel_each([kind(shop, file) for kind in kinds], random)
            cancelled = [end for end in ends if isinstance(end, asyncio.CancelledError)]
            assert len(cancelled) > CALLS / 4
            assert [end for end in ends if not (end is True or isinstance(end, asyncio.CancelledError))] == []
            await server.until(lambda: server.open <= LINES)

            async with asyncio.timeout(30):
                good = await asyncio.gather(*(KINDS[each % 3](shop, file) for each in range(CALLS)))
            assert good == [True] * CALLS
            assert server.open <= LINES
            assert tasks_but_the_servers() <= tasks
        await server.until(lambda: server.open == 0)
        for _ in range(1000):  # a close takes a few turns
            if len(open_files()) > len(files):
                await asyncio.sleep(0)
        assert len(open_files()) <= len(files)
    assert {path.name for path in file.parent.iterdir()} <= {file.name, "copy"}


# -- streams that are left early ---------------------------------------------------------------------------------------


async def leave_by_break(stream: AsyncIterator[bytes]) -> None:
    async for _ in stream:
        break


async def leave_by_an_error(stream: AsyncIterator[bytes]) -> None:
    async for _ in stream:
        raise LookupError


async def leave_unread(stream: AsyncIterator[bytes]) -> None:
    pass


async def leave_by_aclose(stream: Any) -> None:
    await anext(stream)
    await stream.aclose()


async def leave_by_a_timeout(stream: AsyncIterator[bytes]) -> None:
    async with asyncio.timeout(0.01):
        async for _ in stream:
            pass


async def leave_by_cancellation(stream: AsyncIterator[bytes]) -> None:
    task = asyncio.current_task()
    assert task is not None
    async for _ in stream:
        task.cancel()


LEAVINGS = (
    leave_by_break, leave_by_an_error, leave_unread, leave_by_aclose, leave_by_a_timeout, leave_by_cancellation
)  # fmt: skip
OPENINGS: dict[str, Callable[[Shop], Any]] = {
    "a stream": lambda shop: shop.listen(),
    "a download": lambda shop: shop._stream_link(f"{shop.base_url}/file"),
}


async def endless(exchange: Exchange) -> None:
    await exchange.read()
    await exchange.write(answer(Transfer_Encoding="chunked", body=b"3\r\nabc\r\n"))
    await exchange.left()


@pytest.mark.parametrize("leave", LEAVINGS)
@pytest.mark.parametrize("opening", OPENINGS)
async def test_leaving_a_stream_early_frees_its_only_connection_at_once(
    opening: str, leave: Callable[[Any], Awaitable[None]]
) -> None:
    async def use(shop: Shop) -> None:
        async with OPENINGS[opening](shop) as stream:
            await leave(stream)

    async with asked(endless, endless, answer(), max_connections=1) as (shop, server):
        tasks = tasks_but_the_servers()
        for number in (1, 2):
            await asyncio.gather(asyncio.create_task(use(shop)), return_exceptions=True)
            await server.until(lambda: server.open == 0)
            assert (server.connections, tasks_but_the_servers()) == (number, tasks)
        async with asyncio.timeout(20):
            assert await shop.look() == {}


async def test_a_download_that_is_cancelled_leaves_no_file(file: Path) -> None:
    async with asked(endless, max_connections=1) as (shop, server):
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
        assert sorted(file.parent.iterdir()) == before


# -- many at once ------------------------------------------------------------------------------------------------------


async def test_ten_times_more_calls_of_every_kind_than_connections_all_finish(file: Path) -> None:
    async with asked(slow(Random(2)), max_connections=LINES) as (shop, server):
        calls = [KINDS[number % len(KINDS)](shop, file) for number in range(10 * LINES)]
        assert await asyncio.gather(*calls) == [True] * len(calls)
        assert len(server.requests) == len(calls)
        await server.until(lambda: server.open <= LINES)


async def test_a_thousand_calls_are_in_flight_at_once() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # both sides are in this process
    ready = asyncio.Event()

    async def together(exchange: Exchange) -> None:
        await exchange.read()
        await ready.wait()
        await exchange.write(answer())

    async with asked(together, max_connections=CALLS) as (shop, server):
        calls = [asyncio.create_task(shop.buy()) for _ in range(CALLS)]
        await server.until(lambda: len(server.requests) == CALLS)
        assert not [call for call in calls if call.done()]
        ready.set()
        assert await asyncio.gather(*calls) == [{}] * CALLS
        assert (len(server.requests), server.connections) == (CALLS, CALLS)


async def test_the_wait_for_a_connection_is_cancelled_as_cleanly() -> None:
    async with asked(endless, answer(), max_connections=1) as (shop, server):
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
