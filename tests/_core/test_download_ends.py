"""Downloads from servers that lie about length or range: each ends after few requests, and joins no two contents."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import AT_ONCE, Exchange, Server

from kellyapi import DecodingError, Skytells, StatusError, TransportError
from kellyapi._core import downloads, transport

DATA = bytes(range(256)) * 400
HALF = len(DATA) // 2
TAG = '"fox"'

Answer = Callable[[int, int], tuple[int, dict[str, str], bytes]]
"""Given the number of the request and the first byte that it wants: the status, the headers and the body."""


def lying(answer: Answer) -> Callable[[Exchange], Any]:
    """Answer each request and close the connection."""
    number = 0

    async def script(exchange: Exchange) -> None:
        nonlocal number
        await exchange.read()
        found = re.search(r"\d+", exchange.seen.headers.get("range", ""))
        status, headers, body = answer(number, int(found[0]) if found else 0)
        number += 1
        headers = {"Content-Type": "image/png", "ETag": TAG, "Content-Length": str(len(body)), **headers}
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        await exchange.write("\r\n".join(lines).encode() + body)
        exchange.writer.close()

    return script


@asynccontextmanager
async def served(script: Any) -> AsyncIterator[tuple[Skytells, str, Server]]:
    async with Server(script) as server, Skytells("key", retry=AT_ONCE) as skytells:
        yield skytells, f"{server.url}/fox.png", server


def whole(size: int, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Length": str(size), **headers}, body


def part(start: int, end: int, size: int | str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Answer with a range whose length is that of the body, if `headers` do not say another."""
    return 206, {"Content-Range": f"bytes {start}-{end}/{size}", **headers}, body


HUGE = 10**12

LIES: dict[str, Answer] = {
    "one byte each time": lambda number, start: (
        part(start, HUGE - 1, HUGE, b"x", Content_Length=str(HUGE - start)) if start else whole(HUGE, b"x")
    ),
    "a range of one byte each time": lambda number, start: (
        part(start, start, HUGE, b"x") if start else whole(HUGE, b"x" * 50_000)
    ),
    "the same half each time": lambda number, start: whole(len(DATA), DATA[:HALF]),
    "the same half under a new tag each time": lambda number, start: whole(len(DATA), DATA[:HALF], ETag=f'"{number}"'),
    "a half, then too much": lambda number, start: (
        part(start, len(DATA) - 1, len(DATA), DATA) if start else whole(len(DATA), DATA[:HALF])
    ),
    "a half, then another range": lambda number, start: (
        part(start + 1, len(DATA) - 1, len(DATA), DATA[start + 1 :]) if start else whole(len(DATA), DATA[:HALF])
    ),
    "a half, then nothing of it": lambda number, start: (
        part(start, len(DATA) - 1, len(DATA), b"") if start else whole(len(DATA), DATA[:HALF])
    ),
    "a half, then no such range": lambda number, start: (
        (416, {"Content-Range": f"bytes */{len(DATA)}"}, b"") if start else whole(len(DATA), DATA[:HALF])
    ),
    "a file that grows": lambda number, start: whole(len(DATA) + number, DATA[:HALF], ETag=f'"{number}"'),
    "no length, and cut": lambda number, start: (
        200,
        {"Content-Length": "", "Transfer-Encoding": "chunked"},
        b"5\r\nx",
    ),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_download_from_a_server_that_lies_ends_after_few_requests(lie: str, tmp_path: Path) -> None:
    def answer(number: int, start: int) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = LIES[lie](number, start)
        return status, {name.replace("_", "-"): value for name, value in headers.items()}, body

    async with served(lying(answer)) as (skytells, url, server):
        with pytest.raises((TransportError, StatusError)):
            await skytells.download(url, tmp_path / "fox.png")
        assert len(server.requests) <= 8
    assert not (tmp_path / "fox.png").exists()


async def test_a_download_that_only_ever_gets_a_little_further_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "_MAX_REQUESTS", 50)
    piece = bytes(20_000)
    lie = lying(lambda number, start: part(start, HUGE - 1, HUGE, piece) if start else whole(HUGE, piece))
    async with served(lie) as (skytells, url, server):
        with pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png")
        assert len(server.requests) == 50


async def test_small_ranges_bring_the_whole_file(tmp_path: Path) -> None:
    def answer(number: int, start: int) -> tuple[int, dict[str, str], bytes]:
        end = min(start + 5_000, len(DATA))
        return part(start, end - 1, len(DATA), DATA[start:end]) if start else whole(len(DATA), DATA[:HALF])

    async with served(lying(answer)) as (skytells, url, server):
        await skytells.download(url, tmp_path / "fox.png")
        assert len(server.requests) == 1 + -(-HALF // 5_000)
    assert (tmp_path / "fox.png").read_bytes() == DATA


JOINS: dict[str, Answer] = {
    "the rest called the whole": lambda number, start: whole(len(DATA[start:]), DATA[start:]),
    "a coded rest": lambda number, start: part(
        start, len(DATA) - 1, len(DATA), DATA[start:], **{"Content-Encoding": "x-identity"}
    ),
    "the rest of another tag": lambda number, start: part(
        start, len(DATA) - 1, len(DATA), b"x" * len(DATA[start:]), ETag='"other"'
    ),
    "the rest of another size": lambda number, start: part(start, len(DATA), len(DATA) + 1, b"x" * len(DATA[start:])),
}


@pytest.mark.parametrize("lie", JOINS)
async def test_no_two_contents_are_joined(lie: str, tmp_path: Path) -> None:
    def answer(number: int, start: int) -> tuple[int, dict[str, str], bytes]:
        if number == 0:
            return whole(len(DATA), DATA[:HALF])
        return JOINS[lie](number, start) if start else whole(len(DATA), DATA)

    async with served(lying(answer)) as (skytells, url, server):
        await skytells.download(url, tmp_path / "fox.png")
        assert [seen.headers.get("range") for seen in server.requests] == [None, f"bytes={HALF}-", None]
    assert (tmp_path / "fox.png").read_bytes() == DATA


async def test_a_part_that_was_not_asked_for_is_refused(tmp_path: Path) -> None:
    lie = lying(lambda number, start: part(0, len(DATA) - 1, len(DATA), DATA))
    async with served(lie) as (skytells, url, server):
        with pytest.raises(DecodingError, match="a part of the file"):
            await skytells.download(url, tmp_path / "fox.png")
        assert len(server.requests) == 1


async def test_a_malformed_chunk_ends_an_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp does not say so to who waits for the body, and no longer counts the silence."""
    monkeypatch.setattr(transport, "_CHECK_INTERVAL", 0.01)
    written = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await written.wait()
        await exchange.write(b"nonsense\r\n")
        await exchange.left()

    async with served(script) as (skytells, url, server):
        with pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png", on_progress=lambda *_: written.set())
        assert len(server.requests) <= AT_ONCE.attempts**2
