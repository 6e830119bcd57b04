"""`can_decode`: which types JSON can be read into."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import attrs
import pytest
from attrs import frozen

import kellyapi
from kellyapi._data.decoding import can_decode, decode

MADE_OF_OTHERS = {"Image", "Speech", "Video", "Music", "Translation", "ParsedReply", "CursorPage"}
"""Results that are not read from one JSON object."""
PUBLIC = [getattr(kellyapi, name) for name in kellyapi.__all__]
RESULTS = [each for each in PUBLIC if inspect.isclass(each) and issubclass(each, kellyapi.Result) and attrs.has(each)]


class Color(StrEnum):
    """A closed set of strings, which is read as a string."""

    RED = "red"


@frozen
class Leaf:
    """A class in others."""

    name: str
    color: Color | str | None = None


@frozen
class Tree:
    """A class with others in it, twice."""

    leaf: Leaf
    leaves: dict[str, list[Leaf]] = attrs.field(factory=dict)


@frozen
class Endless:
    """A class that contains itself."""

    parts: tuple[Endless, ...] = ()


@frozen
class Blob:
    """A class with a field that no JSON has."""

    data: bytes


@pytest.mark.parametrize("kind", [each for each in RESULTS if each.__name__ not in MADE_OF_OTHERS])
def test_results_can_be_read(kind: Any) -> None:
    assert can_decode(kind)
    assert can_decode(tuple[kind, ...])
    assert can_decode(dict[str, kind])


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (object, None, None),
        (dict, {"a": 1}, {"a": 1}),
        (list, [1, "a"], [1, "a"]),
        (list[str], ["a"], ["a"]),
        (tuple[int, ...], [1], (1,)),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (str | None, None, None),
        (Color | str, "red", Color.RED),
        (Tree, {"leaf": {"name": "a"}, "leaves": {"b": [{"name": "c"}]}}, Tree(Leaf("a"), {"b": [Leaf("c")]})),
    ],
)
def test_types_that_can_be_read_are_read(kind: Any, value: Any, result: Any) -> None:
    assert can_decode(kind)
    assert decode(value, kind) == result


@pytest.mark.parametrize(
    "kind",
    [
        *(each for each in RESULTS if each.__name__ in MADE_OF_OTHERS),
        *(bytes, set, Sequence[str], tuple, tuple[int, str], dict[int, str], dict[str, bytes], list[Blob], Blob | None),
        *(attrs.make_class("Untyped", ["a"]), int | list[int], Endless, None, 5, "Tree", [], Leaf("a"), print),
    ],
)
def test_other_types_are_known_to_be_unreadable(kind: Any) -> None:
    assert not can_decode(kind)
