"""Parsed JSON to values: what is accepted, what is refused, and which optional fields are left out and reported."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
from attrs import field, frozen

from kellyapi._data.decoding import Shape, decode, json_name
from kellyapi._data.json_text import dumps, loads
from kellyapi.errors import DecodingError


@frozen
class Word:
    """A value inside others."""

    word: str
    start: float
    count: int = 0


@frozen(kw_only=True)
class Sample:
    """One field of each kind."""

    text: str
    number: float = 0.0
    whole: int = 0
    flag: bool = False
    maybe: str | None = None
    words: tuple[Word, ...] = ()
    names: dict[str, str] = field(factory=dict)
    anything: object = None
    source_key: str = json_name("sourceKey", default="")


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ({"text": "a"}, {}),
        ({"text": ""}, {"text": ""}),
        ({"text": "a", "number": 1}, {"number": 1.0}),
        ({"text": "a", "number": 1.5}, {"number": 1.5}),
        ({"text": "a", "number": "1.5"}, {"number": 1.5}),
        ({"text": "a", "number": "-2e3"}, {"number": -2000.0}),
        ({"text": "a", "whole": 3}, {"whole": 3}),
        ({"text": "a", "whole": "3"}, {"whole": 3}),
        ({"text": "a", "whole": 3.0}, {"whole": 3}),
        ({"text": "a", "flag": True}, {"flag": True}),
        ({"text": "a", "maybe": "b"}, {"maybe": "b"}),
        ({"text": "a", "maybe": None}, {"maybe": None}),
        ({"text": "a", "number": None, "whole": None, "flag": None, "words": None, "names": None}, {}),
        ({"text": "a", "words": []}, {"words": ()}),
        ({"text": "a", "words": [{"word": "w", "start": 0}]}, {"words": (Word("w", 0.0),)}),
        ({"text": "a", "names": {"b": "c"}}, {"names": {"b": "c"}}),
        ({"text": "a", "anything": [1, {"b": None}]}, {"anything": [1, {"b": None}]}),
        ({"text": "a", "sourceKey": "k"}, {"source_key": "k"}),
        ({"text": "a", "source_key": "k"}, {"source_key": ""}),
        ({"text": "a", "unknown": 1, "another": {"b": 2}}, {}),
        ({"text": "\u0000 ɛ 🎉"}, {"text": "\u0000 ɛ 🎉"}),
    ],
)
def test_values_that_the_protocol_allows_are_accepted(value: Any, fields: dict[str, Any]) -> None:
    result = decode(loads(dumps(value)), Sample)
    assert result == Sample(**{"text": "a", **fields})
    assert {name: type(getattr(result, name)) for name in fields} == {name: type(one) for name, one in fields.items()}


@frozen
class Needed:
    """An array and a mapping that must be there."""

    sizes: tuple[int, ...]
    names: dict[str, str]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"sizes": [1, "two"], "names": {}}, "$.sizes[1]: expected a number"),
        ({"sizes": [1], "names": {"a": "b", "c": 5}}, "$.names['c']: expected a string"),
    ],
)
def test_a_wrong_item_of_a_needed_array_or_mapping_is_an_error(value: Any, where: str) -> None:
    with pytest.raises(DecodingError) as caught:
        decode(value, Needed)
    assert where in caught.value.message
    assert decode({"sizes": [1], "names": {"a": "b"}}, Needed) == Needed((1,), {"a": "b"})


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (None, "$: expected an object"),
        ([], "$: expected an object"),
        ("text", "$: expected an object"),
        ({}, "$.text: missing"),
        ({"text": None}, "$.text: expected a string, got None"),
        ({"text": 1}, "$.text: expected a string, got 1"),
        ({"text": True}, "$.text: expected a string"),
        ({"text": ["a"]}, "$.text: expected a string"),
        ({"text": 1, "flag": 1, "whole": 0.5}, "$.text: expected a string, got 1"),
    ],
)
def test_a_needed_field_of_a_wrong_type_is_an_error_that_names_its_path(value: Any, where: str) -> None:
    with pytest.raises(DecodingError) as caught:
        decode(value, Sample)
    assert where in caught.value.message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"text": "a", "number": True}, "$.number: expected a number (float), got True"),
        ({"text": "a", "number": "one"}, "$.number"),
        ({"text": "a", "number": ""}, "$.number"),
        ({"text": "a", "number": "nan"}, "$.number"),
        ({"text": "a", "number": "1_000"}, "$.number"),
        ({"text": "a", "number": []}, "$.number"),
        ({"text": "a", "number": float("inf")}, "$.number"),
        ({"text": "a", "number": 10**400}, "$.number"),
        ({"text": "a", "number": "1" + "0" * 400}, "$.number"),
        ({"text": "a", "whole": 1.5}, "$.whole: expected a number (int), got 1.5"),
        ({"text": "a", "whole": False}, "$.whole: expected a number (int), got False"),
        ({"text": "a", "whole": "1.5"}, "$.whole"),
        ({"text": "a", "whole": "9" * 5000}, "$.whole"),
        ({"text": "a", "flag": 1}, "$.flag: expected true or false, got 1"),
        ({"text": "a", "flag": "false"}, "$.flag: expected true or false, got 'false'"),
        ({"text": "a", "maybe": 1}, "$.maybe: expected a string, got 1"),
        ({"text": "a", "words": {}}, "$.words: expected an array"),
        ({"text": "a", "words": "ab"}, "$.words: expected an array"),
        ({"text": "a", "words": [None]}, "$.words[0]: expected an object, got None"),
        (
            {"text": "a", "words": [{"word": "w", "start": None}]},
            "$.words[0].start: expected a number (float), got None",
        ),
        (
            {"text": "a", "words": [{"word": "w", "start": 0}, {"word": "w", "start": 0, "count": 0.5}]},
            "$.words[1].count: expected a number (int), got 0.5",
        ),
        ({"text": "a", "names": []}, "$.names: expected an object"),
        ({"text": "a", "names": {"b": None}}, "$.names['b']: expected a string, got None"),
        ({"text": "a", "sourceKey": 1}, "$.sourceKey: expected a string"),
    ],
)
def test_an_optional_field_of_a_wrong_type_is_left_out_and_reported(value: Any, where: str) -> None:
    reported: list[str] = []
    found = decode(value, Sample, reported.append)
    assert len(reported) == 1
    assert reported[0].startswith(where)
    words = (Word("w", 0.0), Word("w", 0.0)) if where.startswith("$.words[1].count") else ()
    assert found == Sample(text="a", words=words)  # only the inner optional field is left out


@pytest.mark.parametrize(
    ("value", "into", "result"),
    [
        ("a", str, "a"),
        (["a"], tuple[str, ...], ("a",)),
        ({"a": ["b"]}, dict[str, tuple[str, ...]], {"a": ("b",)}),
        ({"a": [1]}, object, {"a": [1]}),
        (None, object, None),
        ("a", Shape(str, lambda text: text * 2), "aa"),
    ],
)
def test_types_and_shapes_can_be_decoded_into(value: Any, into: Any, result: Any) -> None:
    assert decode(value, into) == result


def test_a_shape_may_refuse_a_value() -> None:
    def read(value: Any) -> Any:
        raise DecodingError("not this")

    with pytest.raises(DecodingError, match="not this"):
        decode({}, Shape(object, read))


def test_a_message_is_short_however_long_the_value() -> None:
    with pytest.raises(DecodingError) as caught:
        decode({"text": ["x" * 10_000] * 100, "whole": "y" * 10_000, "names": {"z" * 10_000: 1}}, Sample)
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize("depth", [500, 1000])
def test_deeply_nested_json_in_the_wrong_field_is_a_decoding_error(depth: int) -> None:
    nested: Any = []
    for _ in range(depth):
        nested = [nested]
    with pytest.raises(DecodingError):
        decode({"text": nested}, Sample)


# Open enums: a known word becomes a member, another stays a string


class Colour(StrEnum):
    """Two known words."""

    RED = "red"
    DARK_BLUE = "dark-blue"


@frozen
class Painted:
    """A value with words of an open set."""

    colour: Colour | str
    other: Colour | str = Colour.RED
    maybe: Colour | str | None = None
    many: tuple[Colour | str, ...] = ()


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ({"colour": "red"}, Painted(Colour.RED)),
        ({"colour": "dark-blue"}, Painted(Colour.DARK_BLUE)),
        ({"colour": "green"}, Painted("green")),
        ({"colour": ""}, Painted("")),
        ({"colour": "RED"}, Painted("RED")),
        ({"colour": "red", "other": None, "maybe": None}, Painted(Colour.RED)),
        ({"colour": "red", "other": "green", "maybe": "red"}, Painted(Colour.RED, "green", Colour.RED)),
        ({"colour": "red", "many": ["red", "green"]}, Painted(Colour.RED, many=(Colour.RED, "green"))),
    ],
)
def test_a_known_word_becomes_a_member_of_its_enum(value: Any, result: Painted) -> None:
    found = decode(value, Painted)
    assert found == result
    kinds = [type(one) for one in (found.colour, found.other, found.maybe, *found.many)]
    assert kinds == [type(one) for one in (result.colour, result.other, result.maybe, *result.many)]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({}, "$.colour: missing"),
        ({"colour": None}, "$.colour: expected a string, got None"),
        ({"colour": 1}, "$.colour: expected a string, got 1"),
        ({"colour": ["red"]}, "$.colour: expected a string"),
    ],
)
def test_a_value_that_is_no_word_is_refused_with_its_path(value: Any, where: str) -> None:
    with pytest.raises(DecodingError) as caught:
        decode(value, Painted)
    assert where in caught.value.message


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"colour": "red", "other": False}, "$.other: expected a string, got False"),
        ({"colour": "red", "many": ["red", 1]}, "$.many[1]: expected a string, got 1"),
    ],
)
def test_a_value_that_is_no_word_in_an_optional_field_is_left_out_and_other_fields_are_kept(
    value: Any, where: str
) -> None:
    reported: list[str] = []
    many = (Colour.RED,) if "many" in value else ()
    assert decode(value, Painted, reported.append) == Painted(Colour.RED, many=many)
    assert reported == [where]
