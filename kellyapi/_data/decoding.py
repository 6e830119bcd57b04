"""Parsed JSON to frozen attrs values: strict for needed fields, lenient for optional ones.

A field without a default is needed: if it is missing or of a wrong type, `decode` raises `DecodingError` with the wire
path (`$.words[0].start`). One of the type `T | None` may be null or missing, but not wrong. A field with a default is
optional: of a wrong type it takes its default and is reported. An int is accepted where a float is due, 12.0 where an
int is due, and a numeric string where a number is due. Unknown fields and unknown enum values are not errors.

This is the only module that knows cattrs. A field whose JSON name differs says so: `json_name("sourceKey")`. A class
whose JSON comes in several forms has a static method `prepare_json(value)` that returns the one that its fields read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, Union, cast, get_args, get_origin

import attrs
from attrs import NOTHING
from cattrs import Converter
from cattrs.cols import is_mapping

from ..errors import DecodingError
from .quick_maker import quick_maker
from .result import Result, stamp_raw
from .text import clip

T = TypeVar("T")
Reader = Callable[[Any, list[str]], Any]
"""Reads a value. The list is for the optional fields that it leaves out, by path.

cattrs finds the reader of a type. Its hooks get the type as a second argument, which ours know already.
"""
Report = Callable[[str], None]


@attrs.frozen
class Shape(Generic[T]):
    """A type to read a JSON body into, and the function that makes the result of it."""

    type: Any
    """An attrs class, `str`, `dict[str, str]`, `tuple[Item, ...]`, or `object` for any JSON."""
    finish: Callable[[Any], T]
    """Makes the result of what was read."""
    add_headers: Callable[[T, Mapping[str, str]], T] | None = None
    """Adds to the result what the headers of the response say."""


Into = type[T] | Shape[T]
"""What a JSON body becomes: a class, or a `Shape`."""


def json_name(name: str, **options: Any) -> Any:
    """Declare an attrs field that has another name in JSON."""
    return attrs.field(metadata={"json": name}, **options)


def decode(value: Any, into: Into[T], report: Report | None = None) -> T:
    """Read parsed JSON into a type.

    Args:
        value: What the JSON parser returned.
        into: The type, or a `Shape`.
        report: Is called with each optional field that was left out, such as "$.metadata: expected an object, got
            an array".

    Raises:
        DecodingError: A needed field is missing or of a wrong type.
    """
    dropped: list[str] = []
    type, finish = (into.type, into.finish) if isinstance(into, Shape) else (into, None)
    try:
        result: T = _reader_of(type)(value, dropped)
        if finish is not None:
            result = finish(result)
    except _WrongValue as error:
        problem = f"the response does not fit the protocol: ${error.path}: {error.problem}"
        raise DecodingError(clip(problem, 500)) from None
    if report is not None:
        for each in dropped:
            report(f"${each}")
    return result


def can_decode(type: Any) -> bool:
    """Return whether JSON can be read into a type, with the types of its fields and items.

    A class that contains itself cannot be read.
    """
    return _is_known(type, ())


def _is_known(kind: Any, outer: tuple[Any, ...]) -> bool:
    if not (isinstance(kind, type) or get_origin(kind)):
        return False
    if kind in (object, bool, int, float) or _is_open_enum(kind):
        return True
    if isinstance(kind, type) and issubclass(kind, str):
        return True
    if attrs.has(kind):
        try:
            kinds = [field.type for field in _init_fields(kind)]
        except NameError:
            return False
        return kind not in outer and all(_is_known(each, (*outer, kind)) for each in kinds)
    if _is_optional(kind):
        return _is_known(_without_none(kind), outer)
    if is_mapping(kind):
        names, items = (*get_args(kind), str, object)[:2]
        return names is str and _is_known(items, outer)
    if _is_array(kind):
        items = get_args(kind)
        return all(_is_known(each, outer) for each in items[:1]) and (get_origin(kind) is not tuple or ... in items)
    return False


class _WrongValue(Exception):
    """A value that does not fit; each reader that it passes puts its own place before the path."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path


_JSON_NAMES = {str: "a string", bool: "true or false", list: "an array", dict: "an object"}


def _unexpected(expected: str, value: Any) -> _WrongValue:
    got = _JSON_NAMES[type(value)] if isinstance(value, (list, dict)) else f"{value!r:.80}"
    return _WrongValue(f"expected {expected}, got {got}")


