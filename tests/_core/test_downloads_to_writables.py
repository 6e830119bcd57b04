"""Downloads to objects of users: open files, buffers, responses of servers, pipes."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from file_server import DATA, HALF, TAG, Delivery, delivered, head
from servers import Exchange, Server

from kellyapi import NO_RETRY, Aerostack, KellyAPI, StatusError, TransportError


class Sink:
    """An object with an async `write`."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.pieces: list[int] = []

    async def write(self, data: bytes) -> None:
        await asyncio.sleep(0)
        self.pieces.append(len(data))
        self.data += data


class Short(io.RawIOBase):
    """A raw file that takes a few bytes at a time."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += data[:10_000]
        return len(data[:10_000])


async def test_an_open_file_and_a_buffer_get_the_bytes_and_stay_open(tmp_path: Path) -> None:
    reported: list[tuple[int, int | None]] = []
    with (tmp_path / "a").open("wb") as file, (tmp_path / "raw").open("wb", buffering=0) as raw:
        buffer, sink, short = io.BytesIO(), Sink(), Short()
        buffer.write(b"before")
        async with delivered(Delivery()) as (skytells, url, server):
            for target in (file, raw, buffer, sink, short):
                size = await skytells.download(url, target, on_progress=lambda *each: reported.append(each))
                assert size == len(DATA)
            assert not any("x-api-key" in seen.headers for seen in server.requests)
        assert [each.closed for each in (file, raw, buffer)] == [False] * 3
    assert (tmp_path / "a").read_bytes() == (tmp_path / "raw").read_bytes() == sink.data == short.data == DATA
    assert buffer.getvalue() == b"before" + DATA
    assert (reported[0], reported[-1]) == ((0, len(DATA)), (len(DATA), len(DATA)))


async def test_kelly_api_and_aerostack_write_to_an_object_too() -> None:
    buffer = io.BytesIO()
    async with Server(Delivery()) as server, KellyAPI() as api:
        assert await api.download(f"{server.url}/fox.png", buffer) == len(DATA)
        aerostack = Aerostack("key", base_url=server.url)
        assert await aerostack.storage.download("fox", buffer) == len(DATA)
        await aerostack.close()
    assert buffer.getvalue() == DATA * 2


async def test_an_archive_a_pipe_and_a_response_of_a_server_are_written_to(tmp_path: Path) -> None:
    async with delivered(Delivery()) as (skytells, url, _):

        async def pass_on(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            await skytells.download(url, response)
            return response

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await skytells.download(url, writer)
            writer.close()

        app = web.Application()
        app.router.add_get("/", pass_on)
        async with TestServer(app) as site, ClientSession() as session, session.get(site.make_url("/")) as response:
            assert await response.read() == DATA
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as pipe:
            reader, writer = await asyncio.open_connection(*pipe.sockets[0].getsockname())
            assert await reader.read() == DATA
            writer.close()
        with gzip.open(tmp_path / "a.gz", "wb") as packed:
            await skytells.download(url, packed)
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive, archive.open("fox.png", "w") as member:
            await skytells.download(url, member)
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == DATA
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("fox.png") == DATA


async def test_small_pieces_are_written_in_large_ones_with_flat_memory() -> None:
    size = 16 * 2**20

    async def deliver(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(head(200, {"Content-Length": str(size)}))
        for _ in range(size // 2**14):
            await exchange.write(bytes(2**14))

    class Counter:
        size = most = 0

        def write(self, data: bytes) -> None:
            self.size += len(data)
            self.most = max(self.most, len(data))

    async with delivered(deliver) as (skytells, url, _):
        await skytells.download(url, Counter())
        counter = Counter()
        tracemalloc.start()
        await skytells.download(url, counter)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (counter.size, peak < 4 * 2**20) == (size, True)
    assert counter.most >= 2**16


# Broken off


async def test_a_download_that_breaks_off_is_resumed_and_written_on() -> None:
    delivery, buffer = Delivery(cuts=[HALF, 1000]), io.BytesIO()
    async with delivered(delivery) as (skytells, url, _):
        assert await skytells.download(url, buffer) == len(DATA)
    assert buffer.getvalue() == DATA
    assert delivery.asked == [
        {},
        {"range": f"bytes={HALF}-", "if-range": TAG},
        {"range": f"bytes={HALF + 1000}-", "if-range": TAG},
    ]


async def test_a_download_that_breaks_off_before_anything_was_written_starts_again() -> None:
    delivery, buffer = Delivery(cuts=[0], tag=None, ranges=False), io.BytesIO()
    async with delivered(delivery) as (skytells, url, _):
        await skytells.download(url, buffer)
    assert buffer.getvalue() == DATA


def changed(it: Delivery) -> None:
    if it.asked:
        it.data, it.tag = os.urandom(len(DATA)), '"fox-2"'


@pytest.mark.parametrize(
    "delivery",
    [
        lambda: Delivery(cuts=[HALF] * 9, tag=None),
        lambda: Delivery(cuts=[HALF] * 9, ranges=False),
        lambda: Delivery(cuts=[HALF] * 9, before=changed),
    ],
)
async def test_a_download_that_cannot_be_resumed_says_how_many_bytes_were_written(delivery: Any) -> None:
    served, buffer = delivery(), io.BytesIO()
    async with delivered(served) as (skytells, url, _):
        with pytest.raises(TransportError) as raised:
            await skytells.download(url, buffer)
    written = len(buffer.getvalue())
    assert 0 < written <= HALF
    assert buffer.getvalue() == DATA[:written]
    assert raised.value.partial == written
    assert f"{written} bytes were written" in str(raised.value)
    assert len(served.asked) <= 2


async def test_without_retries_a_download_that_breaks_off_says_what_was_written() -> None:
    buffer = io.BytesIO()
    async with delivered(Delivery(cuts=[HALF]), retry=NO_RETRY) as (skytells, url, _):
        with pytest.raises(TransportError) as raised:
            await skytells.download(url, buffer)
    assert raised.value.partial == len(buffer.getvalue()) > 0


async def test_an_error_status_writes_nothing() -> None:
    buffer = io.BytesIO()
    async with delivered(head(500, {"Content-Length": "0"})) as (skytells, url, _):
        with pytest.raises(StatusError) as raised:
            await skytells.download(url, buffer)
    assert (buffer.getvalue(), raised.value.partial) == (b"", None)


async def test_what_the_object_raises_is_raised_with_the_bytes_that_were_written() -> None:
    class Full:
        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    async with delivered(Delivery()) as (skytells, url, server):
        with pytest.raises(OSError, match="No space left") as raised:
            await skytells.download(url, Full())
        await server.until(lambda: server.open == 0)
    assert raised.value.__notes__ == ["0 bytes of the download were written"]


@pytest.mark.parametrize("part", ["write", "on_progress"])
async def test_an_error_of_ours_from_code_of_the_user_ends_a_download(part: str) -> None:
    """It is that of another call, which the code made: the download did not break off."""
    delivery = Delivery()

    class Failing:
        def write(self, data: bytes) -> None:
            if part == "write":
                raise TransportError("of another call")

    def report(received: int, total: int | None) -> None:
        if part == "on_progress" and received:
            raise TransportError("of another call")

    async with delivered(delivery) as (skytells, url, _):
        with pytest.raises(TransportError, match="of another call"):
            await skytells.download(url, Failing(), on_progress=report)
    assert len(delivery.asked) == 1


# Refused


async def test_an_object_that_takes_no_bytes_is_refused_before_anything_is_requested(tmp_path: Path) -> None:
    closed = io.BytesIO()
    closed.close()
    (tmp_path / "a").write_bytes(b"old")
    with (tmp_path / "a").open("rb") as readable, (tmp_path / "b").open("w", encoding="utf-8") as text:
        wrong: list[tuple[Any, type[Exception], str]] = [
            (closed, ValueError, "closed"),
            (readable, ValueError, "for reading only"),
            (text, TypeError, "binary mode"),
            (io.StringIO(), TypeError, "binary mode"),
            (sys.__stdout__, TypeError, r"\.buffer of sys\.stdout"),
            (object(), TypeError, "an object with write"),
            (io.BytesIO, TypeError, "an object with write"),
            (5, TypeError, "an object with write"),
        ]
        async with delivered(Delivery()) as (skytells, url, server):
            for target, kind, words in wrong:
                with pytest.raises(kind, match=rf"path must .*{words}|path is .*{words}"):
                    await skytells.download(url, target)
                with pytest.raises(kind, match=rf"to must .*{words}|to is .*{words}"):
                    await skytells.predictions.download("a1", target)
            assert server.connections == 0
