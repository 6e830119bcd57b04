"""Structured output in the sandbox's chats and responses: JSON that fits a schema, and schemas that are refused."""

from __future__ import annotations

import datetime
import enum
import json
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from attrs import frozen
from msgspec import Meta

from kellyapi import BadRequestError, ChatReply, KellyAPI
from kellyapi.sandbox.frontend import ApiError
from kellyapi.sandbox.response_format import read_response_format, write_json
from kellyapi.sandbox.skytells.inference.conversation import parameter_error
from kellyapi.services.structured_output import make_reply_format

PROMPT = 'Write title: "Jollof rice" with 3 cups and 45 minutes, by Ama Mensah, in red'


def closed(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object in strict mode."""
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def asked(schema: Any, *, strict: Any = True, **others: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": schema, "strict": strict, **others}}


def written(form: Any, prompt: str = PROMPT) -> Any:
    """Return the parsed reply to a prompt in a form."""
    format = read_response_format(form, "response_format", parameter_error)
    return json.loads(write_json(format, prompt, "", parameter_error))


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


@pytest.mark.parametrize(
    ("schema", "reply"),
    [
        (closed(title=TEXT, cups=NUMBER, cook=TEXT), {"title": "Jollof rice", "cups": 3, "cook": "Jollof rice"}),
        (closed(color={"type": "string", "enum": ["blue", "red"]}), {"color": "red"}),
        (closed(a={"type": "string", "const": "b"}), {"a": "b"}),
        (closed(a={"anyOf": [{"type": "null"}, NUMBER]}), {"a": 3}),
        (closed(a={"anyOf": [{"anyOf": [closed(b=NUMBER)]}]}), {"a": {"b": 3}}),
        (closed(a={"type": ["null", "integer"]}), {"a": 3}),
        (closed(a={"type": "integer", "minimum": 10}, b={"type": "number", "maximum": 1.5}), {"a": 10, "b": 1.5}),
        (closed(a={"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 9}), {"a": 4}),
        (closed(a={"type": "number", "exclusiveMaximum": 3}), {"a": 2.5}),
        (closed(a={"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}), {"a": [3, 45]}),
        (closed(a={"type": "array", "items": NUMBER, "maxItems": 0}), {"a": []}),
        (closed(a={"type": "string", "format": "date"}), {"a": "2026-01-31"}),
        (
            {**closed(a={"type": "array", "items": {"$ref": "#/$defs/part"}}), "$defs": {"part": closed(b=NUMBER)}},
            {"a": [{"b": 3}]},
        ),
        (closed(), {}),
    ],
)
def test_a_reply_fits_its_schema(schema: Any, reply: Any) -> None:
    assert written(asked(schema)) == reply


def test_an_object_that_holds_itself_has_an_end() -> None:
    for inner in (
        {"type": "array", "items": {"$ref": "#"}},
        {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    ):
        assert written(asked(closed(left=inner, right=inner))).keys() == {"left", "right"}
    with pytest.raises(ApiError, match="too large for the sandbox"):
        written(asked(closed(a={"$ref": "#"})))


async def test_chats_streams_and_responses_have_the_form(api: KellyAPI) -> None:
    form, reply = asked(closed(title=TEXT, cups=NUMBER)), {"title": "Jollof rice", "cups": 3}
    chat = await api.skytells.chat.create("gpt-5", PROMPT, response_format=form)
    assert json.loads(chat.text) == reply
    stream = api.skytells.chat.stream("gpt-5", PROMPT, response_format=form)
    assert json.loads((await stream.finish()).text) == reply
    flat = {"type": "json_schema", **form["json_schema"]}
    response = await api.skytells.responses.create("gpt-5", PROMPT, text={"format": flat})
    assert json.loads(response.text) == reply
    with pytest.raises(BadRequestError, match="text must be an object"):
        await api.skytells.responses.create("gpt-5", PROMPT, extra_body={"text": "json"})


async def test_a_reply_of_any_object_needs_the_word_json(api: KellyAPI) -> None:
    form = {"type": "json_object"}
    reply = (await api.skytells.chat.create("gpt-5", "What is 2 + 3? Use JSON.", response_format=form)).text
    assert json.loads(reply).keys() == {"reply"}
    with pytest.raises(BadRequestError, match="must contain the word 'json'"):
        await api.skytells.chat.create("gpt-5", "What is 2 + 3?", response_format=form)
    reply = (await api.skytells.chat.create("gpt-5", "Say hello", response_format={"type": "text"})).text
    assert not reply.startswith("{")


async def test_a_short_limit_cuts_the_json(api: KellyAPI) -> None:
    form = asked(closed(title=TEXT, cook=TEXT))
    completion = await api.skytells.chat.create("gpt-5", PROMPT, response_format=form, max_tokens=2)
    assert completion.choices[0].finish_reason == "length"
    with pytest.raises(ValueError, match=r"delimiter|Unterminated|Expecting"):
        json.loads(completion.text)


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("json", "response_format must be an object"),
        ({"type": "yaml"}, "response_format.type must be"),
        ({"type": "json_schema"}, "response_format.json_schema.name must be"),
        ({"type": "json_schema", "json_schema": []}, "response_format.json_schema must be an object"),
        (asked(closed(), name="a b"), "json_schema.name must be"),
        (asked([]), "json_schema.schema must be a JSON Schema"),
        (asked(closed(), strict="yes"), "json_schema.strict must be"),
        (asked({"type": "array", "items": TEXT}), "its root must be of type 'object'"),
        (asked({"$ref": "#/$defs/a", "$defs": {"a": closed()}}), "its root must be of type 'object'"),
        (asked({**closed(a=TEXT), "additionalProperties": True}), "'additionalProperties' is required"),
        (asked(closed(a={"type": "object"})), "#/properties/a: 'additionalProperties' is required"),
        (asked({**closed(a=TEXT), "required": []}), "'required' is required to be supplied"),
        (asked(closed(a={"type": "string", "default": "b"})), "'default' is not permitted"),
        (asked(closed(a={})), "#/properties/a: 'type' is needed"),
        (asked(closed(a={"type": "array"})), "'items' is needed"),
        (asked(closed(a={"type": "text"})), "'type' must be one of"),
        (asked(closed(a={"$ref": "#/$defs/b"})), "#/properties/a refers to a schema that is not there"),
        (asked(closed(a={"anyOf": []})), "'anyOf' must be an array"),
        (asked(closed(a=5)), "#/properties/a must be an object"),
        (asked({**closed(), "$defs": {"b": {"type": "object"}}}), r"#/\$defs/b: 'additionalProperties'"),
        (asked({"type": "object", "properties": []}, strict=False), "'properties' must be an object"),
    ],
)
def test_a_wrong_form_is_refused(form: Any, problem: str) -> None:
    with pytest.raises(ApiError, match=problem) as caught:
        written(form)
    assert (caught.value.status, caught.value.code) == (400, "INVALID_PARAMETER")


def test_a_field_with_a_long_name_is_not_looked_for() -> None:
    for length, found in ((100, "yes"), (101, "a" * 101 + "=yes")):
        name = "a" * length
        assert written(asked(closed(**{name: TEXT})), f"{name}=yes") == {name: found}


def test_without_strict_mode_a_schema_may_leave_fields_open() -> None:
    for strict in (False, None):
        form = asked({"type": "object", "properties": {"a": {"type": "integer", "default": 7}}}, strict=strict)
        assert written(form, "x") == {"a": 7}


def chain(length: int) -> dict[str, Any]:
    """Return definitions each of which holds the next one ten times."""
    fields = [f"f{number}" for number in range(10)]
    inner = {f"d{n}": closed(**{name: {"$ref": f"#/$defs/d{n + 1}"} for name in fields}) for n in range(length)}
    return {**closed(a={"$ref": "#/$defs/d0"}), "$defs": {**inner, f"d{length}": closed(b=TEXT)}}


def deep(levels: int) -> dict[str, Any]:
    schema = closed(a=TEXT)
    for _ in range(levels):
        schema = closed(a=schema)
    return schema


HOSTILE: dict[str, tuple[dict[str, Any], bool]] = {
    "many properties": (closed(**{f"a{number}": TEXT for number in range(20_000)}), True),
    "a laugh": (chain(9), True),
    "long names": (closed(**{"x" * 1_000_000: closed(**{f"a{number}": TEXT for number in range(1000)})}), True),
    "many alternatives": (
        closed(a={"type": "array", "minItems": 10**9, "items": {"anyOf": [closed()] * 4000}}),
        True,
    ),
    "a long reference": (closed(a={"$ref": "#" + "/a" * 1_000_000}), True),
    "references in a circle": ({**closed(a={"$ref": "#/$defs/b"}), "$defs": {"b": {"$ref": "#/$defs/b"}}}, True),
    "deep": (deep(40), True),
    "many definitions": ({**closed(a=TEXT), "$defs": {f"a{number}": TEXT for number in range(20_000)}}, True),
    "a long value that is repeated": (
        {
            **closed(a={"type": "array", "minItems": 1900, "items": {"$ref": "#/$defs/b"}}),
            "$defs": {"b": {"type": "string", "const": "x" * 100_000}},
        },
        True,
    ),
    "a slow pattern": (closed(a={"type": "string", "pattern": "(a+)+$"}), False),
}
"""Schemas, and whether they are refused."""


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_schema_is_refused_or_answered_soon(name: str) -> None:
    schema, is_refused = HOSTILE[name]
    if is_refused:
        with pytest.raises(ApiError) as caught:
            written(asked(schema), "a" * 10_000 + "!")
        assert len(caught.value.message) < 1000
    else:
        assert written(asked(schema), "a" * 10_000 + "!").keys() == schema["properties"].keys()


# Replies for classes


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@frozen
class Part:
    name: str
    grams: Annotated[float, Meta(gt=0, le=5)] | None


@frozen
class Dish:
    title: str
    parts: list[Part]
    color: Color
    kind: Literal["hot", 3, None]
    at: datetime.datetime
    day: datetime.date
    time: datetime.time
    took: datetime.timedelta
    id: UUID
    size: tuple[int, int]
    prices: dict[str, float]
    note: str | int | None
    side: Dish | None


@frozen
class Tree:
    left: list[Tree]
    right: list[Tree]


@pytest.mark.parametrize("kind", [Dish, Tree, Part])
@pytest.mark.parametrize("prompt", ["", PROMPT, "title=5 grams=-3 size=x", "x" * 5000])
def test_the_sandbox_fits_the_class_that_a_chat_asks_for(kind: Any, prompt: str) -> None:
    format = make_reply_format(kind)
    text = json.dumps(written(format.response_format, prompt))
    assert isinstance(format.read(ChatReply(text=text, provider="skytells")).parsed, kind)


async def test_a_chat_with_a_class_works_with_the_sandbox(api: KellyAPI) -> None:
    reply = await api.chat(PROMPT, into=Part)
    assert (reply.parsed, reply.provider) == (Part("Jollof rice", 3), "skytells")
    assert (await api.chat_stream(PROMPT, into=Part, fallback=True).finish()).parsed == reply.parsed