def _read_string(value: Any, dropped: list[str]) -> str:
    if isinstance(value, str):
        return value
    raise _unexpected("a string", value)


def _read_bool(value: Any, dropped: list[str]) -> bool:
    if isinstance(value, bool):
        return value
    raise _unexpected("true or false", value)


_NUMERIC = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def _number_hook(kind: type[int] | type[float]) -> Reader:
    def read_number(value: Any, dropped: list[str]) -> int | float:
        if type(value) is kind and (kind is int or isfinite(value)):
            return value
        if isinstance(value, str):
            numeric = _NUMERIC.fullmatch(value) is not None
        elif isinstance(value, float):
            numeric = kind is float or value.is_integer()
        else:
            numeric = isinstance(value, int) and not isinstance(value, bool)
        if numeric:
            with suppress(ValueError, OverflowError):  # int("1.5"), float(10**400)
                number = kind(value)
                if kind is int or isfinite(number):
                    return number
        raise _unexpected(f"a number ({kind.__name__})", value)

    return read_number


def _ready_type(kind: Any) -> type | None:
    """Return the type of the values that are taken as they are, so that no reader is called for them."""
    if is_mapping(kind):
        return dict if _item_kind(kind) is object else None
    return kind if kind in (str, bool, int) else None


def _object_hook(cls: type[Any]) -> Reader:
    """Make the reader of an attrs class: a table of its fields, read from the first to the last."""
    table = []
    for field in _init_fields(cls):
        ready_type, name = _ready_type(_kind_of_field(field)), field.metadata.get("json", field.name)
        is_made = isinstance(field.default, cast(Any, attrs.Factory))  # by attrs, for each value that has none
        default = NOTHING if is_made else field.default
        table.append((name, _field_reader(field), ready_type, field.default is NOTHING, default))
    is_result = issubclass(cls, Result)
    prepare = getattr(cls, "prepare_json", None)
    make = _maker(cls)

    def read_object(original: Any, dropped: list[str]) -> Any:
        value = original if prepare is None else prepare(original)
        if not isinstance(value, dict):
            raise _unexpected("an object", value)
        items: list[Any] = []
        find = value.get
        for name, read, ready_type, needed, default in table:
            item = find(name)
            if type(item) is ready_type:
                items.append(item)
                continue
            if item is None and not needed:
                items.append(default)
                continue
            before = len(dropped)
            try:
                items.append(read(item, dropped))
            except _WrongValue as error:
                error.path = f".{name}{error.path}"
                if needed:
                    if name not in value:
                        error.problem = "missing"
                    raise
                del dropped[before:]
                dropped.append(f"{error.path}: {error.problem}")
                items.append(default)
            else:
                if len(dropped) > before:
                    dropped[before:] = [f".{name}{each}" for each in dropped[before:]]
        result = make(*items)
        if is_result:
            stamp_raw(result, original)
        return result

    if "choose_json_class" not in vars(cls):  # its subclasses are read as themselves
        return read_object

    def read_variant(value: Any, dropped: list[str]) -> Any:
        kind = cls.choose_json_class(value)
        return (read_object if kind is cls else _converter.get_structure_hook(kind))(value, dropped)

    return read_variant


def _init_fields(cls: type[Any]) -> list[attrs.Attribute[Any]]:
    return [field for field in attrs.fields(attrs.resolve_types(cls)) if field.init]


def _maker(cls: type[T]) -> Callable[..., T]:
    """Return a function that makes a value of all fields in their order; `NOTHING` stands for a default.

    The `__init__` of a class of the user's may be the user's own.
    """
    is_ours = cls.__module__.partition(".")[0] == __name__.partition(".")[0]
    make: Callable[..., T] = quick_maker(cls) if is_ours else cls
    fields = _init_fields(cls)
    if is_ours and not any(field.kw_only for field in fields):
        return make
    names = [str(field.alias) for field in fields]
    return lambda *items: make(**{name: item for name, item in zip(names, items, strict=True) if item is not NOTHING})


def _field_reader(field: attrs.Attribute[Any]) -> Reader:
    """Make the reader of a field. A wrong item of an optional array or mapping is left out, and its neighbours stay."""
    kind = _kind_of_field(field)
    if field.default is not NOTHING:
        for matches, make in ((_is_array, _array_hook), (is_mapping, _mapping_hook)):
            if matches(field.type):
                return make(kind, keep_others=True)
    return _converter.get_structure_hook(kind)


