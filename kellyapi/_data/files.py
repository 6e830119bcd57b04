"""Files on their way out: written beside their place and put there whole, under names that are safe.

Where the bytes come from is not known here; `downloads` fetches them over the network.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import secrets
import stat
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import IO, Self, cast
from urllib.parse import unquote

from attrs import frozen

from .text import is_blank, letter_ends
from .threads import open_in_thread, to_thread

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # a module that may be absent

_BATCH_SIZE = 256 * 2**10
"""Bytes that are collected before a thread writes them: a hop for each piece of 1 KiB costs 40 x the writing."""
_LONGEST_WAIT = 0.25
"""Seconds after which a smaller batch is written too, so that progress shows on a slow line."""
_LONGEST_NAME = 120
"""Bytes of a name that comes from a server."""
_FIFO_INTERVAL = 0.05
"""Seconds between checks whether a FIFO has a reader. The system sends no event for it."""
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)")
"""Names of devices on Windows, with any ending.

Source: https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
"""


@frozen
class Destination:
    """Where the data of a path is put."""

    path: Path
    """The path as it was given, with `~` expanded."""
    file: Path
    """The file that the links in the path lead to."""
    status: os.stat_result | None
    """The status of the file that is there; `None` if there is none."""
    descriptor: int | None
    """The open file of this program that the path stands for, as /dev/stdout does."""
    in_place: bool
    """Whether data is written into what is there: a FIFO, a device, a file in a folder that takes no other file."""


def check_path(path: str | os.PathLike[str], *, folder: bool = False) -> Path:
    """Return a path with `~` expanded; raise an error if nothing can be saved there.

    Check a path before you pay for a result, so that the result has a place.

    Args:
        path: The path of a file, which may exist.
        folder: `True` for the path of a folder, which may be missing.

    Raises:
        TypeError: The path is not a string or an `os.PathLike` of a string.
        ValueError: The path is empty, or has characters that no file name can have.
        OSError: The folder of a file is missing, a folder stands where a file is needed, the name is too long, or you
            may not write there.

    Example::

        path = check_path("~/wolf.png")
        wolf = await api.generate_image("A wolf in snow")
        await wolf.save(path)
    """
    return find_folder(path) if folder else find_destination(path).path


def find_destination(path: str | os.PathLike[str], *, follow_links: bool = True) -> Destination:
    """Decide where the data of a path is put; raise an error if it cannot be put there.

    A file is replaced in one step and keeps its mode. A link stays, and the file that it leads to is replaced. FIFOs
    and devices are written into.

    Args:
        path: The path. `~` and `~user` at its beginning stand for home folders.
        follow_links: `False` for a name that comes from a server: a link of this name is replaced.

    Raises:
        TypeError: The path is not a string or an `os.PathLike` of a string.
        ValueError: The path is empty, or has characters that no file name can have.
        OSError: The folder is missing, the path is a folder, the name is too long, or writing is not allowed.
    """
    text = _expand(path)
    place = Path(text)
    file = Path(os.path.realpath(place)) if follow_links else Path(os.path.realpath(place.parent), place.name)
    file = place if file == place.absolute() else file  # a relative path stays one in the errors
    descriptor = _own_descriptor(place) if follow_links and file != place else None
    status = _status(place, follow_links=follow_links) if descriptor is None else _open_status(descriptor, text)
    if status is not None and stat.S_ISLNK(status.st_mode):
        status = None
    is_folder = text.rpartition(os.sep)[2] in ("", os.curdir, os.pardir)  # `Path` leaves a last / out
    if is_folder or (status is not None and stat.S_ISDIR(status.st_mode)):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", text)
    if status is None or (stat.S_ISREG(status.st_mode) and descriptor is None):
        in_place = not _check_replaceable(place, file, status)
    else:
        in_place = True
        _check_writable(text, status, descriptor)
        if not follow_links:
            raise FileExistsError(errno.EEXIST, "exists already, and is not a regular file", text)
    return Destination(place, file, status, descriptor, in_place)


def find_folder(path: str | os.PathLike[str]) -> Path:
    """Return a folder, with `~` expanded; raise an error if no file can be put into it. It may be missing."""
    folder = Path(_expand(path))
    for place in (folder, *folder.absolute().parents):
        try:
            status = _status(place)
        except NotADirectoryError:
            continue
        if status is None and place.is_symlink():
            raise FileNotFoundError(errno.ENOENT, "is a link to a folder that does not exist", os.fspath(place))
        if status is not None:
            break
    if not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file, not a folder", os.fspath(place))
    if not _may(place, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "is a folder that you may not write to", os.fspath(place))
    return folder


def _expand(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise TypeError(f"the path must be a string or an os.PathLike of a string, not {type(text).__name__}")
    if not text:
        raise ValueError("the path is empty")
    try:
        usable = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # half a character, or one that the file system's encoding does not have
        usable = False
    if not usable:
        raise ValueError(f"the path has characters that no file name can have: {text!r}")
    return os.path.expanduser(text)  # noqa: PTH111  Path's refuses a name such as ~backup


def _status(path: Path, *, follow_links: bool = True) -> os.stat_result | None:
    try:
        return path.stat(follow_symlinks=follow_links)
    except FileNotFoundError:
        return None


def _open_status(descriptor: int, path: str) -> os.stat_result:
    try:
        return os.fstat(descriptor)
    except OSError:
        raise OSError(errno.EBADF, "is not open", path) from None


def _may(path: str | Path, mode: int) -> bool:
    return os.access(path, mode, **({"effective_ids": True} if os.access in os.supports_effective_ids else {}))


def _check_replaceable(place: Path, file: Path, status: os.stat_result | None) -> bool:
    """Return whether a file can be replaced, or else written into; raise an error if it cannot be written at all."""
    for folder in (place.parent, file.parent):
        if not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder", os.fspath(folder))
    if status is not None and not _may(file, os.W_OK):
        raise PermissionError(errno.EACCES, "is a file that you may not write to", os.fspath(place))
    if status is not None and os.path.ismount(file):
        return False  # as single files are in containers
    if _may(file.parent, os.W_OK | os.X_OK):
        return status is None or not _is_kept_by_others(file.parent, status)
    if status is None:
        raise PermissionError(errno.EACCES, "is a folder that you may not write to", os.fspath(file.parent))
    return False


def _is_kept_by_others(folder: Path, status: os.stat_result) -> bool:
    """Return whether a file of another user is in a folder such as /tmp, where only its owner may replace it."""
    shared = folder.stat()
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    return bool(shared.st_mode & stat.S_ISVTX) and user not in (0, status.st_uid, shared.st_uid)


def _check_writable(path: str, status: os.stat_result, descriptor: int | None) -> None:
    """Check what is written into: an open file, a FIFO or a device."""
    if descriptor is not None:
        assert fcntl  # there are no such paths on Windows
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise PermissionError(errno.EACCES, "is open for reading only", path)
    elif stat.S_ISSOCK(status.st_mode):
        raise OSError(errno.ENXIO, "is a socket, not a file", path)
    elif not _may(path, os.W_OK):
        raise PermissionError(errno.EACCES, "is a file that you may not write to", path)


def _own_descriptor(path: Path) -> int | None:
    """Return the descriptor of this program that a path stands for; `None` if it stands for a file."""
    folders = re.compile(rf"/proc/{os.getpid()}(/task/\d+)?/fd")
    for _ in range(40):  # as many links as Linux follows
        path = Path(os.path.realpath(path.parent), path.name)
        if re.fullmatch("[0-9]+", path.name) and folders.fullmatch(os.fspath(path.parent)):
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


class BatchedWriter(ABC):
    """Collects small pieces, and passes them on in larger ones."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes that have arrived, including those that are still in the buffer."""
        self._batch = bytearray()
        self._written_at = 0.0

    async def write(self, data: bytes) -> bool:
        """Add the next piece, and return whether the buffer was passed on."""
        large = len(data) >= _BATCH_SIZE
        if not large:
            self._batch += data
        self.size += len(data)
        now = asyncio.get_running_loop().time()
        if not large and len(self._batch) < _BATCH_SIZE and now < self._written_at + _LONGEST_WAIT:
            return False
        self._written_at = now
        await self.flush()
        if large:
            await self._append(data)
        return True

    async def flush(self) -> None:
        """Pass on what is in the buffer."""
        batch, self._batch = self._batch, bytearray()
        if batch:
            await self._append(batch)

    @abstractmethod
    async def _append(self, data: bytes | bytearray) -> None: ...


