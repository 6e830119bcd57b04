"""The items of a response: read by their types, gathered from a stream, and sent back."""

from __future__ import annotations

import json
import pickle
from typing import Any

import attrs
import pytest
from servers import Server, make_response

from kellyapi import (
    NO_RETRY,
    Annotation,
    CompletionMessage,
    FilterResult,
    FunctionCall,
    FunctionCallItem,
    Message,
    ModelResponse,
    OutputContent,
    OutputItem,
    OutputMessage,
    ReasoningItem,
    ResponseFilter,
    Skytells,
    TokenLogprob,
    ToolCall,
    TransportError,
)
from kellyapi._data.decoding import decode
from kellyapi.providers.skytells.inference.response_types import ReasoningSummary, write_input

from ..event_streams import CREATED, added, asked, events, streamed

CITED = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
TOKEN = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
TEXT = {"type": "output_text", "text": "Hi", "annotations": [CITED], "logprobs": [TOKEN]}
MESSAGE = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [TEXT]}
CALL = {
    "id": "f",
    "type": "function_call",
    "call_id": "c",
    "name": "look",
    "arguments": '{"at": 1}',
    "status": "completed",
}
REASONING = {
    "id": "r",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
    "content": [{"type": "reasoning_text", "text": "secret"}],
    "encrypted_content": "x",
}
SEARCH = {"id": "w", "type": "web_search_call", "action": {"query": "fox"}, "status": "completed"}
RESPONSE = {"id": "r1", "object": "response", "status": "completed", "output": [REASONING, SEARCH, CALL, MESSAGE]}


def output(*items: Any) -> tuple[OutputItem, ...]:
    return decode({**RESPONSE, "output": list(items)}, ModelResponse).output


async def test_each_item_is_of_the_class_of_its_type() -> None:
    body = json.dumps(RESPONSE).encode()
    async with Server(make_response(body=body)) as server, Skytells("key", base_url=server.url, retry=NO_RETRY) as it:
        response = await it.responses.create("gpt-5", "Hi")
    reasoning, search, call, message = response.output
    assert reasoning == ReasoningItem(
        id="r",
        summary=(ReasoningSummary("a"), ReasoningSummary("b")),
        content=(OutputContent("reasoning_text", "secret"),),
        encrypted_content="x",
    )
    assert isinstance(reasoning, ReasoningItem)
    assert reasoning.text == "a\n\nb"
    assert (search, search.raw) == (OutputItem(id="w", type="web_search_call", status="completed"), SEARCH)
    assert call == FunctionCallItem(id="f", call_id="c", name="look", arguments='{"at": 1}', status="completed")
    cited = Annotation("url_citation", "https://a.example", "A", 0, 2)
    content = OutputContent("output_text", "Hi", (cited,), logprobs=(TokenLogprob("Hi", -0.5, (72, 105)),))
    assert message == OutputMessage(id="m", status="completed", content=(content,))
    assert (response.text, response.function_calls) == ("Hi", (call,))
    assert [item.raw for item in response.output] == RESPONSE["output"]


@pytest.mark.parametrize(
    ("item", "read"),
    [
        (
            {"type": "function_call", "name": "f", "arguments": {"a": 1}},
            FunctionCallItem(name="f", arguments='{"a":1}'),
        ),
        ({"type": "function_call", "call_id": 5, "name": "f"}, FunctionCallItem(name="f")),
        ({"type": "reasoning", "summary": [5, {"text": "a"}]}, ReasoningItem(summary=(ReasoningSummary("a"),))),
        ({"type": "message", "content": "Hi", "role": None}, OutputMessage()),
        ({"type": ["message"]}, OutputItem()),
        ({}, OutputItem()),
    ],
)
def test_a_wrong_field_costs_no_item(item: Any, read: OutputItem) -> None:
    assert output(5, item) == (read,)
    assert output(item)[0].raw == item


def test_a_refusal_and_the_findings_of_the_filter_are_typed() -> None:
    refused = {"type": "message", "content": [{"type": "refusal", "refusal": "I won't"}]}
    offsets = {"start_offset": 0, "end_offset": 2, "check_offset": 0}
    found = {"blocked": True, "source_type": "completion", "content_filter_results": {"hate": {"filtered": True}}}
    filters = [{**found, "content_filter_offsets": offsets}, {"blocked": None}]
    response = decode({**RESPONSE, "output": [refused], "content_filters": filters}, ModelResponse)
    assert (response.text, response.refusal) == ("", "I won't")
    results = {"hate": FilterResult(filtered=True)}
    first = ResponseFilter(
        blocked=True, source_type="completion", content_filter_results=results, content_filter_offsets=offsets
    )
    assert response.content_filters == (first, ResponseFilter())


