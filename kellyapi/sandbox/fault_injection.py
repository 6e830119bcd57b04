"""Injection of a fault into the response to one request.

`faults.Fault` describes the fault, and `faults.FaultQueue` chooses the requests that it affects.
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

from .faults import Fault
from .frontend import Handler

_CHECK_INTERVAL = 0.05
"""Seconds between two checks that the client is still connected: aiohttp does not tell a handler when it leaves."""
_SPACES = b" " * 2**20
_FRAMING = ("Content-Length", "Transfer-Encoding", "Connection")

Pause = Callable[[float], Awaitable[None]]


class ClientGone(Exception):
    """No complete response can be sent: the connection or the sandbox is closing, or the response has broken off."""


@frozen
class _RecordedResponse:
    """A complete response that has not been sent yet."""

    status: int
    reason: str
    headers: Mapping[str, str]
    size: int
    pieces: Iterable[bytes]


async def inject_fault(
    request: web.Request,
    handler: Handler,
    fault: Fault,
    *,
    error_response: Callable[[int], web.Response],
    is_closing: Callable[[], bool],
) -> web.StreamResponse:
    """Respond to a request with a fault.

    Args:
        request: The request to respond to.
        handler: The handler of its route.
        fault: The fault to inject.
        error_response: Makes the provider's error response for a status.
        is_closing: Returns whether the sandbox is closing; pauses end then.

    Raises:
        ClientGone: If the connection ended without a complete response.
    """

    async def pause(seconds: float) -> None:
        now = asyncio.get_running_loop().time
        end = now() + seconds
        while (remaining := end - now()) > 0:
            if request.transport is None or is_closing():
                raise ClientGone
            await asyncio.sleep(min(remaining, _CHECK_INTERVAL))

    try:
        response = None
        if fault.does_the_work:
            response = await _record(request, handler)
        else:
            async for _ in request.content.iter_any():  # a real server reads the body before it fails
                pass
        if fault.hang:
            await pause(float("inf"))
        await pause(fault.delay)
        if fault.reset:
            await _reset(request)
        if response is None or fault.replaces:
            response = await _make_replacement(request, fault, error_response)
        return await _send_with_fault(request, fault, response, pause)
    except ConnectionError:
        raise ClientGone from None


class BodyRecorder(AbstractStreamWriter):
    """Writer that keeps a response body instead of sending it."""

    def __init__(self) -> None:
        self.body = bytearray()

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.body += chunk

    async def write_eof(self, chunk: bytes = b"") -> None:
        self.body += chunk

    async def drain(self) -> None:
        """Do nothing: no data waits to be sent."""

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None:
        raise NotImplementedError  # the sandbox never turns compression on

    def enable_chunking(self) -> None:
        """Do nothing: the length is known before the response is sent."""

    async def write_headers(self, status_line: str, headers: Any) -> None:
        """Do nothing: the headers are read from the response object."""


async def _record(request: web.Request, handler: Handler) -> _RecordedResponse:
    """Run a handler and record its response instead of sending it."""
    recorder = BodyRecorder()
    request = _with_writer(request, recorder)
    response = await handler(request)
    if isinstance(response, web.FileResponse):
        # Without this, aiohttp lets the kernel send the file, and the recorder gets nothing.
        response.enable_compression(web.ContentCoding.identity)
    await response.prepare(request)
    await response.write_eof()
    headers = response.headers.copy()
    for name in _FRAMING:
        headers.popall(name, None)
    return _RecordedResponse(response.status, response.reason, headers, len(recorder.body), [bytes(recorder.body)])


def _with_writer(request: web.Request, writer: AbstractStreamWriter) -> web.Request:
    """Return the same request with another writer for its response.

    Source: https://docs.aiohttp.org/en/stable/testing.html#aiohttp.test_utils.make_mocked_request
    """
    from aiohttp.test_utils import make_mocked_request  # imports unittest.mock, and few sandboxes inject faults

    copy = make_mocked_request(
        request.method,
        request.path_qs,
        request.headers,
        match_info=dict(request.match_info),
        version=request.version,
        app=request.app,
        writer=writer,
        transport=request.transport,
        payload=request.content,
        client_max_size=request.client_max_size,
    )
    copy.update(request)
    return copy


async def _make_replacement(
    request: web.Request, fault: Fault, error_response: Callable[[int], web.Response]
) -> _RecordedResponse:
    """Make the response that a fault sends in place of the provider's."""
    status, body = fault.status or 200, fault.body
    if fault.gzip_bomb is not None:
        size, pieces = _gzip_bomb(fault.gzip_bomb)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        empty = web.Response(status=status)
        return _RecordedResponse(empty.status, empty.reason, headers, size, pieces)
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
        response = error_response(status) if status >= 400 else web.Response(status=status)

    async def respond(_: web.Request) -> web.StreamResponse:
        return response

    return await _record(request, respond)


def _gzip_bomb(size: int) -> tuple[int, Iterator[bytes]]:
    """Return the length and the pieces of a gzip file of spaces: one block repeated, no piece longer than 2 KiB.

    Source: https://www.rfc-editor.org/rfc/rfc1952
    """
    count, rest = divmod(size, len(_SPACES))
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = deflate.compress(_SPACES) + deflate.flush(zlib.Z_FULL_FLUSH)  # a full flush lets the block be repeated
    end = deflate.compress(_SPACES[:rest]) + deflate.flush()
    head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"

    def pieces() -> Iterator[bytes]:
        yield head
        checksum = 0
        for _ in range(count):
            checksum = zlib.crc32(_SPACES, checksum)
            yield block
        checksum = zlib.crc32(_SPACES[:rest], checksum)
        yield end + struct.pack("<LL", checksum, size % 2**32)

    return len(head) + count * len(block) + len(end) + 8, pieces()


async def _send_with_fault(
    request: web.Request, fault: Fault, recorded: _RecordedResponse, pause: Pause
) -> web.StreamResponse:
    response = web.StreamResponse(status=recorded.status, reason=recorded.reason, headers=recorded.headers)
    response.headers.update(fault.headers or {})
    response.content_length = announced = max(recorded.size + (fault.length_off_by or 0), 0)
    await response.prepare(request)
    ends = [end for end in (fault.cut_after, fault.reset_after) if end is not None]
    piece_size, seconds = fault.drip or (2**16, 0.0)
    for number, piece in enumerate(_slice(recorded.pieces, piece_size, *ends)):
        await pause(seconds if number else 0)
        await response.write(piece[:announced])
        if piece[announced:] and request.transport is not None:  # aiohttp sends no more than Content-Length
            request.transport.write(piece[announced:])
        announced = max(announced - len(piece), 0)
        await asyncio.sleep(0)
    if fault.reset_after is not None:
        await _reset(request)
    if (fault.cut_after is not None or fault.length_off_by) and request.transport is not None:
        request.transport.close()
        raise ClientGone
    await response.write_eof()
    return response


def _slice(pieces: Iterable[bytes], size: int, end: int | None = None) -> Iterator[bytes]:
    """Cut a body into pieces of at most `size` bytes, and stop after `end` bytes."""
    for piece in pieces:
        piece = piece[:end]
        yield from (piece[start : start + size] for start in range(0, len(piece), size))
        if end is not None:
            end -= len(piece)


async def _reset(request: web.Request) -> None:
    """Send what was written, then close the connection with an RST."""
    transport = request.transport
    if transport is not None:
        transport.set_write_buffer_limits(0)
        await request.writer.drain()
        # https://man7.org/linux/man-pages/man7/socket.7.html  SO_LINGER of 0 seconds makes a close a reset
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    raise ClientGone
