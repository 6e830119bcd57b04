"""Downloads over real sockets into real files: what is gone on with, what is begun anew, and what is left behind."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from servers import AT_ONCE, Exchange, Server, run_script, script

from kellyapi import (
    NO_RETRY,
    DecodingError,
    KellyAPI,
    Prediction,
    RequestTimeoutError,
    Skytells,
    StatusError,
    Timeout,
    TransportError,
)
from kellyapi._core.downloads import RemoteFile, Step, describe_file, plan, read_range

DATA = os.urandom(300_000)
DAY = "Sat, 07 Mar 2026 12:00:00 GMT"
TAG = '"fox-1"'


@define
class Delivery:
    """A server's file, and how it is sent: cut after so many bytes of an answer, and with which headers."""

    data: bytes = DATA
    tag: str | None = TAG
    cuts: list[int] = field(factory=list)
    """Bytes after which each of the first answers breaks off."""
    ranges: bool = True
    headers: dict[str, str] = field(factory=dict)
    asked: list[dict[str, str]] = field(factory=list)
    before: Callable[[Delivery], None] = lambda _: None
    """Called before each answer."""
    hang: bool = False
    """Stay silent where an answer would break off."""

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.read()
        self.before(self)
        asked = {name: exchange.seen.headers[name] for name in ("range", "if-range") if name in exchange.seen.headers}
        self.asked.append(asked)
        found = re.fullmatch(r"bytes=(\d+)-", asked.get("range", ""))
        start = int(found[1]) if found and self.ranges and asked.get("if-range", self.tag) == self.tag else None
        headers = {"Content-Type": "image/png", **({"ETag": self.tag} if self.tag else {}), **self.headers}
        if start is not None and start >= len(self.data):
            headers |= {"Content-Range": f"bytes */{len(self.data)}", "Content-Length": "0"}
            return await exchange.write(head(416, headers))
        body = self.data[start or 0 :]
        if start is not None:
            headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        if self.ranges:
            headers["Accept-Ranges"] = "bytes"
        if "Transfer-Encoding" not in headers:
            headers["Content-Length"] = str(len(body))
        await exchange.write(head(200 if start is None else 206, headers))
        if not self.cuts:
            return await exchange.write(body)
        await exchange.write(body[: self.cuts.pop(0)])
        if self.hang:
            return await exchange.left()
        exchange.writer.close()
        return None


def head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def delivered(delivery: Any, **options: Any) -> AsyncIterator[tuple[Skytells, str, Server]]:
    async with Server(delivery) as server, Skytells("key", **{"retry": AT_ONCE, **options}) as skytells:
        yield skytells, f"{server.url}/us/fox.png?sig=1", server


def only(folder: Path) -> Path:
    """Give the one thing that is in a folder."""
    (path,) = folder.iterdir()
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


HALF = len(DATA) // 2


# Whole


async def test_a_link_is_saved_whole_and_without_the_key(tmp_path: Path) -> None:
    async with delivered(Delivery()) as (skytells, url, server):
        assert await skytells.download(url, str(tmp_path / "fox.png")) == tmp_path / "fox.png"
        (seen,) = server.requests
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert names(tmp_path) == ["fox.png"]
    assert seen.headers["accept-encoding"] == "identity"
    assert not {"x-api-key", "authorization", "range"} & set(seen.headers)


async def test_the_client_of_all_systems_downloads_too_and_needs_no_key(tmp_path: Path) -> None:
    async with Server(Delivery()) as server, KellyAPI() as api:
        await api.download(f"{server.url}/fox.png", tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA


async def test_what_was_there_is_replaced_and_only_by_a_whole_file(tmp_path: Path) -> None:
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
async def test_small_and_empty_files_are_files(data: bytes, tmp_path: Path) -> None:
    async with delivered(Delivery(data=data)) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (data, ["fox.png"])


async def test_a_file_of_unknown_size_is_taken_as_it_comes(tmp_path: Path) -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(DATA), DATA)
    whole = head(200, {"Transfer-Encoding": "chunked", "ETag": TAG}) + chunked
    told: list[tuple[int, int | None]] = []
    async with delivered(whole) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png", on_progress=lambda *each: told.append(each))
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert (told[0], told[-1]) == ((0, None), (len(DATA), None))


async def test_a_file_that_comes_compressed_all_the_same_is_unpacked(tmp_path: Path) -> None:
    packed = gzip.compress(DATA)
    length = {"Content-Length": str(len(packed)), "Content-Encoding": "gzip", "ETag": TAG, "Accept-Ranges": "bytes"}
    async with delivered(head(200, length) + packed) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA


@pytest.mark.parametrize("how", ["plain", "async"])
async def test_progress_is_told_from_nothing_to_all(how: str, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []

    def plain(received: int, total: int | None) -> None:
        told.append((received, total))

    async def later(received: int, total: int | None) -> None:
        await asyncio.sleep(0)
        plain(received, total)

    async with delivered(Delivery(data=DATA * 4)) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png", on_progress=plain if how == "plain" else later)
    assert (told[0], told[-1]) == ((0, 4 * len(DATA)), (4 * len(DATA), 4 * len(DATA)))
    assert [received for received, _ in told] == sorted(received for received, _ in told)
    assert len(told) > 3


async def test_what_the_callback_raises_ends_the_download(tmp_path: Path) -> None:
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
async def test_what_is_no_web_link_is_refused(url: str, tmp_path: Path) -> None:
    async with Skytells("key") as skytells:
        with pytest.raises(ValueError, match="url"):
            await skytells.download(url, tmp_path / "fox.png")


# Broken off


async def test_a_download_cut_at_half_is_gone_on_with(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF])
    async with delivered(delivery) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert delivery.asked == [{}, {"range": f"bytes={HALF}-", "if-range": TAG}]
    assert names(tmp_path) == ["fox.png"]


async def test_each_attempt_that_brings_something_counts_anew(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[10_000] * 20)
    async with delivered(delivery) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert len(delivery.asked) == 21


async def test_attempts_that_bring_nothing_are_as_many_as_those_of_a_call(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF, *[0] * 9])
    async with delivered(delivery) as (skytells, url, _):
        with pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png")
    assert len(delivery.asked) == 1 + AT_ONCE.attempts


async def test_attempts_that_bring_nothing_are_paid_from_the_quota_of_retries_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = Delivery(cuts=[HALF, *[0] * 99])
    async with delivered(delivery) as (skytells, url, _):
        skytells._connection.limits.quota.left = 1
        with caplog.at_level(logging.INFO, "kellyapi"), pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png")
    assert len(delivery.asked) == 2
    assert f"it resumes at byte {HALF} in 0.00 s" in caplog.text


async def test_without_retries_a_cut_is_the_end(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF])
    async with delivered(delivery, retry=NO_RETRY) as (skytells, url, _):
        with pytest.raises(TransportError) as caught:
            await skytells.download(url, tmp_path / "fox.png")
    assert len(delivery.asked) == 1
    assert (caught.value.provider, caught.value.outcome_unknown) == ("skytells", False)


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"headers": {"Last-Modified": "Sat, 07 Mar 2026 12:00:00 GMT"}}, None),
        ({"headers": {"Last-Modified": DAY, "Date": "Sat, 07 Mar 2026 12:00:01 GMT"}}, DAY),
        ({"headers": {"Last-Modified": DAY, "Date": DAY}}, None),
        ({"headers": {"ETag": 'W/"weak"'}}, None),
        ({}, None),
    ],
)
async def test_without_a_strong_tag_only_a_date_older_than_the_response_will_do(
    changes: Any, condition: str | None, tmp_path: Path
) -> None:
    delivery = Delivery(tag=None, cuts=[HALF], **changes)
    asks: list[str | None] = []

    async def lenient(exchange: Exchange) -> None:
        asks.append(exchange.seen.headers.get("if-range"))
        exchange.seen.headers.pop("if-range", None)  # type: ignore[attr-defined]  # it is a dict
        await delivery(exchange)

    async with delivered(lenient) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert asks == [None, condition]


async def test_a_server_without_ranges_is_asked_for_the_whole_again(tmp_path: Path) -> None:
    for delivery in (Delivery(ranges=False, cuts=[HALF]), Delivery(ranges=False, tag=None, cuts=[HALF])):
        async with delivered(delivery) as (skytells, url, _):
            await skytells.download(url, tmp_path / "fox.png")
        assert (tmp_path / "fox.png").read_bytes() == DATA
        assert len(delivery.asked) == 2
    assert names(tmp_path) == ["fox.png"]


async def test_such_a_server_is_not_asked_for_ever(tmp_path: Path) -> None:
    delivery = Delivery(ranges=False, cuts=[HALF] * 99)
    async with delivered(delivery) as (skytells, url, _):
        with pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png")
    assert len(delivery.asked) == 1 + AT_ONCE.attempts