def _kind_of_field(field: attrs.Attribute[Any]) -> Any:
    """Return the type that a field is read into: null is not read where the field has a default."""
    optional = field.default is not NOTHING and _is_optional(field.type)
    return _without_none(field.type) if optional else field.type


def _array_hook(cls: Any, *, keep_others: bool = False) -> Reader:
    """Make the reader of `tuple[T, ...]` or `list[T]`."""
    kind = (*get_args(cls), object)[0]
    read, ready = _converter.get_structure_hook(kind), {_ready_type(kind)}
    make: type[Any] = list if list in (cls, get_origin(cls)) else tuple

    def read_array(value: Any, dropped: list[str]) -> Any:
        if not isinstance(value, list):
            raise _unexpected("an array", value)
        if ready.issuperset(map(type, value)):
            return make(value)
        items = _read_items(enumerate(value), "[{}]", read, dropped, keep_others)
        return make([item for _, item in items])

    return read_array


def _mapping_hook(cls: Any, *, keep_others: bool = False) -> Reader:
    """Make the reader of `dict[str, T]`."""
    kind = _item_kind(cls)
    read, ready = _converter.get_structure_hook(kind), {_ready_type(kind)}

    def read_mapping(value: Any, dropped: list[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _unexpected("an object", value)
        if kind is object or ready.issuperset(map(type, value.values())):
            return value
        return dict(_read_items(value.items(), "[{!r}]", read, dropped, keep_others))

    return read_mapping


def _item_kind(mapping: Any) -> Any:
    return (*get_args(mapping), str, object)[1]


def _read_items(
    items: Iterable[tuple[Any, Any]], place: str, read: Reader, dropped: list[str], keep_others: bool
) -> list[tuple[Any, Any]]:
    """Return the key and the value of each item; a wrong one is left out, or raised if the others need not stay.

    `place` is the format of a key in paths.
    """
    found = []
    for key, item in items:
        before = len(dropped)
        try:
            found.append((key, read(item, dropped)))
        except _WrongValue as error:
            error.path = f"{place.format(key)}{error.path}"
            if not keep_others:
                raise
            dropped[before:] = [f"{error.path}: {error.problem}"]
        else:
            if len(dropped) > before:
                dropped[before:] = [f"{place.format(key)}{each}" for each in dropped[before:]]
    return found


def _open_enum_hook(cls: Any) -> Reader:
    """Make the reader of `Status | str`: a known value becomes a member, another one stays a string."""
    members = {member.value: member for kind in get_args(cls) if issubclass(kind, StrEnum) for member in kind}

    def read_member(value: Any, dropped: list[str]) -> Any:
        if isinstance(value, str):
            return members.get(value, value)
        raise _unexpected("a string", value)

    return read_member


def _optional_hook(cls: Any) -> Reader:
    """Make the reader of `T | None`."""
    read = _converter.get_structure_hook(_without_none(cls))
    return lambda value, dropped: None if value is None else read(value, dropped)


def _without_none(cls: Any) -> Any:
    kinds = tuple(kind for kind in get_args(cls) if kind is not NoneType)
    return kinds[0] if len(kinds) == 1 else Union[kinds]  # noqa: UP007  the types are known at run time only


def _is_array(cls: Any) -> bool:
    return get_origin(cls) in (tuple, list) or cls is list


def _is_union(cls: Any) -> bool:
    return get_origin(cls) in (Union, UnionType)


def _is_open_enum(cls: Any) -> bool:
    kinds = get_args(cls)
    return _is_union(cls) and str in kinds and all(isinstance(k, type) and issubclass(k, str) for k in kinds)


def _is_optional(cls: Any) -> bool:
    return _is_union(cls) and NoneType in get_args(cls)


def _make_converter() -> Converter:
    converter = Converter()
    converter.register_structure_hook_func(lambda cls: cls is object, lambda value, _: value)
    converter.register_structure_hook(str, _read_string)
    converter.register_structure_hook(bool, _read_bool)
    converter.register_structure_hook(int, _number_hook(int))
    converter.register_structure_hook(float, _number_hook(float))
    for matches, factory in (
        (attrs.has, _object_hook),
        (is_mapping, _mapping_hook),
        (_is_array, _array_hook),
        (_is_open_enum, _open_enum_hook),
        (_is_optional, _optional_hook),
    ):
        converter.register_structure_hook_factory(matches, factory)
    return converter


_converter = _make_converter()
_reader_of: Callable[[Any], Reader] = cache(_converter.get_structure_hook)
