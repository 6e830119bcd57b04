"""`log_bodies`: what the debug log shows of bodies, and what it leaves out."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from servers import KEY, OK, asked, make_response

from kellyapi._core.body_log import LONGEST, describe_body
from kellyapi._core.messages import FormField
from kellyapi._core.secrets import Secret

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(10)).decode()
SENT = {"X-Key": Secret("Key the-secret-key"), "Content-Type": "application/json"}


def shown(value: Any, kind: str = "application/json") -> str:
    body = value if isinstance(value, (bytes, tuple)) or value is None else json.dumps(value).encode()
    return describe_body(body, {"Content-Type": kind}, SENT)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"prompt": "a fox", "n": 5, "on": None}, '{"prompt":"a fox","n":5,"on":null}'),
        ({"image_data": PNG}, f'{{"image_data":"<{len(PNG)} characters of base64>"}}'),
        ({"a": ["A" * 400]}, '{"a":["<400 characters of base64>"]}'),
        ({"url": "data:image/png;base64," + PNG}, f'{{"url":"data:image/png;base64,<{len(PNG)} characters>"}}'),
        ({"url": "data:text/plain;charset=utf-8,hello"}, '{"url":"data:text/plain;charset=utf-8,<5 characters>"}'),
        ({"id": "a" * 36, "word": "translation-api"}, f'{{"id":"{"a" * 36}","word":"translation-api"}}'),
        ({"email": "a@b.c", "password": "p", "pin_otp": 5}, '{"email":"a@b.c","password":"***","pin_otp":"***"}'),
        ({"user": {"accessToken": "t", "api_key": ["k"]}}, '{"user":{"accessToken":"***","api_key":"***"}}'),
        ({"token": "He", "logprob": -0.1}, '{"token":"He","logprob":-0.1}'),
        ({"password": "He", "logprob": -0.1}, '{"password":"***","logprob":-0.1}'),
        ({"max_tokens": 5, "key": "greeting", "token": None}, '{"max_tokens":5,"key":"greeting","token":null}'),
        ({"echo": "it is the-secret-key."}, '{"echo":"it is ***."}'),
        (b"", "nothing"),
        (None, "nothing"),
        (b"RIFF\x00", "<5 bytes of audio/wav>"),
        (b"not json", "<8 bytes of application/json>"),
        ((FormField("key", b"a/b"), FormField("password", b"p")), "a form with key=a/b, password=***"),
        ((FormField("file", b"12345", "a.png", "image/png"),), "a form with file=<5 bytes of image/png>"),
        ((FormField("file", lambda: None, "a.png"),), "a form with file=<a stream>"),  # type: ignore[arg-type,return-value]  # it is not opened
    ],
)
def test_bodies_are_shown_without_keys_and_media(value: Any, text: str) -> None:
    assert shown(value, "audio/wav" if value == b"RIFF\x00" else "application/json") == text


def test_a_text_is_shown_on_one_line() -> None:
    assert shown(b"<html>\n\tthe-secret-key\x1b[1m", "text/html") == "<html> ***\ufffd[1m"


def test_long_bodies_are_cut_and_longer_ones_are_not_read() -> None:
    long = shown({"text": "a b " * LONGEST})
    assert long.endswith("characters)")
    assert len(long) < LONGEST + 100
    assert shown(b"[" * 300_000) == "<300000 bytes of application/json>"
    assert shown(b"[" * 5000 + b"]" * 5000) in ("[" * 5000 + "]" * 5000, "<10000 bytes of application/json>")


async def test_bodies_are_logged_if_asked_for(caplog: pytest.LogCaptureFixture, file: Path) -> None:
    caplog.set_level(logging.DEBUG)
    echo = make_response(body=json.dumps({"id": "p1", "key": KEY}).encode())
    async with asked(echo, echo, OK, OK, log_bodies=True) as (shop, server):
        await shop.buy()
        async with shop.listen() as stream:
            assert [piece async for piece in stream]
        await shop.send(file)
        await shop.with_options(log_bodies=False).buy()
    texts = [record.getMessage() for record in caplog.records if " was sent " in record.getMessage()]
    assert texts == [
        f'POST {server.url}/buy was sent {{"what":"a fox"}} and responded with {{"id":"p1","key":"***"}}',
        f"POST {server.url}/listen was sent {{}} and responded with a stream",
        f"POST {server.url}/send was sent a stream and responded with {{}}",
    ]
    assert KEY not in caplog.text


async def test_bodies_are_not_logged_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with asked(OK, log_bodies=True) as (shop, _):
        await shop.buy()
    assert not caplog.records
