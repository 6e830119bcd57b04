"""JSON text to values and back, with orjson and without."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from enum import IntEnum
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple
from uuid import UUID

import pytest


@pytest.fixture(params=[*(["orjson"] if find_spec("orjson") else []), "json"])
def json_text(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Import the module again, with orjson and with the standard library's json instead."""
    import kellyapi
    import kellyapi._data.json_text as usual

    if request.param == "json":
        monkeypatch.setitem(sys.modules, "orjson", None)
    monkeypatch.delitem(sys.modules, "kellyapi._data.json_text")
    fresh = importlib.import_module("kellyapi._data.json_text")
    assert fresh is not usual
    assert ("orjson" in vars(fresh)) == (request.param == "orjson")
    yield fresh
    kellyapi._data.json_text = usual  # the import replaced it


class Pair(NamedTuple):
    """A tuple with names."""

    first: int
    second: str


class Level(IntEnum):
    """Numbers with names."""

    LOW = 1


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, 1.5, "x", true, null]}', {"a": [1, 1.5, "x", True, None]}),
        (b' "\\u025b" ', "ɛ"),
        ("ɛ".join('""').encode(), "ɛ"),
        (b"1", 1),
        (b"null", None),
    ],
)
def test_json_is_parsed(json_text: ModuleType, data: bytes, value: Any) -> None:
    assert json_text.loads(data) == value
    assert json_text.loads(b"\xef\xbb\xbf" + data) == value  # a byte order mark, as PHP and .NET write it


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"<html>",
        b"{",
        b"[1,]",
        b"{'a': 1}",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"\xff\xfe",
        b'"\xff"',
        '"a"'.encode("utf-16"),
        b"1 2",
        b"[" * 200_000,
        b'{"a":' * 200_000,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_text_that_is_not_json_is_a_value_error(json_text: ModuleType, data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  two libraries, two messages
        json_text.loads(data)


LETTER = {"a": "Ɛ é"}


@pytest.mark.parametrize(
    ("data", "content_type", "value"),
    [
        (b'{"a": [NaN, -Infinity, 1]}', "", {"a": [None, None, 1]}),
        (b'{"a\\ud83d": "b \\ud83d c", "d": "\\ud83d\\ude00"}', "", {"a\ufffd": "b \ufffd c", "d": "\U0001f600"}),
        (b'{"a": ' + b"9" * 5000 + b', "b": -7}', "", {"a": None, "b": -7}),
        (b'{"a": "b\nc\td"}', "", {"a": "b\nc\td"}),
        (b'{"a": "cut \xe2\x82"}', "", {"a": "cut \ufffd"}),
        (b'{"a": "caf\xe9"}', "text/json; charset=ISO-8859-1", {"a": "café"}),
        (b'{"a": "caf\xe9"}', "text/json; charset=utf-8", {"a": "caf\ufffd"}),
        (b'{"a": "caf\xe9"}', "text/json; charset=rot13", {"a": "caf\ufffd"}),
        (b'{"a": "caf\xe9"}', "text/json; charset=latin-nothing", {"a": "caf\ufffd"}),
        ('{"a": "Ɛ é"}'.encode("utf-16"), "", LETTER),
        ('{"a": "Ɛ é"}'.encode("utf-16-le"), "text/json; charset=utf-16le", LETTER),
        ('{"a": "Ɛ é"}'.encode(), "text/json; charset=ISO-8859-1", LETTER),  # the declaration is wrong
    ],
)
def test_what_servers_write_that_is_almost_json_is_parsed(
    json_text: ModuleType, data: bytes, content_type: str, value: Any
) -> None:
    assert json_text.loads_response(data, content_type) == value


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", b'{"a": "', b"{}{}", b'"\xff"', b"\xff\xfe", b"[" * 200_000, b"[1,]", b"\x89PNG\r\n"],
    ids=lambda data: repr(data[:12]),
)
def test_a_response_that_is_no_json_is_a_value_error(json_text: ModuleType, data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  two libraries, two messages
        json_text.loads_response(data)


class Whole:
    """A whole number of another library, such as NumPy."""

    def __index__(self) -> int:
        return 512


class Scalar:
    """A number of another library that is not whole, such as a float32 of NumPy."""

    shape = ()

    def __init__(self, number: float) -> None:
        self.item = lambda: number


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ({"in": "Ɛte sɛn?", "lang": "en-tw"}, '{"in":"Ɛte sɛn?","lang":"en-tw"}'),
        ([1, 1.5, True, None], "[1,1.5,true,null]"),
        ({"seed": None, "prompt": "null"}, '{"seed":null,"prompt":"null"}'),
        ('\x00\n"', '"\\u0000\\n\\""'),
        ({1: 2**70}, '{"1":1180591620717411303424}'),
        (Pair(1, "a"), '[1,"a"]'),
        ([UUID(int=0), Level.LOW], '["00000000-0000-0000-0000-000000000000",1]'),
        ({"width": Whole()}, '{"width":512}'),
        ([Scalar(7.5), Scalar(True)], "[7.5,true]"),
    ],
)
def test_both_json_libraries_write_the_same_text(json_text: ModuleType, value: Any, data: str) -> None:
    assert json_text.dumps(value) == data.encode()


DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [b"bytes", {"a": object}, {1, 2}, "\ud800", 1j, DEEP],
    ids=["bytes", "a class", "a set", "half a letter", "a complex number", "a deep list"],
)
def test_a_value_without_a_json_form_is_a_type_or_value_error(json_text: ModuleType, value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        json_text.dumps(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Scalar(float("nan"))])
def test_a_number_that_json_cannot_write_is_never_sent_as_null(json_text: ModuleType, value: float) -> None:
    with pytest.raises((TypeError, ValueError)):
        json_text.dumps({"temperature": value})


def nested(depth: int, value: Any) -> Any:
    """Put a value into so many lists."""
    for _ in range(depth):
        value = [value]
    return value


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"input": {"prompt": "a fox", "seed": 1j, "steps": 2j}}, "$.input.seed"),
        ({"images": ["a", {"b"}]}, "$.images[1]"),
        ({"sizes": (1, float("nan"))}, "$.sizes[1]"),
        (1j, "$"),
        (nested(20, 1j), "$" + "[0]" * 20),
        (nested(21, 1j), "$" + "[0]" * 20),
        (ENDLESS, "$" + "[0]" * 20),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_error_has_the_path_of_the_first_value_without_a_json_form(
    json_text: ModuleType, value: Any, path: str
) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        json_text.dumps(value)
    assert str(caught.value).startswith(f"{path} cannot be sent as JSON: ")


def test_each_string_of_parsed_json_is_changed_in_a_copy(json_text: ModuleType) -> None:
    value = {"a": ["b", 1, None, {"c": "d"}, ["e"]]}
    assert json_text.map_strings(value, str.upper) == {"A": ["B", 1, None, {"C": "D"}, ["E"]]}
    assert value == {"a": ["b", 1, None, {"c": "d"}, ["e"]]}
    assert json_text.map_strings("a", str.upper) == "A"
    assert json_text.map_strings(DEEP, str.upper) is not DEEP
