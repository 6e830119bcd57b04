"""The form of a reply in the chats of the sandbox: text, a JSON object, or JSON that fits a schema.

In strict mode a schema is checked as the provider does: its root is an object, each object names all its properties as
`required` and has no others, and there are no defaults. `pattern` is accepted and has no effect.

Source: https://platform.openai.com/docs/guides/structured-outputs
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from attrs import frozen

from .schema_values import SchemaTooLarge, follow_reference, write_object
from .tool_calls import Refuse

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_SCHEMAS = 5000
"""Schemas inside a schema."""
_MAX_DEPTH = 10
"""Objects and arrays of a schema inside each other."""
_MAX_PLACE = 100
"""Characters of the place of a schema that are shown, and of each name in it."""
_MAX_PROMPT = 10_000
"""Characters of a message that are searched for values."""
_TYPES = frozenset(("string", "number", "integer", "boolean", "object", "array", "null"))
_NOT_IN_STRICT_MODE = (
    "default",
    "oneOf",
    "allOf",
    "not",
    "if",
    "patternProperties",
    "prefixItems",
    "uniqueItems",
    "dependentRequired",
)


@frozen
class ResponseFormat:
    """The form of a reply."""

    type: str = "text"
    """"text", "json_object" or "json_schema"."""
    schema: Any = None
    param: str = ""


TEXT = ResponseFormat()


def read_response_format(given: Any, param: str, refuse: Refuse) -> ResponseFormat:
    """Read the `response_format` of a chat completion, or the flat `text.format` of a response."""
    if given is None:
        return TEXT
    if not isinstance(given, dict):
        raise refuse(param, "must be an object.")
    kind = given.get("type")
    if kind in ("text", "json_object"):
        return ResponseFormat(kind, None, param)
    if kind != "json_schema":
        raise refuse(f"{param}.type", "must be 'text', 'json_object' or 'json_schema'.")
    about = given.get("json_schema", given)
    if not isinstance(about, dict):
        raise refuse(f"{param}.json_schema", "must be an object.")
    name, schema, strict = about.get("name"), about.get("schema"), about.get("strict")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise refuse(f"{param}.json_schema.name", "must be 1 to 64 letters, digits, '_' or '-'.")
    if not isinstance(schema, dict):
        raise refuse(f"{param}.json_schema.schema", "must be a JSON Schema.")
    if not (strict is None or isinstance(strict, bool)):
        raise refuse(f"{param}.json_schema.strict", "must be true or false.")
    if problem := next(_find_problems(schema, strict=bool(strict)), None):
        raise refuse(f"{param}.json_schema.schema", f"is invalid for {name!r}: {problem}.")
    return ResponseFormat(kind, schema, param)


def write_json(format: ResponseFormat, prompt: str, reply: str, refuse: Refuse) -> str:
    """Return the reply to a prompt in a form of JSON. `reply` is its text."""
    if format.type == "json_object":
        return json.dumps({"reply": reply}, ensure_ascii=False)
    try:
        return write_object(format.schema, prompt[:_MAX_PROMPT])
    except (SchemaTooLarge, RecursionError):
        raise refuse(format.param, "has a schema whose objects are too large for the sandbox.") from None


def _find_problems(root: dict[str, Any], *, strict: bool) -> Iterator[str]:
    """Yield what is wrong with a schema."""
    if root.get("type") != "object" or "anyOf" in root:
        yield "its root must be of type 'object'"
    left: list[tuple[Any, str, int]] = [(root, "#", 0)]
    left += [(each, where, 0) for where, each in _inner_schemas(root, "#", ("$defs", "definitions"))]
    seen = 0
    while left:
        schema, where, depth = left.pop()
        seen += 1
        if seen + len(left) > _MAX_SCHEMAS:
            yield f"it has more than {_MAX_SCHEMAS} schemas"
            return
        if not isinstance(schema, dict):
            yield f"{where} must be an object"
            return
        if "$ref" in schema:
            if follow_reference(schema, root) is None:
                yield f"{where} refers to a schema that is not there"
            continue
        left += [(each, inner, depth + 1) for inner, each in _inner_schemas(schema, where, ("properties",))]
        if len(left) <= _MAX_SCHEMAS:
            yield from (f"{where}: {each}" for each in _find_own_problems(schema, strict=strict))
        if strict and depth > _MAX_DEPTH:
            yield f"{where} is nested more than {_MAX_DEPTH} levels deep"


def _find_own_problems(schema: dict[str, Any], *, strict: bool) -> Iterator[str]:
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if not (kind is None or (isinstance(kind, str) and kind in _TYPES)):
            yield f"'type' must be one of {', '.join(sorted(_TYPES))}"
    properties, required = schema.get("properties"), schema.get("required")
    if not (properties is None or isinstance(properties, dict)):
        yield "'properties' must be an object"
    if not (required is None or (isinstance(required, list) and all(isinstance(each, str) for each in required))):
        yield "'required' must be an array of strings"
    for name in ("anyOf", "enum"):
        if name in schema and not (isinstance(schema[name], list) and schema[name]):
            yield f"{name!r} must be an array that is not empty"
    if not strict:
        return
    if "anyOf" not in schema and kinds is None:
        yield "'type' is needed"
    for name in _NOT_IN_STRICT_MODE:
        if name in schema:
            yield f"{name!r} is not permitted in strict mode"
    if kinds == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            yield "'additionalProperties' is required to be supplied and to be false"
        if sorted(required or ()) != sorted(properties or ()):
            yield "'required' is required to be supplied and to have every key in properties"
    if kinds == "array" and "items" not in schema:
        yield "'items' is needed"


def _inner_schemas(schema: dict[str, Any], where: str, names: tuple[str, ...]) -> list[tuple[str, Any]]:
    """Return the places and the schemas in objects of these names, and the others inside a schema."""
    inner: list[tuple[str, Any]] = []
    for name in names:
        if isinstance(named := schema.get(name), dict):
            inner += [(_join(where, f"{name}/{key[:_MAX_PLACE]}"), each) for key, each in _first(named.items())]
    if isinstance(schema.get("anyOf"), list):
        inner += [(_join(where, f"anyOf/{place}"), each) for place, each in _first(enumerate(schema["anyOf"]))]
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            inner.append((_join(where, name), schema[name]))
    return inner


def _first(items: Iterable[T]) -> Iterable[T]:
    return islice(items, _MAX_SCHEMAS + 1)


def _join(where: str, name: str) -> str:
    """Return the place of an inner schema, with its end cut off if it is long."""
    return where if len(where) > _MAX_PLACE else f"{where}/{name}"
