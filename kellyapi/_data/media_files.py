"""Files on disk and open files as sources of media: what is known about them, and their pieces.

Files are read in threads. A file that is changed while it is read raises `SourceChangedError`.
"""

from __future__ import annotations

import errno
import inspect
import io
import os
import re
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

from attrs import frozen

from .base64_text import b64decode
from .media_types import sniff
from .text import clip
from .threads import call_off_loop, open_in_thread, to_thread

Pieces = AsyncGenerator[bytes, None]
CHUNK_SIZE = 256 * 2**10
_LONGEST_PATH = 32767
"""Characters, on Windows; 4096 bytes on Linux."""


class SourceChangedError(OSError):
    """A file was changed while it was read, so that the pieces do not belong together."""


@frozen
class FileState:
    """What shows that a file was not changed."""

    size: int
    changed_at: int


def file_state(file: Any) -> FileState | None:
    """Return size and date of a regular file; `None` for others, and for those of `/proc`, which have no size."""
    raw = getattr(file, "raw", file)
    if not isinstance(raw, io.FileIO):
        return None
    status = os.fstat(raw.fileno())
    sized = stat.S_ISREG(status.st_mode) and status.st_size > 0
    return FileState(status.st_size, status.st_mtime_ns) if sized else None


def look_at_file(name: str) -> tuple[Path, FileState | None, bytes | None]:
    """Return the state of a file, and all bytes of one that has none, unless it is a pipe or a device.

    These may wait for ever.
    """
    if len(name) > _LONGEST_PATH:  # perhaps megabytes of base64, which `Path` would take apart at each slash
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), name)
    path = Path(name)
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return path, None, None
    with path.open("rb") as file:
        state = file_state(file)
        return path, state, file.read() if state is None else b""


def explain_missing_file(text: str, error: OSError, what: str) -> Exception:
    """Return the error for a `str` that is not the path of a file: it may be something else."""
    if _looks_like_base64(text):
        return TypeError(f"the {what} is base64 text, and a str is a path: pass Base64(text)")
    hint = _HINTS.get(error.errno or 0)
    shown = text if len(text) < 300 else f"{clip(text, 100)}…"
    return type(error)(error.errno, f"{error.strerror}; {hint}", shown) if hint else error


_NO_PATH = "a str is a path: pass bytes, or base64 as Base64(text)"
_HINTS = {
    errno.ENOENT: _NO_PATH,
    errno.ENAMETOOLONG: _NO_PATH,
    errno.ENOTDIR: _NO_PATH,
    errno.EISDIR: "pass the path of a file",
}


def _looks_like_base64(text: str) -> bool:
    head = text[:4096]
    if not re.fullmatch(r"[A-Za-z0-9+/_\s-]+={0,2}\s*", head):
        return False
    letters = re.sub(r"[\s=]", "", head).translate({ord("-"): "+", ord("_"): "/"})[:4000]
    known = sniff(b64decode(letters[: len(letters) // 4 * 4])) is not None
    return known or len(head) > 255 or head.rstrip().endswith("=")  # 255 letters are the most that a file name has


async def read_path(path: Path, state: FileState, what: str) -> Pieces:
    """Open the file of a path, and yield its pieces."""
    file = await open_in_thread(lambda: path.open("rb"))
    try:
        async for piece in read_file(file, None, state, what):
            yield piece
    finally:
        file.close()


async def read_file(file: Any, start: int | None, state: FileState | None, what: str) -> Pieces:
    """Yield the pieces of an open file, from `start` if it can be set back there."""
    if start is not None:
        await call_off_loop(file.seek, start)
    while piece := as_bytes(await call_off_loop(file.read, CHUNK_SIZE, may_wait=start is None), what):
        yield piece
    if state is not None and state != await to_thread(file_state, file):
        raise SourceChangedError(f"the {what} was changed while it was read")


async def find_position(file: Any) -> int | None:
    """Return where a file stands; `None` if it cannot be set back there."""
    try:
        if hasattr(file, "seek") and (not hasattr(file, "seekable") or await call_off_loop(file.seekable)):
            position = await call_off_loop(file.tell)
            await call_off_loop(file.seek, position)  # which writes what is in its buffer
            return position if isinstance(position, int) else None
    except (AttributeError, OSError):
        pass
    return None


def can_read(source: Any) -> bool:
    """Return whether a source is a file, or reads like one."""
    return callable(getattr(source, "read", None)) and not isinstance(source, type)


def takes_size(read: Callable[..., Any]) -> bool:
    """Return whether `read` takes the number of bytes to read."""
    try:
        inspect.signature(read).bind(CHUNK_SIZE)
    except TypeError:
        return False
    except ValueError:  # a function in C that does not say
        pass
    return True


async def exactly(size: int, pieces: AsyncIterator[bytes], what: str) -> Pieces:
    """Pass on the pieces of a file that has this size, the last one only when the file has ended there.

    A server that has received as many bytes as were announced takes them for the whole file.
    """
    total, last = 0, b""
    async for piece in pieces:
        total += len(piece)
        if total > size:
            break
        if total < size:
            yield piece
        last = piece
    if total != size:
        raise SourceChangedError(f"the {what} was changed while it was read: it had {size} bytes")
    yield last


def as_bytes(piece: Any, what: str) -> bytes:
    """Return a piece of a source as bytes; refuse text and anything else."""
    if isinstance(piece, str):
        raise TypeError(f"the {what} must give bytes, not text: open the file in binary mode")
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        raise TypeError(f"the {what} must give bytes, not {type(piece).__name__}")
    return bytes(piece)
