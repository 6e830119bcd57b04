"""Deliveries of Skytells' webhooks, from signature to event, and the stores that remember them."""

from __future__ import annotations

import asyncio
import hmac
import json
import sqlite3
import traceback
from collections.abc import Awaitable, Callable
from email.message import Message
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from multidict import CIMultiDict
from processes import run_fresh, run_script
from starlette.datastructures import Headers as StarletteHeaders
from werkzeug.datastructures import Headers as WerkzeugHeaders

from kellyapi import (
    Deliveries,
    MemoryDeliveries,
    Prediction,
    SQLiteDeliveries,
    WebhookDelivery,
    WebhookError,
    verify_webhook,
)
from kellyapi.providers.skytells.webhooks import verification
from kellyapi.providers.skytells.webhooks.verification import SIGNATURE_HEADER

from .webhook_calls import BODY, HEADERS, SECRET, SIGNATURE, signed

MESSAGE = Message()
MESSAGE["X-Skytells-SIGNATURE"] = SIGNATURE
EVENT = WebhookDelivery(type="succeeded", name="succeeded", prediction=Prediction(id="p1", status="succeeded"))


def test_the_public_name_is_the_function_of_the_module() -> None:
    assert verify_webhook is verification.verify_webhook


# Signatures


@pytest.mark.parametrize(
    "headers",
    [
        HEADERS,
        {"x-skytells-signature": SIGNATURE},
        {"Content-Type": "application/json", "X-SKYTELLS-SIGNATURE": SIGNATURE},
        {"X-Skytells-Signature": f" \t{SIGNATURE}\r\n"},
        {"X-Skytells-Signature": SIGNATURE.upper()},
        CIMultiDict(HEADERS),
        StarletteHeaders(HEADERS),
        WerkzeugHeaders(HEADERS),
        httpx.Headers(HEADERS),
        MESSAGE,
        [(b"host", b"h"), (b"x-skytells-signature", SIGNATURE.encode())],
        [("Host", "h"), ("X-SKYTELLS-Signature", SIGNATURE)],
        [[b"X-Skytells-Signature", SIGNATURE.upper().encode()]],
        ((name.encode(), value) for name, value in HEADERS.items()),
        {b"x-skytells-signature": SIGNATURE.encode()},
        {"x-skytells-signature": SIGNATURE.encode(), "x-count": 1},
    ],
)
def test_the_test_vector_is_accepted_with_any_kind_of_headers(headers: Any) -> None:
    assert verify_webhook(headers, BODY, SECRET) == EVENT


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, bytes.decode])
def test_a_body_is_bytes_of_any_kind_or_a_string(kind: Callable[[bytes], Any]) -> None:
    assert verify_webhook(HEADERS, kind(BODY), SECRET) == EVENT


@pytest.mark.parametrize(
    "secrets", [["old", SECRET], (SECRET, "new"), iter(["", SECRET]), f" {SECRET}\n", [f"{SECRET}\t"], SECRET.encode()]
)
def test_one_of_several_secrets_is_enough_and_spaces_around_it_are_ignored(secrets: Any) -> None:
    assert verify_webhook(HEADERS, BODY, secrets) == EVENT


EMPTY_KEY = signed(BODY, "")[0]["X-Skytells-Signature"]
BLANK_KEY = signed(BODY, " ")[0]["X-Skytells-Signature"]


@pytest.mark.parametrize(
    ("headers", "body", "secret"),
    [
        ({}, BODY, SECRET),
        ({"X-Skytells-Signature": ""}, BODY, SECRET),
        ({"X-Skytells-Signature": " \t"}, BODY, SECRET),
        ({"X-Skytells-Signature": SIGNATURE[:-1]}, BODY, SECRET),
        ({"X-Skytells-Signature": SIGNATURE + "0"}, BODY, SECRET),
        ({"X-Skytells-Signature": SIGNATURE[::-1]}, BODY, SECRET),
        ({"X-Skytells-Signature": f"sha256={SIGNATURE}"}, BODY, SECRET),
        ({"X-Skytells-Signature": f"{SIGNATURE}, {SIGNATURE}"}, BODY, SECRET),
        ({"X-Skytells-Signature": "é\udcff" * 32}, BODY, SECRET),
        ({"X-Skytells-Signature": None}, BODY, SECRET),
        ({"X-Signature": SIGNATURE}, BODY, SECRET),
        (HEADERS, BODY + b"\n", SECRET),
        (HEADERS, BODY.replace(b":", b": "), SECRET),
        (HEADERS, BODY.replace(b"p1", b"p2"), SECRET),
        (HEADERS, b"", SECRET),
        (HEADERS, b"\xff\x00", SECRET),
        (HEADERS, BODY, SECRET.upper()),
        (HEADERS, BODY, ["a", "b"]),
        (HEADERS, BODY, []),
        ({"X-Skytells-Signature": EMPTY_KEY}, BODY, ""),
        ({"X-Skytells-Signature": EMPTY_KEY}, BODY, ["", SECRET]),
        ({"X-Skytells-Signature": BLANK_KEY}, BODY, " "),
    ],
)
def test_any_other_signature_is_refused(headers: Any, body: bytes, secret: Any) -> None:
    with pytest.raises(WebhookError, match="no valid X-Skytells-Signature") as raised:
        verify_webhook(headers, body, secret)
    assert (raised.value.code, raised.value.provider) == ("WEBHOOK_SIGNATURE_INVALID", "skytells")


