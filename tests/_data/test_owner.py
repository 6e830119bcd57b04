"""Owner files: which process holds the lock, and when it is free again."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kellyapi._data import owner as owner_module
from kellyapi._data.owner import Owner, file_system, remove_if_free

HOLD = """
import sys
from pathlib import Path
from kellyapi._data.owner import Owner

owner = Owner(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_file_has_one_owner_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "owner.lock"
    owner = Owner(path)
    with pytest.raises(BlockingIOError, match=r"owner\.lock is locked by another process"):
        Owner(path)
    owner.release()
    owner.release()  # a second release does nothing
    Owner(path).release()


def test_a_file_that_is_removed_is_gone_with_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "owner.lock"
    owner = Owner(path)
    assert owner.held
    owner.remove()
    assert (owner.held, path.exists()) == (False, False)
    path.touch()
    owner.remove()  # twice is once
    assert path.exists()


def test_a_file_is_removed_if_its_lock_is_free(tmp_path: Path) -> None:
    path = tmp_path / "owner.lock"
    owner = Owner(path)
    assert not remove_if_free(path)
    assert path.exists()
    owner.release()
    assert remove_if_free(path)
    assert not path.exists()
    assert remove_if_free(path)  # its process has ended too


def test_a_lock_is_free_at_once_after_its_owner_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "owner.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError):
            Owner(path)
        process.send_signal(signal.SIGKILL)
        process.wait()
        Owner(path).release()


if hasattr(os, "fork"):  # Windows has none

    def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
        path = tmp_path / "owner.lock"
        fork = multiprocessing.get_context("fork")
        ready, done = fork.Event(), fork.Event()

        def child() -> None:
            ready.set()
            done.wait()

        owner = Owner(path)
        process = fork.Process(target=child)
        process.start()
        ready.wait()
        owner.release()
        Owner(path).release()  # while the child still runs
        done.set()
        process.join()
        assert process.exitcode == 0


def test_a_file_system_is_read_from_the_mounts(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"disk / ext4 rw 0 0\nserver:/x {tmp_path}/my\\040share nfs4 rw 0 0\n")
    assert file_system(tmp_path / "my share" / "deep", str(mounts)) == "nfs4"
    assert file_system(tmp_path, str(mounts)) == "ext4"
    assert file_system(tmp_path, str(tmp_path / "no such file")) == ""


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_module, "file_system", lambda folder: "nfs4")
    with pytest.raises(OSError, match=r"is on a network file system \(nfs4\); use a folder on a local disk"):
        Owner(tmp_path / "owner.lock")
    assert not (tmp_path / "owner.lock").exists()


def test_an_error_that_is_not_about_a_lock_is_raised_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(owner_module, "_lock", fail)
    with pytest.raises(OSError, match="No locks available"):
        Owner(tmp_path / "owner.lock")
