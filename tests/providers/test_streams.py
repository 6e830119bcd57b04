"""Streams of chats, responses and speech: what is asked, what the pieces make, and every way in which they can fail."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from servers import AT_ONCE, Exchange, Script, Server, cut, hang, make_response, pausing, reset

from kellyapi import (
    Aerostack,
    AuthenticationError,
    BadRequestError,
    ChatReply,
    ChatStream,
    ConfigurationError,
    DecodingError,
    FilterResult,
    KellyAPI,
    KellyAPIError,
    Khaya,
    Message,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    Skytells,
    StatusError,
    Timeout,
    TransportError,
    Usage,
    iterate_sync,
)
from kellyapi._core.streams import _MAX_EVENTS_IN_A_ROW, MAX_EVENT_BYTES
from kellyapi.services.openai_completions import FunctionCall, PromptFilter, ToolCall

HI = [{"role": "user", "content": "hi"}]
COUNTED = {"stream": True, "stream_options": {"include_usage": True}}
DONE = b"data: [DONE]\n\n"
MAKERS: dict[str, tuple[type[Any], Callable[[Any], Any]]] = {
    "skytells chat": (Skytells, lambda it: it.chat.stream("gpt-5", "hi")),
    "aerostack chat": (Aerostack, lambda it: it.ai.chat_stream("hi")),
    "aerostack gateway": (Aerostack, lambda it: it.gateway.chat_stream("my-api", "hi", consumer="ask_live_1")),
    "skytells responses": (Skytells, lambda it: it.responses.stream("gpt-5", "hi")),
}
CHATS = [name for name in MAKERS if "responses" not in name]


def events(*values: Any) -> bytes:
    """Write values down as the events of a stream."""
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def streamed(*parts: bytes, **headers: str) -> bytes:
    """Write an answer down that is an event stream."""
    return make_response(body=b"".join(parts), kind="text/event-stream; charset=utf-8", **headers)


def chunk(content: Any = None, **fields: Any) -> dict[str, Any]:
    """Give a chunk with one choice; what `fields` hold beside a delta is the choice's."""
    delta = {"content": content} | fields.pop("delta", {})
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, **fields}]}


STOP = chunk(finish_reason="stop")
HELLO = streamed(events(chunk("Hel"), chunk("lo"), STOP), DONE)
CREATED = {"type": "response.created", "response": {"id": "r1", "status": "in_progress", "output": []}}
COMPLETED = {
    "type": "response.completed",
    "response": {
        "id": "r1",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}],
        "usage": {"total_tokens": 3},
    },
}


def added(delta: Any, **fields: Any) -> dict[str, Any]:
    """Give the event of some text of a response."""
    return {"type": "response.output_text.delta", "delta": delta, **fields}


BEGUN = {
    "skytells responses": events(CREATED, added("Hel"), added("lo")),
    **dict.fromkeys(CHATS, events(chunk("Hel"), chunk("lo"))),
}
"""The first half of each stream, with a text."""
WHOLE = {
    "skytells responses": BEGUN["skytells responses"] + events(COMPLETED),
    **dict.fromkeys(CHATS, BEGUN[CHATS[0]] + events(STOP) + DONE),
}


@asynccontextmanager
async def asked(name: str, *scripts: Script, **options: Any) -> AsyncIterator[tuple[Any, Server]]:
    """Give what makes a stream, and the server that it will ask."""
    kind, make = MAKERS[name]
    async with Server(*scripts) as server, kind("key", base_url=server.url, **{"retry": AT_ONCE, **options}) as client:
        yield lambda: make(client), server


async def read(make: Callable[[], Any]) -> list[Any]:
    """Read a stream to its end."""
    async with make() as stream:
        return [item async for item in stream]


each = pytest.mark.parametrize("name", MAKERS)
each_chat = pytest.mark.parametrize("name", CHATS)


# What is asked


