"""Classes that replies are read into."""

from __future__ import annotations

import dataclasses
import enum
from typing import Generic, Literal, TypeVar

import attrs
from attrs import field, frozen

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


@frozen
class Page(Generic[T]):
    items: list[T]


class Plain:
    pass


@frozen
class OfPlain:
    things: list[Plain]
