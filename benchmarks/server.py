"""A fast loopback server: prebuilt responses by path, on a bare protocol, in a process of its own.

`python -m benchmarks.server` prints its port, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from contextlib import suppress
from typing import cast

IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 32
LARGE_IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * (4 * 2**20 // 256)
PREDICTION = {
    "id": "p1",
    "status": "succeeded",
    "type": "inference",
    "stream": False,
    "input": {"prompt": "a red fox in snow"},
    "output": ["https://files.example/2026/01/01/p1.png"],
    "created_at": "2026-01-01T00:00:00.000000Z",
    "started_at": "2026-01-01T00:00:00+00:00",
    "completed_at": "2026-01-01T00:00:04+00:00",
    "updated_at": "2026-01-01T00:00:04+00:00",
    "privacy": "private",
    "source": "api",
    "model": {"name": "truefusion", "type": "image"},
    "webhook": {"url": None, "events": []},
    "metrics": {"image_count": 1, "predict_time": 3.9},
    "metadata": {"billing": {"credits_used": 0.03}},
    "urls": {"get": "https://api.example/v1/predictions/p1"},
}
"""With all that the provider sends: Source: https://github.com/Skytells/ts-sdk (src/types/predict.types.ts)"""
_PIECE = bytes(2**20)
_MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def _answer(value: object) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def _picture(data: bytes) -> bytes:
    return _answer({"image": base64.b64encode(data).decode()})


ANSWERS = {
    b"/v1/translate": _answer("Maakye, wo ho te sɛn?"),
    b"/image/generate": _picture(IMAGE),
    b"/large/image/generate": _picture(LARGE_IMAGE),
    b"/predict": _answer({**PREDICTION, "status": "starting", "output": None}),
    b"/predictions/p1": _answer(PREDICTION),
    b"/ai/chat": _answer({"response": "Foxes eat what they find."}),
    b"/storage/upload": _answer({"url": "https://files.example/upload.bin"}),
}


class Answering(asyncio.Protocol):
    """One connection. Its client waits for each response before it sends the next request."""

    requests = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._head = b""
        self._path = b""
        self._left = 0
        """Bytes of the body still to come; -1 for a chunked body."""
        self._tail = b""
        self._to_send = 0
        self._full = False

    def data_received(self, data: bytes) -> None:
        if not self._path:
            head, blank, data = (self._head + data if self._head else data).partition(b"\r\n\r\n")
            if not blank:
                self._head = head
                return
            self._head = b""
            self._path = head.split(b" ", 2)[1]
            fields = head.lower()
            _, length, rest = fields.partition(b"content-length:")
            self._left = int(rest.partition(b"\r\n")[0]) if length else -1 if b"chunked" in fields else 0
        if self._left > 0:
            self._left -= len(data)
        elif self._left < 0:  # the benchmark's files hold no such ending
            self._tail = (self._tail + data[-7:])[-7:]
            self._left = 0 if self._tail == b"\r\n0\r\n\r\n" else -1
        if not self._left:
            path, self._path, self._tail = self._path, b"", b""
            self._reply(path)

    def _reply(self, path: bytes) -> None:
        Answering.requests += 1
        if answer := ANSWERS.get(path):
            self._transport.write(answer)
        elif path.startswith(b"/bytes/"):
            self._to_send = int(path.split(b"/")[2])
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
            self._transport.write(head % self._to_send)
            self.resume_writing()
        elif path == b"/spent":
            self._transport.write(_answer({"cpu": time.process_time(), "requests": Answering.requests}))
        else:
            self._transport.write(_MISSING)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        while self._to_send and not self._full:
            size = min(self._to_send, len(_PIECE))
            self._to_send -= size
            self._transport.write(_PIECE if size == len(_PIECE) else _PIECE[:size])


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    with suppress(OSError):
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
