"""JSON that clients send: parsed strictly, within limits of its size, its depth and its numbers.

If a name occurs twice in an object, its last value counts, as at the providers.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from itertools import chain
from typing import Any, NoReturn

from .engines.errors import BadInput

MAX_SIZE = 64 * 2**20
MAX_DEPTH = 200
MAX_VALUES = 1_000_000
_MAX_DIGITS = 300  # more do not fit in a float, and so not in the numbers of most languages
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_object(data: bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        BadInput: If the data is something else or exceeds a limit.
    """
    if sum(data.count(each) for each in (b",", b"[", b"{")) > MAX_VALUES:
        raise BadInput("body", f"The body has more than {MAX_VALUES} values.")
    try:
        body = _DECODER.decode(data.removeprefix(BOM_UTF8).decode())
        if _ESCAPED_SURROGATE.search(data):  # two surrogates make a character, one alone does not
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadInput("body", "The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise BadInput("body", "The body must be a JSON object.")
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deep(body):
        raise BadInput("body", f"The body is nested more than {MAX_DEPTH} levels deep.")
    return body


def _is_deep(body: dict[str, Any]) -> bool:
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        children = chain.from_iterable(each.values() if isinstance(each, dict) else each for each in level)
        level = [child for child in children if isinstance(child, (dict, list))]
    return bool(level)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _read_integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("too large")
    return int(text)


def _read_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("too large")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_int=_read_integer, parse_float=_read_float)
