"""A file that is changed while it is uploaded: no server receives a mixture that it takes for a whole file."""

from __future__ import annotations

import asyncio
import io
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import OK, Exchange, asked

from kellyapi import Aerostack, Kelly, TransportError
from kellyapi._data.media import open_media, read_media
from kellyapi._data.media_files import SourceChangedError

SIZE = 24 * 2**20
"""More than the buffers between two sockets hold."""
CHANGES: dict[str, Callable[[Path], Any]] = {
    "shrinks": lambda path: os.truncate(path, 20 * 2**20),
    "grows": lambda path: os.truncate(path, SIZE + 1),
    "is emptied": lambda path: os.truncate(path, 0),
    "is written anew, as long as before": lambda path: (os.truncate(path, 0), os.truncate(path, SIZE)),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "long.wav"
    path.write_bytes(b"RIFF\x00\x00\x00\x00WAVE")
    os.truncate(path, SIZE)
    os.utime(path, (1, 1))
    return path


def changing(path: Path, change: Callable[[Path], Any], whole: list[bool]) -> Any:
    """Change a file when its first bytes have arrived, and accept what looks like a whole body."""

    async def script(exchange: Exchange) -> None:
        head = exchange.seen.headers
        received = await exchange.reader.read(2**16)
        change(path)
        end, count = received[-5:], len(received)
        while piece := await exchange.reader.read(2**20):
            end, count = (end + piece)[-5:], count + len(piece)
            if count == int(head.get("content-length", -1)) or end == b"0\r\n\r\n":
                whole.append(True)
                await exchange.write(OK)

    return script


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("opened", [False, True], ids=["path", "open file"])
@pytest.mark.parametrize("repeatable", [False, True])
async def test_a_call_fails_if_its_file_changes(path: Path, change: str, opened: bool, repeatable: bool) -> None:
    whole: list[bool] = []
    with path.open("rb") as file:
        source: Any = file if opened else path
        async with asked(changing(path, CHANGES[change], whole)) as (shop, server):
            with pytest.raises(TransportError, match="shop: the audio was changed while it was read") as e:
                await shop.send(source, repeatable=repeatable)
            await server.until(lambda: not server.open)
            assert server.requests[0].headers["content-length"] == str(SIZE)
            assert len(server.requests) == 1  # another attempt would fail in the same way
    assert not whole
    assert (e.value.sent, e.value.outcome_unknown, e.value.provider) == (True, not repeatable, "shop")
    assert "SourceChangedError" not in "".join(traceback.format_exception(e.value))


@pytest.mark.parametrize("change", CHANGES)
async def test_no_upload_to_storage_ends_if_its_file_changes(path: Path, change: str) -> None:
    whole: list[bool] = []
    async with asked(changing(path, CHANGES[change], whole)) as (_, server):
        async with Aerostack("key", base_url=server.url) as aerostack:
            with pytest.raises(TransportError, match="the file was changed while it was read"):
                await aerostack.storage.upload("long.wav", path)
        await server.until(lambda: not server.open)
    assert not whole
    assert len(server.requests) == 1


async def test_a_file_that_stays_as_it_is_arrives_whole(path: Path) -> None:
    whole: list[bool] = []
    with path.open("rb") as file:
        for source in (path, file):
            async with asked(changing(path, lambda path: None, whole)) as (shop, _):
                assert await shop.send(source) == {}
    assert whole == [True, True]


async def test_a_file_that_changes_between_two_attempts_is_not_sent_as_if_it_had_not(path: Path) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.read()
        os.truncate(path, 100)
        await exchange.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    async with asked(refuse, OK) as (shop, _):
        with pytest.raises(TransportError, match="the audio was changed while it was read"):
            await shop.send(path)


async def test_a_file_that_changes_while_it_is_read_into_memory_is_an_error_too(path: Path) -> None:
    media = await open_media(path, "image")
    os.truncate(path, 5)
    with pytest.raises(SourceChangedError, match="the image was changed while it was read"):
        await media.read()
    async with Kelly("key", base_url="http://127.0.0.1:1") as kelly:
        with pytest.raises(OSError, match="the image was changed while it was read"):
            await kelly.upscale_image(media)


async def test_a_file_that_is_written_through_the_same_object_is_read_as_it_is_then(tmp_path: Path) -> None:
    with (tmp_path / "new.wav").open("w+b") as file:
        file.write(b"old" * 1000)
        file.flush()
        file.seek(0)
        file.write(b"new" * 1000)  # is still in the buffer
        file.seek(3)
        assert await read_media(file, "audio") == b"new" * 999


async def test_files_without_a_size_are_read_to_their_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writing = asyncio.to_thread((tmp_path / "pipe").write_bytes, b"a" * 100_000)
    found, _ = await asyncio.gather(read_media(tmp_path / "pipe", "audio"), writing)
    assert found == b"a" * 100_000
    assert b"python" in await read_media("/proc/self/cmdline", "file")
    assert (await open_media(io.BytesIO(b"a"), "file")).size is None