def test_a_string_is_encoded_as_utf_8() -> None:
    headers, body = signed({"id": "p1", "status": "succeeded", "response": "Ɛyɛ"})
    body = body.decode("unicode-escape").encode()
    headers = {SIGNATURE_HEADER: hmac.new(SECRET.encode(), body, sha256).hexdigest()}
    assert verify_webhook(headers, body.decode(), SECRET).prediction.response == "Ɛyɛ"
    with pytest.raises(WebhookError, match="no valid X-Skytells-Signature"):
        verify_webhook(headers, "\udcff\ud800", SECRET)


NO_HEADERS = "headers must be a mapping, or pairs of names and values, such as request.headers"


@pytest.mark.parametrize(
    ("headers", "body", "secret", "message"),
    [
        (HEADERS, json.loads(BODY), SECRET, "body must be the bytes of the request as they arrived, .* not dict"),
        (HEADERS, None, SECRET, "not NoneType"),
        (HEADERS, [BODY], SECRET, "not list"),
        (HEADERS, BODY, [None], r"secret\[0\] must be a string"),
        (HEADERS, BODY, None, "secret must be a string, .* not None"),
        (HEADERS, BODY, 5, "secret must be a string, .* not int"),
        (None, BODY, SECRET, f"{NO_HEADERS}, not NoneType"),
        (f"X-Skytells-Signature: {SIGNATURE}", BODY, SECRET, f"{NO_HEADERS}, not str"),
        (b"x", BODY, SECRET, f"{NO_HEADERS}, not bytes"),
        (5, BODY, SECRET, f"{NO_HEADERS}, not int"),
        ([SIGNATURE], BODY, SECRET, f"{NO_HEADERS}; an item is str"),
        (["ab"], BODY, SECRET, f"{NO_HEADERS}; an item is str"),
        ([("a", "b", "c")], BODY, SECRET, f"{NO_HEADERS}; an item is tuple"),
        ([(1, 2)], BODY, SECRET, f"{NO_HEADERS}; an item is tuple"),
        ({1: "a"}, BODY, SECRET, f"{NO_HEADERS}; an item is tuple"),
        ({SIGNATURE_HEADER: [SIGNATURE]}, BODY, SECRET, f"{SIGNATURE_HEADER} must be a string or bytes, not list"),
    ],
)
def test_an_argument_of_another_type_is_a_type_error(headers: Any, body: Any, secret: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        verify_webhook(headers, body, secret)


def test_a_body_is_not_parsed_before_its_signature_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    compare, loads = hmac.compare_digest, verification.loads_response
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: seen.append("compared") or compare(a, b))
    monkeypatch.setattr(verification, "loads_response", lambda data: seen.append("parsed") or loads(data))
    verify_webhook(HEADERS, BODY, SECRET)
    with pytest.raises(WebhookError):
        verify_webhook(HEADERS, b"{", SECRET)
    assert seen == ["compared", "parsed", "compared"]


def test_no_traceback_with_locals_shows_the_secret() -> None:
    with pytest.raises(WebhookError) as raised:
        verify_webhook({}, BODY, SECRET)
    frames = [
        frame for frame, _ in traceback.walk_tb(raised.tb) if frame.f_globals["__name__"] == verification.__name__
    ]
    assert frames
    assert not [frame for frame in frames if SECRET in repr(frame.f_locals)]


# Events


PREDICTION = {"id": "p1", "status": "processing"}


@pytest.mark.parametrize(
    ("status", "type"),
    [
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
        ("canceled", "cancelled"),
        ("started", "started"),
        ("starting", "started"),
        ("processing", "processing"),
        ("paused", "paused"),
    ],
)
def test_the_event_of_a_bare_prediction_is_its_status(status: str, type: str) -> None:
    event = verify_webhook(*signed(PREDICTION | {"status": status}), SECRET)
    assert event == WebhookDelivery(type=type, name=status, prediction=Prediction(id="p1", status=status))
    assert event.id == f"p1:{type}"


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("prediction.succeeded", "succeeded"),
        ("prediction.completed", "succeeded"),
        ("completed", "succeeded"),
        ("prediction.failed", "failed"),
        ("failed", "failed"),
        ("prediction.cancelled", "cancelled"),
        ("prediction.canceled", "cancelled"),
        ("canceled", "cancelled"),
        ("prediction.started", "started"),
        ("started", "started"),
        ("prediction.upscaled", "upscaled"),
        ("Prediction.Upscaled", "upscaled"),
    ],
)
def test_the_event_of_an_envelope_is_its_type(name: str, type: str) -> None:
    event = verify_webhook(*signed({"type": name, "created_at": "2026-03-04T21:20:58Z", "data": PREDICTION}), SECRET)
    prediction = Prediction(id="p1", status="processing")
    assert event == WebhookDelivery(type=type, name=name, created_at="2026-03-04T21:20:58Z", prediction=prediction)
    assert event.id == f"p1:{type}"


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "inference", "data": {"id": "p2", "status": "failed"}},
        {"type": "prediction.succeeded", "data": None},
        {"type": None, "data": {"id": "p2", "status": "failed"}},
    ],
)
def test_a_prediction_with_fields_of_an_envelope_is_still_a_prediction(fields: dict[str, Any]) -> None:
    event = verify_webhook(*signed(PREDICTION | fields), SECRET)
    assert (event.prediction.id, event.type, event.created_at) == ("p1", "processing", None)


