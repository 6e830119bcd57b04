"""The sandbox's streams: the protocol as it is on the wire, and the same answers as without a stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from attrs import evolve
from http_client import Answer, Ask

from kellyapi import BadRequestError, ChatCompletion, KellyAPI, KellyAPIError, NotFoundError, Sandbox

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
SKYTELLS = {"x-api-key": "key"}
SUM = [{"role": "user", "content": "2 + 3"}]
ASKED = {"model": "gpt-5", "messages": SUM}
SAID = ["[sandbox]", " 2", " +", " 3", " =", " 5"]
COUNTED = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[KellyAPI]:
    async with sandbox.api() as api:
        yield api


def read(answer: Answer) -> list[tuple[str, Any]]:
    """Give the events of an answer: their names and their JSON."""
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    found = []
    for event in answer.body.decode().removesuffix("\n\n").split("\n\n"):
        *names, data = event.split("\n")
        text = data.removeprefix("data: ")
        name = names[0].removeprefix("event: ") if names else ""
        found.append((name, text if text == "[DONE]" else json.loads(text)))
    return found


CHATS: dict[str, tuple[str, dict[str, str]]] = {
    "skytells": (CHAT, SKYTELLS),
    "skytells by the query": (f"{CHAT}?stream=true", SKYTELLS),
    "aerostack": ("/v1/ai/chat", {"X-Aerostack-Key": "key"}),
    "aerostack gateway": ("/v1/ai/gateway/my-api/chat/completions", {"Authorization": "Bearer ask"}),
    "aerostack gateway, by hand": ("/api/gateway/my-api/v1/chat/completions", {"Authorization": "Bearer ask"}),
}


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("where", CHATS)
async def test_a_chat_comes_in_chunks(ask: Ask, where: str, counted: bool) -> None:
    path, headers = CHATS[where]
    asked = ASKED | (COUNTED if counted else {"stream": "?" not in path})
    *named, (_, done) = read(await ask("POST", path, headers=headers, json=asked))
    assert (done, {name for name, _ in named}) == ("[DONE]", {""})
    chunks = [chunk for _, chunk in named]
    assert {(chunk["object"], chunk["model"]) for chunk in chunks} == {("chat.completion.chunk", "gpt-5")}
    assert len({chunk["id"] for chunk in chunks}) == len({chunk["created"] for chunk in chunks}) == 1
    assert {"prompt_filter_results" in chunk for chunk in chunks[1:]} == {False}
    assert ("prompt_filter_results" in chunks[0]) == ("skytells" in where)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [choice["delta"] for choice in choices] == [
        {"role": "assistant", "content": ""},
        *({"content": word} for word in SAID),
        {},
    ]
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]
    assert [chunk["usage"]["total_tokens"] for chunk in chunks if chunk.get("usage")] == ([9] if counted else [])
    assert {"usage" in chunk for chunk in chunks} == {counted}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n": 3},
        {"max_tokens": 2},
        {"stop": "="},
        {"messages": [{"role": "user", "content": "naked and bloody"}]},
        {"messages": [{"role": "user", "content": "you say “a  b\n c ” "}]},
    ],
)
async def test_a_chat_of_skytells_is_the_same_in_a_stream(api: KellyAPI, options: Any) -> None:
    options = {"model": "gpt-5", "messages": SUM, **options}
    whole = await api.skytells.chat.create(**options)
    async with api.skytells.chat.stream(**options) as stream:
        text = "".join([piece async for piece in stream])
    assert text == whole.text
    assert evolve(stream.completion, id=None, created=None) == evolve(whole, id=None, created=None)


@pytest.mark.parametrize(
    ("chat", "stream"),
    [
        (lambda it: it.ai.chat(SUM), lambda it: it.ai.chat_stream(SUM)),
        (
            lambda it: it.gateway.chat("my-api", SUM, consumer="ask"),
            lambda it: it.gateway.chat_stream("my-api", SUM, consumer="ask"),
        ),
    ],
)
async def test_a_chat_of_aerostack_is_the_same_in_a_stream(
    api: KellyAPI, chat: Callable[..., Any], stream: Callable[..., Any]
) -> None:
    whole, streaming = await chat(api.aerostack), stream(api.aerostack)
    assert [piece async for piece in streaming] == SAID
    if isinstance(whole, ChatCompletion):
        assert evolve(streaming.completion, id=None, created=None) == evolve(whole, id=None, created=None)
    else:
        assert streaming.reply == whole


async def test_the_service_streams(api: KellyAPI) -> None:
    async with api.chat_stream("2 + 3") as stream:
        assert [piece async for piece in stream] == SAID
    assert (stream.reply.provider, stream.reply.usage.total_tokens) == ("aerostack", 9)  # type: ignore[union-attr]  # it was counted


async def test_a_stream_of_the_gateway_is_charged(api: KellyAPI) -> None:
    before = await api.aerostack.gateway.wallet("my-api", consumer="ask")
    reply = await api.aerostack.gateway.chat_stream("my-api", SUM, consumer="ask").finish()
    after = await api.aerostack.gateway.wallet("my-api", consumer="ask")
    assert reply.usage is not None
    assert before.balance - after.balance == reply.usage.total_tokens > 0  # type: ignore[operator]  # both are numbers


async def test_a_response_comes_in_events(ask: Ask) -> None:
    asked = {"model": "gpt-5", "input": "2 + 3", "stream": True}
    found = read(await ask("POST", RESPONSES, headers=SKYTELLS, json=asked))
    events = [event for _, event in found]
    assert [name for name, _ in found] == [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * len(SAID),
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["delta"] for event in events if "delta" in event] == SAID
    begun, last = events[0]["response"], events[-1]["response"]
    assert (begun["status"], begun["output"], begun["usage"]) == ("in_progress", [], None)
    assert (last["status"], last["id"], last["usage"]["total_tokens"]) == ("completed", begun["id"], 9)
    (item,) = last["output"]
    assert events[-2]["item"] == item
    assert events[-3]["part"] == item["content"][0]
    assert events[-4]["text"] == item["content"][0]["text"] == "".join(SAID)
    assert {event["item_id"] for event in events if "item_id" in event} == {item["id"]}


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"instructions": "Be brief.", "metadata": {"a": "b"}}, "completed"),
        ({"max_output_tokens": 2}, "incomplete"),
        ({"input": "naked and bloody"}, "incomplete"),
    ],
)
async def test_a_response_is_the_same_in_a_stream(api: KellyAPI, options: Any, status: str) -> None:
    options = {"model": "gpt-5", "input": "2 + 3", **options}
    whole = await api.skytells.responses.create(**options)
    stream = api.skytells.responses.stream(**options)
    assert "".join([text async for text in stream.texts()]) == whole.text
    response = await stream.finish()
    assert response.status == status
    ids = [(item.id, item.content) for item in whole.output]
    same = tuple(evolve(item, id=id) for item, (id, _) in zip(response.output, ids, strict=True))
    assert evolve(response, id=whole.id, created_at=whole.created_at, output=same) == whole


async def test_a_response_that_was_streamed_can_be_gone_on_from(api: KellyAPI) -> None:
    responses = api.skytells.responses
    first = await responses.stream("gpt-5", "Hello", store=True).finish()
    second = await responses.stream("gpt-5", "What did I say?", previous_response_id=first.id).finish()
    assert second.text == "[sandbox] Before that you said: Hello"


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda it: it.skytells.chat.stream("gpt-0", "hi"), NotFoundError),
        (lambda it: it.skytells.chat.stream("gpt-5", "hi", temperature=3), BadRequestError),
        (lambda it: it.skytells.responses.stream("gpt-5", "hi", previous_response_id="r"), BadRequestError),
        (lambda it: it.aerostack.ai.chat_stream("hi", temperature=3), BadRequestError),
        (lambda it: it.aerostack.gateway.chat_stream("a", "hi", consumer="c", max_tokens=0), BadRequestError),
    ],
)
async def test_what_is_wrong_is_said_in_place_of_a_stream(
    api: KellyAPI, make: Callable[[KellyAPI], Any], error: type[KellyAPIError]
) -> None:
    with pytest.raises(error) as caught:
        async with make(api):
            pass
    assert caught.value.partial is None


@pytest.mark.parametrize("where", ["aerostack", "aerostack gateway", "skytells"])
@pytest.mark.parametrize("wrong", [{"stream": "yes"}, {"stream": 1}, {"stream": True, "stream_options": True}])
async def test_aerostack_and_skytells_ask_for_true_or_false(ask: Ask, where: str, wrong: Any) -> None:
    path, headers = CHATS[where]
    assert (await ask("POST", path, headers=headers, json=ASKED | wrong)).status == 400
    assert (await ask("POST", path, headers=headers, json=ASKED | {"stream": None})).json["object"] == "chat.completion"
