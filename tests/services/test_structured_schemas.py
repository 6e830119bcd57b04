"""Structured output: the schemas of classes, and classes that have none."""

from __future__ import annotations

import dataclasses
import datetime
import sys
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import pytest
from attrs import field, frozen
from msgspec import Meta

from kellyapi.services.structured_output import make_reply_format

from .structured_classes import Ingredient, Node, OfPlain, Page, Plain, Prices, Recipe


def schema_of(kind: type[Any]) -> Any:
    return make_reply_format(kind).response_format["json_schema"]["schema"]


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


class Point(NamedTuple):
    x: int


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
