"""What aiohttp cannot read as a request is refused with JSON too."""

from __future__ import annotations

import asyncio
import json

import pytest

from kellyapi import Sandbox

HEAD = b"POST /v1/cache/get HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET no path HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00 a greeting of TLS\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
        HEAD + b"Content-Length: -5\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"no colon\r\n\r\n",
    ],
)
async def test_a_request_that_is_no_http_is_refused_with_json(sandbox: Sandbox, request_bytes: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    writer.write(request_bytes)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.split()[1] == b"400"
    assert b"Content-Type: application/json" in head
    detail = json.loads(body)["detail"]
    assert detail
    assert "\n" not in detail
