"""Faults on the wire: replaced, changed and missing responses, and the errors that a client gets."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from attrs import frozen
from http_client import PROVIDER_REQUESTS, Send

from kellyapi import (
    NO_RETRY,
    Aerostack,
    DecodingError,
    KellyAPIError,
    NotFoundError,
    RequestTimeoutError,
    Sandbox,
    ServerError,
    StatusError,
    TransportError,
)

pytestmark = pytest.mark.usefixtures("own_sandbox")

KHAYA_KEY = {"Ocp-Apim-Subscription-Key": "key"}
REQUEST_BODY = {"in": "Good morning", "lang": "en-tw"}
RESPONSE_BODY = b'"Maakye"'


@frozen
class RawResponse:
    """Everything that was received on one connection."""

    head: str
    body: bytes
    was_reset: bool

    @property
    def length(self) -> int:
        (line,) = [line for line in self.head.splitlines() if line.lower().startswith("content-length:")]
        return int(line.partition(":")[2])


@pytest.fixture
def translate_raw(sandbox: Sandbox) -> Callable[[], Any]:
    """Send a translation over a plain TCP connection, and return everything that is received until it ends."""

    async def translate_raw() -> RawResponse:
        reader, writer = await asyncio.open_connection(sandbox.host, sandbox.port)
        body = json.dumps(REQUEST_BODY).encode()
        head = ["POST /v1/translate HTTP/1.1", "Host: localhost", "Ocp-Apim-Subscription-Key: key", "Connection: close"]
        writer.write("\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        raw, was_reset = bytearray(), False
        try:
            while piece := await reader.read(2**16):
                raw += piece
        except ConnectionResetError:
            was_reset = True
        finally:
            writer.close()
        head, _, body = bytes(raw).partition(b"\r\n\r\n")
        return RawResponse(head.decode(), body, was_reset)

    return translate_raw


# -- replaced responses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "header", "body"),
    [
        ({"body": {"a": [1]}}, 200, ("Content-Type", "application/json; charset=utf-8"), b'{"a": [1]}'),
        ({"body": {}}, 200, ("Content-Length", "2"), b"{}"),
        ({"body": "hello"}, 200, ("Content-Type", "text/plain; charset=utf-8"), b"hello"),
        ({"body": b"\x00\x01"}, 200, ("Content-Type", "application/octet-stream"), b"\x00\x01"),
        ({"body": b"", "status": 500}, 500, ("Content-Length", "0"), b""),
        ({"body": [], "status": 418}, 418, ("Content-Length", "2"), b"[]"),
        ({"status": 204}, 204, ("Server", "me"), b""),
        ({"html": "<h1>é</h1>"}, 200, ("Content-Type", "text/html; charset=utf-8"), "<h1>é</h1>".encode()),
        ({"html": "down", "status": 502}, 502, ("Content-Type", "text/html; charset=utf-8"), b"down"),
        ({"redirect_to": "http://127.0.0.1:9/x"}, 307, ("Location", "http://127.0.0.1:9/x"), b""),
        ({"redirect_to": "/x", "status": 302}, 302, ("Location", "/x"), b""),
        ({"body": "{}", "headers": {"Content-Type": "a/b"}}, 200, ("Content-Type", "a/b"), b"{}"),
    ],
)
async def test_a_fault_replaces_the_response(
    sandbox: Sandbox, send: Send, fault: dict[str, Any], status: int, header: tuple[str, str], body: bytes
) -> None:
    sandbox.fail_next(**{"headers": {"Server": "me"}, **fault})
    response = await send("POST", "/v1/translate", headers=KHAYA_KEY, json=REQUEST_BODY, allow_redirects=False)
    assert (response.status, response.headers[header[0]], response.body) == (status, header[1], body)
    assert sandbox.requests[-1].status == status
    assert (await send("POST", "/v1/translate", headers=KHAYA_KEY, json=REQUEST_BODY)).body == RESPONSE_BODY


@pytest.mark.parametrize(
    ("provider", "status", "expected"),
    [
        ("kelly", 500, {"detail": "Internal Server Error"}),
        ("kelly", 401, {"detail": "Invalid API key"}),
        ("khaya", 429, {"statusCode": 429, "message": "Too Many Requests"}),
        ("khaya", 599, {"statusCode": 599, "message": "Status 599"}),
        ("skytells", 402, {"status": False, "response": "Payment Required"}),
        ("aerostack", 503, {"code": "SERVICE_UNAVAILABLE", "message": "Service Unavailable"}),
        ("aerostack", 401, {"code": "AUTH_INVALID_KEY", "message": "Invalid API key"}),
    ],
)
async def test_an_error_has_the_form_of_the_provider_of_the_route_even_without_a_key(
    sandbox: Sandbox, send: Send, provider: str, status: int, expected: dict[str, Any]
) -> None:
    method, path, _ = PROVIDER_REQUESTS[provider]
    sandbox.fail_next(status=status)
    response = await send(method, path)
    assert response.status == status
    assert expected.items() <= response.json.items()


async def test_predictions_and_inference_of_skytells_have_their_own_error_forms(sandbox: Sandbox, send: Send) -> None:
    sandbox.fail_next(status=402, times=2)
    prediction, chat = [await send(*PROVIDER_REQUESTS[name][:2]) for name in ("skytells", "inference")]
    assert prediction.json["error"]["error_id"] == chat.json["error"]["error_id"] == "INSUFFICIENT_CREDITS"
    assert set(prediction.json) != set(chat.json)


@pytest.mark.parametrize("provider", PROVIDER_REQUESTS)
async def test_an_error_on_an_unknown_path_has_the_form_of_the_provider_of_the_key(
    sandbox: Sandbox, send: Send, provider: str
) -> None:
    method, path, key = PROVIDER_REQUESTS[provider]
    sandbox.fail_next(status=500, times=2)
    known, unknown = await send(method, path, headers=key), await send("GET", "/not/there", headers=key)
    assert unknown.status == 500
    if provider != "inference":  # its key header is that of predictions too
        assert set(unknown.json) == set(known.json) or provider == "khaya"


async def test_a_gzip_bomb_is_a_valid_gzip_file_of_its_size(sandbox: Sandbox, translate_raw: Callable[[], Any]) -> None:
    size = 3 * 2**20 + 5
    sandbox.fail_next(gzip_bomb=size)
    raw = await translate_raw()
    assert "content-encoding: gzip" in raw.head.lower()
    assert len(raw.body) == raw.length < size / 500
    assert gzip.decompress(raw.body) == b" " * size


async def test_a_gzip_bomb_of_a_tebibyte_starts_at_once(sandbox: Sandbox) -> None:
    size = 2**40
    sandbox.fail_next(gzip_bomb=size)
    async with sandbox.api(retry=NO_RETRY) as api:
        with pytest.raises(DecodingError, match="max_response_bytes"):
            await api.khaya.translate("Good morning", "en-tw")


# -- changed responses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 3, len(RESPONSE_BODY) - 1])
@pytest.mark.parametrize("field", ["cut_after", "reset_after"])
async def test_a_response_can_end_after_some_bytes(
    sandbox: Sandbox, translate_raw: Callable[[], Any], field: str, count: int
) -> None:
    sandbox.fail_next(**{field: count})
    raw = await translate_raw()
    assert raw.head.startswith("HTTP/1.1 200 OK")
    assert raw.length == len(RESPONSE_BODY)
    assert raw.body == RESPONSE_BODY[:count]
    assert raw.was_reset == (field == "reset_after")
    assert sandbox.requests[-1].status == 200


@pytest.mark.parametrize("off", [7, -3, -len(RESPONSE_BODY), -1000])
async def test_the_content_length_can_be_wrong_but_not_negative(
    sandbox: Sandbox, translate_raw: Callable[[], Any], off: int
) -> None:
    sandbox.fail_next(length_off_by=off)
    raw = await translate_raw()
    assert (raw.length, raw.body) == (max(len(RESPONSE_BODY) + off, 0), RESPONSE_BODY)
    assert not raw.was_reset


async def test_drip_and_delay_slow_a_response_and_leave_it_complete(
    sandbox: Sandbox, translate_raw: Callable[[], Any]
) -> None:
    sandbox.fail_next(drip=(3, 0.02), delay=0.05)
    started = time.monotonic()
    raw = await translate_raw()
    assert time.monotonic() - started >= 0.05 + 0.02 * (len(RESPONSE_BODY) // 3)
    assert (raw.length, raw.body, raw.was_reset) == (len(RESPONSE_BODY), RESPONSE_BODY, False)


async def test_a_replaced_response_can_drip_and_be_cut(sandbox: Sandbox, translate_raw: Callable[[], Any]) -> None:
    sandbox.fail_next(status=500, body="sorry, no", drip=(2, 0.0), cut_after=5)
    raw = await translate_raw()
    assert raw.head.startswith("HTTP/1.1 500 ")
    assert (raw.length, raw.body) == (len("sorry, no"), b"sorry")


async def test_headers_are_added_to_the_providers_response(sandbox: Sandbox, send: Send) -> None:
    many = {f"X-Number-{number}": str(number) for number in range(100)}
    sandbox.fail_next(headers={**many, "content-type": "a/b"})
    response = await send("POST", "/v1/translate", headers=KHAYA_KEY, json=REQUEST_BODY)
    assert (response.body, response.headers["Content-Type"]) == (RESPONSE_BODY, "a/b")
    assert many.items() <= dict(response.headers).items()
    assert len(response.headers.getall("Content-Type")) == 1


async def test_streams_and_files_can_drip_and_be_cut(
    fake_engines: None, sandbox: Sandbox, send: Send, aerostack: Aerostack
) -> None:
    async def stream() -> bytes:
        body = {"text": "hello", "language": "eng", "stream": True}
        return (await send("POST", "/tts/v2/synthesize", headers=KHAYA_KEY, json=body)).body

    data = bytes(range(256)) * 1000
    await aerostack.storage.upload("a.bin", data)

    async def file() -> bytes:
        return (await send("POST", "/v1/storage/get", headers={"X-Aerostack-Key": "k"}, json={"key": "a.bin"})).body

    for read in (stream, file):
        whole = await read()
        sandbox.fail_next(drip=(2**14, 0.0))
        assert await read() == whole
        sandbox.fail_next(cut_after=len(whole) - 1)
        with pytest.raises(aiohttp.ClientPayloadError):
            await read()
    assert whole == data


async def test_the_connection_is_usable_after_a_fault(sandbox: Sandbox) -> None:
    reader, writer = await asyncio.open_connection(sandbox.host, sandbox.port)
    for fault in ({"status": 500}, {"drip": (1, 0.0)}, {"delay": 0.001}):
        sandbox.fail_next(**fault)
        writer.write(b"GET /v1/languages HTTP/1.1\r\nHost: localhost\r\nOcp-Apim-Subscription-Key: key\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        await reader.readexactly(RawResponse(head, b"", False).length)
    writer.close()


# -- no response -------------------------------------------------------------------------------------------------------


async def test_reset_and_hang_send_no_response(sandbox: Sandbox, translate_raw: Callable[[], Any]) -> None:
    sandbox.fail_next(reset=True, delay=0.01)
    assert await translate_raw() == RawResponse("", b"", True)
    assert sandbox.requests[-1].status is None
    sandbox.fail_next(hang=True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(translate_raw(), 0.1)
    assert sandbox.requests[-1].status is None


async def test_closing_the_sandbox_ends_a_hanging_request(translate_raw: Callable[[], Any], sandbox: Sandbox) -> None:
    sandbox.fail_next(hang=True)
    translation = asyncio.create_task(translate_raw())
    while not sandbox.requests:  # noqa: ASYNC110  the sandbox has no event for a request that arrives
        await asyncio.sleep(0)
    await sandbox.close()
    assert (await translation).head == ""


@pytest.mark.parametrize(
    ("fault", "error", "created"),
    [
        ({"status": 502}, ServerError, 0),
        ({"reset": True}, TransportError, 0),
        ({"hang": True}, RequestTimeoutError, 0),
        ({"html": "<p>Hello"}, DecodingError, 0),
        ({"status": 502, "carried_out": True}, ServerError, 1),
        ({"reset": True, "carried_out": True}, TransportError, 1),
        ({"hang": True, "carried_out": True}, RequestTimeoutError, 1),
        ({"html": "<p>Hello", "carried_out": True}, DecodingError, 1),
        ({"reset_after": 0}, TransportError, 1),
        ({"cut_after": 10}, TransportError, 1),
    ],
)
async def test_the_fault_decides_whether_the_work_is_done_and_the_client_cannot_know(
    sandbox: Sandbox, fault: dict[str, Any], error: type[KellyAPIError], created: int
) -> None:
    sandbox.fail_next("POST /v1/predict", **fault)
    async with sandbox.api() as api:
        client = api.skytells.with_options(timeout=0.2 if "hang" in fault else None)
        with pytest.raises(error) as caught:
            await client.predictions.create("truefusion", {"prompt": "a fox"})
        assert caught.value.outcome_unknown
        assert [request.path for request in sandbox.requests] == ["/v1/predict"]
        assert len((await api.skytells.predictions.list()).items) == created


# -- errors of the client ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"cut_after": 3}, TransportError),
        ({"reset_after": 3}, TransportError),
        ({"length_off_by": 5}, TransportError),
        ({"length_off_by": -3}, (TransportError, DecodingError)),
        ({"html": "<h1>Hello"}, DecodingError),
        ({"gzip_bomb": 10}, DecodingError),
        ({"body": None, "status": 200}, DecodingError),
        ({"redirect_to": "https://example.invalid/"}, StatusError),
        ({"status": 404}, NotFoundError),
    ],
)
async def test_each_fault_is_a_typed_error_in_the_client(
    sandbox: Sandbox, fault: dict[str, Any], error: type[KellyAPIError]
) -> None:
    sandbox.fail_next("/v1/translate", **fault)
    async with sandbox.api(timeout=5) as api:
        with pytest.raises(error):
            await api.khaya.translate("Good morning", "en-tw")
        assert len(sandbox.requests) == 1
        with suppress(KellyAPIError):
            await api.khaya.translate("Good morning", "en-tw")
        assert len(sandbox.requests) == 2
