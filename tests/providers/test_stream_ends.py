"""Ends of streams: without the last blank line, and broken off in each way after text has arrived."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from servers import AT_ONCE, Exchange, Script, Server, cut, make_response, pausing

from kellyapi import Aerostack, DecodingError, KellyAPI, KellyAPIError, Khaya, Skytells, Timeout, TransportError
from kellyapi._core import streams, transport
from kellyapi._core.sse import ServerSentEvent, ServerSentEventParser


def chunk(text: str, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, **fields}]}


def events(*values: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def delta(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": text}


HELLO = [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}]
COMPLETED = {"type": "response.completed", "response": {"id": "r1", "status": "completed", "output": HELLO}}
CHAT_BEGUN = events(chunk("Hel"), chunk("lo"))
RESPONSE_BEGUN = events(delta("Hel"), delta("lo"))


def with_kelly_out_of_reach(**to: Any) -> KellyAPI:
    return KellyAPI("key", "http://127.0.0.1:9", aerostack=Aerostack("key", **to), retry=AT_ONCE)


STREAMS: dict[str, tuple[Callable[..., Any], Callable[[Any], Any], bytes]] = {
    "skytells chat": (partial(Skytells, "key"), lambda it: it.chat.stream("gpt-5", "hi"), CHAT_BEGUN),
    "skytells responses": (partial(Skytells, "key"), lambda it: it.responses.stream("gpt-5", "hi"), RESPONSE_BEGUN),
    "aerostack chat": (partial(Aerostack, "key"), lambda it: it.ai.chat_stream("hi"), CHAT_BEGUN),
    "aerostack gateway": (
        partial(Aerostack, "key"),
        lambda it: it.gateway.chat_stream("api", "hi", consumer="ask_live_1"),
        CHAT_BEGUN,
    ),
    "the service": (
        lambda **to: KellyAPI(skytells=Skytells("key", **to)),
        lambda it: it.chat_stream("hi"),
        CHAT_BEGUN,
    ),
    "the service, the second provider": (
        with_kelly_out_of_reach,
        lambda it: it.chat_stream("hi", fallback=True),
        CHAT_BEGUN,
    ),
}
"""A function that makes the client with its options, one that makes the stream, and the events of its text."""
each = pytest.mark.parametrize("name", STREAMS)


def at(url: str) -> dict[str, Any]:
    return {"base_url": url, "retry": AT_ONCE, "timeout": Timeout(total=None, idle=0.2)}


def streamed(*parts: bytes) -> bytes:
    return make_response(body=b"".join(parts), kind="text/event-stream")


@asynccontextmanager
async def opened(name: str, script: Script, **options: Any) -> AsyncIterator[Any]:
    async with Server(script) as server:
        make_client, make_stream, _ = STREAMS[name]
        async with make_client(**{**at(server.url), **options}) as client:
            stream = make_stream(client)
            yield stream
            await stream.aclose()


# Without the last blank line

LAST_CHUNKS = (events(chunk("!", finish_reason="stop")), b"data: [DONE]\n\n")


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "skytells responses"])
@pytest.mark.parametrize("last", LAST_CHUNKS, ids=["a chunk", "DONE"])
@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
async def test_a_chat_may_lack_its_last_line_ends(name: str, last: bytes, missing: int, ends: bytes) -> None:
    body = (CHAT_BEGUN + last[:-missing]).replace(b"\n", ends)
    async with opened(name, streamed(body)) as stream:
        reply = await stream.finish()
        assert reply.text == ("Hello!" if last is LAST_CHUNKS[0] else "Hello")


@pytest.mark.parametrize("missing", [1, 2])
async def test_a_response_may_lack_its_last_line_ends(missing: int) -> None:
    async with opened("skytells responses", streamed(RESPONSE_BEGUN, events(COMPLETED)[:-missing])) as stream:
        assert (await stream.finish()).text == "Hello"


async def test_a_connection_that_is_cut_after_the_end_but_for_a_line_end_has_brought_it_all() -> None:
    body = CHAT_BEGUN + b"data: [DONE]"
    async with opened("skytells chat", cut(streamed(body, b"x" * 50)[:-50])) as stream:
        assert (await stream.finish()).text == "Hello"


CUT_EVENTS = [
    events(chunk(" World"))[:-3],
    events(chunk("x"))[:9],
    b"data: [DON",
    b"data: 12",
    b"data: null\n",
    b'data: "x"',
    b"data:",
    b": bye",
]


@each
@pytest.mark.parametrize("last", CUT_EVENTS)
async def test_an_event_that_is_cut_does_not_count(name: str, last: bytes) -> None:
    async with opened(name, streamed(STREAMS[name][2], last)) as stream:
        with pytest.raises(TransportError, match="broke off") as caught:
            await stream.finish()
        assert caught.value.partial.text == "Hello"


@each
async def test_an_error_without_its_last_line_end_is_that_error(name: str) -> None:
    for last in (b'data: {"error": {"message": "busy"}}', b"event: error\ndata: busy\n"):
        async with opened(name, streamed(STREAMS[name][2], last)) as stream:
            with pytest.raises(KellyAPIError, match="busy") as caught:
                await stream.finish()
            assert caught.value.partial.text == "Hello"


@pytest.mark.parametrize(
    ("rest", "data"),
    [
        (b"data: a", ["a"]),
        (b"data: a\n", ["a"]),
        (b"data: a\r", ["a"]),
        (b"data: a\r\n", ["a"]),
        (b"data: a\ndata: b", ["a\nb"]),
        (b"data: a\n\n", []),
        (b"event: x", []),
        (b"", []),
    ],
)
def test_the_parser_yields_the_event_that_a_stream_ends_in(rest: bytes, data: list[str]) -> None:
    parser = ServerSentEventParser()
    first: list[ServerSentEvent] = list(parser.feed(rest))
    last = [event.data for event in parser.finish()]
    assert (last, list(parser.finish())) == (data, [])
    assert len(first) == (rest == b"data: a\n\n")


# Broken off


def reset_after(data: bytes) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(data)
        exchange.writer.transport.abort()

    return script


def chunked(*parts: bytes) -> bytes:
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return make_response(body=pieces, kind="text/event-stream", Transfer_Encoding="chunked")


BREAKS: dict[str, Callable[[bytes], Script]] = {
    "a cut": lambda begun: cut(streamed(begun, b"x" * 50)[:-50]),
    "a cut between chunks": lambda begun: cut(chunked(begun)),
    "a cut in an event": lambda begun: cut(chunked(begun + b'data: {"a')),
    "a cut before the blank line": lambda begun: cut(chunked(begun[:-1])),
    "a cut before both line ends": lambda begun: cut(chunked(begun[:-2])),
    "a reset": lambda begun: reset_after(chunked(begun)),
    "an end": lambda begun: streamed(begun),
    "an end before the blank line": lambda begun: streamed(begun[:-1]),
    "bad JSON": lambda begun: streamed(begun, b"data: {nonsense\n\n"),
    "an event of another type": lambda begun: streamed(begun, b"data: [1]\n\n"),
    "an event too large": lambda begun: streamed(begun, b"data: " + b"x" * 5_000_000 + b"\n\n"),
    "a reported error": lambda begun: streamed(begun, b'data: {"error": {"message": "busy"}}\n\n'),
    "a named error": lambda begun: streamed(begun, b'event: error\ndata: {"message": "busy"}\n\n'),
    "silence": lambda begun: pausing(chunked(begun)),
    "silence before the blank line": lambda begun: pausing(chunked(begun[:-1])),
}


@each
@pytest.mark.parametrize("case", BREAKS)
async def test_an_error_after_text_has_arrived_holds_the_text(name: str, case: str) -> None:
    async with opened(name, BREAKS[case](STREAMS[name][2])) as stream:
        with pytest.raises(KellyAPIError) as caught:
            await stream.finish()
        assert (caught.value.partial.text, stream.text) == ("Hello", "Hello")
        assert caught.value.outcome_unknown
        with pytest.raises((KellyAPIError, StopAsyncIteration)):
            await anext(stream)


CONNECTION_BREAKS = [case for case in BREAKS if re.match("a cut|a reset|silence", case)]


@pytest.mark.parametrize("case", CONNECTION_BREAKS)
@pytest.mark.parametrize("name", [name for name in STREAMS if name != "skytells responses"])
async def test_a_connection_that_fails_after_the_reason_for_the_end_takes_nothing_from_a_chat(
    name: str, case: str
) -> None:
    begun = STREAMS[name][2] + events(chunk("!", finish_reason="stop"))
    async with opened(name, BREAKS[case](begun)) as stream:
        reply = await stream.finish()
        assert (reply.text, stream.text) == ("Hello!", "Hello!")


async def test_a_server_that_never_ends_a_finished_chat_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_LAST_EVENTS_TIMEOUT", 0.01)
    begun = CHAT_BEGUN + events(chunk("!", finish_reason="stop"))
    async with opened("skytells chat", pausing(chunked(begun)), timeout=Timeout(total=None, idle=60)) as stream:
        assert (await stream.finish()).text == "Hello!"


@each
@pytest.mark.parametrize("size", [300, 100_000])
async def test_a_stream_above_the_limit_holds_the_text_up_to_it(name: str, size: int) -> None:
    begun = STREAMS[name][2]
    long = streamed(begun, b": filling\n\n" * 20_000)
    async with opened(name, long, max_response_bytes=size) as stream:
        with pytest.raises(DecodingError, match=f"max_response_bytes={size}") as caught:
            await stream.finish()
        assert caught.value.partial.text == "Hello"


@each
async def test_a_cancelled_stream_keeps_its_text(name: str) -> None:
    async with opened(name, pausing(chunked(STREAMS[name][2]))) as stream:
        task = asyncio.create_task(stream.finish())
        async with asyncio.timeout(10):
            while stream.text != "Hello":  # noqa: ASYNC110  nothing else says how much was read
                await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stream.text == "Hello"


@each
async def test_a_broken_chunk_after_text_is_an_error_that_holds_the_text(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_CHECK_INTERVAL", 0.01)
    read = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(chunked(STREAMS[name][2]))
        await read.wait()
        await exchange.write(b"nonsense\r\n")
        await exchange.left()

    async with opened(name, script) as stream:
        while stream.text != "Hello":
            await anext(stream)
        read.set()
        with pytest.raises(TransportError) as caught:
            await stream.finish()
        assert caught.value.partial.text == "Hello"


SPEECH = make_response(body=b"RIFF" * 9, kind="audio/wav")[:-20]


@pytest.mark.parametrize("script", [cut(SPEECH), reset_after(SPEECH), pausing(SPEECH)], ids=["cut", "reset", "silence"])
async def test_speech_that_breaks_off_says_how_many_bytes_had_arrived(script: Script) -> None:
    async with Server(script) as server, Khaya("key", **at(server.url)) as khaya:
        with pytest.raises(TransportError) as caught:
            _ = [piece async for piece in khaya.synthesize_stream("Maakye", "twi")]
        assert (caught.value.partial, caught.value.outcome_unknown) == (16, True)


@each
@pytest.mark.parametrize("last", ['"[DONE]"', "[ DONE ]", "[done]", "DONE"])
async def test_a_stream_ends_at_each_spelling_of_its_last_event(name: str, last: str) -> None:
    text = STREAMS[name][2]
    ended = events(chunk("", finish_reason="stop")) if b"choices" in text else events(COMPLETED)
    async with opened(name, streamed(text, ended, f"data: {last}\n\n".encode())) as stream:
        await stream.finish()
        assert stream.text == "Hello"


@each
@pytest.mark.parametrize("sign", [b"event: ping\ndata: 2026-04-27 01:35\n\n", b"data: : PROCESSING\n\n"])
async def test_a_sign_of_life_is_not_an_event(name: str, sign: bytes) -> None:
    text = STREAMS[name][2]
    ended = events(chunk("", finish_reason="stop")) if b"choices" in text else events(COMPLETED)
    async with opened(name, streamed(sign, text, sign, ended, sign)) as stream:
        await stream.finish()
        assert stream.text == "Hello"


async def test_a_letter_that_is_cut_between_two_events_is_joined() -> None:
    first = {"choices": [{"delta": {"content": "a \ud83d"}}]}
    halves = [first, chunk("\ude00 b"), chunk(" \ude00 c", finish_reason="stop")]
    async with opened("skytells chat", streamed(events(*halves))) as stream:
        assert [piece async for piece in stream] == ["a ", "\U0001f600 b", " \ufffd c"]


@each
@pytest.mark.parametrize("ends", [b"\n", b""], ids=["blank lines are missing", "the last line end too"])
async def test_events_without_the_blank_lines_between_them_are_read(name: str, ends: bytes) -> None:
    text = STREAMS[name][2]
    ended = events(chunk("", finish_reason="stop")) if b"choices" in text else events(COMPLETED)
    body = (text + ended + b"data: [DONE]\n\n").replace(b"\n\n", b"\n").removesuffix(b"\n") + ends
    async with opened(name, streamed(body)) as stream:
        await stream.finish()
        assert stream.text == "Hello"
