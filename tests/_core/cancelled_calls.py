"""Calls of each kind, a slow server for them, and checks that cancelled calls leave nothing open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from servers import Exchange, Seen, Shop, make_response

from kellyapi import Rate
from kellyapi._core.messages import FormField
from kellyapi._data.media import open_media

LINES = 10
CALLS = 1000
WAITS_CANCELLED = 120
TURNS = 60
"""More turns of the loop than one call to the server below takes when nothing else runs."""
Reply = Callable[[Seen], bytes]


def slow(random: Random, reply: Reply = lambda _: make_response(body=b"null")) -> Callable[[Exchange], Awaitable[None]]:
    """Send the response in random pieces, with some turns of the loop before each."""

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        whole = reply(exchange.seen)
        cuts = [0, *sorted(random.sample(range(1, len(whole)), 3)), len(whole)]
        for start, end in pairwise(cuts):
            for _ in range(random.randrange(5)):
                await asyncio.sleep(0)
            await exchange.write(whole[start:end])

    return script


async def listen(shop: Shop, _: Path) -> bool:
    async with shop.listen() as stream:
        return b"".join([piece async for piece in stream]) == b"null"


async def download(shop: Shop, file: Path) -> bool:
    return await shop._save_link(f"{shop.base_url}/file", file.with_name("copy")) == file.with_name("copy")


async def fill(shop: Shop, file: Path) -> bool:
    media = await open_media(file, "file")
    return await shop.fill(FormField("file", media.body, filename="sound"), into=object) is None


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
    """List the open files of this process."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except FileNotFoundError:  # the directory itself
            continue
    return sorted(found)


async def closed_but(files: list[str]) -> None:
    """Check that no other files are open; closing takes a few turns of the loop."""
    for _ in range(1000):
        if len(open_files()) <= len(files):
            break
        await asyncio.sleep(0)
    assert len(open_files()) <= len(files)


def tasks_but_the_servers() -> int:
    return len([task for task in asyncio.all_tasks() if "_serve" not in repr(task.get_coro())])


async def cancel_each(calls: list[Coroutine[Any, Any, Any]], random: Random) -> list[Any]:
    """Start calls, cancel each at a random moment, and return their results and errors."""
    due: dict[int, list[asyncio.Task[Any]]] = {}
    tasks = [asyncio.create_task(call) for call in calls]
    for task in tasks:
        due.setdefault(random.randrange(TURNS), []).append(task)
    for turn in range(TURNS):
        for task in due.get(turn, ()):
            task.cancel()
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


EVENTS: dict[str, list[dict[str, Any]]] = {
    "/chat/completions": [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("Good", " morning")],
    "/responses": [
        {"type": "response.output_text.delta", "delta": "Good morning"},
        {"type": "response.completed", "response": {"id": "r", "model": "m", "status": "completed", "output": []}},
    ],
}


async def unfinished(exchange: Exchange) -> None:
    await exchange.read()
    event = EVENTS.get(exchange.seen.target, ["abc"])[0]
    piece = f"data: {json.dumps(event)}\n\n".encode()
    head = make_response(kind="text/event-stream", Transfer_Encoding="chunked", body=b"")
    await exchange.write(head + b"%x\r\n%b\r\n" % (len(piece), piece))
    await exchange.left()