# Streams


def event(type: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{type}", **fields}


BEGUN = {**CALL, "arguments": "", "status": "in_progress"}
EVENTS = (
    CREATED,
    event("output_item.added", output_index=0, item={"id": "r", "type": "reasoning", "summary": []}),
    event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="a "),
    event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="b"),
    event("reasoning_summary_text.delta", output_index=0, summary_index=1, delta="c"),
    event("output_item.added", output_index=1, item=BEGUN, item_id="f"),
    event("function_call_arguments.delta", output_index=1, delta='{"at"'),
    event("function_call_arguments.delta", output_index=1, delta=": 1}"),
    event("function_call_arguments.done", output_index=1, arguments='{"at": 1}'),
    event("output_item.done", output_index=1, item=CALL),
    added("Hi", output_index=2, content_index=0),
    event("refusal.delta", output_index=2, content_index=1, delta="no"),
)
GATHERED = (
    ReasoningItem(id="r", summary=(ReasoningSummary("a b"), ReasoningSummary("c"))),
    FunctionCallItem(id="f", call_id="c", name="look", arguments='{"at": 1}', status="completed"),
    OutputMessage(content=(OutputContent(text="Hi"), OutputContent("refusal", refusal="no"))),
)


async def test_events_have_the_items_and_the_arguments() -> None:
    last = event("completed", response=RESPONSE)
    async with asked("skytells responses", streamed(events(*EVENTS, last))) as (make, _), make() as stream:
        got = [each async for each in stream]
    assert [(each.item, each.output_index) for each in got if each.item] == [
        (ReasoningItem(id="r"), 0),
        (FunctionCallItem(id="f", call_id="c", name="look", status="in_progress"), 1),
        (GATHERED[1], 1),
    ]
    assert [each.arguments for each in got if each.arguments] == ['{"at": 1}']
    assert stream.response.output == output(*RESPONSE["output"])


async def test_what_had_arrived_of_each_item_is_in_the_error_of_a_stream_that_broke_off() -> None:
    async with asked("skytells responses", streamed(events(*EVENTS))) as (make, _):
        with pytest.raises(TransportError) as raised:
            await make().finish()
    assert raised.value.partial.output == GATHERED
    assert (raised.value.partial.id, raised.value.partial.text) == ("r1", "Hi")


async def test_an_item_that_broke_off_has_what_had_arrived() -> None:
    async with asked("skytells responses", streamed(events(*EVENTS[:7]))) as (make, _):
        with pytest.raises(TransportError) as raised:
            await make().finish()
    assert raised.value.partial.function_calls[0].arguments == '{"at"'


@pytest.mark.parametrize(("type", "gathered"), [("completed", GATHERED), ("incomplete", GATHERED), ("failed", ())])
async def test_a_last_event_without_output_does_not_lose_what_was_streamed(type: str, gathered: Any) -> None:
    last = event(type, response={**RESPONSE, "status": type, "output": []})
    async with asked("skytells responses", streamed(events(*EVENTS, last))) as (make, _):
        response = await make().finish()
    assert (response.output, response.status, response.raw["id"]) == (gathered, type, "r1")


WITHOUT_INDEX = [
    [event("output_item.added", item={**BEGUN, "id": "f"}), event("output_item.added", item={**BEGUN, "id": "g"})],
    [event("function_call_arguments.delta", item_id=id, delta="{}") for id in "gf"],
]
OF_BOTH = [("f", "{}"), ("g", "{}")]


@pytest.mark.parametrize(
    ("parts", "calls"),
    [
        ([*WITHOUT_INDEX[0], *WITHOUT_INDEX[1]], OF_BOTH),
        (
            [
                event("output_item.added", output_index=1, item={**BEGUN, "id": "g"}),
                event("output_item.added", output_index=0, item={**BEGUN, "id": "f"}),
                *WITHOUT_INDEX[1],
            ],
            OF_BOTH,
        ),
        ([*EVENTS[5:6], event("function_call_arguments.done", output_index=1, arguments="{}")], [("f", "{}")]),
        ([EVENTS[9], EVENTS[8], EVENTS[6]], [("f", CALL["arguments"])]),
    ],
)
async def test_a_stream_keeps_the_items_of_servers_apart_that_send_no_index_or_no_deltas(
    parts: Any, calls: Any
) -> None:
    last = event("completed", response={**RESPONSE, "output": []})
    async with asked("skytells responses", streamed(events(*parts, last))) as (make, _):
        response = await make().finish()
    assert [(each.id, each.arguments) for each in response.function_calls] == calls


