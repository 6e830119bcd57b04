"""Bodies that no client should send: each gets an error in the form of the provider, on every route."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import re
from typing import Any

import pytest
from aiohttp.compression_utils import HAS_BROTLI, HAS_ZSTD
from http_client import Send

from kellyapi import Sandbox
from kellyapi.sandbox import app, json_body
from kellyapi.sandbox.app import ROUTES
from kellyapi.sandbox.engines.errors import BadInput
from kellyapi.sandbox.json_body import MAX_DEPTH, MAX_VALUES, parse_object

MORE_ENCODINGS = [name for name, known in (("br", HAS_BROTLI), ("zstd", HAS_ZSTD)) if known]
"""Without their packages aiohttp itself refuses these, before the sandbox sees the request."""
KEYS = {
    "Authorization": "Bearer key",
    "Ocp-Apim-Subscription-Key": "key",
    "x-api-key": "key",
    "X-Aerostack-Key": "key",
}
POSTS = [
    (route.frontend.key_header, re.sub("{.*?}", "chatgpt", route.definition.path))
    for route in ROUTES
    if route.definition.method == "POST"
]
BODIES = {
    "nothing": b"",
    "not JSON": b"hello",
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a float that is too large": b'{"a": 1e999}',
    "an integer that is too large": b'{"a": 1%s}' % (b"0" * 400),
    "an integer that Python does not read": b'{"a": 1%s}' % (b"0" * 5000),
    "too deep to parse": b'{"a": ' + b"[" * 100_000,
    "too deep": b'{"a": %s%s}' % (b"[" * MAX_DEPTH, b"]" * MAX_DEPTH),
    "half a surrogate pair": b'{"a": "\\uD83d"}',
    "half a surrogate pair in a name": b'{"\\udc00": 1}',
    "a surrogate in bytes": b'{"a": "\xed\xa0\x80"}',
    "not UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "too many values": b'{"a": [%s0]}' % (b"0," * MAX_VALUES),
    "an array": b"[]",
}


@pytest.mark.parametrize("name", BODIES)
async def test_every_route_refuses_what_is_not_json(send: Send, name: str) -> None:
    for key_header, path in POSTS:
        headers = {key_header: KEYS[key_header], "Content-Type": "application/json"}
        response = await send("POST", path, headers=headers, data=io.BytesIO(BODIES[name]))
        assert response.json, path  # asserts the type of the content too
        if "/cancel" not in path:  # it has no body; its error is that there is no such prediction
            assert 400 <= response.status < 500, path


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_every_route_refuses_a_body_of_another_type(send: Send, kind: str) -> None:
    for key_header, path in POSTS:
        headers = {key_header: KEYS[key_header], "Content-Type": kind}
        response = await send("POST", path, headers=headers, data=b'{"a": 1}')
        assert response.json, path
        if "/cancel" not in path:
            assert 400 <= response.status < 500, path


@pytest.mark.parametrize("encoding", ["gzip", "deflate", *MORE_ENCODINGS, "GZIP", "compress", "gzip, identity", "x"])
async def test_every_route_refuses_a_body_that_is_not_encoded_as_it_says(send: Send, encoding: str) -> None:
    for key_header, path in POSTS:
        headers = {key_header: KEYS[key_header], "Content-Type": "application/json", "Content-Encoding": encoding}
        response = await send("POST", path, headers=headers, data=b'{"a": 1}')
        assert response.json, path
        if "/cancel" not in path:
            assert response.status in (400, 415), path


@pytest.mark.parametrize(
    ("path", "kind", "data"),
    [
        ("/v1/cache/get", "application/json", b'{"key"'),
        ("/v1/storage/upload", "multipart/form-data; boundary=x", b"--x\r\n"),
        ("/asr/v3/transcribe?language=eng", "audio/wav", b"RIFF"),
    ],
)
async def test_a_body_that_stops_arriving_is_a_408(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, path: str, kind: str, data: bytes
) -> None:
    monkeypatch.setattr(app, "BODY_IDLE", 0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    key = "X-Aerostack-Key: k\r\nOcp-Apim-Subscription-Key: k"
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{key}\r\nContent-Type: {kind}\r\nContent-Length: 100\r\n\r\n"
    writer.write(head.encode() + data)
    response = await reader.read()
    assert response.startswith(b"HTTP/1.1 408 ")
    assert json.loads(response.partition(b"\r\n\r\n")[2])["message"] == "Request Timeout"
    writer.close()


async def test_a_large_body_that_is_not_deflate_gets_a_response(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BODY_IDLE", 0.1)
    headers = {"X-Aerostack-Key": "key", "Content-Type": "application/json", "Content-Encoding": "deflate"}
    response = await send("POST", "/v1/cache/get", headers=headers, data=b'{"a":' * 100_000)
    assert (response.status, set(response.json)) == (408, {"code", "message"})


async def test_a_body_that_is_gzip_is_read(send: Send) -> None:
    headers = {"X-Aerostack-Key": "key", "Content-Encoding": "gzip", "Content-Type": "application/json"}
    body = gzip.compress(b'{"key": "a", "value": 5}')
    assert (await send("POST", "/v1/cache/set", headers=headers, data=body)).status == 200


async def test_a_compressed_body_that_grows_too_large_is_a_413(send: Send) -> None:
    headers = {"X-Aerostack-Key": "key", "Content-Encoding": "gzip", "Content-Type": "application/json"}
    body = gzip.compress(bytes(json_body.MAX_SIZE + 1))
    response = await send("POST", "/v1/cache/set", headers=headers, data=body)
    assert (response.status, response.json["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("header", ["Range", "x-sdk-version", "X-Request-ID"])
@pytest.mark.parametrize("path", ["/chat/%ED%A0%80", "/v1/cache/get?a=%ED%A0%80", "/v1/%00", "/v1/predictions/%ff"])
async def test_strange_paths_and_headers_are_no_failure(send: Send, path: str, header: str) -> None:
    for method in ("GET", "POST"):
        response = await send(method, path, headers={**KEYS, header: "\udcff\udc80"}, json={"prompt": "hi"})
        assert response.status != 500
        assert response.json


async def test_the_last_of_two_values_with_one_name_counts(send: Send) -> None:
    headers = {"X-Aerostack-Key": "key", "Content-Type": "application/json"}
    await send("POST", "/v1/cache/set", headers=headers, data=b'{"key": "a", "key": "b", "value": 1, "value": 2}')
    response = await send("POST", "/v1/cache/get", headers=headers, data=b'{"key": "b"}')
    assert response.json == {"value": 2, "exists": True}


async def test_large_numbers_add_up(send: Send) -> None:
    headers = {"X-Aerostack-Key": "key"}
    await send("POST", "/v1/cache/set", headers=headers, json={"key": "a", "value": 10**299})
    response = await send("POST", "/v1/cache/increment", headers=headers, json={"key": "a", "amount": 0.5})
    assert response.json == {"value": 1e299}


@pytest.mark.parametrize(
    "body",
    [
        {"a": "🦊"},
        {"a": "\\ud83d"},
        {"a": "\0"},
        {"a": ["[" * 1000]},
        {"a": 1e308, "b": 10**299, "c": -(10**298)},
        json.loads('{"a": ' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "}"),
    ],
)
def test_unusual_json_is_read_as_it_is(body: dict[str, Any]) -> None:
    assert parse_object(json.dumps(body).encode()) == body
    assert parse_object(b"\xef\xbb\xbf" + json.dumps(body, ensure_ascii=False).encode()) == body


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/predict"])
async def test_an_error_quotes_little_of_the_request(send: Send, path: str) -> None:
    body = {"model": "x" * 100_000, "input": {"prompt": "a"}}
    response = await send("POST", path, headers=KEYS, json=body)
    assert (response.status, len(response.body) < 3000) == (404, True)


def test_the_message_says_which_limit_was_exceeded() -> None:
    with pytest.raises(BadInput, match="more than 200 levels"):
        parse_object(BODIES["too deep"])
    with pytest.raises(BadInput, match="more than 1000000 values"):
        parse_object(BODIES["too many values"])
