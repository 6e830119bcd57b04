"""Values that fit a JSON Schema, from what a message names: the arguments of tools, and structured output.

There is no model. A value comes from the message: `name=value`, numbers, quoted texts and names. All patterns take time
that is linear in the length of the message, and patterns of the schema are never run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from attrs import define, field

_FIELDS_FROM_MESSAGE = 200
"""Fields that are looked for in the message. After them, and deep inside, a value is as small as the schema allows."""
_MAX_VALUES = 2000
_MAX_CHARACTERS = 1_000_000
"""Characters of an object as JSON: `$ref` can repeat a long value."""
_MAX_NAME = 100
"""Characters of the name of a field that is looked for in the message."""
_MAX_CHOICES = 200
"""Values of an `enum` that are looked for in the message."""
_MAX_REFERENCES = 5
"""References in a row that are followed, and schemas of `anyOf` inside each other."""
_MAX_REFERENCE = 200
"""Characters of a reference."""
_MAX_ALTERNATIVES = 20
"""Schemas of an `anyOf` among which one is chosen."""
_DEPTH_FROM_MESSAGE = 8
_MAX_DEPTH = 50
_NUMBERS = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,10})?+")
_QUOTED = re.compile(r"[\"“]([^\"“”]{1,1000})[\"”]")
_ENCODER = json.JSONEncoder(ensure_ascii=False)
_OF_FORMAT = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "ama@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
}


class SchemaTooLarge(Exception):
    """An object of the schema has too many values, or never ends."""


def write_object(schema: Any, prompt: str) -> str:
    """Return an object that fits a schema, as JSON.

    Raises:
        SchemaTooLarge: If there is none within the limits.
    """
    schema = schema if isinstance(schema, dict) else {}
    maker = _ValueMaker(schema, prompt)
    pieces, left = [], _MAX_CHARACTERS
    for piece in _ENCODER.iterencode(maker.make_object(maker.follow(schema), 0)):
        left -= len(piece)
        if left < 0:
            raise SchemaTooLarge
        pieces.append(piece)
    return "".join(pieces)


def follow_reference(schema: Any, root: Any) -> Any:
    """Return the schema that a schema refers to, or itself; `None` if there is no such schema."""
    for _ in range(_MAX_REFERENCES):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if reference is None:
            return schema
        if not isinstance(reference, str) or not reference.startswith("#") or len(reference) > _MAX_REFERENCE:
            return None
        schema = root
        for part in reference.split("/")[1:]:
            schema = schema.get(part) if isinstance(schema, dict) else None
    return None


@define
class _ValueMaker:
    """Make values that fit a schema from what a message names."""

    root: dict[str, Any]
    prompt: str
    numbers: Iterator[str] = field(init=False)
    texts: list[str] = field(init=False)
    made: int = 0

    def __attrs_post_init__(self) -> None:
        self.numbers = iter(_NUMBERS.findall(self.prompt))
        self.texts = [*_QUOTED.findall(self.prompt), *_find_names(self.prompt)]

    def follow(self, schema: Any) -> dict[str, Any]:
        """Return the schema that a schema refers to, or itself."""
        schema = follow_reference(schema, self.root)
        return schema if isinstance(schema, dict) else {}

    def make_object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """Make the needed fields of an object; all of them if the schema does not say which are needed."""
        fields = schema.get("properties")
        fields = fields if isinstance(fields, dict) else {}
        required = schema.get("required")
        needed = {each for each in required if isinstance(each, str)} if isinstance(required, list) else fields.keys()
        return {name: self._make_field(name, each, depth) for name, each in fields.items() if name in needed}

    def _make_field(self, name: str, schema: Any, depth: int) -> Any:
        schema = self._choose(schema, depth)
        kind = _type_of(schema)
        is_read = self._reads_message(depth) and len(name) <= _MAX_NAME and name in self.prompt
        if kind in ("string", "number", "integer") and is_read and "enum" not in schema:
            given = re.search(rf"\b{re.escape(name)}\s*+[:=]\s*+(?:\"([^\"]*+)\"|([^\s,;]++))", self.prompt)
            if given:
                self._count(depth)
                text = given[1] or given[2] or ""
                return text if kind == "string" else _limited(_number(text, kind), schema, kind)
        return self._make(schema, kind, depth)

    def _choose(self, schema: Any, depth: int) -> dict[str, Any]:
        """Return one of the schemas that a value may have; where values are small, `null` if it is one of them."""
        chosen = self.follow(schema)
        for _ in range(_MAX_REFERENCES):
            choices = chosen.get("anyOf") or chosen.get("oneOf")
            if not isinstance(choices, list):
                break
            followed = [self.follow(each) for each in choices[:_MAX_ALTERNATIVES]]
            nulls = [each for each in followed if _type_of(each) == "null"]
            others = [each for each in followed if _type_of(each) != "null"]
            chosen = ((others if self._reads_message(depth) else nulls) or followed)[0]
        return chosen

    def _make(self, schema: dict[str, Any], kind: str, depth: int) -> Any:
        self._count(depth)
        if "const" in schema:
            return schema["const"]
        choices = schema.get("enum")
        if isinstance(choices, list) and choices:
            lowered = self.prompt.lower() if self._reads_message(depth) else ""
            texts = [(each, str(each)) for each in choices[:_MAX_CHOICES] if isinstance(each, (str, int))]
            named = (each for each, text in texts if len(text) <= len(lowered) and text.lower() in lowered)
            return next(named, choices[0])
        match kind:
            case "number" | "integer":
                return _limited(_number(next(self.numbers, ""), kind, schema.get("default")), schema, kind)
            case "boolean":
                return schema.get("default") is not False
            case "object":
                return self.make_object(schema, depth + 1)
            case "array":
                return self._make_array(schema, depth)
            case "null":
                return None
        if (text := _OF_FORMAT.get(str(schema.get("format")))) is not None:
            return text
        if self.texts:
            return self.texts.pop(0)
        return schema.get("default", self.prompt.strip()) if self._reads_message(depth) else ""

    def _make_array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        least, most = schema.get("minItems"), schema.get("maxItems")
        count = 1 if self._reads_message(depth) else 0
        if isinstance(most, int):
            count = min(count, most)
        if isinstance(least, int):
            count = max(count, least)
        items = []
        for _ in range(count if "items" in schema else 0):
            item = self._choose(schema["items"], depth + 1)
            items.append(self._make(item, _type_of(item), depth + 1))
        return items

    def _reads_message(self, depth: int) -> bool:
        return self.made < _FIELDS_FROM_MESSAGE and depth < _DEPTH_FROM_MESSAGE

    def _count(self, depth: int) -> None:
        self.made += 1
        if self.made > _MAX_VALUES or depth > _MAX_DEPTH:
            raise SchemaTooLarge


def _type_of(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    kinds = [each for each in (kind if isinstance(kind, list) else [kind]) if isinstance(each, str) and each != "null"]
    return kinds[0] if kinds else "null" if kind == "null" else "object" if "properties" in schema else "string"


def _number(text: str, kind: str, default: Any = None) -> float:
    found = _NUMBERS.search(text)
    if found is None:
        return default if isinstance(default, (int, float)) else 0
    return float(found[0]) if "." in found[0] and kind == "number" else int(float(found[0]))


def _limited(number: float, schema: dict[str, Any], kind: str) -> float:
    """Return the number, or the nearest one that the limits of the schema allow."""
    step = 1 if kind == "integer" else 0.5
    limits = {name: schema.get(name) for name in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")}
    least, above, most, below = (each if isinstance(each, (int, float)) else None for each in limits.values())
    if least is not None:
        number = max(number, least)
    if above is not None and number <= above:
        number = above + step
    if most is not None:
        number = min(number, most)
    if below is not None and number >= below:
        number = below - step
    return number


def _find_names(prompt: str) -> list[str]:
    """Return the words with a capital letter that do not begin a sentence; neighbours are one name."""
    names: list[list[str]] = []
    begins, joins = True, False
    for written in prompt.split():
        word = written.strip("\"'“”‘’.,;:!?()[]")
        is_name = not begins and word[:1].isupper() and word != "I"
        if is_name:
            if joins:
                names[-1].append(word)
            else:
                names.append([word])
        joins = is_name and written.endswith(word)
        begins = written.endswith((".", "!", "?", ":"))
    return [" ".join(name) for name in names]
