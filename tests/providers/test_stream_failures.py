"""Streams that break off, fall silent, or send an error or what cannot be decoded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from servers import Exchange, Script, cut, make_response, pausing, reset

from kellyapi import (
    AuthenticationError,
    BadRequestError,
    DecodingError,
    KellyAPIError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StatusError,
    Timeout,
    TransportError,
)
from kellyapi._core.streams import MAX_EVENT_BYTES

from .event_streams import (
    BEGUN,
    CHATS,
    CREATED,
    DONE,
    MAKERS,
    STOP,
    WHOLE,
    added,
    asked,
    chunk,
    each,
    each_chat,
    events,
    read,
    said,
    streamed,
)

# Failures before the end


BROKEN: dict[str, Callable[[bytes], Script]] = {
    "cut": lambda begun: cut(streamed(begun, b"x" * 50)[:-50]),
    "cut in an event": lambda begun: cut(streamed(begun + events(chunk(" World")))[:-20]),
    "at its end": lambda begun: streamed(begun),
    "at its end, in an event": lambda begun: streamed(begun + events(added("x"))[:-3]),
}


@each
@pytest.mark.parametrize("case", BROKEN)
async def test_a_stream_that_breaks_off_is_an_error_with_what_has_arrived(name: str, case: str) -> None:
    async with asked(name, BROKEN[case](BEGUN[name])) as (make, server):
        with pytest.raises(TransportError) as caught:
            await read(make)
        assert said(caught.value) == "Hello"
        assert (caught.value.provider, caught.value.outcome_unknown) == (name.split()[0], True)
        assert len(server.requests) == 1
        await server.until(lambda: server.open == 0 or not case.startswith("cut"))


async def test_a_stream_without_an_event_counts_as_broken_off() -> None:
    async with asked("skytells chat", streamed(b": nothing\n\n")) as (make, _):
        with pytest.raises(TransportError) as caught:
            await read(make)
        assert said(caught.value) == ""
    async with asked("skytells responses", streamed(b": nothing\n\n")) as (make, _):
        with pytest.raises(TransportError) as caught:
            await read(make)
        assert caught.value.partial is None


@each_chat
async def test_a_chat_is_complete_when_all_its_choices_have_ended(name: str) -> None:
    async with asked(name, streamed(events(chunk("Hello"), STOP))) as (make, _):
        assert await read(make) == ["Hello"]


@each
async def test_a_stream_that_falls_silent_is_a_timeout_with_what_has_arrived(name: str) -> None:
    silent = pausing(streamed(BEGUN[name], b"x" * 50)[:-50])
    async with asked(name, silent, timeout=Timeout(total=None, idle=0.05)) as (make, server):
        with pytest.raises(RequestTimeoutError) as caught:
            await read(make)
        assert said(caught.value) == "Hello"
        await server.until(lambda: server.open == 0)
        assert len(server.requests) == 1


ERRORS: dict[str, tuple[bytes, type[StatusError], str]] = {
    "openai's": (events({"error": {"message": "busy", "code": "x"}}), ServerError, "x"),
    "beside choices": (events({**chunk("x"), "error": {"message": "busy", "code": "x"}}), ServerError, "x"),
    "a text": (events({"error": "busy"}), ServerError, ""),
    "by the event's name": (b"event: error\n" + events({"message": "busy", "code": "x"}), ServerError, "x"),
    "by the event's name, in words": (b"event: error\ndata: busy\n\n", ServerError, ""),
    "by the event's name alone": (b"event: error\n" + events({"why": "busy"}), ServerError, ""),
    "by its lack of success": (events({"success": False, "errors": [{"message": "busy"}]}), ServerError, ""),
    "by its type": (events({"type": "error", "message": "busy", "code": "x"}), ServerError, "x"),
}


@each
@pytest.mark.parametrize("case", ERRORS)
async def test_an_error_event_is_a_status_error_with_what_has_arrived(name: str, case: str) -> None:
    event, kind, code = ERRORS[case]
    async with asked(name, streamed(BEGUN[name], event, BEGUN[name])) as (make, server):
        with pytest.raises(kind, match="busy") as caught:
            await read(make)
        assert said(caught.value) == "Hello"
        assert (caught.value.status, caught.value.outcome_unknown, len(server.requests)) == (500, True, 1)
        assert caught.value.code == (code or caught.value.code)


@pytest.mark.parametrize(
    ("name", "error", "kind"),
    [
        ("skytells chat", {"error": {"message": "no", "error_id": "INFERENCE_RATE_LIMITED"}}, RateLimitError),
        ("skytells chat", {"status": False, "response": "no", "error": {"error_id": "INVALID_INPUT"}}, BadRequestError),
        ("skytells chat", {"status": False, "response": "no", "error_id": "INVALID_INPUT"}, BadRequestError),
        ("skytells responses", {"error": {"message": "no", "error_id": "UNAUTHORIZED"}}, AuthenticationError),
        (
            "skytells responses",
            {"status": False, "response": "no", "error_id": "INVALID_INPUT"},
            BadRequestError,
        ),
        ("aerostack chat", {"code": "RATE_LIMIT_EXCEEDED", "message": "no"}, RateLimitError),
        ("aerostack gateway", {"error": {"code": "AUTH_INVALID_KEY", "message": "no"}}, AuthenticationError),
    ],
)
async def test_an_error_event_has_the_class_of_its_code(name: str, error: Any, kind: type[StatusError]) -> None:
    async with asked(name, streamed(BEGUN[name], events(error))) as (make, _):
        with pytest.raises(kind, match="no") as caught:
            await read(make)
        assert (caught.value.body, caught.value.outcome_unknown) == (error, True)


MALFORMED: dict[str, bytes] = {
    "not json": b"data: {\n\n",
    "an array": events([1]),
    "a number": events(5),
    "null": events(None),
    "an event too large": events({"type": "ping", "padding": "x" * MAX_EVENT_BYTES}),
}
MALFORMED_TEXTS: dict[str, bytes] = {
    "content of a wrong type": events(chunk(5)),
    "parts of a wrong type": events(chunk([5, {"text": 5}])),
    "a part of a wrong type": events(chunk([{"text": 5}])),
}
MALFORMED_CHUNKS: dict[str, bytes] = {
    "choices of a wrong type": events({"choices": 5}),
    "no choices": events({"choices": None}),
    "usage only": events({"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}),
    "a choice of a wrong type": events({"choices": [5]}),
    "a delta of a wrong type": events({"choices": [{"delta": "x"}]}),
    "an index that is no number": events({"choices": [{"index": [], "delta": {}}]}),
    "a refusal of a wrong type": events(chunk(delta={"refusal": 5})),
    "calls of a wrong type": events(chunk(delta={"tool_calls": 5})),
    "filter results of a wrong type": events(chunk(content_filter_results=[5])),
    "usage of a wrong type": events({"choices": [], "usage": 5}),
    "an id of a wrong type": events({"choices": [], "id": 5}),
}
MALFORMED_EVENTS: dict[str, bytes] = {
    "a delta without text": events(added(None)),
    "a delta of a wrong type": events(added(5)),
    "an end without a response": events({"type": "response.completed"}),
}


@pytest.mark.parametrize(
    ("name", "malformed"),
    [
        *((name, event) for name in MAKERS for event in MALFORMED.values()),
        *((CHATS[0], event) for event in MALFORMED_TEXTS.values()),
        *(("skytells responses", event) for event in MALFORMED_EVENTS.values()),
    ],
)
async def test_an_event_outside_the_protocol_is_a_decoding_error_with_what_has_arrived(
    name: str, malformed: bytes
) -> None:
    async with asked(name, pausing(streamed(BEGUN[name], malformed, WHOLE[name])[:-1])) as (make, server):
        with pytest.raises(DecodingError) as caught:
            _ = [item async for item in make()]  # without a block
        assert said(caught.value) == "Hello"
        assert (caught.value.outcome_unknown, len(server.requests)) == (True, 1)
        await server.until(lambda: server.open == 0)


@pytest.mark.parametrize("malformed", MALFORMED_CHUNKS.values(), ids=MALFORMED_CHUNKS)
async def test_an_optional_part_of_a_chunk_of_a_wrong_type_is_left_out(malformed: bytes) -> None:
    """A reply that is paid for is kept even without one of its parts."""
    name = CHATS[0]
    async with asked(name, streamed(BEGUN[name], malformed, WHOLE[name])) as (make, _), make() as stream:
        assert "".join([piece async for piece in stream]) == f"Hello{stream.text.removeprefix('Hello')}"
        assert stream.completion.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("response", [{"id": 5}, {}, [], None])
async def test_an_unreadable_state_before_the_end_is_left_out(response: Any) -> None:
    name = "skytells responses"
    malformed = events({"type": "response.in_progress", "response": response})
    async with asked(name, streamed(BEGUN[name], malformed, WHOLE[name])) as (make, _):
        assert (await make().finish()).status == "completed"


async def test_the_text_of_a_response_without_a_state_is_partial() -> None:
    async with asked("skytells responses", streamed(events(added("Hel"), added("lo")))) as (make, _):
        with pytest.raises(TransportError) as caught:
            await read(make)
        assert caught.value.partial.text == "Hello"


async def test_an_index_may_be_a_numeric_text() -> None:
    pieces = [("0", "Hello"), ("1", "Bonjour"), ("0", " you")]
    chunks = [{"choices": [{"index": index, "delta": {"content": text}}]} for index, text in pieces]
    async with asked(CHATS[0], streamed(events(*chunks), DONE)) as (make, _):
        assert await read(make) == ["Hello", " you"]


async def test_arguments_of_a_tool_call_may_be_an_object() -> None:
    calls = [{"id": "t", "function": {"name": "f", "arguments": {"a": 1}}}]
    streams = streamed(events(chunk(delta={"tool_calls": calls})), WHOLE[CHATS[0]])
    whole = make_response(body=json.dumps({"choices": [{"message": {"tool_calls": calls}}]}).encode())
    async with asked(CHATS[0], streams, whole) as (make, _):
        for _ in range(2):
            async with make() as stream:
                _ = [piece async for piece in stream]
            (call,) = stream.completion.choices[0].message.tool_calls
            assert json.loads(call.function.arguments) == {"a": 1}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("skytells chat", DONE),
        ("skytells chat", events({"choices": []}) + DONE),
        ("skytells responses", DONE),
        ("skytells responses", events(CREATED) + DONE),
    ],
)
async def test_an_incomplete_or_mistyped_end_is_a_decoding_error(name: str, body: bytes) -> None:
    async with asked(name, streamed(body)) as (make, _):
        with pytest.raises(DecodingError):
            await read(make)


async def test_a_stream_is_limited_to_the_largest_response() -> None:
    long = streamed(events(*[chunk("x" * 100)] * 100), DONE)
    async with asked("skytells chat", pausing(long[:-1]), max_response_bytes=5000) as (make, server):
        with pytest.raises(DecodingError, match="max_response_bytes=5000"):
            await read(make)
        await server.until(lambda: server.open == 0)


async def test_many_pieces_that_arrive_one_by_one_count_with_their_own_size() -> None:
    is_read = asyncio.Event()
    pieces = [events(chunk("x"))] * 20
    end = events(STOP) + DONE

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(streamed(*pieces, end)[: -len(b"".join(pieces) + end)])
        for piece in pieces:
            await exchange.write(piece)
            await is_read.wait()
            is_read.clear()
        await exchange.write(end)

    async with asked("skytells chat", script, max_response_bytes=100_000) as (make, _), make() as stream:
        async for _ in stream:
            is_read.set()
        assert stream.text == "x" * 20


# Before the first byte and not later


@each
@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_that_costs_nothing_is_retried(name: str, status: int) -> None:
    refusal = make_response(status, b'{"error": {"message": "busy"}}')
    async with asked(name, refusal, refusal, streamed(WHOLE[name])) as (make, server):
        await read(make)
        assert len(server.requests) == 3


@each
@pytest.mark.parametrize("script", [make_response(500, b'{"error": {"message": "busy"}}'), reset])
async def test_a_stream_that_may_have_been_billed_is_not_retried(name: str, script: Script) -> None:
    async with asked(name, script) as (make, server):
        with pytest.raises(KellyAPIError) as caught:
            await read(make)
        assert (caught.value.outcome_unknown, caught.value.partial, len(server.requests)) == (True, None, 1)
