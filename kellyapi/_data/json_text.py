"""JSON text to values of Python, and back: the one place that knows a JSON library, orjson or the standard one."""

from __future__ import annotations

import json
import operator
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

from .text import whole_letters

_parse: Callable[[bytes], Any]
dumps: Callable[[Any], bytes]
"""Write JSON; raises `TypeError` or `ValueError` if the value has no JSON form."""


def _plain_loads(data: bytes) -> Any:
    try:
        return _DECODER.decode(data.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _plain_dumps(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{_path_without_form(value)} cannot be sent as JSON: {error}") from None


_LONGEST_PATH = 20


def _path_without_form(value: Any) -> str:
    """Return the path of the first value that has no JSON form, such as `$.input.seed`."""
    path = "$"
    for _ in range(_LONGEST_PATH):  # a list that contains itself has no end
        parts = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
        )
        found = next(((name, part) for name, part in parts if not _has_form(part)), None)
        if found is None:
            break
        path += f".{found[0]}" if isinstance(value, dict) else f"[{found[0]}]"
        value = found[1]
    return path


def _has_form(value: Any) -> bool:
    try:
        _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _write_other(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if hasattr(type(value), "__index__"):  # a whole number of another library, such as NumPy
        return operator.index(value)
    if getattr(value, "shape", None) == () and callable(getattr(value, "item", None)):  # such as a float32 of NumPy
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _read_whole(digits: str) -> int | None:
    """Read a whole number; `None` if it has more digits than Python reads, which is 4,300."""
    try:
        return int(digits)
    except ValueError:
        return None


# json.loads and json.dumps would make new ones at each call: 4.2 us instead of 2.1 to read a prediction.
_DECODER = json.JSONDecoder(parse_constant=_refuse)
# Without `strict`, a string may have line feeds.
_LENIENT_DECODER = json.JSONDecoder(parse_int=_read_whole, parse_constant=lambda _: None, strict=False)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_write_other)


try:
    import orjson
except ImportError:
    _parse, dumps = _plain_loads, _plain_dumps
else:
    _LEFT_TO_PYTHON = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS

    def _fast_dumps(value: Any) -> bytes:
        # It would write dates and dataclasses, which the other refuses, and NaN as null; it refuses large numbers, keys
        # that are not strings, and tuples with names.
        try:
            data = orjson.dumps(value, None, _LEFT_TO_PYTHON)
        except TypeError:
            return _plain_dumps(value)
        return data if b"null" not in data or _is_finite(value) else _plain_dumps(value)

    _parse, dumps = orjson.loads, _fast_dumps


def loads(data: bytes) -> Any:
    """Parse JSON, with or without a byte order mark before it; raise `ValueError` if it is not JSON."""
    return _parse(data.removeprefix(BOM_UTF8))


_LEAVES_HALVES = _parse is _plain_loads
"""Whether the library leaves lone surrogates in strings; orjson refuses them."""
_SURROGATE = re.compile(rb"(?i)\\ud[89a-f]")
_CHARSET = re.compile(r"(?i);\s*charset\s*=\s*[\"']?((iso|windows|cp|latin|utf|koi8|shift|euc|gb|big5)[\w.:-]*)")
"""The encodings of text in a media type. Python has others, some of which take long."""
_WRONG_LETTERS = 4
"""Text has fewer wrong letters than one in four."""


def loads_response(data: bytes, content_type: str = "", change: Callable[[str], str] = whole_letters) -> Any:
    """Parse JSON that a server sent, also if it has small mistakes: the result in it is paid for.

    NaN, infinity and numbers of more than 4,300 digits are read as null, line feeds in strings as they are, and another
    encoding than UTF-8 if it is declared, or UTF-16. Letters that are cut become U+FFFD.

    Args:
        data: The text.
        content_type: The media type that the server declares, with its encoding.
        change: A function that is called with each string. A string may have lone surrogates.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        value = loads(data)
        if not (_LEAVES_HALVES and _SURROGATE.search(data)):
            return value
    except ValueError:
        value = _loads_leniently(data, content_type)
    return map_strings(value, change)


def _loads_leniently(data: bytes, content_type: str) -> Any:
    try:
        return _LENIENT_DECODER.decode(_decode(data, content_type))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _decode(data: bytes, content_type: str) -> str:
    encodings: list[str] = [json.detect_encoding(data)]  # UTF-8, or UTF-16 or UTF-32 by their zeros
    if declared := _CHARSET.search(content_type):
        encodings.append(declared[1])
    for encoding in encodings:
        with suppress(UnicodeError, LookupError):
            return data.decode(encoding)
    text = data.decode(encodings[0], "replace")
    if text.count("\ufffd") * _WRONG_LETTERS > len(text):
        raise ValueError("no text")
    return text


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Return parsed JSON with each of its strings changed. It may be nested deeper than Python can call functions."""
    result = [value]
    left: list[tuple[Any, Any]] = [(result, 0)]
    while left:
        container, key = left.pop()
        item = container[key]
        if isinstance(item, str):
            container[key] = change(item)
        elif isinstance(item, dict):
            container[key] = copy = {change(name): each for name, each in item.items()}
            left += [(copy, name) for name in copy]
        elif isinstance(item, list):
            container[key] = items = list(item)
            left += [(items, place) for place in range(len(items))]
    return result[0]


def _is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or isfinite(value)
