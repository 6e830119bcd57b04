"""Files that are written: complete or not at all, and under safe names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kellyapi._data.files import PartialFile, safe_file_name, save, save_stream

DATA = bytes(range(256)) * 4


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


def names(folder: Path) -> list[str]:
    """List the names in a folder."""
    return sorted(left.name for left in folder.iterdir())


async def test_a_file_is_written_completely_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert await save(str(path), DATA) == path
    assert await save(path, b"new") == path
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.png"]


async def test_a_failure_leaves_no_new_file_and_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        await save(path, "text")  # type: ignore[arg-type]  # it fails while the part is written
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="is a folder, not a file"):
        await save(tmp_path / "folder", DATA)
    with pytest.raises(FileNotFoundError):
        await save(tmp_path / "none" / "a.png", DATA)
    assert names(tmp_path) == ["a.png", "folder"]
    assert path.read_bytes() == b"old"


async def test_a_stream_is_written_completely_and_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert await save_stream(str(path), pieces(DATA[:10], b"", DATA[10:])) == path
    assert path.read_bytes() == DATA
    assert await save_stream(path, pieces()) == path
    assert (path.read_bytes(), names(tmp_path)) == (b"", ["a.png"])


async def test_a_file_is_not_visible_until_it_is_complete(tmp_path: Path) -> None:
    path, seen = tmp_path / "a.png", []

    async def watched() -> AsyncIterator[bytes]:
        yield DATA[:10]
        seen.append((path.exists(), len(names(tmp_path))))
        yield DATA[10:]

    await save_stream(path, watched())
    assert (seen, names(tmp_path)) == ([(False, 1)], ["a.png"])


async def test_a_stream_that_breaks_off_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise ConnectionResetError("broken off")

    with pytest.raises(ConnectionResetError):
        await save_stream(path, broken())
    with pytest.raises(TypeError):
        await save_stream(path, pieces("text"))  # type: ignore[arg-type]  # the wrong type is the point
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["a.png"])


async def test_a_cancelled_stream_leaves_no_file(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def without_end() -> AsyncIterator[bytes]:
        yield DATA
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(save_stream(tmp_path / "a.png", without_end()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(tmp_path) == []


async def test_a_stream_to_a_folder_or_into_a_missing_one_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="is a folder, not a file"):
        await save_stream(tmp_path / "folder", pieces(DATA))
    with pytest.raises(FileNotFoundError):
        await save_stream(tmp_path / "none" / "a.png", pieces(DATA))
    assert names(tmp_path) == ["folder"]


# Names from links


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://d.example/us/a-output.png", "a-output.png"),
        ("https://d.example/a.png?sig=x/y.txt#z/w.txt", "a.png"),
        ("https://d.example/a%20b%C9%9B.png", "a_bɛ.png"),
        ("a.png", "a.png"),
        ("https://d.example/a+b&c=d;e.png", "a_b_c_d_e.png"),
        ("https://d.example/CON%3Aa%7Cb%2A.png", "CON_a_b_.png"),
        ("https://d.example/.bashrc", "bashrc"),
        ("https://d.example/-rf", "rf"),
        ("https://d.example/a.png...", "a.png"),
        ("https://d.example/con", "_con"),
        ("https://d.example/NUL.png", "_NUL.png"),
        ("https://d.example/com1.tar.gz", "_com1.tar.gz"),
        ("https://d.example/console.png", "console.png"),
        ("https://d.example/" + "x" * 300 + ".png", "x" * 116 + ".png"),
        *(
            (f"https://d.example{path}", "otherwise")
            for path in ("", "/", "/a/", "/?a.png", "/#a.png", "/.", "/..", "/...")
        ),
        ("", "otherwise"),
    ],
)
def test_the_name_of_a_file_is_the_end_of_its_link(url: str, name: str) -> None:
    assert safe_file_name(url, "otherwise") == name


@pytest.mark.parametrize(
    "url",
    [
        "https://d.example/..%2F..%2Fescaped",
        "https://d.example/%2e%2e",
        "https://d.example/%2e%2e%2f",
        "https://d.example/..%5C..%5Cescaped",
        "https://d.example/%2Fetc%2Fpasswd",
        "https://d.example/C%3A%5Cescaped",
        "https://d.example/~root",
        "https://d.example/a%00b.png",
        "https://d.example/a%0d%0ab.png",
        "https://d.example/%E2%80%AEgnp.exe",
        "https://d.example/%FF%FE.png",
        "https://d.example/%252e%252e%252fescaped",
        "https://d.example/" + "." * 300,
        "https://d.example/" + "a" + "." * 300,
        "https://d.example/" + "%E2%82%AC" * 300,
        "https://d.example/" + "%E8%AA%9E" * 300,
        "https://[d.example/a.png",
        "https://d.example/a\\..\\b",
        "file:///etc/passwd",
        "..",
        "../escaped",
    ],
)
async def test_no_name_from_a_link_leaves_the_folder_or_is_too_long(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    name = safe_file_name(url, "otherwise")
    assert not set(name) & set("/\\:\x00\r\n~")
    assert await save(folder / name, DATA) == folder / name
    assert (names(folder), names(tmp_path)) == ([name], ["folder"])


# Parts


async def test_small_pieces_are_written_together(tmp_path: Path) -> None:
    async with await PartialFile.open(tmp_path / "a.bin") as part:
        written = [await part.write(b"x" * 1024) for _ in range(1000)]
        assert part.size == 1000 * 1024
        await part.finish()
    assert sum(written) < 100
    assert (tmp_path / "a.bin").stat().st_size == 1000 * 1024


async def test_a_large_piece_is_written_on_its_own_and_in_order(tmp_path: Path) -> None:
    large = DATA * 1024
    assert await save_stream(tmp_path / "a.bin", pieces(b"first", large, b"last"))
    assert (tmp_path / "a.bin").read_bytes() == b"first" + large + b"last"


async def test_a_part_file_belongs_to_one_program_at_a_time_and_is_kept(tmp_path: Path) -> None:
    async with await PartialFile.open(tmp_path / "a.bin", "mark") as first:
        await first.write(DATA)
        async with await PartialFile.open(tmp_path / "a.bin", "mark") as second:
            assert second.size == 0
            await second.write(b"other")
        assert len(names(tmp_path)) == 1
    async with await PartialFile.open(tmp_path / "a.bin", "mark") as third:
        assert third.size == len(DATA)
        await third.write(b"more")
        await third.finish()
    assert ((tmp_path / "a.bin").read_bytes(), names(tmp_path)) == (DATA + b"more", ["a.bin"])


async def test_a_part_file_can_be_started_again(tmp_path: Path) -> None:
    for mark in (None, "mark"):
        async with await PartialFile.open(tmp_path / "a.bin", mark) as part:
            await part.write(DATA)
            await part.write(DATA)
            await part.empty()
            await part.write(b"new")
            await part.finish()
        assert (tmp_path / "a.bin").read_bytes() == b"new"
    async with await PartialFile.open(tmp_path / "b.bin", "mark") as part:
        await part.write(DATA)
        await part.empty()
    assert names(tmp_path) == ["a.bin"]


async def test_opening_that_is_cancelled_leaves_no_file_and_nothing_open(tmp_path: Path) -> None:
    for mark in (None, "mark"):
        task = asyncio.create_task(PartialFile.open(tmp_path / "a.bin", mark))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await asyncio.get_running_loop().shutdown_default_executor()
    await asyncio.sleep(0)
    assert names(tmp_path) == []


async def test_the_longest_name_leaves_room_for_its_part_file(tmp_path: Path) -> None:
    for name in ("x" * 255, "語" * 85):
        assert (await save(tmp_path / name, DATA)).read_bytes() == DATA
