"""`-o FILE` of the command: the result goes where the path says, or nothing is sent."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from .command import Run, execute, start
from .fake_khaya import WAV, Server

SPEAK = ("synthesize", "Maakye", "--language", "twi", "--force", "-o")
TRANSLATE = ("translate", "Good morning", "en-tw", "--force", "-o")


@pytest.mark.parametrize("words", [SPEAK, TRANSLATE])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no/where", "no: there is no such folder"),
        ("folder", "folder: is a folder, not a file"),
        ("new/", "new/: is a folder, not a file"),
        ("loop", "loop: Too many levels of symbolic links"),
        ("dangling", "there is no such folder"),
        ("file/a", "file/a: Not a directory"),
        ("x" * 256, "File name too long"),
        ("", "the path is empty"),
    ],
)
def test_an_unusable_path_is_refused_before_anything_is_sent(
    words: tuple[str, ...], path: str, message: str, run: Run, khaya: Server
) -> None:
    Path("folder").mkdir()
    Path("file").write_bytes(b"old")
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("no/where")
    code, out, err = run(*words, path)
    assert (code in (1, 2), out, khaya.requests) == (True, "", [])
    assert message in err
    assert sorted(left.name for left in Path().iterdir()) == ["dangling", "file", "folder", "loop"]


@pytest.mark.parametrize(("words", "result"), [(SPEAK, WAV), (TRANSLATE, b"Maakye\n")])
def test_a_link_stays_and_its_target_keeps_its_mode(
    words: tuple[str, ...], result: bytes, run: Run, khaya: Server
) -> None:
    Path("target").write_bytes(b"old")
    Path("target").chmod(0o600)
    Path("link").symlink_to("target")
    assert run(*words, "link") == (0, "link\n", "")
    assert (Path("link").is_symlink(), Path("target").read_bytes()) == (True, result)
    assert Path("target").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("words", "result"), [(SPEAK, WAV), (TRANSLATE, b"Maakye\n")])
def test_a_fifo_is_written_into(words: tuple[str, ...], result: bytes, run: Run, khaya: Server) -> None:
    os.mkfifo("fifo")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(Path("fifo").read_bytes()))
    reader.start()
    assert run(*words, "fifo") == (0, "fifo\n", "")
    reader.join()
    assert (received, Path("fifo").is_fifo()) == ([result], True)


@pytest.mark.parametrize("words", [SPEAK, TRANSLATE])
def test_a_device_is_written_into_and_stays(words: tuple[str, ...], run: Run, khaya: Server) -> None:
    assert run(*words, "/dev/null") == (0, "/dev/null\n", "")
    assert Path("/dev/null").is_char_device()


def test_a_tilde_is_the_home_folder(run: Run, khaya: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    for words in (SPEAK, TRANSLATE):
        assert run(*words, "~/result") == (0, f"{tmp_path}/result\n", "")
    assert Path("result").read_bytes() == b"Maakye\n"


@pytest.mark.parametrize(
    ("words", "result", "path"),
    [(SPEAK, WAV, "/dev/stdout"), (SPEAK, WAV, "/proc/self/fd/1"), (TRANSLATE, b"Maakye\n", "/dev/stdout")],
)
def test_standard_output_by_any_name_has_the_result_and_nothing_else(
    words: tuple[str, ...], result: bytes, path: str, khaya: Server
) -> None:
    assert execute(*words, path) == (0, result, b"")
    Path("log").write_bytes(b"before ")
    nowhere, log = os.open(os.devnull, os.O_RDWR), os.open("log", os.O_WRONLY | os.O_APPEND)
    assert start(*words, path, streams=(nowhere, log, nowhere)).wait() == 0
    assert Path("log").read_bytes() == b"before " + result


def test_a_name_that_is_not_utf8_is_written(khaya: Server) -> None:
    for number, words in enumerate((SPEAK, TRANSLATE)):
        name = os.fsdecode(b"a\xff%d" % number)
        code, _, err = execute(*words, name)
        assert (code, err) == (0, b"")
        assert Path(name).exists()


def test_a_folder_that_takes_no_file_is_refused_before_anything_is_sent(
    run: Run, khaya: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the superuser may write everywhere
    code, out, err = run(*SPEAK[:-2])
    assert (code, out, khaya.requests) == (1, "", [])
    assert "is a folder that you may not write to" in err
