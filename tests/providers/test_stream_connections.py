"""Connections of streams, many events at once, streams without a loop, and speech."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from servers import AT_ONCE, Exchange, Script, Server, cut, hang, make_response, pausing

from kellyapi import Aerostack, ChatReply, DecodingError, KellyAPI, Khaya, Skytells, TransportError, iterate_sync
from kellyapi._core.streams import _MAX_EVENTS_IN_A_ROW

from .event_streams import BEGUN, DONE, HELLO, WHOLE, asked, chunk, each, events, read, streamed

# Connections


@each
async def test_a_stream_that_ended_leaves_its_connection_for_the_next_call(name: str) -> None:
    async with asked(name, streamed(WHOLE[name])) as (make, server):
        for _ in range(3):
            assert await read(make)
        assert [seen.connection for seen in server.requests] == [1, 1, 1]


async def test_a_stream_ends_even_if_the_server_keeps_sending() -> None:
    async with asked("skytells chat", pausing(streamed(WHOLE["skytells chat"], b"x")[:-1])) as (make, server):
        stream = make()
        assert [piece async for piece in stream] == ["Hel", "lo"]
        await server.until(lambda: server.open == 0)


def unfinished(name: str) -> Script:
    """Start a stream and never end it."""
    return pausing(streamed(BEGUN[name], b"x" * 50)[:-50])


async def fail_within(stream: Any) -> None:
    async with stream:
        await anext(stream)
        raise LookupError


@each
async def test_leaving_early_frees_the_connection_at_once(name: str) -> None:
    async with asked(name, unfinished(name)) as (make, server):
        async with make() as stream:
            async for _ in stream:
                break
        await server.until(lambda: server.open == 0)
        with pytest.raises(LookupError):
            await fail_within(make())
        await server.until(lambda: server.open == 0)
        stream = make()
        await anext(stream)
        await stream.aclose()
        await server.until(lambda: server.open == 0)
        await make().aclose()
        assert len(server.requests) == 3


async def test_leaving_the_text_of_a_response_early_frees_the_connection() -> None:
    async with asked("skytells responses", unfinished("skytells responses")) as (make, server):
        texts = make().texts()
        assert await anext(texts) == "Hel"
        await texts.aclose()
        await server.until(lambda: server.open == 0)


@each
@pytest.mark.parametrize("early", [True, False])
async def test_cancelling_frees_the_connection_at_once(name: str, early: bool) -> None:
    async with asked(name, hang if early else unfinished(name)) as (make, server):
        task = asyncio.create_task(read(make))
        await server.until(lambda: len(server.requests) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until(lambda: server.open == 0)


@pytest.mark.parametrize("done", [b"data:[DONE]\n\n", b"data:   [DONE]  \r\n\r\n", b": bye\ndata: [DONE]\r\r"])
async def test_the_end_is_recognised_whatever_surrounds_it(done: bytes) -> None:
    async with asked("aerostack chat", streamed(events(chunk("Hello")), b"data:\n\n", done)) as (make, _):
        assert await read(make) == ["Hello"]


# Many events


@contextmanager
def turns_of_others() -> Iterator[list[None]]:
    """Count how often another task runs."""
    turns: list[None] = []

    async def count() -> None:
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    yield turns
    counting.cancel()


async def test_events_in_one_piece_do_not_block_the_loop() -> None:
    many = 20_000
    async with asked("skytells chat", streamed(events(*[chunk("x")] * many), DONE)) as (make, _):
        with turns_of_others() as turns:
            reply = await make().finish()
        assert reply.text == "x" * many
        assert len(turns) >= many // _MAX_EVENTS_IN_A_ROW


async def test_lines_without_an_event_in_one_piece_do_not_block_the_loop() -> None:
    lines = b"id\n" * 200_000
    body = gzip.compress(lines + events(chunk("x")) + DONE)
    async with asked("skytells chat", streamed(body, Content_Encoding="gzip")) as (make, _):
        with turns_of_others() as turns:
            reply = await make().finish()
        assert reply.text == "x"
        assert len(turns) >= len(lines) // 2**16


async def test_no_event_is_lost_if_a_read_is_cancelled_during_a_pause_for_other_tasks() -> None:
    sent = [str(number) for number in range(3 * _MAX_EVENTS_IN_A_ROW)]
    async with asked("skytells chat", streamed(events(*map(chunk, sent)), DONE)) as (make, _), make() as stream:
        got = [await anext(stream)]
        for _ in range(2 * len(sent)):
            call = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            call.cancel()
            got += [piece for piece in await asyncio.gather(call, return_exceptions=True) if isinstance(piece, str)]
        assert got == sent


# Without a loop, speech, and the service


async def test_streams_are_read_without_an_event_loop() -> None:
    def without_a_loop(url: str) -> tuple[list[str], str, list[str]]:
        skytells = Skytells("key", base_url=url)
        stream = skytells.chat.stream("gpt-5", "hi")
        pieces = list(iterate_sync(stream))
        return pieces, stream.reply.text, list(iterate_sync(skytells.responses.stream("gpt-5", "hi").texts()))

    async with Server(streamed(WHOLE["skytells chat"]), streamed(WHOLE["skytells responses"])) as server:
        assert await asyncio.to_thread(without_a_loop, server.url) == (["Hel", "lo"], "Hello", ["Hel", "lo"])


async def test_the_error_of_speech_that_breaks_off_says_how_much_has_arrived() -> None:
    async def spoken(exchange: Exchange) -> None:
        await cut(make_response(body=b"RIFF" + b"x" * 96, kind="audio/wav")[:-50])(exchange)  # type: ignore[operator]  # a function

    async with Server(spoken) as server, Khaya("key", base_url=server.url, retry=AT_ONCE) as khaya:
        stream = khaya.synthesize_stream("Maakye", "twi")
        with pytest.raises(TransportError) as caught:
            await read(lambda: stream)
        assert (caught.value.partial, caught.value.outcome_unknown, len(server.requests)) == (50, True, 1)


async def test_speech_without_a_byte_is_a_decoding_error() -> None:
    async with Server(make_response(body=b"", kind="audio/wav")) as server, Khaya("key", base_url=server.url) as khaya:
        with pytest.raises(DecodingError, match="no audio in the response") as caught:
            await read(lambda: khaya.synthesize_stream("Maakye", "twi"))
        assert (caught.value.provider, caught.value.outcome_unknown, len(server.requests)) == ("khaya", True, 1)


async def test_the_service_streams_the_same_as_its_provider() -> None:
    async with Server(HELLO) as server, KellyAPI("key", aerostack=Aerostack("key", base_url=server.url)) as api:
        async with api.chat_stream("hi", provider="aerostack") as stream:
            assert [piece async for piece in stream] == ["Hel", "lo"]
        assert stream.reply == ChatReply(text="Hello", finish_reason="stop", provider="aerostack")