def test_a_prediction_is_read_as_everywhere_else() -> None:
    event = verify_webhook(
        *signed(PREDICTION | {"model": {"name": "m", "type": "image"}, "output": ["u"], "new": 1}), SECRET
    )
    assert (event.prediction.model, event.prediction.outputs) == ("m", ("u",))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"null",
        b"[]",
        b'"succeeded"',
        b"{}",
        b"NaN",
        b"[" * 100_000,
        b'{"id": "p1"}',
        b'{"id": 1, "status": "succeeded"}',
        b'{"type": "prediction.succeeded", "data": {}}',
        b'{"type": "prediction.succeeded"}',
    ],
)
def test_a_signed_body_that_is_no_event_is_a_webhook_error(body: bytes) -> None:
    with pytest.raises(WebhookError, match="is signed, but is not an event") as raised:
        verify_webhook(*signed(body), SECRET)
    assert raised.value.code == "INVALID_JSON"


# Stores


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Deliveries:
    return MemoryDeliveries() if request.param == "memory" else SQLiteDeliveries(tmp_path / "deliveries.db")


async def test_a_key_is_claimed_once_until_it_is_released(store: Deliveries) -> None:
    assert [await store.claim("a"), await store.claim("a"), await store.claim("b")] == [True, False, True]
    await store.release("a")
    await store.release("c")
    assert [await store.claim("a"), await store.claim("b")] == [True, False]


async def test_one_of_a_hundred_simultaneous_claims_of_a_key_succeeds(store: Deliveries) -> None:
    assert sum(await asyncio.gather(*(store.claim("a") for _ in range(100)))) == 1


async def test_the_store_in_memory_keeps_the_newest_keys() -> None:
    store = MemoryDeliveries(2)
    assert [await store.claim(key) for key in "abcbca"] == [True, True, True, False, False, True]


async def test_a_file_keeps_keys_over_a_restart_until_they_expire(tmp_path: Path) -> None:
    now = 1_000.0
    open_store: Callable[[], SQLiteDeliveries] = lambda: SQLiteDeliveries(  # noqa: E731  three lives, one file
        tmp_path / "deliveries.db", keep=60, clock=lambda: now
    )
    assert await open_store().claim("a")
    now += 59
    assert not await open_store().claim("a")
    now += 1
    assert await open_store().claim("a")


async def test_processes_share_a_file(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from kellyapi import SQLiteDeliveries

async def main():
    store = SQLiteDeliveries(sys.argv[1])
    print(sum([await store.claim(str(key)) for key in range(30)]))

asyncio.run(main())
"""
    path = str(tmp_path / "deliveries.db")
    won = await asyncio.gather(*(run_script(code, path) for _ in range(3)))
    assert sum(map(int, won)) == 30


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MemoryDeliveries(0), "size must be at least 1"),
        (lambda: SQLiteDeliveries("x", keep=0), "keep must be "),
        (lambda: SQLiteDeliveries("x", keep=float("nan")), "keep must be "),
    ],
)
def test_a_store_that_can_keep_nothing_is_a_value_error(make: Callable[[], Awaitable[None]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (None, "path must be a string or a path, not None"),
        (5, "not int"),
        (b"deliveries.db", "not bytes"),
        ("a\0b", "path must not contain a null character"),
    ],
)
def test_a_path_of_a_wrong_type_is_refused_at_once(path: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        SQLiteDeliveries(path)


async def test_a_path_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database, but a text that is longer than the head of one" * 20)
    for path, message in [
        (tmp_path, f"unable to open database file: {tmp_path}, which is a folder"),
        (tmp_path / "none" / "d.db", f"unable to open .*/d.db, but there is no folder {tmp_path}/none"),
        (tmp_path / "notes.txt", f"file is not a database: {tmp_path}/notes.txt"),
    ]:
        with pytest.raises(sqlite3.DatabaseError, match=message):
            await SQLiteDeliveries(path).claim("a")


def test_naming_the_receiver_imports_no_server() -> None:
    loaded = "import sys, kellyapi; kellyapi.WebhookReceiver; kellyapi.verify_webhook; print('aiohttp' in sys.modules)"
    assert run_fresh(loaded) == "False"
