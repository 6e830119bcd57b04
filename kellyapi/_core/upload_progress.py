"""The `on_upload` option: bodies that say how much of them was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from attrs import evolve

from .._data.media import Chunks
from .callbacks import run_callback
from .messages import OnBytes

_PIECE_SIZE = 2**16


def report_upload(body: Any, headers: dict[str, str], report: OnBytes) -> tuple[Any, dict[str, str]]:
    """Return a body that reports its progress while it is sent, and its headers.

    A small body in memory stays as it is. In a form, each file reports its own progress.
    """
    if isinstance(body, tuple):
        parts = (evolve(part, body=_counted(part.body, None, report)) if callable(part.body) else part for part in body)
        return tuple(parts), headers
    if callable(body):
        size = headers.get("Content-Length", "")
        return _counted(body, int(size) if size.isdecimal() else None, report), headers
    if body is None or len(body) <= _PIECE_SIZE:
        return body, headers
    return _counted(lambda: _cut(body), len(body), report), {"Content-Length": str(len(body)), **headers}


def _counted(body: Chunks, size: int | None, report: OnBytes) -> Chunks:
    async def pieces() -> AsyncIterator[bytes]:
        sent = 0
        await run_callback(report, sent, size)
        async for piece in body():
            yield piece
            sent += len(piece)  # the transport asks for the next piece when it has sent this one
            await run_callback(report, sent, size)

    return pieces


async def _cut(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE_SIZE):
        yield body[start : start + _PIECE_SIZE]
