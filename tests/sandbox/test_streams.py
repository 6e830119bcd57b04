"""Event streams of the sandbox: the events on the wire, and the same results as without a stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from http_client import Response, Send

from kellyapi import BadRequestError, ChatCompletion, KellyAPI, KellyAPIError, NotFoundError, ProviderName

CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"
SKYTELLS = {"x-api-key": "key"}
SUM = [{"role": "user", "content": "2 + 3"}]
REQUEST = {"model": "gpt-5", "messages": SUM}
WORDS = ["[sandbox]", " 2", " +", " 3", " =", " 5"]
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


def read_events(response: Response) -> list[tuple[str, Any]]:
    """Return the name and the JSON of each event."""
    assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert response.headers["Transfer-Encoding"] == "chunked"
    events = []
    for event in response.body.decode().removesuffix("\n\n").split("\n\n"):
        *names, data = event.split("\n")
        text = data.removeprefix("data: ")
        name = names[0].removeprefix("event: ") if names else ""
        events.append((name, text if text == "[DONE]" else json.loads(text)))
    return events


CHAT_ROUTES: dict[str, tuple[str, dict[str, str]]] = {
    "skytells": (CHAT, SKYTELLS),
    "skytells by the query": (f"{CHAT}?stream=true", SKYTELLS),
    "aerostack": ("/v1/ai/chat", {"X-Aerostack-Key": "key"}),
    "aerostack gateway": ("/v1/ai/gateway/my-api/chat/completions", {"Authorization": "Bearer ask"}),
    "aerostack gateway, by hand": ("/api/gateway/my-api/v1/chat/completions", {"Authorization": "Bearer ask"}),
}


@pytest.mark.parametrize("with_usage", [True, False])
@pytest.mark.parametrize("where", CHAT_ROUTES)
async def test_a_chat_comes_in_chunks(send: Send, where: str, with_usage: bool) -> None:
    path, headers = CHAT_ROUTES[where]
    body = REQUEST | (WITH_USAGE if with_usage else {"stream": "?" not in path})
    *named, (_, last) = read_events(await send("POST", path, headers=headers, json=body))
    assert (last, {name for name, _ in named}) == ("[DONE]", {""})
    chunks = [chunk for _, chunk in named]
    assert {(chunk["object"], chunk["model"]) for chunk in chunks} == {("chat.completion.chunk", "gpt-5")}
    assert len({chunk["id"] for chunk in chunks}) == len({chunk["created"] for chunk in chunks}) == 1
    assert {"prompt_filter_results" in chunk for chunk in chunks[1:]} == {False}
    assert ("prompt_filter_results" in chunks[0]) == ("skytells" in where)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [choice["delta"] for choice in choices] == [
        {"role": "assistant", "content": ""},
        *({"content": word} for word in WORDS),
        {},
    ]
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]
    assert [chunk["usage"]["total_tokens"] for chunk in chunks if chunk.get("usage")] == ([9] if with_usage else [])
    assert {"usage" in chunk for chunk in chunks} == {with_usage}


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
    assert [piece async for piece in streaming] == WORDS
    if isinstance(whole, ChatCompletion):
        assert evolve(streaming.completion, id=None, created=None) == evolve(whole, id=None, created=None)
    else:
        assert streaming.reply == whole


@pytest.mark.parametrize("provider", ["aerostack", "skytells"])
async def test_a_chat_of_the_service_can_be_streamed(api: KellyAPI, provider: ProviderName) -> None:
    async with api.chat_stream("2 + 3", provider=provider) as stream:
        assert [piece async for piece in stream] == WORDS
    assert (stream.reply.provider, stream.reply.usage.total_tokens) == (provider, 9)  # type: ignore[union-attr]  # it was counted


async def test_a_chat_of_kelly_ai_comes_as_one_piece(api: KellyAPI) -> None:
    async with api.chat_stream("2 + 3") as stream:
        assert [piece async for piece in stream] == ["".join(WORDS)]
    assert (stream.reply.provider, stream.reply.usage) == ("kelly", None)


async def test_a_streamed_gateway_chat_is_charged(api: KellyAPI) -> None:
    before = await api.aerostack.gateway.wallet("my-api", consumer="ask")
    reply = await api.aerostack.gateway.chat_stream("my-api", SUM, consumer="ask").finish()
    after = await api.aerostack.gateway.wallet("my-api", consumer="ask")
    assert reply.usage is not None
    assert before.balance - after.balance == reply.usage.total_tokens > 0  # type: ignore[operator]  # both are numbers


async def test_a_response_comes_in_events(send: Send) -> None:
    body = {"model": "gpt-5", "input": "2 + 3", "stream": True}
    named_events = read_events(await send("POST", RESPONSES, headers=SKYTELLS, json=body))
    events = [event for _, event in named_events]
    assert [name for name, _ in named_events] == [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * len(WORDS),
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["delta"] for event in events if "delta" in event] == WORDS
    first_response, last = events[0]["response"], events[-1]["response"]
    assert (first_response["status"], first_response["output"], first_response["usage"]) == ("in_progress", [], None)
    assert (last["status"], last["id"], last["usage"]["total_tokens"]) == ("completed", first_response["id"], 9)
    (item,) = last["output"]
    assert events[-2]["item"] == item
    assert events[-3]["part"] == item["content"][0]
    assert events[-4]["text"] == item["content"][0]["text"] == "".join(WORDS)
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


async def test_a_streamed_response_can_be_continued(api: KellyAPI) -> None:
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
    ],
)
async def test_a_wrong_request_gets_an_error_instead_of_a_stream(
    api: KellyAPI, make: Callable[[KellyAPI], Any], error: type[KellyAPIError]
) -> None:
    with pytest.raises(error) as caught:
        async with make(api):
            pass
    assert caught.value.partial is None


@pytest.mark.parametrize("where", ["aerostack", "aerostack gateway", "skytells"])
@pytest.mark.parametrize("wrong", [{"stream": "yes"}, {"stream": 1}, {"stream": True, "stream_options": True}])
async def test_stream_must_be_true_or_false(send: Send, where: str, wrong: Any) -> None:
    path, headers = CHAT_ROUTES[where]
    assert (await send("POST", path, headers=headers, json=REQUEST | wrong)).status == 400
    assert (await send("POST", path, headers=headers, json=REQUEST | {"stream": None})).json[
        "object"
    ] == "chat.completion"