class PartialFile(BatchedWriter):
    """A file that is being written, beside the place where it will be.

    With a `mark`, a text that stands for its content, its name is one that a later program finds again, to append at
    `size`. Without a mark, or while another program writes to that file, it starts from zero under a name of its own.
    What is written in place is collected in a file without a name first.
    """

    can_be_emptied = True

    def __init__(self, destination: Destination, path: Path | None, file: IO[bytes], *, marked: bool) -> None:
        super().__init__()
        self.size = os.fstat(file.fileno()).st_size
        self._destination = destination
        self._path = path
        self._file = file
        self._marked = marked
        self._finished = False

    @classmethod
    async def open(cls, path: str | os.PathLike[str] | Destination, mark: str | None = None) -> PartialFile:
        """Open the partial file of a path. The errors are those of `find_destination` and of writing to the folder."""
        return await open_in_thread(
            lambda: cls._open(path if isinstance(path, Destination) else find_destination(path), mark)
        )

    @classmethod
    def _open(cls, destination: Destination, mark: str | None) -> PartialFile:
        if destination.in_place:
            return cls(destination, None, cast(IO[bytes], tempfile.TemporaryFile()), marked=False)
        mode = 0o666 if destination.status is None else 0o600  # it gets the mode of the file at the end
        if mark is not None:
            path = _part_path(destination.file, hashlib.sha256(mark.encode()).hexdigest()[:12])
            file = _claim_part(path, mode)
            if file is not None:
                return cls(destination, path, file, marked=True)
        path = _part_path(destination.file, secrets.token_hex(6))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)  # which follow no link
        return cls(destination, path, os.fdopen(os.open(path, flags, mode), "wb"), marked=False)

    async def empty(self) -> None:
        """Throw away what was written."""
        self._batch.clear()
        self.size = 0
        await to_thread(lambda: self._file.truncate(self._file.seek(0)))

    async def finish(self) -> Path:
        """Put the file in its place, in one step; or write it into what is there."""
        await self.flush()
        if self._path is None:
            await _write_in_place(self._destination, self._file)
        else:
            await to_thread(self._replace, self._path)
        self._finished = True
        return self._destination.path

    def _replace(self, path: Path) -> None:
        status = self._destination.status
        if status is not None and sys.platform != "win32":
            _keep_owner_and_mode(self._file.fileno(), status)
        if not self._marked:
            self._file.close()  # an open file cannot be renamed on Windows
        path.replace(self._destination.file)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. An unfinished one stays for a later program if it has a mark, and is removed otherwise."""
        # Not in a thread, because a cancelled caller does not wait for one. It is one batch at most.
        if self._marked and not self._finished:
            with suppress(OSError):
                self._append_now(self._batch)
        kept = self._finished or (self._marked and self.size > 0)
        removed = kept or self._remove()  # while it is locked, or it might be another program's by then
        with suppress(OSError):
            self._file.close()
        if not removed:
            self._remove()

    def _remove(self) -> bool:
        with suppress(OSError):
            if self._path is not None:
                self._path.unlink()
            return True
        return False

    async def _append(self, data: bytes | bytearray) -> None:
        """Write to disk. A file that cannot be written is removed: it may be what fills the disk."""
        try:
            await to_thread(self._append_now, data)
        except OSError as error:
            self._marked = False
            raise OSError(error.errno, error.strerror, str(self._path or self._destination.path)) from None

    def _append_now(self, data: bytes | bytearray) -> None:
        self._file.write(data)
        self._file.flush()


async def save(path: str | os.PathLike[str] | Destination, data: bytes) -> Path:
    """Write a file atomically, in a thread: whole in its place, or not there at all."""
    async with await PartialFile.open(path) as part:
        await part.write(data)
        return await part.finish()


async def save_file(path: str | os.PathLike[str], data: bytes | str) -> Path:
    """Write bytes, or text as UTF-8, to a file as the results' own `save` does, and return the path."""
    if not isinstance(data, (bytes, str)):
        raise TypeError(f"data must be bytes or a string, not {type(data).__name__}")
    return await save(path, data.encode() if isinstance(data, str) else data)


