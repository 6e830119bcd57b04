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
from collections.abc import AsyncIterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Self
from urllib.parse import unquote

from .threads import open_in_thread

_BATCH_SIZE = 256 * 2**10
"""Bytes that are collected before a thread writes them: a hop for each piece of 1 KiB costs 40 x the writing."""
_LONGEST_WAIT = 0.25
"""Seconds after which a smaller batch is written too, so that progress shows on a slow line."""
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)")
"""Names of devices on Windows, whatever follows the point.

Source: https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
"""


class PartialFile:
    """A file that is being written, beside the place where it will be.

    With a `mark`, a text that stands for its content, its name is one that a later program finds again, to append at
    `size`. Without a mark, or while another program writes to that file, it starts from zero under a name of its own.
    """

    def __init__(self, place: Path, path: Path, file: IO[bytes], *, marked: bool) -> None:
        self.size = os.fstat(file.fileno()).st_size
        """Bytes that have arrived, including those that are still in the buffer."""
        self._place = place
        self._path = path
        self._file = file
        self._marked = marked
        self._batch = bytearray()
        self._written = 0.0
        self._finished = False

    @classmethod
    async def open(cls, path: str | os.PathLike[str], mark: str | None = None) -> PartialFile:
        """Open the partial file of a path. The errors are those of writing to its folder."""
        return await open_in_thread(lambda: cls._open(Path(path), mark))

    @classmethod
    def _open(cls, place: Path, mark: str | None) -> PartialFile:
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(place))
        if mark is not None:
            path = _part_path(place, hashlib.sha256(mark.encode()).hexdigest()[:12])
            file = _claim_part(path)
            if file is not None:
                return cls(place, path, file, marked=True)
        path = _part_path(place, secrets.token_hex(6))
        return cls(place, path, path.open("xb"), marked=False)

    async def write(self, data: bytes) -> bool:
        """Add the next piece, and return whether the buffer was written to disk."""
        large = len(data) >= _BATCH_SIZE
        if not large:
            self._batch += data
        self.size += len(data)
        now = asyncio.get_running_loop().time()
        if not large and len(self._batch) < _BATCH_SIZE and now < self._written + _LONGEST_WAIT:
            return False
        self._written = now
        await self.flush()
        if large:
            await self._append(data)
        return True

    async def flush(self) -> None:
        """Write the buffer to disk. A file that cannot be written is removed: it may be what fills the disk."""
        batch, self._batch = self._batch, bytearray()
        if batch:
            await self._append(batch)

    async def empty(self) -> None:
        """Throw away what was written."""
        self._batch.clear()
        self.size = 0
        await asyncio.to_thread(lambda: self._file.truncate(self._file.seek(0)))

    async def finish(self) -> Path:
        """Put the file in its place, in one step."""
        await self.flush()
        if not self._marked:
            await asyncio.to_thread(self._file.close)  # an open file cannot be renamed on Windows
        await asyncio.to_thread(self._path.replace, self._place)
        self._finished = True
        return self._place

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. An unfinished one stays for a later program if it has a mark, and is removed otherwise."""
        # Without threads, since nobody who is cancelled waits for them: it is one batch at most.
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
            self._path.unlink()
            return True
        return False

    async def _append(self, data: bytes | bytearray) -> None:
        try:
            await asyncio.to_thread(self._append_now, data)
        except OSError as error:
            self._marked = False
            raise OSError(error.errno, error.strerror, str(self._path)) from None

    def _append_now(self, data: bytes | bytearray) -> None:
        self._file.write(data)
        self._file.flush()


async def save(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file atomically, in a thread: whole in its place, or not there at all."""
    async with await PartialFile.open(path) as part:
        await part.write(data)
        return await part.finish()


async def save_stream(path: str | os.PathLike[str], pieces: AsyncIterable[bytes]) -> Path:
    """Write a stream to a file atomically, with at most 256 KiB and one piece in memory."""
    async with await PartialFile.open(path) as part:
        async for piece in pieces:
            await part.write(piece)
        return await part.finish()


def safe_file_name(url: str, otherwise: str) -> str:
    """Return the file name that a URL ends in, made safe: no part of it leaves the folder it is put in."""
    path = re.sub(r"(?s)^[^/?#]*//[^/?#]*|[?#].*", "", url)
    name = unquote(path.rpartition("/")[2])
    name = re.sub(r"[^\w.-]+", "_", name).encode()[-120:].decode(errors="ignore").lstrip(".-").rstrip(".")
    return f"_{name}" if _RESERVED.match(name) else name or otherwise


def _part_path(place: Path, word: str) -> Path:
    name = place.name.encode()[:200].decode(errors="ignore")  # 255 bytes are the most that file systems take
    return place.with_name(f"{name}.{word}.part")


def _claim_part(path: Path) -> IO[bytes] | None:
    """Open a partial file to append to it, and lock it; `None` if another program has it or it is not a plain file."""
    if sys.platform == "win32":
        return None  # a file that is open cannot be put in its place there, and one that is closed can be taken
    import fcntl

    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666), "ab")
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
