"""Structured output: the JSON Schema of a class, and replies that are read into it.

msgspec makes the schema and reads the reply. Strict mode needs a schema of another form: the root is an object and no
reference, objects need all their properties and have no others, and there are no defaults.

Source: https://platform.openai.com/docs/guides/structured-outputs
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import attrs
from attrs import define, field, frozen

from .._data.result import with_origin_of
from .._data.text import excerpt, is_blank
from ..errors import DecodingError
from .chat_replies import ChatReply, ParsedReply
from .openai_completions import BLOCKED

if TYPE_CHECKING:
    from types import ModuleType

T = TypeVar("T")

_KEYWORDS = (
    "title",
    "description",
    "type",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
)
"""The keywords of a value that strict mode knows. Others only limit what the reply is checked for here."""
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_TIMES = {datetime.datetime: "date-time", datetime.time: "time"}
_NAMES_OF_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
_MAX_NAME = 64
_DEFINITIONS = "#/$defs/"


@frozen
class ReplyFormat(Generic[T]):
    """A class that replies are read into, and the `response_format` that asks for them."""

    kind: type[T]
    response_format: Mapping[str, Any]

    def read(self, reply: ChatReply) -> ParsedReply[T]:
        """Return a reply with the object that its text is the JSON of.

        Raises:
            DecodingError: The text does not fit the class. `partial` is the text.
        """
        msgspec = _import_msgspec()
        try:
            text = _without_fence(reply.text)
            parsed: T = msgspec.json.decode(text, type=self.kind)
            schema = self.response_format["json_schema"]["schema"]
            if unknown := _find_unknown(msgspec.json.decode(text), schema, schema.get("$defs", {}), "$"):
                raise ValueError(f"Unexpected field - at `{unknown}`")
        except (msgspec.DecodeError, ValueError, RecursionError) as error:  # ValueError: the text has half a letter
            problem = _problem_of(reply) or f"the reply does not fit {_name_of(self.kind)}: {error}"
            failure = DecodingError(problem, provider=reply.provider)
            failure.request_id, failure.partial, failure.outcome_unknown = reply.request_id, reply.text, True
            raise failure from None
        fields = {each.name: getattr(reply, each.name) for each in attrs.fields(ChatReply)}
        return with_origin_of(reply, ParsedReply(**fields, parsed=parsed))


def make_reply_format(kind: type[T]) -> ReplyFormat[T]:
    """Return the format of replies that are read into a class.

    Raises:
        ModuleNotFoundError: The extra `structured` is not installed.
        TypeError: The class has a field that a JSON Schema in strict mode cannot express.
    """
    _import_msgspec()
    any_kind: Any = kind  # a class is hashable
    return ReplyFormat(kind, _make_response_format(any_kind))


@lru_cache(maxsize=128)
def _make_response_format(kind: Any) -> Mapping[str, Any]:
    msgspec = _import_msgspec()
    try:
        fields = dict(_find_fields(kind, set()))
        found = _make_schema(msgspec, kind, fields)
    except NameError as error:
        raise TypeError(f"into: the annotations of {_name_of(kind)} cannot be read: {error}") from None
    definitions = found.get("$defs", {})
    name = found.get("$ref", "").removeprefix(_DEFINITIONS)
    if "properties" not in definitions.get(name, {}):
        raise TypeError(f"into must be an attrs class or a dataclass, not {_name_of(kind)}")
    writer = _SchemaWriter(fields)
    written = {each: writer.write(schema, schema.get("title", each)) for each, schema in definitions.items()}
    schema = written[name] if name in writer.references else written.pop(name)
    described = {
        "name": re.sub(r"[^A-Za-z0-9_-]", "_", _name_of(kind))[:_MAX_NAME],
        "schema": {**schema, "$defs": written} if written else schema,
        "strict": writer.strict,
    }
    return {"type": "json_schema", "json_schema": described}


@define
class _SchemaWriter:
    """Write JSON Schemas in the form that strict mode needs."""

    fields: Mapping[str, Any]
    """The annotation of each field, by its class and name."""
    strict: bool = True
    """`False` if there is a dict, whose keys strict mode cannot leave open."""
    references: set[str] = field(factory=set)
    """The names of the definitions that are used."""

    def write(self, schema: Mapping[str, Any], where: str) -> dict[str, Any]:
        """Return the schema of a value. `where` is its class and field, for errors."""
        if "$ref" in schema:
            self.references.add(schema["$ref"].removeprefix(_DEFINITIONS))
            return {"$ref": schema["$ref"]}
        written = {each: schema[each] for each in _KEYWORDS if each in schema}
        format = schema.get("format") or self._format_of(where)
        if schema.get("type") == "string" and format in _FORMATS:
            written["format"] = format
        if "anyOf" in schema:
            written["anyOf"] = [self.write(each, where) for each in schema["anyOf"]]
        elif "properties" in schema:
            properties = {name: self.write(each, f"{where}.{name}") for name, each in schema["properties"].items()}
            written |= {"properties": properties, "required": [*properties], "additionalProperties": False}
        elif schema.get("type") == "object":
            self.strict = False
            written["additionalProperties"] = self.write(schema.get("additionalProperties", {}), where)
        elif schema.get("type") == "array":
            parts = [self.write(each, where) for each in schema.get("prefixItems", [schema.get("items", {})])]
            if parts.count(parts[0]) != len(parts):
                raise TypeError(f"into: {where} has items of several types in order, which strict mode cannot say")
            written["items"] = parts[0]
        elif "enum" in schema:
            kinds = list(dict.fromkeys(_NAMES_OF_TYPES[type(each)] for each in schema["enum"]))
            written["type"] = kinds[0] if len(kinds) == 1 else kinds
        elif "type" not in schema:
            raise TypeError(f"into: {where} may hold anything, which strict mode cannot say: annotate its type")
        return written

    def _format_of(self, where: str) -> str | None:
        """Return the format of a field of times, which msgspec leaves out if their time zone is optional."""
        kinds = set(_leaves_of(self.fields.get(where)))
        return None if str in kinds else next((_TIMES[each] for each in _TIMES if each in kinds), None)


def _find_fields(kind: Any, known: set[Any]) -> Iterator[tuple[str, Any]]:
    """Yield name and annotation of the fields of all classes in an annotation, those of inner classes first."""
    origin = get_origin(kind) or kind
    for each in get_args(kind):
        yield from _find_fields(each, known)
    if not isinstance(origin, type) or origin in known:
        return
    known.add(origin)
    if attrs.has(origin):
        settable = {each.name: each.init for each in attrs.fields(origin)}
    elif dataclasses.is_dataclass(origin):
        settable = {each.name: each.init for each in dataclasses.fields(origin)}
    else:
        return
    hints = get_type_hints(origin, include_extras=True)
    for name, is_settable in settable.items():
        if not is_settable:
            raise TypeError(f"into: {origin.__name__}.{name} has init=False, so a reply cannot set it")
        yield from _find_fields(hints[name], known)
        yield f"{origin.__name__}.{name}", hints[name]


def _leaves_of(hint: Any) -> Iterator[Any]:
    """Yield the types in an annotation that hold no others."""
    inner = get_args(hint)
    yield from chain.from_iterable(map(_leaves_of, inner)) if inner else (hint,)


def _make_schema(msgspec: ModuleType, kind: Any, fields: Mapping[str, Any]) -> Any:
    """Return the schema that msgspec makes of a class. If it makes none, the error names the field."""
    try:
        return msgspec.json.schema(kind)
    except TypeError as error:
        wrong = (where for where, hint in fields.items() if _has_no_schema(msgspec, hint))
        where, problem = next(wrong, _name_of(kind)), str(error).splitlines()[-1]
        raise TypeError(f"into: {where} cannot be expressed: {problem}") from None


def _has_no_schema(msgspec: ModuleType, hint: Any) -> bool:
    try:
        msgspec.json.schema(hint)
    except TypeError:
        return True
    return False


def _find_unknown(value: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> str | None:
    """Return the path of a value that the schema does not have; `None` if there is none.

    Only the fields of objects are compared: the values were checked before.
    """
    if not isinstance(value, (dict, list)):
        return None
    schema = definitions.get(schema.get("$ref", "").removeprefix(_DEFINITIONS), schema)
    if "anyOf" in schema:
        found = [_find_unknown(value, each, definitions, path) for each in schema["anyOf"]]
        return None if None in found else max(filter(None, found), key=len)
    if schema.get("type") != ("array" if isinstance(value, list) else "object"):
        return path
    if isinstance(value, list):
        inner = [(f"{path}[{place}]", item, schema["items"]) for place, item in enumerate(value)]
    else:
        fields, others = schema.get("properties", {}), schema["additionalProperties"]
        if others is False and (unknown := value.keys() - fields.keys()):
            return f"{path}.{min(unknown)}"
        inner = [(f"{path}.{name}", item, fields.get(name, others)) for name, item in value.items()]
    return next(filter(None, (_find_unknown(item, each, definitions, where) for where, item, each in inner)), None)


_FENCE = "```"


def _without_fence(text: str) -> str:
    """Return a text without the fence of Markdown that models put around JSON."""
    whole = text.strip()
    if not (whole.startswith(_FENCE) and whole.endswith(_FENCE, len(_FENCE))):
        return text
    language, _, rest = whole[len(_FENCE) : -len(_FENCE)].partition("\n")
    return rest if language.strip().lower() in ("", "json") else text


def _problem_of(reply: ChatReply) -> str | None:
    """Return why a reply has no complete text, if it has none."""
    if reply.message.refusal:
        return f"the model refused: {excerpt(reply.message.refusal)}"
    if reply.finish_reason == "length":
        return "the reply was cut at the limit of tokens, max_tokens"
    if reply.finish_reason == BLOCKED:
        return "the content filter blocked the reply"
    return "the reply is empty" if is_blank(reply.text) else None


def _name_of(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))


def _import_msgspec() -> ModuleType:
    try:
        import msgspec
    except ModuleNotFoundError:
        raise ModuleNotFoundError('msgspec is not installed: pip install "kellyapi[structured]"') from None
    return msgspec
