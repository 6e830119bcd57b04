"""Every field of a chat completion is in the result, whole and in a stream, and its message can be sent back."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from servers import Server, make_response

from kellyapi import (
    NO_RETRY,
    Aerostack,
    Annotation,
    ChatChunk,
    ChatReply,
    CompletionMessage,
    FilterResult,
    FunctionCall,
    Logprobs,
    Message,
    Skytells,
    TokenLogprob,
    ToolCall,
)
from kellyapi.services.chat_messages import write_messages
from kellyapi.services.openai_chunks import FunctionCallDelta, ToolCallDelta
from kellyapi.services.openai_completions import TopLogprob

from .event_streams import CHATS, DONE, asked, chunk, each_chat, events, streamed

LOOK = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
LOOKED = ToolCall("t1", FunctionCall("look", '{"at": 1}'))
DRAW = {"id": "t2", "type": "custom", "custom": {"name": "draw", "input": "a fox"}}
DRAWN = ToolCall("t2", FunctionCall("draw", "a fox"), "custom")
TOKEN = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [{"token": "Ho", "logprob": -2}]}
A_TOKEN = TokenLogprob("Hi", -0.5, (72, 105), (TopLogprob("Ho", -2.0),))
CITED = {
    "type": "url_citation",
    "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2},
}
A_CITATION = Annotation("url_citation", "https://a.example", "A", 0, 2)
CALLS: dict[str, Any] = {
    "skytells chat": lambda it, talk: it.chat.create("gpt-5", talk),
    "aerostack chat": lambda it, talk: it.ai.chat(talk),
    "aerostack gateway": lambda it, talk: it.gateway.chat("my-api", talk, consumer="ask_live_1"),
}
STREAMS: dict[str, Any] = {
    "skytells chat": lambda it, talk: it.chat.stream("gpt-5", talk),
    "aerostack chat": lambda it, talk: it.ai.chat_stream(talk),
    "aerostack gateway": lambda it, talk: it.gateway.chat_stream("my-api", talk, consumer="ask_live_1"),
}


def completion(message: Any, **fields: Any) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": 0, "message": {"role": "assistant", **message}, **fields}]}


def as_json(value: Any) -> bytes:
    return make_response(body=json.dumps(value).encode())


def client(name: str, server: Server) -> Any:
    return (Skytells if "skytells" in name else Aerostack)("key", base_url=server.url, retry=NO_RETRY)


async def test_a_completion_has_logprobs_annotations_refusal_and_filter_results() -> None:
    message = {"content": "Hi", "refusal": "no", "annotations": [CITED], "reasoning_content": "hm"}
    found = {"hate": {"filtered": True, "severity": "high"}}
    logprobs = {"content": [TOKEN], "refusal": None}
    body = completion(message, logprobs=logprobs, content_filter_results=found, finish_reason="content_filter")
    async with Server(as_json(body)) as server, client("skytells", server) as skytells:
        (choice,) = (await skytells.chat.create("gpt-5", "Hi")).choices
    assert choice.message == CompletionMessage("Hi", refusal="no", annotations=(A_CITATION,))
    assert choice.message.raw["reasoning_content"] == "hm"
    assert choice.message.annotations[0].raw == CITED
    assert choice.logprobs == Logprobs(content=(A_TOKEN,))
    assert choice.content_filter_results == {"hate": FilterResult(filtered=True, severity="high")}


@pytest.mark.parametrize(
    ("message", "fields", "left_out"),
    [
        ({"annotations": "none"}, {}, "$.choices[0].message.annotations"),
        ({"annotations": [5, CITED]}, {}, "$.choices[0].message.annotations[0]"),
        ({"refusal": {}}, {}, "$.choices[0].message.refusal"),
        ({"tool_calls": {}}, {}, "$.choices[0].message.tool_calls"),
        ({"tool_calls": [{"id": "t"}]}, {}, "$.choices[0].message.tool_calls[0].function"),
        ({}, {"logprobs": []}, "$.choices[0].logprobs"),
        ({}, {"logprobs": {"content": [{"token": "a"}, TOKEN]}}, "$.choices[0].logprobs.content[0].logprob"),
    ],
)
async def test_an_optional_field_of_a_wrong_type_costs_no_paid_completion(
    caplog: pytest.LogCaptureFixture, message: Any, fields: Any, left_out: str
) -> None:
    body = completion({"content": "Hi", **message}, **fields)
    with caplog.at_level(logging.WARNING):
        async with Server(as_json(body)) as server, client("skytells", server) as skytells:
            result = await skytells.chat.create("gpt-5", "Hi")
    assert (result.text, result.raw) == ("Hi", body)
    assert f"{left_out}: " in caplog.text


@pytest.mark.parametrize(
    ("call", "read"),
    [
        ({**LOOK, "id": None}, ToolCall("call_0", LOOKED.function)),
        ({**LOOK, "id": ""}, ToolCall("call_0", LOOKED.function)),
        ({**LOOK, "id": 7}, ToolCall("7", LOOKED.function)),
        ({"name": "look", "arguments": {"at": 1}}, ToolCall("call_0", FunctionCall("look", '{"at":1}'))),
        (DRAW, DRAWN),
        (
            {**LOOK, "function": {"name": "look", "arguments": {"at": 1}}},
            ToolCall("t1", FunctionCall("look", '{"at":1}')),
        ),
        ({"id": "t1", "function": {"name": "look"}}, ToolCall("t1", FunctionCall("look", ""))),
    ],
)
async def test_a_tool_call_of_another_form_is_read(call: Any, read: ToolCall) -> None:
    body = completion({"content": None, "tool_calls": [call]})
    async with Server(as_json(body)) as server, client("aerostack", server) as aerostack:
        reply = await aerostack.ai.chat("Hi")
    assert (reply.text, reply.tool_calls) == ("", (read,))


CHUNKS = (
    chunk("Hi", logprobs={"content": [TOKEN], "refusal": None}, delta={"role": "assistant"}),
    chunk(" you", logprobs={"content": [TOKEN], "refusal": []}, delta={"annotations": [CITED]}),
    chunk(delta={"reasoning_content": "h"}),
    chunk(delta={"reasoning_content": "m", "refusal": "no", "audio": {"id": "a"}}),
    chunk(delta={"tool_calls": [{"index": 0, **LOOK}]}, content_filter_results={"hate": {"filtered": False}}),
    chunk(finish_reason="tool_calls"),
    {"choices": [], "usage": {"total_tokens": 3}},
)


@each_chat
async def test_a_stream_gathers_every_field(name: str) -> None:
    async with asked(name, streamed(events(*CHUNKS), DONE)) as (make, _):
        stream = make()
        reply = await stream.finish()
    (choice,) = stream.completion.choices
    assert choice.message == CompletionMessage("Hi you", refusal="no", tool_calls=(LOOKED,), annotations=(A_CITATION,))
    assert choice.logprobs == Logprobs(content=(A_TOKEN, A_TOKEN))
    assert choice.content_filter_results == {"hate": FilterResult(filtered=False)}
    assert {name: choice.message.raw[name] for name in ("reasoning_content", "audio")} == {
        "reasoning_content": "hm",
        "audio": {"id": "a"},
    }
    assert (reply.message, reply.tool_calls) == (choice.message, (LOOKED,))


A, B = ToolCall("a", FunctionCall("f", "{}")), ToolCall("b", FunctionCall("g", "{}"))


def fragment(arguments: str, name: str | None = None, **fields: Any) -> dict[str, Any]:
    """Make a fragment of a tool call."""
    return {**fields, "function": {"arguments": arguments, **({"name": name} if name else {})}}


@pytest.mark.parametrize(
    ("fragments", "calls"),
    [
        ([[fragment("{}", "f", id="a")], [fragment("{}", "g", id="b")]], (A, B)),
        ([[fragment("{}", "f", id="a", index=0)], [fragment("{}", "g", id="b", index=0)]], (A, B)),
        ([[fragment("{", "f", id="a")], [fragment("}")], [fragment("{", "g", id="b")], [fragment("}")]], (A, B)),
        ([[fragment("{", "f", id="a"), fragment("{", "g", id="b")], [fragment("}", id="a"), fragment("}")]], (A, B)),
        ([[fragment("{", "g", id="b")], [fragment("{}", "f", id="a")], [fragment("}", id="b")]], (B, A)),
        ([[fragment("{}", "g", id="b", index=1)], [fragment("{}", "f", id="a", index=0)]], (A, B)),
        ([[fragment("{", "f", id="a", index=0)], [fragment("}", id="a", index=1)]], (A,)),
        ([[fragment("{}", "f", id="a", index=0.0)], [fragment("{}", "g", id="b", index=1.0)]], (A, B)),
        ([[{"index": 0, **DRAW}]], (DRAWN,)),
        ([[fragment("", "lo", id="t1")], [fragment('{"at"', "ok")], [fragment(": 1}", "look")]], (LOOKED,)),
        ([[{"name": "f", "arguments": {}}, {"name": "g", "arguments": {}}]], "numbered"),
    ],
)
async def test_a_stream_keeps_the_calls_of_tools_apart(fragments: Any, calls: Any) -> None:
    if calls == "numbered":
        calls = tuple(ToolCall(f"call_{place}", each.function) for place, each in enumerate((A, B)))
    chunks = [chunk(delta={"tool_calls": each}) for each in fragments]
    async with asked("aerostack chat", streamed(events(*chunks, chunk(finish_reason="tool_calls")), DONE)) as (make, _):
        assert (await make().finish()).tool_calls == calls


async def test_a_delta_of_a_custom_tool_is_typed() -> None:
    fragments = {"tool_calls": [{"index": 0, **DRAW}]}
    async with asked("skytells chat", streamed(events(chunk(delta=fragments), chunk(finish_reason="x")))) as (make, _):
        chunks = [each async for each in make().chunks()]
    delta = ToolCallDelta(0, "t2", "custom", FunctionCallDelta("draw", "a fox"))
    assert chunks[0].choices[0].delta.tool_calls == (delta,)


async def test_a_blocked_choice_may_have_no_message() -> None:
    body = {"choices": [{"message": None, "finish_reason": "content_filter"}]}
    async with Server(as_json(body)) as server, client("skytells", server) as skytells:
        completion = await skytells.chat.create("gpt-5", "Hi")
    assert (completion.text, completion.choices[0].finish_reason) == ("", "content_filter")


async def test_the_chunks_of_a_stream_are_typed_and_none_is_left_out() -> None:
    async with asked("skytells chat", streamed(events(*CHUNKS), DONE)) as (make, _):
        stream = make()
        chunks = [each async for each in stream.chunks()]
    assert [each.raw for each in chunks] == list(CHUNKS)
    assert all(isinstance(each, ChatChunk) for each in chunks)
    deltas = [each.choices[0].delta for each in chunks[:-1]]
    assert [delta.content for delta in deltas] == ["Hi", " you", None, None, None, None]
    assert (deltas[0].role, deltas[1].annotations, deltas[3].refusal) == ("assistant", (A_CITATION,), "no")
    assert deltas[4].tool_calls == (ToolCallDelta(0, "t1", "function", FunctionCallDelta("look", '{"at": 1}')),)
    assert chunks[0].choices[0].logprobs == Logprobs(content=(A_TOKEN,))
    assert chunks[4].choices[0].content_filter_results == {"hate": FilterResult(filtered=False)}
    assert (chunks[5].choices[0].finish_reason, chunks[6].usage.total_tokens) == ("tool_calls", 3)  # type: ignore[union-attr]  # it was counted
    assert stream.completion.choices[0].message.tool_calls == (LOOKED,)


async def test_a_completion_that_came_whole_is_one_chunk() -> None:
    body = completion({"content": "Hi", "tool_calls": [LOOK]}, finish_reason="stop")
    async with asked("skytells chat", as_json(body)) as (make, _):
        (only,) = [each async for each in make().chunks()]
    assert (only.choices[0].delta.content, only.choices[0].delta.tool_calls[0].id) == ("Hi", "t1")


# What goes back


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (CompletionMessage("Hi"), {"role": "assistant", "content": "Hi"}),
        (CompletionMessage("Hi", annotations=(A_CITATION,)), {"role": "assistant", "content": "Hi"}),
        (CompletionMessage(None, tool_calls=(LOOKED,)), {"role": "assistant", "tool_calls": [LOOK]}),
        (CompletionMessage(None, tool_calls=(DRAWN,)), {"role": "assistant", "tool_calls": [DRAW]}),
        (CompletionMessage("a", tool_calls=(LOOKED,)), {"role": "assistant", "content": "a", "tool_calls": [LOOK]}),
        (CompletionMessage(None, refusal="no"), {"role": "assistant", "content": "", "refusal": "no"}),
        (Message("tool", "24", tool_call_id="t1"), {"role": "tool", "content": "24", "tool_call_id": "t1"}),
        (Message("user", "Hi"), {"role": "user", "content": "Hi"}),
        ({"role": "assistant", "tool_calls": [LOOKED]}, {"role": "assistant", "tool_calls": [LOOK]}),
        ({"role": "assistant", "tool_calls": (LOOKED, LOOK)}, {"role": "assistant", "tool_calls": [LOOK, LOOK]}),
        ({"role": "assistant", "content": None}, {"role": "assistant", "content": None}),
        (ChatReply(text="Hi", provider="kelly").message, {"role": "assistant", "content": "Hi"}),
    ],
)
def test_a_message_is_sent_without_nulls_and_without_fields_of_responses(message: Any, sent: Any) -> None:
    assert write_messages([message]) == [sent]


@pytest.mark.parametrize("name", CHATS)
async def test_the_message_of_a_reply_goes_back_as_it_is(name: str) -> None:
    message = {"content": None, "refusal": None, "annotations": [], "tool_calls": [LOOK]}
    responses = [as_json(completion(message)), as_json(completion({"content": "24"}))]
    stream = streamed(events(chunk("24", finish_reason="stop")), DONE)
    async with Server(*responses, stream) as server, client(name, server) as it:
        first = await CALLS[name](it, "Hi")
        answer = first.message if isinstance(first, ChatReply) else first.choices[0].message
        talk = [{"role": "user", "content": "Hi"}, answer, Message("tool", "24", tool_call_id="t1")]
        await CALLS[name](it, talk)
        await STREAMS[name](it, iter(talk)).finish()
    sent = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [LOOK]},
        {"role": "tool", "content": "24", "tool_call_id": "t1"},
    ]
    assert [json.loads(request.body)["messages"] for request in server.requests[1:]] == [sent, sent]


async def test_tools_are_sent_by_the_chats_of_aerostack() -> None:
    tools, choice = (
        [{"type": "function", "function": {"name": "look"}}],
        {"type": "function", "function": {"name": "look"}},
    )
    options: dict[str, Any] = {"tools": tools, "tool_choice": choice}
    whole, stream = as_json(completion({"content": "a"})), streamed(events(chunk("a", finish_reason="stop")), DONE)
    async with Server(whole, whole, stream, stream) as server, client("aerostack", server) as it:
        await it.ai.chat("Hi", **options)
        await it.gateway.chat("my-api", "Hi", consumer="ask", **options)
        await it.ai.chat_stream("Hi", **options).finish()
        await it.gateway.chat_stream("my-api", "Hi", consumer="ask", **options).finish()
    assert [{name: json.loads(request.body)[name] for name in options} for request in server.requests] == [options] * 4


OLDER = {
    "response": "Hi",
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    "tool_calls": [{"name": "look", "arguments": {"at": 1}}],
    "model": "m",
}


@pytest.mark.parametrize("text", ["Hi", None])
async def test_a_reply_of_the_older_api_of_aerostack_has_its_usage_and_tool_calls(text: str | None) -> None:
    older = {**OLDER, "response": text}
    streamed_in_parts = streamed(events({"response": "H"}, {**older, "response": text and "i"}), DONE)
    async with Server(as_json(older), streamed_in_parts) as server, client("aerostack", server) as aerostack:
        whole = await aerostack.ai.chat("Hi")
        later = await aerostack.ai.chat_stream("Hi").finish()
    assert (whole.text, later.text) == (text or "", "Hi" if text else "H")
    for reply in (whole, later):
        assert reply.usage.total_tokens == 3
        assert [call.function for call in reply.tool_calls] == [FunctionCall("look", '{"at":1}')]
        assert reply.model == "m"
