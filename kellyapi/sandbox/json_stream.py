"""JSON responses with a long array: sent item by item, so that they need little memory and never hold the loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

_PIECE = 64 * 2**10
"""Bytes that are sent at once. A response that is shorter is sent whole."""


async def send_json(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
    """Respond with a JSON object. A field that is an async iterator becomes an array of what it yields."""
    response: web.StreamResponse | None = None
    waiting = bytearray()
    async for piece in _write(fields):
        waiting += piece.encode()
        if len(waiting) >= _PIECE:
            if response is None:
                response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
                await response.prepare(request)
            await response.write(bytes(waiting))
            waiting.clear()
            await asyncio.sleep(0)  # a write to a fast client never waits, and others want their responses too
    if response is None:
        return web.Response(body=bytes(waiting), content_type="application/json", charset="utf-8")
    await response.write_eof(bytes(waiting))
    return response


async def _write(fields: dict[str, Any]) -> AsyncIterator[str]:
    before = "{"
    for name, value in fields.items():
        yield f"{before}{json.dumps(name)}: "
        before = ", "
        if isinstance(value, AsyncIterator):
            before_item = "["
            async for item in value:
                yield before_item + json.dumps(item)
                before_item = ", "
            yield "]" if before_item == ", " else "[]"
        else:
            yield json.dumps(value)
    yield "}"