async def save_stream(path: str | os.PathLike[str] | Destination, pieces: AsyncIterable[bytes]) -> Path:
    """Write a stream to a file atomically, with at most 256 KiB and one piece in memory."""
    async with await PartialFile.open(path) as part:
        async for piece in pieces:
            await part.write(piece)
        return await part.finish()


def safe_file_name(url: str, otherwise: str) -> str:
    """Return the file name that a URL ends in, made safe: no part of it leaves the folder it is put in.

    It keeps letters with their marks, digits and symbols of every script. The end of a long name is kept.
    """
    import regex  # takes 20 ms, and few programs download files

    path = re.sub(r"(?s)^[^/?#]*//[^/?#]*|[?#].*", "", url)
    name = unquote(path.rpartition("/")[2])
    # The symbols of ASCII are left out, since shells read them. The joiners U+200C and U+200D are part of letters.
    name = regex.sub(r"([^\p{L}\p{M}\p{N}\p{So}_.\p{Emoji_Modifier}\u200c\u200d-]|\ufffd)+", "_", name)
    name = _end_of_name(name).lstrip(".-").rstrip(".")
    if is_blank(name):
        return otherwise
    return f"_{name}" if _RESERVED.match(name) else name


def _end_of_name(name: str) -> str:
    start, room = len(name), _LONGEST_NAME
    for begin, end in reversed(list(pairwise([0, *letter_ends(name)]))):
        room -= len(name[begin:end].encode())
        if room < 0:
            break
        start = begin
    return name[start:]


