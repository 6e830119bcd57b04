"""Events of responses, responses that come whole, and responses that are no stream."""

from __future__ import annotations

import json

import pytest
from servers import make_response

from kellyapi import AuthenticationError, DecodingError, StatusError
from kellyapi.services.openai_completions import FunctionCall, ToolCall

from .event_streams import (
    COMPLETED,
    CREATED,
    DONE,
    STOP,
    WHOLE,
    added,
    asked,
    chunk,
    each,
    each_chat,
    events,
    read,
    streamed,
)

# Responses


async def test_events_of_a_response_are_typed_and_unknown_ones_are_passed_on() -> None:
    new = {"type": "response.dance.delta", "sequence_number": 2, "delta": {"step": 1}, "text": 5}
    sent = [
        CREATED,
        added("Hel", sequence_number=1, obfuscation="x"),
        new,
        added("lo"),
        {"type": "response.output_text.done", "text": "Hello", "sequence_number": "4"},
        COMPLETED,
    ]
    named = b"".join(b"event: " + value["type"].encode() + b"\n" + events(value) for value in sent)
    async with asked("skytells responses", streamed(named, events({"type": "later"}))) as (make, _):
        async with make() as stream:
            got = [event async for event in stream]
        assert [event.data for event in got] == sent
        assert [event.type for event in got] == [value["type"] for value in sent]
        assert [event.delta for event in got] == [None, "Hel", None, "lo", None, None]
        assert [event.sequence_number for event in got] == [None, 1, 2, None, None, None]
        assert [event.text for event in got] == [None] * 4 + ["Hello", None]
        assert [event.response and event.response.status for event in got] == ["in_progress"] + [None] * 4 + [
            "completed"
        ]
        assert stream.response == got[-1].response == await stream.finish()
        assert (stream.text, stream.response.text, stream.response.usage.total_tokens) == ("Hello", "Hello", 3)


async def test_the_text_of_a_response_can_be_streamed_alone() -> None:
    async with asked("skytells responses", streamed(WHOLE["skytells responses"])) as (make, server):
        stream = make()
        assert [text async for text in stream.texts()] == ["Hel", "lo"]
        assert (await stream.finish()).status == "completed"
        assert len(server.requests) == 1


@pytest.mark.parametrize("state", ["incomplete", "failed"])
async def test_a_response_that_does_not_succeed_is_a_result_as_without_a_stream(state: str) -> None:
    last = {"type": f"response.{state}", "response": {"id": "r1", "status": state, "error": {"code": "server_error"}}}
    async with asked("skytells responses", streamed(events(CREATED, last))) as (make, _):
        response = await make().finish()
        assert (response.status, response.error) == (state, {"code": "server_error"})


# Responses that are no stream


@each_chat
async def test_a_completion_without_a_stream_is_one_piece(name: str) -> None:
    body = {
        "id": "c1",
        "choices": [{"message": {"content": "Hello", "tool_calls": [{"id": "t", "function": {"name": "f"}}] * 2}}],
    }
    async with asked(name, make_response(body=json.dumps(body).encode())) as (make, server):
        for _ in range(2):
            async with make() as stream:
                assert [piece async for piece in stream] == ["Hello"]
            assert (stream.completion.id, stream.reply.text) == ("c1", "Hello")
            assert stream.completion.choices[0].message.tool_calls == (ToolCall("t", FunctionCall("f")),) * 2
        assert await read(make) == ["Hello"]
        assert await anext(make()) == "Hello"
        assert server.connections == 1


async def test_the_first_generation_of_aerostack_is_read_with_and_without_a_stream() -> None:
    pieces = streamed(events({"response": "Hel"}, {"response": "lo"}), DONE)
    async with asked("aerostack chat", make_response(body=b'{"response": "Hello"}'), pieces) as (make, _):
        assert await read(make) == ["Hello"]
        assert await read(make) == ["Hel", "lo"]


async def test_a_response_without_a_stream_is_its_text_and_its_end() -> None:
    body = json.dumps({"object": "response", "error": None, **COMPLETED["response"]}).encode()  # type: ignore[dict-item]  # a dict
    async with asked("skytells responses", make_response(body=body)) as (make, _):
        stream = make()
        assert [event.type for event in await read(lambda: stream)] == [added("")["type"], "response.completed"]
        assert (stream.text, stream.response.status) == ("Hello", "completed")


async def test_a_failed_response_without_a_stream_is_a_result_too() -> None:
    body = b'{"object": "response", "id": "r1", "status": "failed", "error": {"code": "server_error"}}'
    async with asked("skytells responses", make_response(body=body)) as (make, _):
        assert (await make().finish()).error == {"code": "server_error"}


async def test_the_content_type_of_a_response_is_read_in_any_case() -> None:
    loud = make_response(body=events(chunk("Hello"), STOP) + DONE, kind="Text/Event-Stream;Charset=UTF-8")
    async with asked("skytells chat", loud) as (make, _):
        assert await read(make) == ["Hello"]


@pytest.mark.parametrize("kind", ["", "text/plain; charset=utf-8", "application/octet-stream", "application/json"])
@pytest.mark.parametrize("size", [1, 1000])
async def test_a_stream_that_is_not_called_one_is_known_by_its_first_line(kind: str, size: int) -> None:
    body = b": hello\n\n" + events(chunk("Hel"), chunk("lo"), STOP) + DONE
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    async with asked("skytells chat", make_response(body=chunked, kind=kind, Transfer_Encoding="chunked")) as (make, _):
        assert await read(make) == ["Hel", "lo"]


NO_STREAMS = {
    "html": (make_response(body=b"<html>Sign in</html>", kind="text/html"), DecodingError, "Sign in"),
    "no kind": (make_response(body=b"Busy", kind=""), DecodingError, "no content type instead of a stream: Busy"),
    "text": (make_response(body=b"data base down: no", kind="text/plain"), DecodingError, "text/plain instead of a st"),
    "not json": (make_response(body=b"{"), DecodingError, "instead of JSON"),
    "null": (make_response(body=b"null"), DecodingError, "not a JSON object"),
    "an error": (make_response(body=b'{"error": {"message": "no", "code": "x"}}'), StatusError, "no"),
    "nothing of ours": (make_response(body=b"{}"), DecodingError, "no choices|does not fit"),
    "a refusal": (make_response(401, b'{"error": {"message": "no"}, "message": "no"}'), AuthenticationError, "no"),
}


@each
@pytest.mark.parametrize("case", NO_STREAMS)
async def test_another_body_instead_of_a_stream_is_an_error(name: str, case: str) -> None:
    script, error, message = NO_STREAMS[case]
    async with asked(name, script) as (make, server):
        with pytest.raises(error, match=message) as caught:
            await read(make)
        assert (caught.value.provider, caught.value.partial) == (name.split()[0], None)
        assert len(server.requests) == 1
    async with asked(name, script) as (make, _):
        with pytest.raises(error):
            await anext(make())
