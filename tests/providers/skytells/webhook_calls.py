"""Deliveries of webhooks, signed and sent piece by piece, and receivers that record them."""

from __future__ import annotations

import asyncio
import hmac
import io
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Protocol

from aiohttp import ClientSession, web

from kellyapi import WebhookDelivery, WebhookReceiver

SECRET = "sk-test-key"
BODY = b'{"id":"p1","status":"succeeded"}'
SIGNATURE = "2a478c45472f2f4db275e913f6bbacdc94805c192c68d65322c030567dcf85fd"
HEADERS = {"X-Skytells-Signature": SIGNATURE}


def signed(body: Any, secret: str = SECRET) -> tuple[dict[str, str], bytes]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {"X-Skytells-Signature": hmac.new(secret.encode(), data, sha256).hexdigest()}, data


PATH = "/webhooks/skytells"
OK = (200, {"ok": True})


def listening(seen: list[WebhookDelivery], *secrets: str, **options: Any) -> WebhookReceiver:
    """Make a receiver that records the deliveries that reach handlers."""
    receiver = WebhookReceiver(*(secrets or (SECRET,)), **options)
    receiver.on("*")(seen.append)
    return receiver


def call(status: str = "succeeded", id: str = "p1", secret: str = SECRET, **more: Any) -> tuple[dict[str, str], bytes]:
    return signed({"id": id, "status": status, **more}, secret)


class Post(Protocol):
    """Sends one delivery."""

    port: int

    def __call__(self, headers: dict[str, str], body: Any) -> Awaitable[tuple[int, Any]]: ...


@asynccontextmanager
async def serving(receiver: WebhookReceiver, **options: Any) -> AsyncIterator[Post]:
    """Run an application with a receiver, and yield a function that posts to it."""
    app = web.Application(**options)
    app.add_routes(receiver.routes(PATH))
    app.cleanup_ctx.append(receiver.cleanup_context)
    # A client that is refused in the middle of a body may send the rest for 10 s: the end does not wait for that.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with ClientSession(f"http://127.0.0.1:{port}") as session:

        async def post(headers: dict[str, str], body: Any) -> tuple[int, Any]:
            data = io.BytesIO(body) if isinstance(body, bytes) else body
            async with session.post(PATH, headers=headers, data=data) as response:
                return response.status, await response.json()

        sends: Any = post
        sends.port = port  # for tests that write the bytes themselves
        try:
            yield sends
        finally:
            await runner.cleanup()


async def talk(post: Post, head: str, *pieces: bytes, end: bool = True) -> bytes:
    """Send a request piece by piece, and read the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", post.port)
    try:
        for piece in (f"POST {PATH} HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\n".encode(), *pieces):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if not end:
            return b""
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
