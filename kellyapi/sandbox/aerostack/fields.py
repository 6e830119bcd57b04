"""What Aerostack's routes ask of a body: which fields, of which type, how long; and the cursors of its lists."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from typing import Any

from ..face import Refused

_CASES = {
    str: "a string",
    bool: "true or false",
    dict: "an object",
    list: "an array",
    int: "an integer",
    float: "a number",
}


def invalid(name: str, problem: str) -> Refused:
    """Refuse a field in the platform's words."""
    return Refused(400, "VALIDATION_ERROR", f"{name} {problem}", field=name)


def text(body: dict[str, Any], name: str, *, at: str = "", least: int = 1) -> str:
    """Give a string that must be there, of at least so many characters; `at` is where its object lies."""
    if body.get(name) is None:
        raise invalid(at + name, "is required")
    found: str = _typed(body[name], at + name, str)
    if len(found.strip() if least == 1 else found) < least:
        raise invalid(at + name, "must not be empty" if least == 1 else f"must have at least {least} characters")
    return found


def maybe(body: dict[str, Any], name: str, kind: type[Any]) -> Any:
    """Give a field of a type, or `None` when it is missing or null."""
    value = body.get(name)
    return None if value is None else _typed(value, name, kind)


def number(
    body: dict[str, Any],
    name: str,
    default: float | None = None,
    *,
    at: str = "",
    least: float = -math.inf,
    whole: bool = False,
    most: float = math.inf,
) -> Any:
    """Give a number within bounds; one that is missing or null is `default`."""
    value = body.get(name)
    if value is None:
        return default
    found = _typed(value, at + name, int if whole else float)
    if not least <= found <= most:
        raise invalid(at + name, f"must be at least {least:g}" + (f" and at most {most:g}" if most < math.inf else ""))
    return found


def several(body: dict[str, Any], name: str, kind: type[Any], most: int) -> list[Any]:
    """Give an array that must be there, of 1 to `most` values of a type."""
    if body.get(name) is None:
        raise invalid(name, "is required")
    found: list[Any] = _typed(body[name], name, list)
    if not 1 <= len(found) <= most:
        raise invalid(name, f"must have 1 to {most} items, not {len(found)}")
    return [_typed(value, f"{name}[{i}]", kind) for i, value in enumerate(found)]


def encoded(body: dict[str, Any], name: str, *, at: str = "") -> str:
    """Give any JSON that must be there, as text."""
    if name not in body:
        raise invalid(at + name, "is required")
    try:
        return json.dumps(body[name], allow_nan=False)
    except (ValueError, RecursionError):
        raise invalid(at + name, "must be JSON") from None


def _typed(value: Any, name: str, kind: type[Any]) -> Any:
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise invalid(name, f"must be {_CASES[kind]}")
    if kind is float and not abs(value) < 2**63:  # nor NaN, which json reads too
        raise invalid(name, "must be a finite number")
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # half of a pair, as in "\ud800", is no text
        raise invalid(name, "must be JSON") from None
    return value


def cursor_of(last: str) -> str:
    """Give the cursor that asks for what comes after `last`."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def after(body: dict[str, Any]) -> str:
    """Read a cursor; without one it is the beginning."""
    cursor = maybe(body, "cursor", str)
    try:
        return base64.b64decode(cursor, b"-_", validate=True).decode() if cursor else ""
    except ValueError:
        raise invalid("cursor", "is none that a list gave") from None


def prefix_range(prefix: str | None, after: str = "") -> tuple[str, str, str]:
    """Give what stands for the three `?` of `key > ? AND key >= ? AND key < ?`."""
    return after, prefix or "", f"{prefix or ''}\U0010ffff"


def written(seconds: float) -> str:
    """Write a time as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
