"""Where the data of a path is put: files, links, FIFOs, devices and modes; and which paths are refused."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kellyapi import Image, Speech, check_path, run_sync, save_file
from kellyapi._data.files import PartialFile, find_destination, save

DATA = bytes(range(256)) * 4000
"""More than a pipe holds."""
NOBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(left.name for left in folder.iterdir())


@pytest.fixture
def shared() -> Iterator[Path]:
    """Make a folder that every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.fixture
def plain_user(shared: Path) -> Iterator[None]:
    """Drop the rights of root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    yield
    os.seteuid(before)


# Links


async def test_a_link_stays_and_its_target_is_replaced_in_one_step(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    target, link = tmp_path / "there" / "a.png", tmp_path / "here" / "b.png"
    target.write_bytes(b"old")
    link.symlink_to("../there/a.png")
    with target.open("rb") as reader:
        assert await save(link, b"new") == link
        assert reader.read() == b"old"
    assert (link.readlink(), target.read_bytes()) == (Path("../there/a.png"), b"new")
    assert (names(tmp_path / "there"), names(tmp_path / "here")) == (["a.png"], ["b.png"])


async def test_the_part_is_in_the_folder_of_the_target(tmp_path: Path) -> None:
    for folder in ("there", "here"):
        (tmp_path / folder).mkdir()
    (tmp_path / "here" / "b.bin").symlink_to(tmp_path / "there" / "a.bin")
    async with await PartialFile.open(tmp_path / "here" / "b.bin", "mark") as part:
        await part.write(b"x")
        assert (len(names(tmp_path / "there")), names(tmp_path / "here")) == (1, ["b.bin"])
        await part.finish()
    assert names(tmp_path / "there") == ["a.bin"]


async def test_links_to_links_and_links_among_the_folders_are_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "shortcut").symlink_to("folder")
    (tmp_path / "folder" / "second").symlink_to("file")
    (tmp_path / "first").symlink_to("shortcut/second")
    await save(tmp_path / "first", b"new")
    assert (tmp_path / "folder" / "file").read_bytes() == b"new"
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "folder" / "second").is_symlink()


async def test_a_link_to_nothing_makes_its_target(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("target")
    assert await save(link, b"new") == link
    assert (link.is_symlink(), (tmp_path / "target").read_bytes()) == (True, b"new")


async def test_a_hard_link_keeps_the_old_content_under_its_other_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    await save(tmp_path / "a", b"new")
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (b"new", b"old")


# FIFOs and devices


@pytest.mark.parametrize("linked", [False, True])
async def test_a_fifo_is_written_into_and_stays(tmp_path: Path, linked: bool) -> None:
    fifo = path = tmp_path / "fifo"
    os.mkfifo(fifo)
    if linked:
        path = tmp_path / "link"
        path.symlink_to(fifo)
    saving = asyncio.create_task(save(path, DATA))
    assert await asyncio.to_thread(fifo.read_bytes) == DATA
    assert await saving == path
    assert (fifo.is_fifo(), path.is_symlink()) == (True, linked)


async def test_a_fifo_without_a_reader_is_waited_for_and_can_be_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(save(tmp_path / "fifo", DATA), 0.1)
    saving = asyncio.create_task(save(tmp_path / "fifo", DATA))
    reader = await asyncio.to_thread(os.open, tmp_path / "fifo", os.O_RDONLY)  # reads nothing
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(saving, 0.1)
    os.close(reader)
    assert names(tmp_path) == ["fifo"]


async def test_a_reader_that_leaves_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    saving = asyncio.create_task(save(tmp_path / "fifo", DATA))
    os.close(await asyncio.to_thread(os.open, tmp_path / "fifo", os.O_RDONLY))
    with pytest.raises(BrokenPipeError):
        await saving


async def test_a_device_is_written_into_and_stays() -> None:
    assert await save("/dev/null", DATA) == Path("/dev/null")
    with pytest.raises(OSError, match="No space"):
        await save("/dev/full", DATA)
    assert all(stat.S_ISCHR(os.stat(path).st_mode) for path in ("/dev/null", "/dev/full"))  # noqa: PTH116  a Path would block


@pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd", "/proc/{process}/fd"])
async def test_an_open_file_of_the_program_is_written_into(folder: str, tmp_path: Path) -> None:
    folder = folder.format(process=os.getpid())
    reading, writing = os.pipe()
    saving = asyncio.create_task(save(f"{folder}/{writing}", DATA))
    with os.fdopen(reading, "rb") as reader:
        received = await asyncio.to_thread(reader.read, len(DATA))
    await saving
    os.close(writing)
    assert received == DATA
    with (tmp_path / "log").open("ab") as log:
        log.write(b"first ")
        log.flush()
        (tmp_path / "link").symlink_to(f"{folder}/{log.fileno()}")
        await save(tmp_path / "link", b"second ")
        log.write(b"third")
    assert (tmp_path / "log").read_bytes() == b"first second third"


async def test_an_open_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with (tmp_path / "a").open("rb") as file, pytest.raises(PermissionError, match="open for reading only"):
        await save(f"/dev/fd/{file.fileno()}", b"new")
    with pytest.raises(OSError, match="is not open"):
        await save("/dev/fd/987", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"


# Modes


@pytest.mark.parametrize("before", [0o600, 0o640, 0o644, 0o755, 0o666])
async def test_a_file_keeps_its_mode(tmp_path: Path, before: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(before)
    await save(path, b"new")
    async with await PartialFile.open(path, "mark") as part:
        await part.write(b"newer")
        await part.flush()
        assert [mode(tmp_path / left) & 0o077 for left in names(tmp_path) if left != "a"] == [0]
        await part.finish()
    assert (mode(path), path.read_bytes()) == (before, b"newer")


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_mode_that_the_umask_says(tmp_path: Path, umask: int, expected: int) -> None:
    (tmp_path / "link").symlink_to("b")
    before = os.umask(umask)
    try:
        run_sync(save(tmp_path / "a", b"new"))
        run_sync(save(tmp_path / "link", b"new"))
    finally:
        os.umask(before)
    assert (mode(tmp_path / "a"), mode(tmp_path / "b")) == (expected, expected)


async def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    owner = NOBODY if os.geteuid() == 0 else os.geteuid()
    os.chown(path, owner, -1)
    path.chmod(0o600)
    await save(path, b"new")
    assert (path.stat().st_uid, mode(path)) == (owner, 0o600)


# Rights


def test_a_file_in_a_folder_that_takes_no_other_file_is_written_into(
    shared: Path, request: pytest.FixtureRequest
) -> None:
    (shared / "a").write_bytes(b"a longer text")
    (shared / "a").chmod(0o666)
    shared.chmod(0o755 if os.geteuid() == 0 else 0o555)
    request.getfixturevalue("plain_user")
    inode = (shared / "a").stat().st_ino
    run_sync(save(shared / "a", b"new"))
    with pytest.raises(PermissionError, match="is a folder that you may not write to"):
        run_sync(save(shared / "b", b"new"))
    with pytest.raises(PermissionError, match="is a folder that you may not write to"):
        check_path(shared / "new folder", folder=True)
    assert ((shared / "a").read_bytes(), (shared / "a").stat().st_ino) == (b"new", inode)
    assert names(shared) == ["a"]


async def test_a_file_that_is_read_only_is_refused(shared: Path, request: pytest.FixtureRequest) -> None:
    for name in ("a", "b"):
        (shared / name).write_bytes(b"old")
        (shared / name).chmod(0o444)
    os.mkfifo(shared / "fifo", 0o400)
    request.getfixturevalue("plain_user")
    for name in ("a", "fifo"):
        with pytest.raises(PermissionError, match="is a file that you may not write to"):
            await save(shared / name, b"new")
    assert (shared / "a").read_bytes() == b"old"


# Names


@given(
    st.binary(min_size=1, max_size=255).filter(lambda name: not set(name) & set(b"/\0") and name not in (b".", b".."))
)
def test_any_name_that_the_file_system_takes_is_written(name: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, os.fsdecode(name))
        assert run_sync(save(path, b"new")) == path
        assert os.listdir(os.fsencode(folder)) == [name]  # noqa: PTH208  the names as bytes
        run_sync(save(os.fspath(path), b"newer"))
        assert (os.listdir(os.fsencode(folder)), path.read_bytes()) == ([name], b"newer")  # noqa: PTH208


def test_a_name_is_written_where_the_file_system_knows_ascii_alone(tmp_path: Path) -> None:
    script = "import sys; from kellyapi import run_sync, save_file; run_sync(save_file(sys.argv[1], b'new'))"
    ascii_alone = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", script, tmp_path / "sɛn.txt"], env=ascii_alone, check=True)
    assert (tmp_path / "sɛn.txt").read_bytes() == b"new"
    assert names(tmp_path) == ["sɛn.txt"]


async def test_a_tilde_stands_for_a_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    assert await save("~/a", b"new") == tmp_path / "a"
    assert await save(Path("~", "a"), b"newer") == tmp_path / "a"
    assert (tmp_path / "a").read_bytes() == b"newer"
    me = pwd.getpwuid(os.getuid())
    assert find_destination(f"~{me.pw_name}/a").path == Path(me.pw_dir, "a")
    assert check_path("~/pictures", folder=True) == tmp_path / "pictures"


async def test_a_tilde_in_a_name_is_a_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("~no-such-user.png", "a~", "./~"):
        await save(name, b"new")
    assert names(tmp_path) == ["a~", "~", "~no-such-user.png"]


# What is refused


@pytest.mark.parametrize("path", [b"a.png", 5, None, 1.5, ["a"], type("P", (), {"__fspath__": lambda self: b"a"})()])
async def test_what_is_no_path_is_a_type_error(path: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (False, True):
        with pytest.raises(TypeError, match=r"the path must be a string or an os\.PathLike of a string"):
            check_path(path, folder=folder)  # type: ignore[arg-type]  # the wrong type is the point
    with pytest.raises(TypeError, match="the path must be"):
        await save(path, b"new")  # type: ignore[arg-type]  # the wrong type is the point
    assert names(tmp_path) == []


@pytest.mark.parametrize("path", ["", "a\0b", "\0", "a/\0", "\ud800"])
def test_what_no_name_can_be_is_a_value_error(path: str) -> None:
    for folder in (False, True):
        with pytest.raises(ValueError, match=r"the path is empty|characters that no file name can have"):
            check_path(path, folder=folder)


UNUSABLE = {
    "folder": IsADirectoryError,
    "folder/": IsADirectoryError,
    "new/": IsADirectoryError,
    "new/.": IsADirectoryError,
    ".": IsADirectoryError,
    "..": IsADirectoryError,
    "link to folder": IsADirectoryError,
    "missing/a.png": FileNotFoundError,
    "link to missing": FileNotFoundError,
    "file/a.png": NotADirectoryError,
    "x" * 256: OSError,
    "é" * 128: OSError,
    "a/" * 3000 + "b": OSError,
    "loop": OSError,
    "loop/a.png": OSError,
    "socket": OSError,
}


@pytest.mark.parametrize("path", UNUSABLE, ids=lambda path: path[:20])
async def test_an_unusable_path_is_refused_before_anything_is_written(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link to folder").symlink_to("folder")
    (tmp_path / "link to missing").symlink_to("missing/a.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    before = names(tmp_path)
    with pytest.raises(UNUSABLE[path]) as caught:
        check_path(path)
    assert caught.value.filename
    with pytest.raises(UNUSABLE[path]):
        await Speech(audio=b"RIFF", mime="audio/wav", language="twi", provider="khaya").save(path)
    with pytest.raises(UNUSABLE[path]):
        await Image(data=b"new", mime="image/png", provider="kelly").save(path)
    with pytest.raises(UNUSABLE[path]):
        await save_file(path, "new")
    assert (names(tmp_path), names(tmp_path / "folder")) == (before, [])


@pytest.mark.parametrize(
    ("folder", "error"),
    [
        ("file", NotADirectoryError),
        ("file/a", NotADirectoryError),
        ("dangling", FileNotFoundError),
        ("dangling/a", FileNotFoundError),
        ("loop", OSError),
        ("x" * 256, OSError),
    ],
)
def test_an_unusable_folder_is_refused(folder: str, error: type[OSError], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("missing")
    with pytest.raises(error):
        check_path(tmp_path / folder, folder=True)


def test_a_folder_that_is_there_or_can_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    for name in ("folder", "folder/", "link", "link/new", "new", "new/newer"):
        assert check_path(tmp_path / name, folder=True) == tmp_path / name
    assert names(tmp_path) == ["folder", "link"]


async def test_text_is_written_as_utf8(tmp_path: Path) -> None:
    assert await save_file(tmp_path / "a", "ẹ kú\n") == tmp_path / "a"
    assert (tmp_path / "a").read_bytes() == "ẹ kú\n".encode()
    with pytest.raises(TypeError, match="data must be bytes or a string, not int"):
        await save_file(tmp_path / "a", 5)  # type: ignore[arg-type]  # the wrong type is the point
