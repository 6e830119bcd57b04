"""Structured output: the schema of a class, replies that fit it or not, and which provider is asked."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import sys
from collections.abc import Callable
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar
from uuid import UUID

import attrs
import pytest
from attrs import field, frozen
from msgspec import Meta, Struct
from servers import Server, make_response

from kellyapi import ChatReply, DecodingError, KellyAPI, KellyAPIError, Message, ParsedReply, Skytells
from kellyapi.services.structured_output import make_reply_format

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@frozen
class Ingredient:
    name: str
    grams: float | None = None


@frozen
class Recipe:
    """How a dish is cooked."""

    title: str
    ingredients: list[Ingredient]
    minutes: int = 5
    color: Color = Color.RED
    kind: Literal["hot", "cold", 3] = "hot"
    tags: tuple[str, ...] = ()
    note: str | int | None = None


@dataclasses.dataclass
class Node:
    name: str
    children: list[Node] = dataclasses.field(default_factory=list)


@frozen
class Prices:
    by_name: dict[str, float]


@frozen
class Checked:
    n: int = field(validator=attrs.validators.ge(3))


RECIPE = {
    "title": "Jollof",
    "ingredients": [{"name": "rice", "grams": 300.0}],
    "minutes": 45,
    "color": "blue",
    "kind": "cold",
    "tags": ["lunch"],
    "note": None,
}


def schema_of(kind: type[Any]) -> Any:
    return make_reply_format(kind).response_format["json_schema"]["schema"]


def read(kind: type[Any], value: Any, **fields: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value)
    return make_reply_format(kind).read(ChatReply(text=text, provider="skytells", **fields))


# Schemas


def test_the_format_of_a_class_is_that_of_strict_mode() -> None:
    assert make_reply_format(Recipe).response_format == {
        "type": "json_schema",
        "json_schema": {
            "name": "Recipe",
            "strict": True,
            "schema": {
                "title": "Recipe",
                "description": "How a dish is cooked.",
                "type": "object",
                "properties": {
                    "title": {"type": "string"},
                    "ingredients": {"type": "array", "items": {"$ref": "#/$defs/Ingredient"}},
                    "minutes": {"type": "integer"},
                    "color": {"$ref": "#/$defs/Color"},
                    "kind": {"enum": [3, "cold", "hot"], "type": ["integer", "string"]},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "note": {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
                },
                "required": ["title", "ingredients", "minutes", "color", "kind", "tags", "note"],
                "additionalProperties": False,
                "$defs": {
                    "Ingredient": {
                        "title": "Ingredient",
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "grams": {"anyOf": [{"type": "number"}, {"type": "null"}]},
                        },
                        "required": ["name", "grams"],
                        "additionalProperties": False,
                    },
                    "Color": {"title": "Color", "enum": ["blue", "red"], "type": "string"},
                },
            },
        },
    }


def test_a_class_that_holds_itself_stays_a_definition_too() -> None:
    schema = schema_of(Node)
    assert schema["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert schema["$defs"]["Node"] == {name: value for name, value in schema.items() if name != "$defs"}


def test_a_dict_with_free_keys_is_no_strict_mode() -> None:
    described = make_reply_format(Prices).response_format["json_schema"]
    assert described["schema"]["properties"] == {
        "by_name": {"type": "object", "additionalProperties": {"type": "number"}}
    }
    assert described["strict"] is False


def test_names_limits_and_formats_are_those_that_the_provider_knows() -> None:
    @frozen
    class Größe:
        at: Annotated[datetime.datetime, Meta(description="when")]
        times: list[datetime.time] | None
        day: datetime.date
        id: UUID
        data: bytes
        count: Annotated[int, Meta(ge=1, lt=9)]
        word: Annotated[str, Meta(min_length=2, pattern="^a")]
        three: tuple[int, int, int]
        numbers: set[int]

    format = make_reply_format(Größe).response_format["json_schema"]
    assert format["name"] == "Gr__e"
    assert format["schema"]["properties"] == {
        "at": {"type": "string", "format": "date-time", "description": "when"},
        "times": {"anyOf": [{"type": "array", "items": {"type": "string", "format": "time"}}, {"type": "null"}]},
        "day": {"type": "string", "format": "date"},
        "id": {"type": "string", "format": "uuid"},
        "data": {"type": "string"},
        "count": {"type": "integer", "minimum": 1, "exclusiveMaximum": 9},
        "word": {"type": "string", "pattern": "^a"},
        "three": {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 3},
        "numbers": {"type": "array", "items": {"type": "integer"}},
    }


class Plain:
    pass


class Point(NamedTuple):
    x: int


@frozen
class OfPlain:
    things: list[Plain]


@frozen
class Outer:
    inner: dict[str, OfPlain] | None


@frozen
class OfAnything:
    a: Any


@frozen
class OfTwoClasses:
    a: Node | Ingredient


@frozen
class OfPair:
    a: tuple[int, str]


@frozen
class Computed:
    a: int
    b: int = field(init=False)


@dataclasses.dataclass
class ComputedData:
    a: int
    b: int = dataclasses.field(init=False, default=1)


@frozen
class Unknown:
    a: Nowhere  # type: ignore[name-defined]  # noqa: F821  the point


@frozen
class Page(Generic[T]):
    items: list[T]


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (OfPlain, "OfPlain.things cannot be expressed: .*Plain.* is not supported"),
        (Outer, "OfPlain.things cannot be expressed"),
        (OfTwoClasses, "OfTwoClasses.a cannot be expressed: .* more than one dataclass or attrs type"),
        (OfAnything, "OfAnything.a may hold anything"),
        (Page, "Page.items may hold anything"),
        (OfPair, "OfPair.a has items of several types"),
        (Computed, "Computed.b has init=False"),
        (ComputedData, "ComputedData.b has init=False"),
        (Unknown, "annotations of Unknown cannot be read: name 'Nowhere' is not defined"),
        (Plain, "Plain cannot be expressed"),
        (Point, "an attrs class or a dataclass, not Point"),
        (int, "an attrs class or a dataclass, not int"),
        (dict[str, int], "an attrs class or a dataclass, not dict"),
    ],
    ids=str,
)
def test_a_class_that_cannot_be_expressed_is_a_type_error_that_names_the_field(kind: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=f"into.*{problem}"):
        make_reply_format(kind)


def test_without_msgspec_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install \"kellyapi\[structured\]\""):
        make_reply_format(Recipe)


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