@pytest.mark.parametrize(
    ("name", "target", "key", "body"),
    [
        ("skytells chat", "/chat/completions", ("x-api-key", "key"), {"model": "gpt-5", "messages": HI, **COUNTED}),
        ("aerostack chat", "/ai/chat", ("x-aerostack-key", "key"), {"messages": HI, **COUNTED}),
        (
            "aerostack gateway",
            "/ai/gateway/my-api/chat/completions",
            ("authorization", "Bearer ask_live_1"),
            {"messages": HI, **COUNTED},
        ),
        ("skytells responses", "/responses", ("x-api-key", "key"), {"model": "gpt-5", "input": "hi", "stream": True}),
    ],
)
async def test_a_stream_is_asked_for_and_nothing_before(name: str, target: str, key: Any, body: Any) -> None:
    async with asked(name, streamed(WHOLE[name])) as (make, server):
        stream = make()
        assert server.connections == 0
        await stream.finish()
        (seen,) = server.requests
        assert (seen.method, seen.target, json.loads(seen.body)) == ("POST", target, body)
        assert seen.headers["accept"] == "text/event-stream"
        assert {name: value for name, value in seen.headers.items() if name in KEY_HEADERS} == dict([key])


KEY_HEADERS = ("x-api-key", "x-aerostack-key", "authorization")


