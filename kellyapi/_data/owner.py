"""Which process owns something on disk: a lock on a file beside it, which ends with the process, however it ends."""

from __future__ import annotations

import os
import sys
import weakref
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # a module that may be absent
if sys.platform == "win32":
    import msvcrt

_NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "fuse.sshfs", "fuse.glusterfs"}
_owners: weakref.WeakSet[Owner] = weakref.WeakSet()


class Owner:
    """A lock on a file, held until `release` or the end of the process. A forked child does not hold it.

    Args:
        path: The owner file. It is created if it does not exist, and `release` lets it stay: deleting it would let two
            processes lock two files of one name. `remove` is for a name that is used once.

    Raises:
        BlockingIOError: If another process, or another `Owner`, holds the lock.
        OSError: If the file cannot be written, or is on a network file system, where locks do not reach other machines.

    Source: https://man7.org/linux/man-pages/man2/flock.2.html,
    https://learn.microsoft.com/en-us/cpp/c-runtime-library/reference/locking
    """

    def __init__(self, path: Path) -> None:
        if (kind := file_system(path.parent)) in _NETWORK_FILE_SYSTEMS:
            raise OSError(f"{path.parent} is on a network file system ({kind}); use a folder on a local disk")
        self._path = path.absolute()
        self._file = _open_locked(path, os.O_RDWR | os.O_CREAT)
        _owners.add(self)

    @property
    def held(self) -> bool:
        """Whether this process holds the lock."""
        return self in _owners

    def release(self) -> None:
        """Release the lock. A second call does nothing."""
        if self.held:
            _owners.discard(self)
            os.close(self._file)

    def remove(self) -> None:
        """Release the lock and delete the file, whose name must never be used again. A second call does nothing."""
        if self.held:
            self.release()
            _delete(self._path)


def remove_if_free(path: Path) -> bool:
    """Delete the owner file of a process that has ended, and return whether it has: `False` if the lock is held.

    Only for names that are used once: a file that does not exist was the file of a process that has ended.
    """
    try:
        file = _open_locked(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    except (BlockingIOError, PermissionError):  # the file of another user is not ours to judge
        return False
    os.close(file)
    _delete(path)
    return True


def file_system(folder: Path, mounts: str = "/proc/self/mounts") -> str:
    """Return the kind of file system that a folder is on, such as "ext4", or "" where the system does not tell."""
    try:
        lines = Path(mounts).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    places = {point.replace(r"\040", " "): kind for _, point, kind, *_ in map(str.split, lines)}
    resolved = folder.resolve()
    for place in (resolved, *resolved.parents):
        if str(place) in places:
            return places[str(place)]
    return ""


def _open_locked(path: Path, flags: int) -> int:
    file = os.open(path, flags, 0o600)
    try:
        _lock(file)
    except OSError as error:
        os.close(file)
        if isinstance(error, (BlockingIOError, PermissionError)):  # of `flock`, and of `locking` on Windows
            raise BlockingIOError(error.errno, f"{path} is locked by another process") from None
        raise
    return file


def _delete(path: Path) -> None:
    with suppress(PermissionError):  # Windows deletes no file that a process has open
        path.unlink(missing_ok=True)


def _close_in_child() -> None:
    for owner in tuple(_owners):  # a lock lives as long as any process has the file open
        owner.release()


def _lock(file: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    elif fcntl is None:
        raise OSError("this Python was built without fcntl, so files cannot be locked")
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_close_in_child)
