"""Structured output: replies that fit their class or not, and which provider is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypedDict

import pytest
from msgspec import Struct
from servers import Server, make_response

from kellyapi import ChatReply, DecodingError, KellyAPI, KellyAPIError, Message, ParsedReply, Skytells
from kellyapi.services.structured_output import make_reply_format

from .structured_classes import Checked, Color, Ingredient, Node, OfPlain, Page, Prices, Recipe

RECIPE = {
    "title": "Jollof",
    "ingredients": [{"name": "rice", "grams": 300.0}],
    "minutes": 45,
    "color": "blue",
    "kind": "cold",
    "tags": ["lunch"],
    "note": None,
}


def read(kind: type[Any], value: Any, **fields: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value)
    return make_reply_format(kind).read(ChatReply(text=text, provider="skytells", **fields))


# Replies


def test_a_reply_is_read_into_the_class() -> None:
    reply = read(Recipe, RECIPE, model="m", finish_reason="stop")
    assert reply.parsed == Recipe("Jollof", [Ingredient("rice", 300)], 45, Color.BLUE, "cold", ("lunch",), None)
    assert (reply.model, reply.finish_reason, reply.provider) == ("m", "stop", "skytells")
    assert isinstance(reply, ParsedReply)
    assert read(Node, {"name": "a", "children": [{"name": "b", "children": []}]}).parsed == Node("a", [Node("b")])
    assert read(Prices, {"by_name": {"rice": 2}}).parsed == Prices({"rice": 2.0})
    assert read(Page[Node], {"items": [{"name": "a"}]}).parsed == Page([Node("a")])


class Search(Struct, tag="search"):
    query: str


class Stop(Struct, tag="stop"):
    pass


class Step(Struct):
    action: Search | Stop


class Size(TypedDict):
    width: int


def test_structs_and_typed_dicts_are_read_too() -> None:
    assert read(Step, {"action": {"type": "search", "query": "a"}}).parsed == Step(Search("a"))
    assert read(Size, {"width": 3}).parsed == {"width": 3}


@pytest.mark.parametrize("fence", ["```json\n{}\n```", " ```\n{}```\n", "```JSON\r\n{}\r\n```"])
def test_a_reply_in_a_fence_of_markdown_is_read(fence: str) -> None:
    text = fence.replace("{}", json.dumps({"width": 3}))
    reply = read(Size, text)
    assert (reply.parsed, reply.text) == ({"width": 3}, text)


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        (Recipe, {**RECIPE, "title": 5}, r"does not fit Recipe: Expected `str`, got `int` - at `\$.title`"),
        (Recipe, {**RECIPE, "ingredients": [{"name": None}]}, r"at `\$.ingredients\[0\].name`"),
        (Recipe, {**RECIPE, "minutes": 4.0}, r"Expected `int`, got `float` - at `\$.minutes`"),
        (Recipe, {**RECIPE, "minutes": True}, r"at `\$.minutes`"),
        (Recipe, {**RECIPE, "minutes": "4"}, r"at `\$.minutes`"),
        (Recipe, {**RECIPE, "color": "green"}, r"Invalid enum value 'green' - at `\$.color`"),
        (Recipe, {"title": "a"}, "missing required field `ingredients`"),
        (Recipe, {**RECIPE, "more": 1}, r"Unexpected field - at `\$.more`"),
        (Recipe, {**RECIPE, "ingredients": [{"name": "a", "b": 1}]}, r"at `\$.ingredients\[0\].b`"),
        (Node, {"name": "a", "children": [{"name": "b", "c": 1}]}, r"at `\$.children\[0\].c`"),
        (Checked, {"n": 1}, "'n' must be >= 3"),
        (Recipe, "Here is your recipe: {}", "JSON is malformed"),
        (Recipe, "```", "JSON is malformed"),
        (Recipe, "```python\n{}\n```", "JSON is malformed"),
        (Recipe, "[]", "Expected `object`, got `array`"),
        (Recipe, json.dumps(RECIPE)[:-1], "Input data was truncated"),
        (Recipe, '{"title": "\ud800"}', "surrogates not allowed"),
        (Node, '{"name": "a", "children": [' * 100_000, "recursion|truncated"),
        (Recipe, " ", "the reply is empty"),
    ],
)
def test_a_reply_that_does_not_fit_says_where_and_keeps_its_text(kind: Any, value: Any, problem: str) -> None:
    text = value if isinstance(value, str) else json.dumps(value)
    with pytest.raises(DecodingError, match=problem) as caught:
        read(kind, text)
    assert (caught.value.partial, caught.value.provider, caught.value.outcome_unknown) == (text, "skytells", True)


@pytest.mark.parametrize(
    ("message", "finish_reason", "problem"),
    [
        ({"content": None, "refusal": "I cannot help with that."}, "stop", "the model refused: I cannot help"),
        ({"content": '{"title": "Jol'}, "length", "the reply was cut at the limit of tokens"),
        ({"content": ""}, "length", "was cut at the limit"),
        ({"content": None}, "content_filter", "the content filter blocked the reply"),
        ({"content": ""}, "stop", "the reply is empty"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_without_a_complete_text_says_why(
    message: Any, finish_reason: str, problem: str, stream: bool
) -> None:
    completion = {"choices": [{"message": message, "finish_reason": finish_reason}]}
    async with asked(completion) as (api, _):
        with pytest.raises(DecodingError, match=problem) as caught:
            await (api.chat_stream("Jollof", into=Recipe).finish() if stream else api.chat("Jollof", into=Recipe))
    assert caught.value.partial == (message["content"] or "")


# Services


class asked:
    """`async with asked(completion) as (api, server)`: a client of Skytells whose server sends a completion."""

    def __init__(self, completion: Any, **clients: Any) -> None:
        self._server = Server(make_response(body=json.dumps(completion).encode(), X_Request_Id="r1"))
        self._clients = clients

    async def __aenter__(self) -> tuple[KellyAPI, Server]:
        await self._server.__aenter__()
        self._api = KellyAPI(skytells=Skytells("key", base_url=self._server.url), **self._clients)
        return self._api, self._server

    async def __aexit__(self, *error: Any) -> None:
        await self._api.close()
        await self._server.__aexit__(None, None, None)


COMPLETION = {
    "model": "m",
    "choices": [{"message": {"content": json.dumps(RECIPE)}, "finish_reason": "stop"}],
    "usage": {"total_tokens": 9},
}


async def test_the_class_is_sent_to_the_provider_that_has_it_and_the_reply_is_parsed() -> None:
    async with asked(COMPLETION, api_key="kelly", aerostack="key") as (api, server):
        reply = await api.chat("Jollof", into=Recipe, temperature=0)
    assert (reply.parsed.title, reply.parsed.ingredients[0].name) == ("Jollof", "rice")
    assert (reply.provider, reply.tried, reply.request_id, reply.raw) == ("skytells", ("skytells",), "r1", COMPLETION)
    sent = json.loads(server.requests[0].body)
    assert sent == {
        "model": "deepbrain-router",
        "messages": [{"role": "user", "content": "Jollof"}],
        "temperature": 0,
        "response_format": make_reply_format(Recipe).response_format,
    }


async def test_a_stream_is_parsed_at_its_end() -> None:
    async with asked(COMPLETION) as (api, server):
        async with api.chat_stream([Message("user", "Jollof")], into=Recipe, fallback=True) as stream:
            with pytest.raises(DecodingError):
                print(stream.reply.parsed if stream.text == "" else stream.text)
            assert "".join([piece async for piece in stream]) == json.dumps(RECIPE)
        assert (stream.reply.parsed.title, stream.reply.tried, stream.text) == (
            "Jollof",
            ("skytells",),
            json.dumps(RECIPE),
        )
        assert stream.completion.model == "m"
        assert json.loads(server.requests[0].body)["response_format"]["type"] == "json_schema"
        assert [chunk.model async for chunk in api.chat_stream("Jollof", into=Recipe).chunks()] == ["m"]
        reply = await api.chat_stream("Jollof", into=Recipe).finish()
        assert reply.parsed.minutes == 45


CALLS: dict[str, Callable[..., Any]] = {
    "chat": lambda api, **options: api.chat("Jollof", **options),
    "chat_stream": lambda api, **options: api.chat_stream("Jollof", **options).finish(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("options", "error", "problem"),
    [
        ({"into": Recipe, "provider": "kelly"}, ValueError, "kelly has no response_format: only skytells can do this"),
        ({"into": Recipe, "provider": "aerostack"}, ValueError, "aerostack has no response_format: only skytells"),
        ({"into": Recipe, "tools": [{}]}, ValueError, "into cannot be used with tools"),
        ({"into": OfPlain}, TypeError, "OfPlain.things"),
        ({"into": 5}, TypeError, "into must be None or a class|into must be a class"),
        ({"into": "Recipe"}, TypeError, "into must be"),
    ],
)
async def test_what_no_provider_can_do_is_refused_before_anything_is_sent(
    call: str, options: Any, error: type[Exception], problem: str
) -> None:
    async with asked(COMPLETION, api_key="kelly", aerostack="key") as (api, server):
        with pytest.raises(error, match=problem):
            await CALLS[call](api, **options)
        assert server.requests == []


async def test_a_reply_that_does_not_fit_is_not_asked_for_again() -> None:
    async with asked({"choices": [{"message": {"content": "{}"}}]}) as (api, server):
        for _ in range(5):
            with pytest.raises(KellyAPIError) as caught:
                await api.chat("Jollof", into=Recipe, fallback=True)
        assert (caught.value.partial, caught.value.request_id, len(server.requests)) == ("{}", "r1", 5)
