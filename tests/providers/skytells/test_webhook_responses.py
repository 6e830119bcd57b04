"""What a webhook receiver responds to a call, and how often a state is an event."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import flask
import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from flask import Flask

from kellyapi import SQLiteDeliveries, WebhookDelivery, WebhookReceiver, run_sync
from kellyapi.providers.skytells.webhooks.receiver import MAX_BODY

from .webhook_calls import BODY, HEADERS, OK, PATH, call, listening, serving, signed, talk

# Responses


LONG = b"[" + b" " * MAX_BODY + b"]"
CALLS: list[tuple[dict[str, str], bytes, int]] = [
    (HEADERS, BODY, 200),
    (*call("failed"), 200),
    (*signed({"type": "prediction.succeeded", "data": json.loads(BODY)}), 200),
    ({}, BODY, 401),
    (HEADERS, BODY + b" ", 401),
    (*call(secret="another"), 401),
    ({}, b"{", 401),
    (*signed(b"{"), 400),
    (*signed({}), 400),
    ({}, LONG, 413),
    (*signed(LONG), 413),
]


@pytest.mark.parametrize(("headers", "body", "status"), CALLS)
async def test_each_kind_of_delivery_has_its_response(
    receiver: WebhookReceiver, seen: list[WebhookDelivery], headers: dict[str, str], body: bytes, status: int
) -> None:
    said = await receiver.handle(headers, body)
    assert (said[0], said[1]["ok"]) == (status, status == 200)
    await receiver.close()
    assert len(seen) == (status == 200)
    async with serving(listening(seen)) as post:
        assert await post(headers, body) == said
    assert len(seen) == 2 * (status == 200)


async def test_a_mebibyte_is_accepted_whatever_the_limit_of_the_application(seen: list[WebhookDelivery]) -> None:
    headers, body = signed(BODY.ljust(MAX_BODY))
    async with serving(listening(seen), client_max_size=10) as post:
        assert await post(headers, body) == OK
    assert [event.id for event in seen] == ["p1:succeeded"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_two_mebibytes_are_413_however_they_are_sent(seen: list[WebhookDelivery], chunked: bool) -> None:
    headers, body = signed(BODY.ljust(2 * MAX_BODY))

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 2**16):
            yield body[start : start + 2**16]

    async with serving(listening(seen)) as post:
        assert (await post(headers, pieces() if chunked else body))[0] == 413
        assert await post(HEADERS, BODY) == OK  # and the server still works
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("head", "pieces"),
    [
        (f"Content-Length: {2 * MAX_BODY}", ()),
        ("Transfer-Encoding: chunked", (b"%x\r\n" % (MAX_BODY + 1), b" " * (MAX_BODY + 1))),
    ],
)
async def test_a_long_body_is_refused_before_it_has_arrived(
    receiver: WebhookReceiver, head: str, pieces: tuple[bytes, ...]
) -> None:
    async with serving(receiver) as post:
        assert (await talk(post, head, *pieces)).startswith(b"HTTP/1.1 413 ")


async def test_a_body_may_come_one_byte_at_a_time(receiver: WebhookReceiver, seen: list[WebhookDelivery]) -> None:
    head = f"x-skytells-SIGNATURE: {HEADERS['X-Skytells-Signature']}\r\nContent-Length: {len(BODY)}"
    async with serving(receiver) as post:
        assert (await talk(post, head, *(bytes([byte]) for byte in BODY))).startswith(b"HTTP/1.1 200 ")
    assert [event.id for event in seen] == ["p1:succeeded"]


@pytest.mark.parametrize("head", [f"Content-Length: {len(BODY) + 1}", "Transfer-Encoding: chunked"])
async def test_a_body_that_breaks_off_reaches_no_handler(
    receiver: WebhookReceiver, seen: list[WebhookDelivery], caplog: pytest.LogCaptureFixture, head: str
) -> None:
    signature = f"X-Skytells-Signature: {HEADERS['X-Skytells-Signature']}"
    body = BODY if "Length" in head else b"%x\r\n%b\r\n" % (len(BODY), BODY)
    async with serving(receiver) as post:
        await talk(post, f"{signature}\r\n{head}", body, end=False)
        assert await post(*call("failed")) == OK
    assert [event.id for event in seen] == ["p1:failed"]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


# Repeated deliveries


@pytest.mark.parametrize("answer_first", [True, False])
async def test_a_hundred_repeated_deliveries_at_once_are_one_event(
    seen: list[WebhookDelivery], answer_first: bool
) -> None:
    async with serving(listening(seen, answer_first=answer_first)) as post:
        assert await asyncio.gather(*(post(HEADERS, BODY) for _ in range(100))) == [OK] * 100
    assert len(seen) == 1


async def test_one_state_is_one_event_in_each_form_and_spelling(
    receiver: WebhookReceiver, seen: list[WebhookDelivery]
) -> None:
    prediction = {"id": "p1", "status": "canceled"}
    for body in (
        prediction,
        prediction | {"status": "cancelled"},
        {"type": "prediction.cancelled", "data": prediction},
    ):
        assert await receiver.handle(*signed(body)) == OK
    await receiver.close()
    assert [event.name for event in seen] == ["canceled"]


async def test_other_states_and_other_predictions_are_other_events(
    receiver: WebhookReceiver, seen: list[WebhookDelivery]
) -> None:
    for status, id in [("started", "p1"), ("succeeded", "p1"), ("succeeded", "p2"), ("started", "p1")]:
        assert await receiver.handle(*call(status, id)) == OK
    await receiver.close()
    assert [event.id for event in seen] == ["p1:started", "p1:succeeded", "p2:succeeded"]


async def test_a_store_in_a_file_survives_a_restart(seen: list[WebhookDelivery], tmp_path: Path) -> None:
    for _ in range(2):
        async with serving(listening(seen, store=SQLiteDeliveries(tmp_path / "seen.db"))) as post:
            assert await post(HEADERS, BODY) == OK
    assert len(seen) == 1


# Other servers


async def test_another_web_framework_passes_headers_and_bytes(
    receiver: WebhookReceiver, seen: list[WebhookDelivery]
) -> None:
    app = FastAPI()

    @app.post(PATH)
    async def receive(request: Request) -> JSONResponse:
        status, said = await receiver.handle(request.headers, await request.body())
        return JSONResponse(said, status)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test") as client:
        responses = [await client.post(PATH, content=body, headers=headers) for headers, body, _ in CALLS]
    await receiver.close()
    assert [response.status_code for response in responses] == [status for _, _, status in CALLS]
    assert {event.id for event in seen} == {"p1:succeeded", "p1:failed"}


def test_a_server_without_an_event_loop_uses_run_sync(receiver: WebhookReceiver, seen: list[WebhookDelivery]) -> None:
    app = Flask("app")

    @app.post(PATH)
    def receive() -> tuple[dict[str, Any], int]:
        status, said = run_sync(receiver.handle(flask.request.headers, flask.request.get_data()))
        return said, status

    client = app.test_client()
    responses = [client.post(PATH, data=body, headers=headers) for headers, body, _ in CALLS]
    run_sync(receiver.close())
    assert [response.status_code for response in responses] == [status for _, _, status in CALLS]
    assert {event.id for event in seen} == {"p1:succeeded", "p1:failed"}