@pytest.mark.parametrize(
    ("make", "sent"),
    [
        (
            lambda it: it.skytells.chat.stream("m", [Message("user", "hi")], temperature=0.5, n=2, stop=None),
            {"model": "m", "messages": HI, "temperature": 0.5, "n": 2, **COUNTED},
        ),
        (
            lambda it: it.skytells.responses.stream("m", HI, store=True, max_output_tokens=5),
            {"model": "m", "input": HI, "store": True, "max_output_tokens": 5, "stream": True},
        ),
        (
            lambda it: it.aerostack.ai.chat_stream(HI, model="m", temperature=1, max_tokens=2, top_p=0.5),
            {"messages": HI, "model": "m", "temperature": 1, "max_tokens": 2, "top_p": 0.5, **COUNTED},
        ),
        (
            lambda it: it.aerostack.gateway.chat_stream(
                "a", "hi", consumer="c", model="m", temperature=1, max_tokens=2
            ),
            {"messages": HI, "model": "m", "temperature": 1, "max_tokens": 2, **COUNTED},
        ),
        (lambda it: it.chat_stream("hi", model="m"), {"messages": HI, "model": "m", **COUNTED}),
    ],
)
async def test_parameters_go_out_under_their_own_names(make: Any, sent: Any) -> None:
    body = events(chunk("hi"), STOP) + DONE if "messages" in sent else events(CREATED, COMPLETED)
    async with (
        Server(streamed(body)) as server,
        KellyAPI(skytells=Skytells("key", base_url=server.url), aerostack=Aerostack("key", base_url=server.url)) as api,
    ):
        await make(api).finish()
        assert json.loads(server.requests[0].body) == sent


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda it: it.skytells.chat.stream("", "hi"), ValueError),
        (lambda it: it.skytells.chat.stream("m", " "), ValueError),
        (lambda it: it.skytells.chat.stream("m", "hi", heat=1), TypeError),
        (lambda it: it.skytells.responses.stream("m", []), ValueError),
        (lambda it: it.skytells.responses.stream("m", "hi", max_tokens=1), TypeError),
        (lambda it: it.aerostack.ai.chat_stream([]), ValueError),
        (lambda it: it.aerostack.gateway.chat_stream("", "hi", consumer="c"), ValueError),
        (lambda it: it.chat_stream(""), ValueError),
        (lambda it: it.chat_stream("hi", provider="kelly"), ValueError),
    ],
)
async def test_wrong_arguments_are_refused_before_anything_is_sent(make: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        make(KellyAPI("key", skytells="key", aerostack="key"))


async def test_unknown_parameters_are_refused_without_a_stream_too() -> None:
    with pytest.raises(TypeError, match="unknown parameter 'heat'; the parameters are max_tokens, "):
        await Skytells("key").chat.create("m", "hi", heat=1)  # type: ignore[call-arg]  # the wrong name is the point


async def test_who_cannot_stream_is_not_asked() -> None:
    with pytest.raises(ConfigurationError, match="set AEROSTACK_API_KEY,"):
        KellyAPI("key").chat_stream("hi")


# What the chunks make


CHUNKS: list[dict[str, Any]] = [
    {"id": "c1", "created": 5, "model": "m", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
    {"choices": [{"index": 1, "delta": {"role": "assistant"}}]},
    chunk("", delta={"role": "assistant", "refusal": None}),
    chunk("Hel", content_filter_results={"hate": {"filtered": False, "severity": "safe"}}, obfuscation="xyz"),
    {"choices": [{"index": 1, "delta": {"content": "Bye"}}], "obfuscation": "abc"},
    chunk([{"type": "text", "text": "l"}, {"text": "o"}, {"type": "image"}]),
    chunk(delta={"tool_calls": [{"index": 1, "id": "t2", "type": "function", "function": {"name": "two"}}]}),
    chunk(delta={"tool_calls": [{"index": 0, "id": "t1", "function": {"name": "one", "arguments": '{"a"'}}]}),
    chunk(
        delta={
            "tool_calls": [
                {"index": 0, "function": {"arguments": ": 1}"}},
                {"index": 1, "id": None, "function": {"name": "", "arguments": "{}"}},
            ]
        }
    ),
    chunk(delta={"refusal": "I "}),
    chunk(delta={"refusal": "won't"}, content_filter_results={"violence": {"filtered": True, "severity": "high"}}),
    chunk(content_filter_results={"violence": {"filtered": False}, "hate": {"filtered": False, "severity": "low"}}),
    {"choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]},
    {"id": None, "prompt_filter_results": [], **chunk(finish_reason="tool_calls", logprobs=None)},
    {"choices": [{"index": 0, "finish_reason": None}], "usage": None},
    {"type": "ping"},
    {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}},
]


@each_chat
async def test_chunks_make_the_text_and_the_whole_completion(name: str) -> None:
    async with asked(name, streamed(events(*CHUNKS), DONE)) as (make, _):
        async with make() as stream:
            assert isinstance(stream, ChatStream)
            assert [piece async for piece in stream] == ["Hel", "lo"]
        first, second = stream.completion.choices
        assert (first.message.content, first.message.refusal, first.finish_reason) == ("Hello", "I won't", "tool_calls")
        assert first.message.tool_calls == (
            ToolCall("t1", FunctionCall("one", '{"a": 1}')),
            ToolCall("t2", FunctionCall("two", "{}")),
        )
        assert first.content_filter_results == {
            "hate": FilterResult(False, severity="low"),
            "violence": FilterResult(filtered=True, severity="high"),
        }
        assert (second.index, second.message.content, second.finish_reason) == (1, "Bye", "length")
        assert (second.message.refusal, second.message.tool_calls) == (None, ())
        usage, (provider, *_) = Usage(1, 2, 3), name.split()
        completion = stream.completion
        assert (completion.id, completion.created, completion.model, completion.usage) == ("c1", 5, "m", usage)
        assert completion.prompt_filter_results == (PromptFilter(),)
        reply = ChatReply(text="Hello", model="m", finish_reason="tool_calls", usage=usage, provider=provider)
        assert stream.reply == reply == await stream.finish()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_what_has_arrived_can_be_looked_at_while_the_rest_comes() -> None:
    async with asked("skytells chat", HELLO) as (make, _), make() as stream:
        assert (stream.text, stream.completion.choices) == ("", ())
        assert await anext(stream) == "Hel"
        assert (stream.text, stream.reply.text, stream.reply.finish_reason) == ("Hel", "Hel", None)
        assert (await stream.finish()).text == stream.text == "Hello"


async def test_a_model_that_says_nothing_has_no_content() -> None:
    blocked = streamed(events(chunk(None), chunk(finish_reason="content_filter")), DONE)
    async with asked("skytells chat", blocked) as (make, _):
        stream = make()
        assert [piece async for piece in stream] == []
        assert (stream.completion.choices[0].message.content, stream.reply.text) == (None, "")


# Responses


async def test_events_of_a_response_are_typed_and_unknown_ones_passed_on() -> None:
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


async def test_the_text_of_a_response_can_be_had_alone() -> None:
    async with asked("skytells responses", streamed(WHOLE["skytells responses"])) as (make, server):
        stream = make()
        assert [text async for text in stream.texts()] == ["Hel", "lo"]
        assert (await stream.finish()).status == "completed"
        assert len(server.requests) == 1


@pytest.mark.parametrize("state", ["incomplete", "failed"])
async def test_a_response_that_does_not_succeed_is_a_result_as_it_is_without_a_stream(state: str) -> None:
    last = {"type": f"response.{state}", "response": {"id": "r1", "status": state, "error": {"code": "server_error"}}}
    async with asked("skytells responses", streamed(events(CREATED, last))) as (make, _):
        response = await make().finish()
        assert (response.status, response.error) == (state, {"code": "server_error"})


# Answers that are no stream


@each_chat
async def test_a_completion_that_comes_whole_is_one_piece(name: str) -> None:
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


async def test_the_first_generation_of_aerostack_is_heard_whole_and_in_pieces() -> None:
    pieces = streamed(events({"response": "Hel"}, {"response": "lo"}), DONE)
    async with asked("aerostack chat", make_response(body=b'{"response": "Hello"}'), pieces) as (make, _):
        assert await read(make) == ["Hello"]
        assert await read(make) == ["Hel", "lo"]


async def test_a_response_that_comes_whole_is_its_text_and_its_end() -> None:
    body = json.dumps({"object": "response", "error": None, **COMPLETED["response"]}).encode()  # type: ignore[dict-item]  # a dict
    async with asked("skytells responses", make_response(body=body)) as (make, _):
        stream = make()
        assert [event.type for event in await read(lambda: stream)] == [added("")["type"], "response.completed"]
        assert (stream.text, stream.response.status) == ("Hello", "completed")


async def test_a_response_that_failed_and_comes_whole_is_a_result_too() -> None:
    body = b'{"object": "response", "id": "r1", "status": "failed", "error": {"code": "server_error"}}'
    async with asked("skytells responses", make_response(body=body)) as (make, _):
        assert (await make().finish()).error == {"code": "server_error"}


async def test_the_kind_of_an_answer_is_read_whatever_its_case() -> None:
    loud = make_response(body=events(chunk("Hello"), STOP) + DONE, kind="Text/Event-Stream;Charset=UTF-8")
    async with asked("skytells chat", loud) as (make, _):
        assert await read(make) == ["Hello"]


NO_STREAMS = {
    "html": (make_response(body=b"<html>Sign in</html>", kind="text/html"), DecodingError, "Sign in"),
    "no kind": (make_response(body=b"data: {}\n\n", kind=""), DecodingError, "no content type instead of a stream"),
    "not json": (make_response(body=b"{"), DecodingError, "instead of JSON"),
    "null": (make_response(body=b"null"), DecodingError, "not a JSON object"),
    "an error": (make_response(body=b'{"error": {"message": "no", "code": "x"}}'), StatusError, "no"),
    "nothing of ours": (make_response(body=b"{}"), DecodingError, "no choices|does not fit"),
    "a refusal": (make_response(401, b'{"error": {"message": "no"}, "message": "no"}'), AuthenticationError, "no"),
}


@each
@pytest.mark.parametrize("case", NO_STREAMS)
async def test_an_answer_that_is_no_stream_is_an_error(name: str, case: str) -> None:
    script, error, message = NO_STREAMS[case]
    async with asked(name, script) as (make, server):
        with pytest.raises(error, match=message) as caught:
            await read(make)
        assert (caught.value.provider, caught.value.partial) == (name.split()[0], None)
        assert len(server.requests) == 1
    async with asked(name, script) as (make, _):
        with pytest.raises(error):
            await anext(make())


# Failures on the way


def said(error: KellyAPIError) -> str:
    """Give the text that an error on the way has."""
    text: str = error.partial.text
    return text


BROKEN: dict[str, Callable[[bytes], Script]] = {
    "cut": lambda begun: cut(streamed(begun, b"x" * 50)[:-50]),
    "cut in an event": lambda begun: cut(streamed(begun + events(chunk(" World")))[:-20]),
    "at its end": lambda begun: streamed(begun),
    "at its end, in an event": lambda begun: streamed(begun + events(added("x"))[:-1]),
}


@each
@pytest.mark.parametrize("case", BROKEN)
async def test_a_stream_that_breaks_off_says_so_with_what_had_arrived(name: str, case: str) -> None:
    async with asked(name, BROKEN[case](BEGUN[name])) as (make, server):
        with pytest.raises(TransportError) as caught:
            await read(make)
        assert said(caught.value) == "Hello"
        assert (caught.value.provider, caught.value.outcome_unknown) == (name.split()[0], True)
        assert len(server.requests) == 1
        await server.until(lambda: server.open == 0 or not case.startswith("cut"))


async def test_a_stream_without_a_single_event_breaks_off_too() -> None:
    async with asked("skytells chat", streamed(b": nothing\n\n")) as (make, _):
        with pytest.raises(TransportError) as caught:
            await read(make)
        assert said(caught.value) == ""
    async with asked("skytells responses", streamed(b": nothing\n\n")) as (make, _):
        with pytest.raises(TransportError) as caught:
            await read(make)
        assert caught.value.partial is None


@each_chat
async def test_a_chat_whose_choices_have_all_ended_needs_no_other_end(name: str) -> None:
    async with asked(name, streamed(events(chunk("Hello"), STOP))) as (make, _):
        assert await read(make) == ["Hello"]


@each
async def test_a_stream_that_falls_silent_is_a_timeout_with_what_had_arrived(name: str) -> None:
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
    "by its type": (events({"type": "error", "message": "busy", "code": "x"}), ServerError, "x"),
}


@each
@pytest.mark.parametrize("case", ERRORS)
async def test_an_error_on_the_way_is_a_status_error_with_what_had_arrived(name: str, case: str) -> None:
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
async def test_an_error_on_the_way_is_of_the_class_that_its_code_means(
    name: str, error: Any, kind: type[StatusError]
) -> None:
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
async def test_what_is_not_of_the_protocol_is_a_decoding_error_with_what_had_arrived(
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
    """A reply that has been paid for is worth more than one of its parts."""
    name = CHATS[0]
    async with asked(name, streamed(BEGUN[name], malformed, WHOLE[name])) as (make, _), make() as stream:
        assert "".join([piece async for piece in stream]) == f"Hello{stream.text.removeprefix('Hello')}"
        assert stream.completion.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("response", [{"id": 5}, {}, [], None])
async def test_a_state_on_the_way_that_cannot_be_read_is_left_out(response: Any) -> None:
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
async def test_an_end_before_all_is_there_or_of_wrong_types_is_a_decoding_error(name: str, body: bytes) -> None:
    async with asked(name, streamed(body)) as (make, _):
        with pytest.raises(DecodingError):
            await read(make)


async def test_a_stream_is_no_longer_than_the_largest_answer() -> None:
    long = streamed(events(*[chunk("x" * 100)] * 100), DONE)
    async with asked("skytells chat", pausing(long[:-1]), max_response_bytes=5000) as (make, server):
        with pytest.raises(DecodingError, match="max_response_bytes=5000"):
            await read(make)
        await server.until(lambda: server.open == 0)


# Before the first byte, and no later


@each
@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_that_costs_nothing_is_asked_again(name: str, status: int) -> None:
    refusal = make_response(status, b'{"error": {"message": "busy"}}')
    async with asked(name, refusal, refusal, streamed(WHOLE[name])) as (make, server):
        await read(make)
        assert len(server.requests) == 3


@each
@pytest.mark.parametrize("script", [make_response(500, b'{"error": {"message": "busy"}}'), reset])
async def test_what_may_have_been_billed_is_not_asked_again(name: str, script: Script) -> None:
    async with asked(name, script) as (make, server):
        with pytest.raises(KellyAPIError) as caught:
            await read(make)
        assert (caught.value.outcome_unknown, caught.value.partial, len(server.requests)) == (True, None, 1)


# Connections


@each
async def test_a_stream_that_ended_leaves_its_connection_for_the_next(name: str) -> None:
    async with asked(name, streamed(WHOLE[name])) as (make, server):
        for _ in range(3):
            assert await read(make)
        assert [seen.connection for seen in server.requests] == [1, 1, 1]


async def test_a_server_that_goes_on_after_the_end_is_left() -> None:
    async with asked("skytells chat", pausing(streamed(WHOLE["skytells chat"], b"x")[:-1])) as (make, server):
        stream = make()
        assert [piece async for piece in stream] == ["Hel", "lo"]
        await server.until(lambda: server.open == 0)


def endless(name: str) -> Script:
    """Begin a stream and never end it."""
    return pausing(streamed(BEGUN[name], b"x" * 50)[:-50])


async def fail_within(stream: Any) -> None:
    async with stream:
        await anext(stream)
        raise LookupError


@each
async def test_leaving_early_frees_the_connection_at_once(name: str) -> None:
    async with asked(name, endless(name)) as (make, server):
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
    async with asked("skytells responses", endless("skytells responses")) as (make, server):
        texts = make().texts()
        assert await anext(texts) == "Hel"
        await texts.aclose()
        await server.until(lambda: server.open == 0)


@each
@pytest.mark.parametrize("early", [True, False])
async def test_cancelling_frees_the_connection_at_once(name: str, early: bool) -> None:
    async with asked(name, hang if early else endless(name)) as (make, server):
        task = asyncio.create_task(read(make))
        await server.until(lambda: len(server.requests) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until(lambda: server.open == 0)


@pytest.mark.parametrize("done", [b"data:[DONE]\n\n", b"data:   [DONE]  \r\n\r\n", b": bye\ndata: [DONE]\r\r"])
async def test_the_end_is_heard_whatever_surrounds_it(done: bytes) -> None:
    async with asked("aerostack chat", streamed(events(chunk("Hello")), b"data:\n\n", done)) as (make, _):
        assert await read(make) == ["Hello"]


# Many events


@contextmanager
def turns_of_others() -> Iterator[list[None]]:
    """Count how often another task gets its turn."""
    turns: list[None] = []

    async def count() -> None:
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    yield turns
    counting.cancel()


async def test_events_in_one_piece_leave_the_loop_to_others() -> None:
    many = 100_000
    async with asked("skytells chat", streamed(events(*[chunk("x")] * many), DONE)) as (make, _):
        with turns_of_others() as turns:
            reply = await make().finish()
        assert reply.text == "x" * many
        assert len(turns) >= many // _MAX_EVENTS_IN_A_ROW


async def test_lines_without_an_event_in_one_piece_leave_the_loop_to_others() -> None:
    lines = b"id\n" * 500_000
    body = gzip.compress(lines + events(chunk("x")) + DONE)
    async with asked("skytells chat", streamed(body, Content_Encoding="gzip")) as (make, _):
        with turns_of_others() as turns:
            reply = await make().finish()
        assert reply.text == "x"
        assert len(turns) >= len(lines) // 2**16


async def test_no_event_is_lost_by_a_call_that_is_cancelled_while_others_have_their_turn() -> None:
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


async def test_speech_that_breaks_off_says_how_much_had_arrived() -> None:
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


async def test_the_service_streams_what_its_provider_streams() -> None:
    async with Server(HELLO) as server, KellyAPI("key", aerostack=Aerostack("key", base_url=server.url)) as api:
        async with api.chat_stream("hi") as stream:
            assert [piece async for piece in stream] == ["Hel", "lo"]
        assert stream.reply == ChatReply(text="Hello", finish_reason="stop", provider="aerostack")