async def test_a_file_that_changed_meanwhile_is_begun_anew(tmp_path: Path) -> None:
    new = os.urandom(len(DATA))

    def change(it: Delivery) -> None:
        if it.asked:
            it.data, it.tag = new, '"fox-2"'

    delivery = Delivery(cuts=[HALF], before=change)
    async with delivered(delivery) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (new, ["fox.png"])


@pytest.mark.parametrize(
    "content_range",
    [
        f"bytes 0-{len(DATA) - 1}/{len(DATA)}",
        f"bytes {HALF - 1}-{len(DATA) - 1}/{len(DATA)}",
        f"bytes {HALF}-{len(DATA)}/{len(DATA) + 1}",
        f"bytes */{len(DATA)}",
        "nonsense",
        "",
    ],
)
async def test_another_range_than_was_asked_for_is_not_taken(content_range: str, tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF])
    answers = 0

    async def wrong(exchange: Exchange) -> None:
        nonlocal answers
        answers += 1
        if answers == 2:
            await exchange.read()
            rest = {"Content-Range": content_range, "Content-Length": "5", "ETag": TAG}
            await exchange.write(head(206, rest) + b"wrong")
        else:
            await delivery(exchange)

    async with delivered(wrong) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), answers) == (DATA, 3)


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (206, {"Content-Range": f"bytes {HALF}-{len(DATA) - 1}/{len(DATA)}", "ETag": TAG}, "a part of the file"),
        (206, {"Content-Range": f"bytes {HALF}-{len(DATA) - 1}/*"}, "a part of the file"),
        (206, {}, "a part of the file"),
        (204, {}, "a response without a file"),
        (200, {"Content-Type": "text/html; charset=utf-8"}, "a page in HTML"),
    ],
)
async def test_what_is_no_file_is_not_taken_for_one(
    status: int, headers: dict[str, str], reason: str, tmp_path: Path
) -> None:
    body = b"" if status == 204 else DATA[HALF:]
    length = {} if status == 204 else {"Content-Length": str(len(body))}

    async def other(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(head(status, {**headers, **length}) + body)

    async with delivered(other) as (skytells, url, server):
        with pytest.raises(DecodingError, match=reason):
            await skytells.download(url, tmp_path / "fox.png")
        assert (names(tmp_path), len(server.requests)) == ([], 1)


async def test_a_file_that_became_shorter_is_begun_anew(tmp_path: Path) -> None:
    """The server does not heed `If-Range`, so that the range lies behind its end: 416."""

    def shrink(it: Delivery) -> None:
        if it.asked:
            it.data = DATA[:1000]

    delivery = Delivery(tag=None, headers={"Last-Modified": "now"}, cuts=[HALF], before=shrink)

    async def lenient(exchange: Exchange) -> None:
        exchange.seen.headers.pop("if-range", None)  # type: ignore[attr-defined]  # it is a dict
        await delivery(exchange)

    async with delivered(lenient) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (DATA[:1000], ["fox.png"])


async def test_silence_is_a_cut_and_a_total_ends_it_all(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF], hang=True)
    async with delivered(delivery, timeout=Timeout(total=None, idle=0.05)) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA
    delivery = Delivery(cuts=[1000] * 99, hang=True)
    async with delivered(delivery, timeout=Timeout(total=0.1)) as (skytells, url, _):
        with pytest.raises(RequestTimeoutError):
            await skytells.download(url, tmp_path / "hare.png")


# What stays for the next download


async def stopped(delivery: Delivery, place: Path) -> None:
    """Download as far as the server goes, and be cancelled there."""
    delivery.cuts, delivery.hang = [HALF], True
    got = asyncio.Event()
    async with delivered(delivery) as (skytells, url, server):

        def seen(received: int, total: int | None) -> None:
            if received:
                got.set()

        task = asyncio.create_task(skytells.download(url, place, on_progress=seen))
        await got.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until(lambda: server.open == 0)
    delivery.cuts, delivery.hang = [], False
    delivery.asked.clear()


async def test_a_part_is_gone_on_with_by_the_next_download(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF, *[0] * 9])
    async with delivered(delivery) as (skytells, url, _):
        with pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png")
        part = only(tmp_path)
        assert re.fullmatch(r"fox\.png\.[0-9a-f]{12}\.part", part.name)
        assert part.read_bytes() == DATA[:HALF]
        delivery.cuts.clear()
        delivery.asked.clear()
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (DATA, ["fox.png"])
    assert delivery.asked == [{}, {"range": f"bytes={HALF}-", "if-range": TAG}]


