"""Downloads through links, into FIFOs and devices; and names from servers, which follow no link."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from pathlib import Path

import pytest
from file_server import DATA, Delivery, delivered, names
from servers import AT_ONCE, Server

from kellyapi import Aerostack, KellyAPI, Prediction, run_sync


def finished(*outputs: str) -> Prediction:
    return Prediction(id="a1", status="succeeded", output=list(outputs))


async def test_a_download_goes_through_the_links_of_its_path(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "target").chmod(0o600)
    (tmp_path / "link").symlink_to("target")
    async with delivered(Delivery()) as (skytells, url, _):
        assert await skytells.download(url, tmp_path / "link") == tmp_path / "link"
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "target").read_bytes()) == (True, DATA)
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["link", "target"]


@pytest.mark.parametrize("tag", ['"fox-1"', None])
async def test_a_download_that_breaks_off_reaches_a_fifo_once_and_whole(tag: str | None, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    async with delivered(Delivery(tag=tag, cuts=[1000, 5000])) as (skytells, url, _):
        reading = asyncio.create_task(asyncio.to_thread(fifo.read_bytes))
        await skytells.download(url, fifo)
    assert await reading == DATA
    assert (fifo.is_fifo(), names(tmp_path)) == (True, ["fifo"])


async def test_a_download_to_a_device_leaves_the_device() -> None:
    async with delivered(Delivery()) as (skytells, url, _):
        assert await skytells.download(url, "/dev/null") == Path("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)  # noqa: PTH116  a Path would block


async def test_a_folder_and_a_file_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    async with delivered(Delivery()) as (skytells, url, server):
        api = KellyAPI(skytells=skytells)
        assert await api.download(url, "~/fox.png") == tmp_path / "fox.png"
        saved = await skytells.predictions.download(finished(f"{server.url}/a.png"), "~/new/pictures")
        assert saved == (tmp_path / "new" / "pictures" / "a.png",)


@pytest.mark.parametrize("path", ["missing/a.png", ".", "x" * 256, "loop"])
async def test_an_unusable_path_is_refused_before_anything_is_requested(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    async with delivered(Delivery()) as (skytells, url, server):
        aerostack = Aerostack("key", base_url=server.url, retry=AT_ONCE)
        with pytest.raises(OSError, match=re.escape(path[:7])):
            await skytells.download(url, path)
        with pytest.raises(OSError, match=re.escape(path[:7])):
            await aerostack.storage.download("a", path)
        await aerostack.close()
        assert server.requests == []
    assert names(tmp_path) == ["loop"]


async def test_an_unusable_folder_is_refused_before_anything_is_requested(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    async with delivered(Delivery()) as (skytells, _, server):
        with pytest.raises(NotADirectoryError):
            await skytells.predictions.download("a1", tmp_path / "file" / "folder")
        assert server.requests == []


async def test_a_link_of_the_name_of_an_output_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"old")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").symlink_to("../secret")
    (tmp_path / "out" / "b.png").symlink_to("../missing")
    (tmp_path / "folder").symlink_to("out")  # the user's own link
    async with delivered(Delivery()) as (skytells, _, server):
        links = [f"{server.url}/{name}.png" for name in "ab"]
        saved = await skytells.predictions.download(finished(*links), tmp_path / "folder")
    assert [path.is_symlink() for path in saved] == [False, False]
    assert [path.read_bytes() for path in saved] == [DATA, DATA]
    assert (tmp_path / "secret").read_bytes() == b"old"
    assert names(tmp_path) == ["a.png", "b.png", "folder", "out", "secret"]


async def test_an_output_replaces_no_fifo_and_no_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").mkdir()
    async with delivered(Delivery()) as (skytells, _, server):
        for name, error in (("a.png", FileExistsError), ("b.png", IsADirectoryError)):
            with pytest.raises(error):
                await skytells.predictions.download(finished(f"{server.url}/{name}"), tmp_path)
    assert ((tmp_path / "a.png").is_fifo(), names(tmp_path)) == (True, ["a.png", "b.png"])


async def test_an_output_keeps_the_mode_of_the_file_it_replaces(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    (tmp_path / "a.png").chmod(0o600)
    async with delivered(Delivery()) as (skytells, _, server):
        (saved,) = await skytells.predictions.download(finished(f"{server.url}/a.png"), tmp_path)
    assert (saved.read_bytes(), saved.stat().st_mode & 0o777) == (DATA, 0o600)


def test_without_an_event_loop_it_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")

    async def download() -> Path:
        async with delivered(Delivery()) as (skytells, url, _):
            return await skytells.download(url, tmp_path / "link")

    assert run_sync(download()) == tmp_path / "link"
    assert ((tmp_path / "target").read_bytes(), names(tmp_path)) == (DATA, ["link", "target"])


async def test_a_stored_file_goes_through_a_link_and_into_a_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("target")
    async with Server(Delivery()) as server, Aerostack("key", base_url=server.url) as aerostack:
        assert await aerostack.storage.download("a", tmp_path / "link") == tmp_path / "link"
        reading = asyncio.create_task(asyncio.to_thread((tmp_path / "fifo").read_bytes))
        await aerostack.storage.download("a", tmp_path / "fifo")
        assert await reading == DATA
    assert ((tmp_path / "target").read_bytes(), names(tmp_path)) == (DATA, ["fifo", "link", "target"])
