"""Carries out a fault on the connection of a request.

What goes wrong is a `Fault`; whom it strikes is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from attrs import frozen

from .face import Handler
from .faults import Fault

_LOOK = 0.05
"""Seconds between two looks whether the client is there: aiohttp tells a handler nothing of its leaving."""
_BLANKS = b" " * 2**20
_FRAMING = ("Content-Length", "Transfer-Encoding", "Connection")

Pause = Callable[[float], Awaitable[None]]


class Gone(Exception):
    """There is nobody left to answer."""


@frozen
class _Answer:
    """A whole answer that is not yet sent."""

    status: int
    reason: str
    headers: Mapping[str, str]
    size: int
    pieces: Iterable[bytes]


async def spoil(
    request: web.Request,
    handler: Handler,
    fault: Fault,
    *,
    refuse: Callable[[int], web.Response],
    is_closing: Callable[[], bool],
) -> web.StreamResponse:
    """Answer with a fault, or do not answer, which raises `Gone`.

    `refuse` words an error of a status. While the sandbox `is_closing`, nothing is waited for.
    """

    async def pause(seconds: float) -> None:
        now = asyncio.get_running_loop().time
        end = now() + seconds
        while (left := end - now()) > 0:
            if request.transport is None or is_closing():
                raise Gone
            await asyncio.sleep(min(left, _LOOK))

    try:
        real = None
        if fault.does_the_work:
            real = await _record(request, handler)
        else:
            async for _ in request.content.iter_any():  # a service reads what it is asked before it fails
                pass
        if fault.hang:
            await pause(float("inf"))
        await pause(fault.delay)
        if fault.reset:
            await _reset(request)
        answer = real if real is not None and not fault.replaces else await _replacement(request, fault, refuse)
        return await _send(request, fault, answer, pause)
    except ConnectionError:
        raise Gone from None


class Recorder(AbstractStreamWriter):
    """Takes a body in place of the connection."""

    def __init__(self) -> None:
        self.body = bytearray()

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.body += chunk

    async def write_eof(self, chunk: bytes = b"") -> None:
        self.body += chunk

    async def drain(self) -> None:
        """Nothing waits."""

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        raise NotImplementedError  # the sandbox compresses nothing: aiohttp asks for it only where it was told to

    def enable_chunking(self) -> None:
        """The length is known when the answer is sent."""

    async def write_headers(self, status_line: str, headers: Any) -> None:
        """They are read from the response."""


async def _record(request: web.Request, handler: Handler) -> _Answer:
    """Let a handler answer, and keep the answer."""
    recorder, connection = Recorder(), request._payload_writer
    request._payload_writer = recorder  # not public; aiohttp has no other way to see what a handler streams
    try:
        response = await handler(request)
        if isinstance(response, web.FileResponse):
            response.enable_compression(web.ContentCoding.identity)  # or the kernel sends the file past the recorder
        await response.prepare(request)
        await response.write_eof()
    finally:
        request._payload_writer = connection
    headers = response.headers.copy()
    for name in _FRAMING:
        headers.popall(name, None)
    return _Answer(response.status, response.reason, headers, len(recorder.body), [bytes(recorder.body)])


async def _replacement(request: web.Request, fault: Fault, refuse: Callable[[int], web.Response]) -> _Answer:
    """Make the answer that a fault gives."""
    status, body = fault.status or 200, fault.body
    if fault.gzip_bomb is not None:
        size, pieces = _bomb(fault.gzip_bomb)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        made = web.Response(status=status)
        return _Answer(made.status, made.reason, headers, size, pieces)
    if fault.redirect_to is not None:
        response = web.Response(status=fault.status or 307, headers={"Location": fault.redirect_to})
    elif fault.html is not None:
        response = web.Response(status=status, text=fault.html, content_type="text/html")
    elif isinstance(body, str):
        response = web.Response(status=status, text=body)
    elif isinstance(body, (bytes, bytearray)):
        response = web.Response(status=status, body=bytes(body))
    elif body is not None:
        response = web.json_response(body, status=status, dumps=json.dumps)
    else:
        response = refuse(status) if status >= 400 else web.Response(status=status)

    async def answer(_: web.Request) -> web.StreamResponse:
        return response

    return await _record(request, answer)


def _bomb(size: int) -> tuple[int, Iterator[bytes]]:
    """Give the length of a gzip file of blanks and its pieces: one block again and again, none longer than 2 KiB.

    Source: https://www.rfc-editor.org/rfc/rfc1952
    """
    count, rest = divmod(size, len(_BLANKS))
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflate.compress(_BLANKS) + deflate.flush(zlib.Z_FULL_FLUSH)  # after which it may be followed by itself
    end = deflate.compress(_BLANKS[:rest]) + deflate.flush()
    head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"

    def pieces() -> Iterator[bytes]:
        yield head
        checksum = 0
        for _ in range(count):
            checksum = zlib.crc32(_BLANKS, checksum)
            yield block
        checksum = zlib.crc32(_BLANKS[:rest], checksum)
        yield end + struct.pack("<LL", checksum, size % 2**32)

    return len(head) + count * len(block) + len(end) + 8, pieces()


async def _send(request: web.Request, fault: Fault, answer: _Answer, pause: Pause) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=answer.headers)
    response.headers.update(fault.headers or {})
    response.content_length = promised = max(answer.size + (fault.length_off_by or 0), 0)
    await response.prepare(request)
    ends = [end for end in (fault.cut_after, fault.reset_after) if end is not None]
    count, seconds = fault.drip or (2**16, 0.0)
    for number, piece in enumerate(_sliced(answer.pieces, count, *ends)):
        await pause(seconds if number else 0)
        await response.write(piece[:promised])
        if piece[promised:] and request.transport is not None:  # aiohttp would not send more than it promised
            request.transport.write(piece[promised:])
        promised = max(promised - len(piece), 0)
        await asyncio.sleep(0)
    if fault.reset_after is not None:
        await _reset(request)
    if (fault.cut_after is not None or fault.length_off_by) and request.transport is not None:
        request.transport.close()
        raise Gone
    await response.write_eof()
    return response


def _sliced(pieces: Iterable[bytes], size: int, end: int | None = None) -> Iterator[bytes]:
    """Cut a body into pieces of one size at most, and stop at its end or before."""
    for piece in pieces:
        piece = piece[:end]
        yield from (piece[start : start + size] for start in range(0, len(piece), size))
        if end is not None:
            end -= len(piece)


async def _reset(request: web.Request) -> None:
    """Break the connection off with an RST, when all that was written has left."""
    transport = request.transport
    if transport is not None:
        transport.set_write_buffer_limits(0)
        await request.writer.drain()
        # https://man7.org/linux/man-pages/man7/socket.7.html  SO_LINGER of 0 seconds makes a close a reset
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    raise Gone
