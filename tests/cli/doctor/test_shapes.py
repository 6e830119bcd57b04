"""The shape of JSON, and where two shapes differ."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import field, frozen

from kellyapi import PredictionPage, SkytellsModel
from kellyapi.cli.doctor.shapes import compare, merge, places, shape_of_json, shape_of_type, with_anything, with_keyed


def differences(expected: Any, found: Any, *keyed: str) -> list[str]:
    shapes = (with_keyed(shape_of_json(each), keyed) for each in (expected, found))
    return [f"{each.kind} {each}" for each in compare(*shapes)]


@pytest.mark.parametrize(
    ("expected", "found", "shown"),
    [
        ({"a": 1}, {"a": 2.5}, []),
        ({"a": 1}, {"a": None}, []),
        ({"a": None}, {"a": "text"}, ["type $.a: string in place of null"]),
        ({"a": 1}, {"a": "1"}, ["type $.a: string in place of number"]),
        ({"a": True}, {"a": 1}, ["type $.a: number in place of true or false"]),
        ({"a": {}}, {"a": []}, ["type $.a: array in place of object"]),
        ({"a": 1}, {}, ["missing $.a: missing"]),
        ({}, {"a": {"b": 1}}, ["unknown $.a: unknown, object"]),
        ([{"a": 1}], [{"a": "x"}, {"a": 1}], ["type $[].a: string in place of number"]),
        ([{"a": 1}, {"b": 1}], [{"a": 1}, {"b": 1}], []),
        ([], [{"a": 1}], []),
        ([{"a": 1}], [], []),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": []}]}}, ["type $.a.b[].c: array in place of number"]),
        ("text", {"a": 1}, ["type $: object in place of string"]),
    ],
)
def test_missing_unknown_and_differently_typed_fields_are_named(expected: Any, found: Any, shown: list[str]) -> None:
    assert differences(expected, found) == shown


def test_names_that_are_data_are_not_compared_and_their_values_are() -> None:
    expected = {"languages": {"twi": "Twi"}}
    assert differences(expected, {"languages": {"ewe": "Ewe"}}, "$.languages") == []
    shown = ["type $.languages.…: number in place of string"]
    assert differences(expected, {"languages": {"ewe": 1}}, "$.languages") == shown


def test_a_value_that_users_choose_is_not_compared() -> None:
    expected, found = {"jobs": [{"data": {}}]}, {"jobs": [{"data": "text"}, {"data": {"customer": 1}}]}
    paths = ["$.jobs[].data", "$.nothing[].here"]
    assert not list(compare(*(with_anything(shape_of_json(each), paths) for each in (expected, found))))


def test_places_are_named_as_in_differences() -> None:
    assert list(places(shape_of_json({"a": [{"b": 1}], "a b": 1}))) == ["$", "$.a", "$.a[]", "$.a[].b", "$.…"]


@pytest.mark.parametrize("name", ["ama@example.com", "a b", "x" * 41, "é", ""])
def test_a_name_that_may_be_data_is_not_shown(name: str) -> None:
    assert differences({}, {name: "a secret"}) == ["unknown $.…: unknown, string"]


@frozen
class Price:
    amount: float | None = None
    per: str = field(default="image", metadata={"json": "unit"})


@frozen
class Thing:
    name: str
    prices: tuple[Price, ...] = ()
    labels: dict[str, object] = field(factory=dict)
    anything: object = None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"name": "a", "prices": [{"amount": 1, "unit": "image"}], "labels": {"x": 1}, "anything": [1]}, []),
        ({"name": "a", "prices": [], "labels": {"x": [], "y": {"z": 1}}, "anything": 1}, []),
        ({"name": 1, "prices": {}, "labels": [], "anything": 1}, ["$.labels", "$.name", "$.prices"]),
        ({"name": "a", "prices": [{"amount": {}, "unit": 1}], "labels": {}, "anything": 1},
         ["$.prices[].amount", "$.prices[].unit"]),
    ],
)  # fmt: skip
def test_the_shape_of_a_type_is_what_the_library_reads(value: Any, shown: list[str]) -> None:
    assert [each.path for each in compare(shape_of_type(Thing), shape_of_json(value))] == shown


@pytest.mark.parametrize("kind", [tuple[SkytellsModel, ...], PredictionPage])
def test_the_types_of_results_have_a_shape(kind: Any) -> None:
    shape = shape_of_type(kind)
    assert not list(compare(shape, shape))


def test_merged_shapes_have_the_kinds_and_fields_of_both() -> None:
    both = merge(shape_of_json({"a": 1}), shape_of_json({"a": "x", "b": [1]}))
    assert not list(compare(both, shape_of_json({"a": "x", "b": [2]})))
    assert both.fields["a"].kinds == {"number", "string"}