async def test_a_part_of_a_link_with_another_query_is_not_resumed(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF, *[0] * 9])
    async with delivered(delivery) as (skytells, url, _):
        with pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png")
        part = only(tmp_path)
        delivery.cuts.clear()
        delivery.asked.clear()
        await skytells.download(url.replace("sig=1", "sig=2"), tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert names(tmp_path) == ["fox.png", part.name]
    assert delivery.asked == [{}]


async def test_a_part_that_is_whole_is_only_put_in_its_place(tmp_path: Path) -> None:
    delivery = Delivery()

    def fail(received: int, total: int | None) -> None:
        if received == total:
            raise LookupError

    async with delivered(delivery) as (skytells, url, _):
        with pytest.raises(LookupError):
            await skytells.download(url, tmp_path / "fox.png", on_progress=fail)
        part = only(tmp_path)
        assert part.read_bytes() == DATA
        delivery.cuts = [0]
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (DATA, ["fox.png"])


@pytest.mark.parametrize("change", [{"tag": '"fox-2"'}, {"data": os.urandom(len(DATA) + 1)}])
async def test_a_part_of_other_content_is_left_alone(change: dict[str, Any], tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF, *[0] * 9])
    async with delivered(delivery) as (skytells, url, _):
        with pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png")
        delivery.cuts.clear()
        for name, value in change.items():
            setattr(delivery, name, value)
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == delivery.data


async def test_nothing_stays_of_what_could_not_be_gone_on_with(tmp_path: Path) -> None:
    for place in ("fox.png", "hare.png"):
        await stopped(Delivery(tag=None, ranges=False), tmp_path / place)
    assert names(tmp_path) == []


async def test_a_cancelled_download_frees_its_connection_and_stays_as_a_part(tmp_path: Path) -> None:
    await stopped(Delivery(), tmp_path / "fox.png")
    part = only(tmp_path)
    assert DATA.startswith(part.read_bytes())


KILLED = """
import asyncio, os, signal, sys
from kellyapi import Skytells

async def main():
    def seen(received, total):
        if received:
            print(received, flush=True)
    async with Skytells("key") as skytells:
        await skytells.download(sys.argv[1], sys.argv[2], on_progress=seen)

asyncio.run(main())
"""


async def test_a_part_of_a_program_that_was_killed_is_gone_on_with(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF], hang=True)
    async with delivered(delivery) as (skytells, url, _):
        async with script(KILLED, url, str(tmp_path / "fox.png")) as process:
            assert process.stdout
            await process.stdout.readline()
            process.kill()
            await process.wait()
        part = only(tmp_path)
        size = part.stat().st_size
        assert 0 < size <= HALF
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (DATA, ["fox.png"])
    assert delivery.asked[-1] == {"range": f"bytes={size}-", "if-range": TAG}


async def test_several_downloads_to_one_path_do_not_mix(tmp_path: Path) -> None:
    async with delivered(Delivery()) as (skytells, url, _):
        done = await asyncio.gather(*(skytells.download(url, tmp_path / "fox.png") for _ in range(10)))
    assert set(done) == {tmp_path / "fox.png"}
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (DATA, ["fox.png"])


# Disks


@pytest.mark.parametrize("trick", ["symlink", "hard link", "folder"])
async def test_what_stands_in_the_place_of_a_part_is_not_written_to(trick: str, tmp_path: Path) -> None:
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


async def test_a_link_in_the_place_of_the_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    (tmp_path / "fox.png").symlink_to(outside)
    async with delivered(Delivery()) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert not (tmp_path / "fox.png").is_symlink()
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
"""


async def test_a_disk_that_takes_no_more_is_an_os_error_that_names_the_file(tmp_path: Path) -> None:
    """The provider's limit on the size of files stands for a full disk: writing fails half way, in the same call."""
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


async def test_memory_is_flat_whatever_the_size(tmp_path: Path) -> None:
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


# The outputs of a job


def job(*outputs: str, **fields: Any) -> Prediction:
    return Prediction(id="a1", status="succeeded", output=list(outputs), **fields)


