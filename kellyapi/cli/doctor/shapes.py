"""The shape of JSON: which fields it has, and their types. Two shapes are compared without showing a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs
from attrs import evolve, field, frozen

_KINDS: dict[type, str] = {
    NoneType: "null",
    bool: "true or false",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_ANYTHING = "anything"
_NAME = re.compile(r"[A-Za-z_$][\w$-]{0,39}", re.ASCII)


@frozen
class JSONShape:
    """The shape of a value, or of several values at one place."""

    kinds: frozenset[str] = frozenset()
    """Such as "string"; empty if no value was seen."""
    fields: Mapping[str, JSONShape] = field(factory=dict)
    items: JSONShape | None = None
    """Of an array that was not empty."""
    keyed: bool = False
    """Whether the names of the fields are data, such as the codes of languages."""


@frozen
class Difference:
    """A place at which two shapes differ."""

    path: str
    """Such as "$[].pricing.amount". A name that may be data is replaced by "…"."""
    kind: Literal["missing", "unknown", "type"]
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def shape_of_json(value: Any) -> JSONShape:
    """Return the shape of parsed JSON. The items of an array have one shape together."""
    kinds = frozenset({_KINDS[type(value)]})
    if isinstance(value, dict):
        return JSONShape(kinds, {name: shape_of_json(each) for name, each in value.items()})
    if isinstance(value, list):
        return JSONShape(kinds, items=merge(*map(shape_of_json, value)) if value else None)
    return JSONShape(kinds)


def shape_of_type(kind: Any) -> JSONShape:
    """Return the shape that the library reads into a type: a result, `tuple[T, ...]`, `dict[str, T]`, …"""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return merge(*map(shape_of_type, arguments))
    if origin is tuple:
        return JSONShape(frozenset({"array"}), items=shape_of_type(arguments[0]))
    if origin is dict:
        return JSONShape(frozenset({"object"}), {"…": shape_of_type(arguments[1])}, keyed=True)
    if attrs.has(kind):
        known = [each for each in attrs.fields(attrs.resolve_types(kind)) if each.init]
        fields = {each.metadata.get("json", each.name): shape_of_type(each.type) for each in known}
        return JSONShape(frozenset({"object"}), fields)
    return JSONShape(frozenset({next((name for each, name in _KINDS.items() if issubclass(kind, each)), _ANYTHING)}))


def merge(*shapes: JSONShape) -> JSONShape:
    """Return the shape of values that have one of these shapes."""
    names = dict.fromkeys(name for shape in shapes for name in shape.fields)
    items = [shape.items for shape in shapes if shape.items]
    return JSONShape(
        frozenset().union(*(shape.kinds for shape in shapes)),
        {name: merge(*(shape.fields[name] for shape in shapes if name in shape.fields)) for name in names},
        merge(*items) if items else None,
        any(shape.keyed for shape in shapes),
    )


def with_keyed(shape: JSONShape, paths: Iterable[str]) -> JSONShape:
    """Return a shape in which the fields of the objects at some paths, such as "$.languages", are data."""
    for path in paths:
        shape = _change(shape, _steps(path), lambda found: evolve(found, keyed=True))
    return shape


def with_anything(shape: JSONShape, paths: Iterable[str]) -> JSONShape:
    """Return a shape in which the values at some paths, such as "$.jobs[].data", may be anything."""
    for path in paths:
        shape = _change(shape, _steps(path), lambda _: JSONShape(frozenset({_ANYTHING})))
    return shape


def _steps(path: str) -> list[str]:
    return re.findall(r"\[\]|\w+", path)


def _change(shape: JSONShape, steps: list[str], change: Callable[[JSONShape], JSONShape]) -> JSONShape:
    """Change the shape at the end of some steps; a place that was not seen stays so."""
    if not steps:
        return change(shape)
    first, *rest = steps
    if first == "[]":
        return evolve(shape, items=shape.items and _change(shape.items, rest, change))
    if first not in shape.fields:
        return shape
    return evolve(shape, fields={**shape.fields, first: _change(shape.fields[first], rest, change)})


def places(shape: JSONShape, path: str = "$") -> Iterator[str]:
    """Yield the paths of a shape, as `compare` names them."""
    yield path
    if shape.items:
        yield from places(shape.items, f"{path}[]")
    for name, each in shape.fields.items():
        yield from places(each, _place(path, name))


def _place(path: str, name: str) -> str:
    return f"{path}.{name if _NAME.fullmatch(name) else '…'}"


def compare(expected: JSONShape, found: JSONShape, path: str = "$") -> Iterator[Difference]:
    """Yield where a shape differs from the expected one. A null, and what is below an unknown field, does not count."""
    if _ANYTHING in expected.kinds or not (expected.kinds and found.kinds):
        return
    if other := found.kinds - expected.kinds - {"null"}:
        right = " or ".join(sorted(expected.kinds - {"null"})) or "null"
        yield Difference(path, "type", f"{' or '.join(sorted(other))} in place of {right}")
    if expected.items and found.items:
        yield from compare(expected.items, found.items, f"{path}[]")
    if "object" not in expected.kinds & found.kinds:
        return
    if expected.keyed:
        if expected.fields and found.fields:
            yield from compare(merge(*expected.fields.values()), merge(*found.fields.values()), f"{path}.…")
        return
    for name in sorted({*expected.fields, *found.fields}):
        place = _place(path, name)
        if name not in found.fields:
            yield Difference(place, "missing", "missing")
        elif name not in expected.fields:
            yield Difference(place, "unknown", f"unknown, {' or '.join(sorted(found.fields[name].kinds))}")
        else:
            yield from compare(expected.fields[name], found.fields[name], place)
