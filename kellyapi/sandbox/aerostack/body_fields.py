"""Readers of the fields in the JSON bodies that Aerostack's routes get, and the cursors of its lists."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from typing import Any

from ..frontend import ApiError
from ..store import MAX_RECORD

_TYPE_NAMES = {
    str: "a string",
    bool: "true or false",
    dict: "an object",
    list: "an array",
    int: "an integer",
    float: "a number",
}


def invalid_field(name: str, problem: str) -> ApiError:
    """Return the error for a wrong field, in the provider's form."""
    return ApiError(400, "VALIDATION_ERROR", f"{name} {problem}", field=name)


def required_text(body: dict[str, Any], name: str, *, at: str = "", least: int = 1) -> str:
    """Return a required string.

    Args:
        body: Object that has the field.
        name: Name of the field.
        at: Path of the object in the whole body, such as "entries[0].", for the error message.
        least: Least number of characters.
    """
    if body.get(name) is None:
        raise invalid_field(at + name, "is required")
    value: str = _check_type(body[name], at + name, str)
    if len(value) > MAX_RECORD:
        raise invalid_field(at + name, f"must have at most {MAX_RECORD} characters")
    if len(value.strip() if least == 1 else value) < least:
        raise invalid_field(at + name, "must not be empty" if least == 1 else f"must have at least {least} characters")
    return value


def optional_field(body: dict[str, Any], name: str, kind: type[Any]) -> Any:
    """Return a field of the type `kind`, or `None` if it is missing or null."""
    value = body.get(name)
    return None if value is None else _check_type(value, name, kind)


def optional_number(
    body: dict[str, Any],
    name: str,
    default: float | None = None,
    *,
    at: str = "",
    least: float = -math.inf,
    whole: bool = False,
    most: float = math.inf,
) -> Any:
    """Return a number within bounds, or `default` if it is missing or null."""
    value = body.get(name)
    if value is None:
        return default
    number = _check_type(value, at + name, int if whole else float)
    if not least <= number <= most:
        raise invalid_field(
            at + name, f"must be at least {least:g}" + (f" and at most {most:g}" if most < math.inf else "")
        )
    return number


def required_list(body: dict[str, Any], name: str, kind: type[Any], most: int) -> list[Any]:
    """Return a required array of 1 to `most` values of the type `kind`."""
    if body.get(name) is None:
        raise invalid_field(name, "is required")
    values: list[Any] = _check_type(body[name], name, list)
    if not 1 <= len(values) <= most:
        raise invalid_field(name, f"must have 1 to {most} items, not {len(values)}")
    return [_check_type(value, f"{name}[{i}]", kind) for i, value in enumerate(values)]


def required_json(body: dict[str, Any], name: str, *, at: str = "") -> str:
    """Return a required field of any JSON type, as JSON text."""
    if name not in body:
        raise invalid_field(at + name, "is required")
    try:
        text = json.dumps(body[name], allow_nan=False)
    except (ValueError, RecursionError):
        raise invalid_field(at + name, "must be JSON") from None
    if len(text) > MAX_RECORD:
        raise invalid_field(at + name, f"must have at most {MAX_RECORD} characters as JSON")
    return text


def write_cursor(last_key: str) -> str:
    """Return the cursor of the page after `last_key`."""
    return base64.urlsafe_b64encode(last_key.encode()).decode()


def read_cursor(body: dict[str, Any]) -> str:
    """Return the key after which a page begins, "" for the first page."""
    cursor = optional_field(body, "cursor", str)
    try:
        return base64.b64decode(cursor, b"-_", validate=True).decode() if cursor else ""
    except ValueError:
        raise invalid_field("cursor", "was not returned by a list") from None


def prefix_range(prefix: str | None, after: str = "") -> tuple[str, str, str]:
    """Return the values for `key > ? AND key >= ? AND key < ?`."""
    return after, prefix or "", f"{prefix or ''}\U0010ffff"


def iso8601(seconds: float) -> str:
    """Return a time in seconds since 1970 as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _check_type(value: Any, name: str, kind: type[Any]) -> Any:
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise invalid_field(name, f"must be {_TYPE_NAMES[kind]}")
    if kind is float and not abs(value) < 2**63:  # the comparison is false for NaN too, which json.loads accepts
        raise invalid_field(name, "must be a finite number")
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # a lone surrogate such as "\ud800" cannot be encoded
        raise invalid_field(name, "must be JSON") from None
    return value
