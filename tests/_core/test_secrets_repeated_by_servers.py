"""Servers that repeat a key in what they send."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
from collections.abc import Awaitable
from typing import Any

import pytest
from servers import KEY, Exchange, Script, Server, asked, make_response

from kellyapi import NO_RETRY, Aerostack, KellyAPIError, StatusError
from kellyapi._core.secrets import Secret, redact_error
from kellyapi.services.chat_replies import ChatEventStream

from .shown_secrets import ECHO, secrets_in, shown


async def repeat_as_a_header(exchange: Exchange) -> None:
    await exchange.write(f"HTTP/1.1 200 OK\r\n{exchange.seen.headers['x-key']}\r\n\r\n".encode())
    exchange.writer.close()


async def repeat_as_a_status(exchange: Exchange) -> None:
    await exchange.write(f"HTTP/1.1 {exchange.seen.headers['x-key']}\r\n\r\n".encode())
    exchange.writer.close()


ECHOES: dict[str, Script] = {
    "a status line": repeat_as_a_status,
    "a header that is none": repeat_as_a_header,
    "all fields of an error": make_response(400, ECHO, X_Request_Id=KEY, X_Key=f"Key {KEY}"),
    "an error in a success": make_response(200, ECHO, X_Request_Id=KEY),
    "a server's failure": make_response(500, ECHO),
    "a page": make_response(502, f"<title>{KEY}</title>".encode(), "text/html"),
    "a success that is none": make_response(200, f"<html>{KEY}".encode(), "text/html"),
    "an excerpt that ends within it": make_response(200, b"<" * (201 - len(KEY)) + KEY.encode(), "text/html"),
    "the wrong type": make_response(200, json.dumps({"a": KEY}).encode()),
    "a redirect": make_response(302, KEY.encode(), Location=f"http://other.example/{KEY}"),
}


@pytest.mark.parametrize("script", ECHOES.values(), ids=ECHOES)
async def test_an_error_that_repeats_the_key_is_raised_without_it(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with asked(script) as (shop, _):
        for call in (shop.buy, shop.put):  # the second is retried, and the log says why
            with pytest.raises(KellyAPIError) as caught:
                await call(into=int)
            assert secrets_in(shown(caught.value)) == []
            assert KEY[:-1].encode() not in pickle.dumps((type(caught.value), caught.value.args, vars(caught.value)))
    assert KEY not in caplog.text


STREAMED = {
    "an event": f'data: {{"error": {{"message": "{KEY}", "code": "{KEY}"}}}}\n\n',
    "an event in words": f"event: error\ndata: bad key {KEY}\n\n",
    "an event that is no JSON": f"data: {KEY}\n\n",
    "an event that is no object": f'data: ["{KEY}"]\n\n',
    "an event after the first": 'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
    f'data: {{"error": {{"message": "{KEY}"}}}}\n\n',
}


@pytest.mark.parametrize("events", STREAMED.values(), ids=STREAMED)
async def test_an_error_event_is_raised_without_the_key(events: str) -> None:
    async with asked(make_response(body=events.encode(), kind="text/event-stream", X_Request_Id=KEY)) as (shop, _):
        with pytest.raises(KellyAPIError) as caught:
            [piece async for piece in shop._stream_events("/chat", {}, into=ChatEventStream)]
        assert "***" in str(caught.value)
        assert KEY not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


@pytest.mark.parametrize("events", [STREAMED["an event"], STREAMED["an event in words"]])
async def test_an_error_event_is_raised_without_a_consumers_key(events: str) -> None:
    reply = make_response(body=events.encode(), kind="text/event-stream")
    async with Server(reply) as server, Aerostack("project-key", base_url=server.url, retry=NO_RETRY) as aerostack:
        with pytest.raises(KellyAPIError) as caught:
            async with aerostack.gateway.chat_stream("api", "hi", consumer=KEY) as stream:
                await anext(stream)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert "***" in str(caught.value)
        assert secrets_in(f"{caught.value} {caught.value!r} {vars(caught.value)}") == []


async def ends(call: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(call, return_exceptions=True)


def test_an_error_that_does_not_repeat_the_key_keeps_its_fields() -> None:
    async def fail() -> None:
        raise StatusError("no", status=400, body={"a": 1}, code="A")

    [error] = asyncio.run(ends(fail()))
    before = dict(vars(error))
    redact_error(error, {"X-Key": Secret(f"Key {KEY}")})
    assert (vars(error), error.__traceback__) == (before, None)  # its frames held the response
