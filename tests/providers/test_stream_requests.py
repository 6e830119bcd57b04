"""What a stream sends, and when; and the results of its pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from servers import Server

from kellyapi import (
    Aerostack,
    ChatReply,
    ChatStream,
    ConfigurationError,
    FilterResult,
    KellyAPI,
    Message,
    Skytells,
    Usage,
)
from kellyapi.services.openai_completions import FunctionCall, PromptFilter, ToolCall

from .event_streams import (
    COMPLETED,
    COUNTED,
    CREATED,
    DONE,
    HELLO,
    HI,
    KEY_HEADERS,
    STOP,
    WHOLE,
    asked,
    chunk,
    each_chat,
    events,
    streamed,
)

# Requests


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
async def test_a_stream_sends_its_request_when_it_is_opened_and_not_before(
    name: str, target: str, key: Any, body: Any
) -> None:
    async with asked(name, streamed(WHOLE[name])) as (make, server):
        stream = make()
        assert server.connections == 0
        await stream.finish()
        (seen,) = server.requests
        assert (seen.method, seen.target, json.loads(seen.body)) == ("POST", target, body)
        assert seen.headers["accept"] == "text/event-stream"
        assert {name: value for name, value in seen.headers.items() if name in KEY_HEADERS} == dict([key])


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
        (
            lambda it: it.chat_stream("hi", model="m", temperature=1, max_tokens=2, top_p=0.5, tool_choice="none"),
            {
                "messages": HI,
                "model": "m",
                "temperature": 1,
                "max_tokens": 2,
                "top_p": 0.5,
                "tool_choice": "none",
                **COUNTED,
            },
        ),
        (
            lambda it: it.chat_stream([Message("user", "hi")], provider="skytells", max_tokens=2),
            {"messages": HI, "model": "deepbrain-router", "max_tokens": 2, **COUNTED},
        ),
    ],
)
async def test_parameters_are_sent_under_their_own_names(make: Any, sent: Any) -> None:
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
        (lambda it: it.chat_stream([]), ValueError),
        (lambda it: it.chat_stream("hi", provider="kelly", temperature=1), ValueError),
    ],
)
async def test_wrong_arguments_are_refused_before_anything_is_sent(make: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        make(KellyAPI("key", skytells="key", aerostack="key"))


async def test_unknown_parameters_are_refused_without_a_stream_too() -> None:
    with pytest.raises(TypeError, match="unknown argument 'heat'; the arguments are model, messages, max_tokens, "):
        await Skytells("key").chat.create("m", "hi", heat=1)  # type: ignore[call-arg]  # the wrong name is the point


async def test_a_provider_that_takes_no_conversation_gets_no_request() -> None:
    with pytest.raises(ConfigurationError, match="set AEROSTACK_API_KEY or SKYTELLS_API_KEY,"):
        KellyAPI("key").chat_stream([Message("system", "Be brief."), Message("user", "hi")])


# Results of chunks


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
async def test_chunks_become_the_text_and_the_completion(name: str) -> None:
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


async def test_what_has_arrived_can_be_read_before_the_end() -> None:
    async with asked("skytells chat", HELLO) as (make, _), make() as stream:
        assert (stream.text, stream.completion.choices) == ("", ())
        assert await anext(stream) == "Hel"
        assert (stream.text, stream.reply.text, stream.reply.finish_reason) == ("Hel", "Hel", None)
        assert (await stream.finish()).text == stream.text == "Hello"


async def test_a_stream_without_text_has_no_content() -> None:
    blocked = streamed(events(chunk(None), chunk(finish_reason="content_filter")), DONE)
    async with asked("skytells chat", blocked) as (make, _):
        stream = make()
        assert [piece async for piece in stream] == []
        assert (stream.completion.choices[0].message.content, stream.reply.text) == (None, "")