async def test_the_whole_text_of_a_part_counts_without_deltas() -> None:
    parts = [
        event("output_text.done", output_index=0, text="Hi"),
        event("completed", response={**RESPONSE, "output": []}),
    ]
    async with asked("skytells responses", streamed(events(*parts))) as (make, _):
        assert (await make().finish()).text == "Hi"


async def test_the_items_of_a_response_that_came_whole_are_events() -> None:
    whole = make_response(body=json.dumps(RESPONSE).encode())
    async with asked("skytells responses", whole) as (make, _), make() as stream:
        got = [(each.type, each.item or each.delta) async for each in stream]
    items = output(*RESPONSE["output"])
    done = "response.output_item.done"
    assert got[:3] == [(done, items[0]), (done, items[1]), (done, items[2])]
    assert got[3:] == [("response.output_text.delta", "Hi"), ("response.completed", None)]


# What goes back


CALLED = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        *((output(item)[0], [item]) for item in (MESSAGE, CALL, REASONING, SEARCH)),
        (output({**REASONING, "encrypted_content": None, "status": None, "content": None})[0], None),
        (output({**MESSAGE, "phase": None, "content": [{**TEXT, "logprobs": None}]})[0], None),
        (FunctionCallItem(call_id="c", name="look", arguments="{}"), [CALLED]),
        (attrs.evolve(output(CALL)[0], id=None, status=None, arguments="{}"), [CALLED]),  # type: ignore[call-arg]  # it is a FunctionCallItem
        (pickle.loads(pickle.dumps(output(CALL)[0])), [CALL]),
        (ReasoningItem(id="r"), [{"id": "r", "type": "reasoning", "summary": ()}]),
        (Message("user", "Hi"), [{"role": "user", "content": "Hi"}]),
        (Message("tool", "24", tool_call_id="c"), [{"type": "function_call_output", "call_id": "c", "output": "24"}]),
        (CompletionMessage("Hi"), [{"role": "assistant", "content": "Hi"}]),
        (CompletionMessage(None), [{"role": "assistant", "content": ""}]),
        (CompletionMessage(None, refusal="no"), [{"role": "assistant", "content": "no"}]),
        (CompletionMessage(None, tool_calls=(ToolCall("c", FunctionCall("look", "{}")),)), [CALLED]),
        (
            CompletionMessage("Hi", tool_calls=(ToolCall("c", FunctionCall("look", "{}")),)),
            [{"role": "assistant", "content": "Hi"}, CALLED],
        ),
        ({"type": "item_reference", "id": "x"}, [{"type": "item_reference", "id": "x"}]),
    ],
)
def test_an_item_is_sent_as_it_came_without_nulls(given: Any, sent: Any) -> None:
    written = write_input([given])
    if sent is None:
        assert "null" not in json.dumps(written)
        assert written[0]["id"] == given.id  # type: ignore[index]  # it is an object
    else:
        assert json.loads(json.dumps(written)) == json.loads(json.dumps(sent))


async def test_the_items_of_a_response_go_back_in_the_input() -> None:
    body = make_response(body=json.dumps(RESPONSE).encode())
    async with Server(body, body) as server, Skytells("key", base_url=server.url, retry=NO_RETRY) as it:
        first = await it.responses.create("gpt-5", "Hi")
        talk = [Message("user", "Hi"), *first.output, Message("tool", "24", tool_call_id="c")]
        await it.responses.create("gpt-5", iter(talk))
    assert json.loads(server.requests[1].body)["input"] == [
        {"role": "user", "content": "Hi"},
        *first.raw["output"],
        {"type": "function_call_output", "call_id": "c", "output": "24"},
    ]


async def test_an_item_with_a_long_text_goes_back_whole() -> None:
    item = {**MESSAGE, "content": [{"type": "output_text", "text": "a" * 70_000}]}
    body = make_response(body=json.dumps({**RESPONSE, "output": [item]}).encode())
    async with Server(body) as server, Skytells("key", base_url=server.url, retry=NO_RETRY) as it:
        response = await it.responses.create("gpt-5", "Hi")
    assert write_input(response.output) == [item]