async def test_four_outputs_are_fetched_at_once_and_no_more(tmp_path: Path) -> None:
    busy = most = 0
    four, go_on = asyncio.Event(), asyncio.Event()

    async def counted(exchange: Exchange) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        if busy == 4:
            four.set()
        await go_on.wait()
        busy -= 1
        await Delivery(tag=None)(exchange)

    async with delivered(counted) as (skytells, _, server):
        links = [f"{server.url}/{number}.png" for number in range(10)]
        task = asyncio.create_task(skytells.predictions.download(job(*links), tmp_path / "new"))
        await four.wait()
        go_on.set()
        saved = await task
    assert [path.name for path in saved] == [f"{number}.png" for number in range(10)]
    assert {path.read_bytes() for path in saved} == {DATA}
    assert most == 4


async def test_outputs_of_one_name_keep_apart_also_where_letters_have_no_case(tmp_path: Path) -> None:
    async with delivered(Delivery()) as (skytells, _, server):
        links = [f"{server.url}/{path}" for path in ("1/a.png", "2/a.png", "3/A.PNG", "1-a.png")]
        saved = await skytells.predictions.download(job(*links), tmp_path)
    assert len({path.name.casefold() for path in saved}) == len(links)
    assert names(tmp_path) == sorted(path.name for path in saved)


async def test_progress_counts_the_bytes_of_all_outputs(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    async with delivered(Delivery()) as (skytells, _, server):
        links = [f"{server.url}/{number}.png" for number in range(3)]
        await skytells.predictions.download(job(*links), tmp_path, on_progress=lambda *each: told.append(each))
    assert told[0] == (0, None)
    assert told[-1] == (3 * len(DATA), 3 * len(DATA))


async def test_one_output_that_fails_keeps_the_others(tmp_path: Path) -> None:
    async def second_fails(exchange: Exchange) -> None:
        if exchange.seen.target == "/1.png":
            await exchange.read()
            await exchange.write(head(500, {"Content-Length": "0"}))
        else:
            await Delivery()(exchange)

    async with delivered(second_fails) as (skytells, _, server):
        state = job(*(f"{server.url}/{number}.png" for number in range(3)))
        with pytest.raises(StatusError) as caught:
            await skytells.predictions.download(state, tmp_path)
    assert (caught.value.status, caught.value.prediction) == (500, state)
    assert names(tmp_path) == ["0.png", "2.png"]


class Expiring:
    """A provider whose first links have expired; it gives fresh ones when its job is looked at."""

    def __init__(self, status: int, *, fresh: bool) -> None:
        self.status, self.fresh = status, fresh
        self.looks = 0

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.read()
        target = exchange.seen.target
        if target == "/predictions/a1":
            self.looks += 1
            assert exchange.seen.headers["x-api-key"] == "key"
            host = f"http://{exchange.seen.headers['host']}"
            links = [f"{host}/{'new' if self.fresh else 'old'}/{number}.png" for number in range(2)]
            body = json.dumps({"id": "a1", "status": "succeeded", "output": links}).encode()
            await exchange.write(head(200, {"Content-Length": str(len(body))}) + body)
        elif target.startswith("/old"):
            await exchange.write(head(self.status, {"Content-Length": "0"}))
        else:
            await Delivery()(exchange)


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_links_that_have_expired_are_asked_for_anew_once(status: int, tmp_path: Path) -> None:
    provider = Expiring(status, fresh=True)
    async with Server(provider) as server, Skytells("key", base_url=server.url, retry=NO_RETRY) as skytells:
        state = job(*(f"{server.url}/old/{number}.png" for number in range(2)))
        saved = await skytells.predictions.download(state, tmp_path)
    assert [path.read_bytes() for path in saved] == [DATA, DATA]
    assert provider.looks == 1


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_link_that_stays_expired_is_an_error_that_says_so(status: int, tmp_path: Path) -> None:
    provider = Expiring(status, fresh=False)
    async with Server(provider) as server, Skytells("key", base_url=server.url, retry=NO_RETRY) as skytells:
        state = job(*(f"{server.url}/old/{number}.png" for number in range(2)))
        with pytest.raises(StatusError, match="expire about five minutes after") as caught:
            await skytells.predictions.download(state, tmp_path)
    assert (caught.value.status, caught.value.prediction.id, provider.looks) == (status, "a1", 1)
    assert names(tmp_path) == []


# Heads


@pytest.mark.parametrize(
    ("status", "headers", "entity"),
    [
        (200, {}, RemoteFile(ranges=True)),
        (200, {"Content-Length": "5"}, RemoteFile(5, ranges=True)),
        (200, {"Content-Length": "5", "Accept-Ranges": "bytes"}, RemoteFile(5, ranges=True)),
        (200, {"Content-Length": "5", "ETag": '"a"'}, RemoteFile(5, '"a"', is_etag=True, ranges=True)),
        (200, {"ETag": '"a"', "Last-Modified": DAY}, RemoteFile(None, '"a"', is_etag=True, ranges=True)),
        (200, {"ETag": 'W/"a"', "Last-Modified": DAY}, RemoteFile(ranges=True)),
        (200, {"Last-Modified": DAY, "Date": "Sat, 07 Mar 2026 12:00:01 GMT"}, RemoteFile(None, DAY, ranges=True)),
        (200, {"Last-Modified": DAY, "Date": DAY}, RemoteFile(ranges=True)),
        (200, {"Last-Modified": "day", "Date": DAY}, RemoteFile(ranges=True)),
        (200, {"ETag": '"a"', "Accept-Ranges": "none"}, RemoteFile(None, '"a"', is_etag=True)),
        (200, {"Content-Length": "5", "ETag": '"a"', "Content-Encoding": "gzip"}, RemoteFile()),
        (206, {"Content-Range": "bytes 3-4/5", "ETag": '"a"'}, RemoteFile(5, '"a"', is_etag=True, ranges=True)),
        (206, {"Content-Length": "2", "Content-Range": "bytes 3-4/*"}, RemoteFile(ranges=True)),
    ],
)
def test_a_head_says_whether_a_download_can_be_resumed(
    status: int, headers: dict[str, str], entity: RemoteFile
) -> None:
    assert describe_file(status, headers) == entity


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("bytes 0-4/5", (0, 5)),
        (" bytes 2-4/* ", (2, None)),
        ("bytes */5", (None, 5)),
        ("bytes 2-4", (None, None)),
        ("items 2-4/5", (None, None)),
        ("bytes -4/5", (None, None)),
        ("bytes ٢-4/5", (None, 5)),
        (f"bytes 2-4/{'9' * 5000}", (2, None)),  # more digits than Python reads
    ],
)
def test_a_content_range_is_read(text: str, read: tuple[int | None, int | None]) -> None:
    assert read_range({"Content-Range": text}) == read


