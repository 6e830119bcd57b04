"""Downloads of whole files over real sockets, and the disks that they are written to."""

from __future__ import annotations

import asyncio
import gzip
import re
from pathlib import Path

import pytest
from file_server import DATA, HALF, TAG, Delivery, delivered, head, names, only
from processes import run_script
from servers import Exchange, Server

from kellyapi import KellyAPI, Skytells, TransportError

# Whole


async def test_a_link_is_saved_completely_and_requested_without_the_key(tmp_path: Path) -> None:
    async with delivered(Delivery()) as (skytells, url, server):
        assert await skytells.download(url, str(tmp_path / "fox.png")) == tmp_path / "fox.png"
        (seen,) = server.requests
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert names(tmp_path) == ["fox.png"]
    assert seen.headers["accept-encoding"] == "identity"
    assert not {"x-api-key", "authorization", "range"} & set(seen.headers)


async def test_kelly_api_downloads_too_and_needs_no_key(tmp_path: Path) -> None:
    async with Server(Delivery()) as server, KellyAPI() as api:
        await api.download(f"{server.url}/fox.png", tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA


async def test_an_existing_file_is_replaced_only_by_a_complete_one(tmp_path: Path) -> None:
    place = tmp_path / "fox.png"
    place.write_bytes(b"old")
    async with delivered(Delivery(cuts=[0] * 9)) as (skytells, url, _):
        with pytest.raises(TransportError):
            await skytells.download(url, place)
    assert (place.read_bytes(), names(tmp_path)) == (b"old", ["fox.png"])
    async with delivered(Delivery()) as (skytells, url, _):
        await skytells.download(url, place)
    assert (place.read_bytes(), names(tmp_path)) == (DATA, ["fox.png"])


@pytest.mark.parametrize("data", [b"", b"x"])
async def test_small_and_empty_files_are_saved(data: bytes, tmp_path: Path) -> None:
    async with delivered(Delivery(data=data)) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (data, ["fox.png"])


async def test_a_file_of_unknown_size_is_saved(tmp_path: Path) -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(DATA), DATA)
    whole = head(200, {"Transfer-Encoding": "chunked", "ETag": TAG}) + chunked
    reported: list[tuple[int, int | None]] = []
    async with delivered(whole) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png", on_progress=lambda *each: reported.append(each))
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert (reported[0], reported[-1]) == ((0, None), (len(DATA), None))


async def test_a_file_that_arrives_compressed_is_unpacked(tmp_path: Path) -> None:
    packed = gzip.compress(DATA)
    length = {"Content-Length": str(len(packed)), "Content-Encoding": "gzip", "ETag": TAG, "Accept-Ranges": "bytes"}
    async with delivered(head(200, length) + packed) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA


@pytest.mark.parametrize("how", ["plain", "async"])
async def test_progress_is_reported_from_zero_to_the_whole_size(how: str, tmp_path: Path) -> None:
    reported: list[tuple[int, int | None]] = []

    def plain(received: int, total: int | None) -> None:
        reported.append((received, total))

    async def later(received: int, total: int | None) -> None:
        await asyncio.sleep(0)
        plain(received, total)

    async with delivered(Delivery(data=DATA * 4)) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png", on_progress=plain if how == "plain" else later)
    assert (reported[0], reported[-1]) == ((0, 4 * len(DATA)), (4 * len(DATA), 4 * len(DATA)))
    assert [received for received, _ in reported] == sorted(received for received, _ in reported)
    assert len(reported) > 3


async def test_an_error_of_the_callback_ends_the_download(tmp_path: Path) -> None:
    def fail(received: int, total: int | None) -> None:
        raise LookupError("enough")

    async with delivered(Delivery()) as (skytells, url, _):
        with pytest.raises(LookupError, match="enough"):
            await skytells.download(url, tmp_path / "fox.png", on_progress=fail)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "file:///etc/passwd",
        "ftp://d.example/a",
        "a.png",
        "//d.example/a.png",
        "http://",
        "http://d.example:99999/",
    ],
)
async def test_an_address_that_is_not_a_web_link_is_refused(url: str, tmp_path: Path) -> None:
    async with Skytells("key") as skytells:
        with pytest.raises(ValueError, match="url"):
            await skytells.download(url, tmp_path / "fox.png")


# Disks


@pytest.mark.parametrize("trick", ["symlink", "hard link", "folder"])
async def test_a_foreign_file_with_the_name_of_a_part_is_not_written_to(trick: str, tmp_path: Path) -> None:
    delivery, folder, outside = Delivery(cuts=[HALF, *[0] * 9]), tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.write_bytes(b"precious")
    async with delivered(delivery) as (skytells, url, _):
        with pytest.raises(TransportError):
            await skytells.download(url, folder / "fox.png")
        part = only(folder)
        part.unlink()
        if trick == "symlink":
            part.symlink_to(outside)
        elif trick == "hard link":
            part.hardlink_to(outside)
        else:
            part.mkdir()
        delivery.cuts.clear()
        await skytells.download(url, folder / "fox.png")
    assert (folder / "fox.png").read_bytes() == DATA
    assert outside.read_bytes() == b"precious"


async def test_a_path_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    async with delivered(Delivery()) as (skytells, url, _):
        with pytest.raises(IsADirectoryError, match="folder"):
            await skytells.download(url, tmp_path / "folder")
        with pytest.raises(FileNotFoundError, match="none"):
            await skytells.download(url, tmp_path / "none" / "fox.png")
    assert names(tmp_path) == ["folder"]


FULL = """
import asyncio, errno, resource, signal, sys
from kellyapi import Skytells

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))

async def main():
    async with Skytells("key") as skytells:
        try:
            await skytells.download(sys.argv[1], sys.argv[2])
        except OSError as error:
            print(errno.errorcode[error.errno], error.filename)

asyncio.run(main())
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))  # for a coverage file
"""


async def test_a_full_disk_is_an_os_error_that_names_the_file(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: a write fails halfway, in the same call."""
    async with delivered(Delivery(data=DATA * 4)) as (_, url, _):
        printed = await run_script(FULL, url, str(tmp_path / "fox.png"), str(len(DATA)))
    assert re.fullmatch(rf"EFBIG {re.escape(str(tmp_path))}/fox\.png\.[0-9a-f]+\.part", printed)
    assert names(tmp_path) == []


MEMORY = """
import asyncio, resource, sys, tracemalloc
from kellyapi import Skytells

async def main():
    async with Skytells("key") as skytells:
        await skytells.download(sys.argv[1] + "/small", sys.argv[2])
        tracemalloc.start()
        await skytells.download(sys.argv[1] + "/large", sys.argv[2])
        print(tracemalloc.get_traced_memory()[1])

asyncio.run(main())
"""


async def test_memory_does_not_grow_with_the_size_of_a_download(tmp_path: Path) -> None:
    size, piece = 64 * 2**20, bytes(2**20)

    async def large(exchange: Exchange) -> None:
        await exchange.read()
        length = size if exchange.seen.target.endswith("large") else len(piece)
        await exchange.write(head(200, {"Content-Length": str(length), "ETag": TAG}))
        for _ in range(length // len(piece)):
            await exchange.write(piece)

    async with Server(large) as server:
        peak = int(await run_script(MEMORY, server.url, str(tmp_path / "fox.bin")))
    assert (tmp_path / "fox.bin").stat().st_size == size
    assert peak < size / 16
