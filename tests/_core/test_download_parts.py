"""Part files: what an interrupted download leaves, and the next download to the same path."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest
from file_server import DATA, HALF, TAG, Delivery, delivered, names, only
from processes import script

from kellyapi import TransportError


async def stopped(delivery: Delivery, place: Path) -> None:
    """Download until the server stops, and cancel there."""
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


async def test_the_next_download_resumes_from_the_part_file(tmp_path: Path) -> None:
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


async def test_a_complete_part_file_is_renamed_without_a_download(tmp_path: Path) -> None:
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
async def test_a_part_file_of_other_content_is_not_used(change: dict[str, Any], tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF, *[0] * 9])
    async with delivered(delivery) as (skytells, url, _):
        with pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png")
        delivery.cuts.clear()
        for name, value in change.items():
            setattr(delivery, name, value)
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == delivery.data


async def test_a_download_that_cannot_be_resumed_leaves_no_part_file(tmp_path: Path) -> None:
    for place in ("fox.png", "hare.png"):
        await stopped(Delivery(tag=None, ranges=False), tmp_path / place)
    assert names(tmp_path) == []


async def test_a_cancelled_download_frees_its_connection_and_keeps_its_part_file(tmp_path: Path) -> None:
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


async def test_the_part_file_of_a_killed_program_is_resumed(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF], hang=True)
    async with delivered(delivery) as (skytells, url, _):
        async with script(KILLED, url, str(tmp_path / "fox.png")) as process:
            assert process.stdout
            await process.stdout.readline()
            process.kill()
            await process.communicate()
        part = only(tmp_path)
        size = part.stat().st_size
        assert 0 < size <= HALF
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (DATA, ["fox.png"])
    assert delivery.asked[-1] == {"range": f"bytes={size}-", "if-range": TAG}


async def test_several_downloads_to_one_path_do_not_mix_their_bytes(tmp_path: Path) -> None:
    async with delivered(Delivery()) as (skytells, url, _):
        done = await asyncio.gather(*(skytells.download(url, tmp_path / "fox.png") for _ in range(10)))
    assert set(done) == {tmp_path / "fox.png"}
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (DATA, ["fox.png"])