DIGITS = "9" * 5_000
"""More than `int` reads."""


@pytest.mark.parametrize(
    ("status", "headers"), [(200, {"Content-Length": DIGITS}), (206, {"Content-Range": f"bytes 0-1/{DIGITS}"})]
)
def test_a_size_that_no_file_has_is_none(status: int, headers: dict[str, str]) -> None:
    assert describe_file(status, headers).size is None


# The plan

FILE = RemoteFile(10, TAG, is_etag=True, ranges=True)
REST = {"Content-Range": "bytes 4-9/10", "ETag": TAG}


@pytest.mark.parametrize(
    ("status", "headers", "requested_from", "kept", "file", "step"),
    [
        (200, {}, 0, 0, FILE, Step.START),
        (200, {}, 0, 4, FILE, Step.RESUME),
        (200, {}, 0, 10, FILE, Step.DONE),
        (200, {}, 0, 11, FILE, Step.START),
        (200, {}, 0, 4, RemoteFile(), Step.START),
        (200, {}, 4, 4, FILE, Step.START),
        (206, REST, 4, 4, FILE, Step.RESUME),
        (206, REST, 0, 0, FILE, Step.RESTART),
        (206, REST, 3, 3, FILE, Step.RESTART),
        (206, {**REST, "ETag": '"other"'}, 4, 4, FILE, Step.RESTART),
        (206, {"Content-Range": "bytes 4-9/10"}, 4, 4, FILE, Step.RESTART),
        (206, {**REST, "Content-Range": "bytes 4-9/11"}, 4, 4, FILE, Step.RESTART),
        (206, {**REST, "Content-Range": "bytes 4-9/*"}, 4, 4, FILE, Step.RESUME),
        (206, {"Content-Range": "bytes 4-9/10"}, 4, 4, RemoteFile(10, DAY, ranges=True), Step.RESUME),
        (206, {**REST, "Last-Modified": "other"}, 4, 4, RemoteFile(10, DAY, ranges=True), Step.RESTART),
    ],
)
def test_the_plan_never_joins_two_contents(
    status: int, headers: dict[str, str], requested_from: int, kept: int, file: RemoteFile, step: Step
) -> None:
    assert plan(status, headers, requested_from=requested_from, kept=kept, file=file) is step