def _part_path(file: Path, word: str) -> Path:
    # 255 bytes are the most that file systems take. Bytes that are not letters are left out: some systems refuse them.
    name = os.fsencode(file.name)[:200].decode(sys.getfilesystemencoding(), "ignore")
    return file.with_name(f"{name}.{word}.part")


def _claim_part(path: Path, mode: int) -> IO[bytes] | None:
    """Open a partial file to append to it, and lock it; `None` if another program has it or it is not a plain file."""
    if sys.platform == "win32" or fcntl is None:
        return None  # a file that is open cannot be put in its place there, and one that is closed can be taken
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, mode), "ab")
    except OSError as error:
        if path.is_symlink() or path.is_dir():
            return None
        raise error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours, there = os.fstat(file.fileno()), path.lstat()
        # Another program may have put it in its place, or linked it elsewhere, between the opening and the lock.
        if (
            (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
            and stat.S_ISREG(ours.st_mode)
            and ours.st_nlink == 1
        ):
            return file
    except OSError:
        pass
    file.close()
    return None


def _keep_owner_and_mode(file: int, status: os.stat_result) -> None:
    for owner in ((status.st_uid, status.st_gid), (-1, status.st_gid)):
        with suppress(OSError):  # only root may change the owner; others may choose among their own groups
            os.fchown(file, *owner)
            break
    with suppress(OSError):  # some file systems have no modes
        os.fchmod(file, status.st_mode & 0o777)


async def _write_in_place(destination: Destination, source: IO[bytes]) -> None:
    """Write a whole file into a FIFO, a device or an open file. A FIFO without a reader is waited for."""
    target = await _open_in_place(destination)
    is_fifo = destination.descriptor is None and stat.S_ISFIFO(os.fstat(target).st_mode)
    try:
        await to_thread(source.seek, 0)
        while piece := await to_thread(source.read, _BATCH_SIZE):
            while piece:
                try:
                    # A FIFO of ours does not block. Other writing may, and so it has a thread.
                    size = os.write(target, piece) if is_fifo else await to_thread(os.write, target, piece)
                except BlockingIOError:
                    await _until_writable(target)
                else:
                    piece = piece[size:]
    finally:
        os.close(target)


async def _open_in_place(destination: Destination) -> int:
    if destination.descriptor is not None:
        return os.dup(destination.descriptor)  # opened again, a file that is appended to would be emptied
    assert destination.status is not None  # what is written into is there
    mode = destination.status.st_mode
    flags = os.O_WRONLY | (os.O_TRUNC if stat.S_ISREG(mode) else 0) | getattr(os, "O_NOCTTY", 0)
    if not stat.S_ISFIFO(mode):
        return await to_thread(os.open, destination.path, flags)
    while True:
        try:
            return os.open(destination.path, flags | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        await asyncio.sleep(_FIFO_INTERVAL)


async def _until_writable(target: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(target, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(target)
