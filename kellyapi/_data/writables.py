"""Objects of users that bytes are written to: open files, `io.BytesIO`, responses of a server, pipes."""

from __future__ import annotations

import inspect
import io
from collections.abc import AsyncIterable
from typing import Any, Protocol, Self

from ..errors import TransportError
from .files import BatchedWriter
from .threads import call_off_loop


class Writable(Protocol):
    """A binary file, or another object with `write`, which may be async."""

    def write(self, data: bytes, /) -> Any: ...


class WritableTarget(BatchedWriter):
    """A writable object that a download is written to. It is never closed, emptied or set back."""

    def __init__(self, target: Writable) -> None:
        super().__init__()
        self.written = 0
        """Bytes that were written to the object."""
        self._target = target

    @classmethod
    async def open(cls, target: Writable, name: str) -> Self:
        """Check an object before anything is requested; `name` is that of its argument.

        Raises:
            TypeError: It was opened in text mode.
            ValueError: It is closed, or was opened for reading only.
        """
        if isinstance(target, io.TextIOBase) or isinstance(getattr(target, "encoding", None), str):
            raise TypeError(f"{name} must be a file opened in binary mode; pass the .buffer of sys.stdout")
        if getattr(target, "closed", False) is True:
            raise ValueError(f"{name} is a file that is closed")
        writable = getattr(target, "writable", None)
        if callable(writable) and await call_off_loop(writable) is False:
            raise ValueError(f"{name} is a file that was opened for reading only")
        return cls(target)

    @property
    def can_be_emptied(self) -> bool:
        """Whether nothing has been written yet."""
        return not self.written

    async def reopen(self, mark: str | None) -> Self:
        """Return this object, for the content of a file from its first byte."""
        await self.empty()
        return self

    async def empty(self) -> None:
        """Throw away what was not written yet; raise an error if something was."""
        if self.written:
            raise TransportError("the server cannot resume the download: it sends the file from its start", final=True)
        self._batch.clear()
        self.size = 0

    async def finish(self) -> int:
        """Write what is left, and return the number of bytes."""
        await self.flush()
        return self.written

    async def write_all(self, pieces: AsyncIterable[bytes]) -> int:
        """Write a stream, and return the number of bytes."""
        async for piece in pieces:
            await self.write(piece)
        return await self.finish()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        pass

    async def _append(self, data: bytes | bytearray) -> None:
        rest = bytes(data)
        while rest:
            size = await self._write(rest)
            self.written += size
            rest = rest[size:]

    async def _write(self, data: bytes) -> int:
        """Write data, and return how many bytes were taken: those of a raw file may be fewer."""
        write, drain = self._target.write, getattr(self._target, "drain", None)
        if inspect.iscoroutinefunction(drain) and not inspect.iscoroutinefunction(write):
            write(data)  # to a stream of asyncio, which only the loop may use
            await drain()
            return len(data)
        size = await call_off_loop(write, data)
        if not isinstance(self._target, io.RawIOBase):
            return len(data)
        if not size:
            raise BlockingIOError("the file takes no bytes at the moment: open it in blocking mode")
        return int(size)
