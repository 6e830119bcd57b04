"""Check the arguments of public functions and methods against their annotations.

`checked` reads the annotations of a function once, when it is first called. Names such as `NotBlank` and `Count` are
annotations that also say which values can be used.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
import os
import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, Unpack, cast, get_args, get_origin, get_type_hints

import attrs
from attrs import frozen

from .text import excerpt, not_blank

T = TypeVar("T")


@frozen
class Range:
    """The numbers that can be used."""

    least: float
    most: float = math.inf
    open: bool = False
    """Whether `least` itself is too small."""

    def __call__(self, number: float, name: str) -> None:
        """Raise `ValueError` for a number outside the range."""
        if not isinstance(number, (int, float)):  # a whole number of another library
            number = operator.index(number)
        low = self.least < number if self.open else self.least <= number
        if not (low and number <= self.most and number != math.inf):
            least = f"{'more than' if self.open else 'at least'} {self.least:g}"
            right = least if self.most == math.inf else f"from {self.least:g} to {self.most:g}"
            raise ValueError(f"{name} must be {right}, not {number!r}")


NotBlank = Annotated[str, not_blank]
Count = Annotated[int, Range(1)]
"""A whole number from 1."""
Index = Annotated[int, Range(0)]
"""A whole number from 0."""
Positive = Annotated[float, Range(0, open=True)]
NotNegative = Annotated[float, Range(0)]
FilePath = NotBlank | os.PathLike[str]
Share = Annotated[float, Range(0, 1)]
"""A number from 0 to 1."""

_CHECKED_ELSEWHERE = dict.fromkeys(
    ("Connection", "MediaSource", "SessionSource", "Transport", "WebhookBody", "WebhookHeaders"), Any
)
"""`open_media` checks what can be read, the transport its sessions, and `verification` what servers hand in. Resources
get the connection of their client.
"""

FindError = Callable[[Any, str], Exception | None]
Rule = Callable[[Any, str], object]
"""Called with a value of the right type and the name of its argument; raises `ValueError` if it cannot be used, or
`TypeError` if one of its items has another type.
"""


@frozen
class _Kind:
    """What an annotation accepts."""

    right: str
    """The words for it: "a string"."""
    find_error: FindError
    """Called with any value and the name of its argument; returns `_OTHER_TYPE` for a value of another type."""
    quick: Mapping[type, Rule | None] = {}
    """The rule for the values of a type, or `None` if all are right: the short way, which most arguments take."""
    plural: str = ""
    reads_iterators: bool = False

    def accepts_type(self, value: Any) -> bool:
        """Return whether all values of the type of this one are right."""
        return self.quick.get(type(value), _no_rule) is None

    def problem(self, value: Any, name: str) -> Exception | None:
        """Return the error of a value, or `None`."""
        if self.accepts_type(value):
            return None
        error = self.find_error(value, name)
        return TypeError(f"{name} must be {self.right}, not {_shown(value)}") if error is _OTHER_TYPE else error


_OTHER_TYPE = TypeError()


def _no_rule(value: Any, name: str) -> None:
    """Stand for a type that is not among the quick ones."""


def checked(target: T) -> T:
    """Decorate a function, or the constructor and the public methods of a class, so that arguments are checked.

    A wrong argument raises `TypeError` or `ValueError` with its name: when the function is called, or when the
    coroutine is awaited.
    """
    if inspect.isclass(target):
        for name, member in list(vars(target).items()):
            if name.startswith("_") and name not in ("__init__", "__new__"):
                continue
            if isinstance(member, (classmethod, staticmethod)):
                setattr(target, name, type(member)(_with_checks(member.__func__, target.__module__)))
            elif inspect.isfunction(member):
                setattr(target, name, _with_checks(member, target.__module__))
        return target
    function: Any = target
    return cast(T, _with_checks(function, function.__module__))


def unchecked(function: T) -> T:
    """Return a function without its checks, for a caller that has checked the same arguments itself."""
    original: T = getattr(function, "__wrapped__", function)
    return original


class Checked:
    """The base of classes whose subclasses in this package check their arguments."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__.partition(".")[0] == __name__.partition(".")[0]:  # a user's subclass is the user's own
            checked(cls)


def build(kind: type[T], given: T | Mapping[str, Any], name: str) -> T:
    """Return an object that was given as itself, or as a dict of its fields."""
    if isinstance(given, kind):
        return given
    known = {field.alias: field for field in attrs.fields(cast(Any, kind))}
    fields = cast(Mapping[str, Any], given)
    needed = {alias for alias, field in known.items() if field.default is attrs.NOTHING}
    if not needed <= fields.keys() <= known.keys():
        raise TypeError(f"{name} must be a {kind.__name__}, or a dict with its fields {', '.join(known)}")
    try:
        return kind(**fields)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def _with_checks(function: Callable[..., Any], module: str) -> Callable[..., Any]:
    annotations = {name: text for name, text in function.__annotations__.items() if name != "return"}
    if hasattr(function, "__wrapped__") or set(annotations.values()) <= {"Any", "object", *_CHECKED_ELSEWHERE}:
        return function

    @functools.cache
    def parameters() -> _Parameters:
        return _read_parameters(function, annotations, module)

    # A traceback may show the local variables of a frame: those of a wrapper are deleted, since a key may be in them.
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **named: Any) -> Any:
            try:
                known = parameters()
                if known.iterables:
                    args, named = known.read_iterators(args, named)
                if (error := known.find_error(args, named)) is not None:
                    raise error
                return await function(*args, **named)
            finally:
                del args, named

        return call_async

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        try:
            known = parameters()
            if known.iterables:
                args, named = known.read_iterators(args, named)
            if (error := known.find_error(args, named)) is not None:
                raise error
            return function(*args, **named)
        finally:
            del args, named

    return call


@frozen
class _Parameter:
    """A parameter, and what it accepts."""

    name: str
    kind: _Kind


@frozen
class _Parameters:
    """The parameters of a function. `None` in place of a parameter accepts every value."""

    positional: Sequence[_Parameter | None]
    more: _Parameter | None
    """The `*args`."""
    named: Mapping[str, _Parameter | None]
    complete: bool
    """Whether `named` has the names of `**options` too. Python itself refuses unknown names otherwise."""
    iterables: Mapping[str, int]
    """The names and places of those that may be iterators."""

    def find_error(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> Exception | None:
        """Return the error of the first wrong argument. Missing arguments are left to Python."""
        given: Iterable[tuple[_Parameter | None, Any]] = zip(self.positional, args)  # noqa: B905  either may be longer
        if self.more or named:
            by_name = zip(map(self.named.get, named), named.values(), strict=True)
            given = chain(given, self._more(args) if self.more else (), by_name)
        try:
            for parameter, value in given:
                if parameter is None:
                    continue
                kind = parameter.kind
                rule = kind.quick.get(type(value), _no_rule)
                if rule is _no_rule:
                    if error := kind.problem(value, parameter.name):
                        return error
                elif rule is not None:
                    rule(value, parameter.name)
        except (TypeError, ValueError) as error:
            return error.with_traceback(None)
        if self.complete and (unknown := named.keys() - self.named.keys()):
            return TypeError(f"unknown argument {min(unknown)!r}; the arguments are {', '.join(self.named)}")
        return None

    def read_iterators(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Put a list in place of each iterator that the function reads as a whole, so that its items can be checked."""
        for name, place in self.iterables.items():
            if name in named:
                if hasattr(named[name], "__next__"):
                    named = {**named, name: list(named[name])}
            elif place < len(args) and hasattr(args[place], "__next__"):
                args = (*args[:place], list(args[place]), *args[place + 1 :])
        return args, named

    def _more(self, args: tuple[Any, ...]) -> Iterator[tuple[_Parameter | None, Any]]:
        assert self.more is not None
        for place, value in enumerate(args[len(self.positional) :]):
            yield _Parameter(f"{self.more.name}[{place}]", self.more.kind), value


def _read_parameters(function: Callable[..., Any], annotations: Mapping[str, Any], module: str) -> _Parameters:
    hints = get_type_hints(
        cast(Any, SimpleNamespace(__annotations__=annotations)),
        sys.modules[module].__dict__,
        _CHECKED_ELSEWHERE,
        include_extras=True,
    )
    positional: list[_Parameter | None] = []
    more: _Parameter | None = None
    named: dict[str, _Parameter | None] = {}
    complete = False
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name, Any)
        if get_origin(hint) is Unpack:
            options = get_type_hints(get_args(hint)[0], include_extras=True)
            named |= {option: _Parameter(option, _compile(each)) for option, each in options.items()}
            complete = True
            continue
        known = None if hint in (Any, object) else _Parameter(name, _compile(hint))
        if parameter.kind is parameter.VAR_POSITIONAL:
            more = known
        elif parameter.kind is not parameter.VAR_KEYWORD:
            if parameter.kind is not parameter.KEYWORD_ONLY:
                positional.append(known)
            if name not in ("self", "cls") and parameter.kind is not parameter.POSITIONAL_ONLY:
                named[name] = known
    places = {each.name: place for place, each in enumerate(positional) if each}
    iterables = {
        each.name: places.get(each.name, sys.maxsize)
        for each in (*positional, *named.values())
        if each and each.kind.reads_iterators
    }
    return _Parameters(positional, more, named, complete, iterables)


def _compile(hint: Any) -> _Kind:
    """Compile an annotation."""
    origin, args = get_origin(hint), get_args(hint)
    if isinstance(hint, TypeVar):
        return _compile(hint.__bound__ or Any)
    if origin is Annotated:
        return functools.reduce(_with_rule, args[1:], _compile(args[0]))
    if origin in (Union, UnionType):
        return _union([_compile(each) for each in args])
    if origin is Literal:
        return _literal(args)
    if origin is tuple and ... not in args:
        return _tuple([_compile(each) for each in args])
    if origin is Mapping:
        return _mapping(*map(_compile, args))
    if inspect.isclass(origin) and issubclass(origin, Iterable):
        return _collection(origin, _compile(args[0]))
    kind = origin or hint
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    words = f"{'an' if kind.__name__[0] in 'AEIO' else 'a'} {kind.__name__}"
    if getattr(kind, "_is_protocol", False):  # `isinstance` needs `runtime_checkable`, which looks at the same names
        members = [name for name in vars(kind) if not name.startswith("_")]
        words = f"an object with {' and '.join(members)}"
        plural = f"objects with {' and '.join(members)}"
        return _simple(
            words,
            lambda value: not inspect.isclass(value) and all(hasattr(value, each) for each in members),
            plural=plural,
        )
    return _simple(words, lambda value: isinstance(value, kind), kind, plural=f"{kind.__name__} objects")


def _simple(right: str, accepts: Callable[[Any], bool], *exact: type, plural: str = "") -> _Kind:
    return _Kind(right, lambda value, _: None if accepts(value) else _OTHER_TYPE, dict.fromkeys(exact), plural or right)


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or hasattr(type(value), "__index__"))


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or _is_whole(value)


def _check_finite(number: float, name: str) -> None:
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, not {number!r}")


def _is_mapping(value: Any) -> bool:
    return isinstance(value, (dict, Mapping)) or (hasattr(value, "keys") and hasattr(value, "items"))


def _with_rule(kind: _Kind, rule: Rule) -> _Kind:
    def after(first: Rule) -> Rule:
        def check(value: Any, name: str) -> None:
            first(value, name)
            rule(value, name)

        return check

    def find_error(value: Any, name: str) -> Exception | None:
        error = kind.find_error(value, name)
        if error is None:
            try:
                rule(value, name)
            except (TypeError, ValueError) as refused:
                return refused.with_traceback(None)
        return error

    quick = {each: rule if first is None else after(first) for each, first in kind.quick.items()}
    return attrs.evolve(kind, find_error=find_error, quick=quick)


_SIMPLE: Mapping[Any, _Kind] = {
    Any: _simple("anything", lambda _: True),
    object: _simple("anything", lambda _: True),
    NoneType: _simple("None", lambda value: value is None, NoneType),
    str: _simple("a string", lambda value: isinstance(value, str), str, plural="strings"),
    bool: _simple("True or False", lambda value: isinstance(value, bool), bool),
    int: _simple("a whole number", _is_whole, int, plural="whole numbers"),
    float: _with_rule(_simple("a number", _is_number, int, float, plural="numbers"), _check_finite),
    bytes: _simple("bytes", lambda value: isinstance(value, (bytes, bytearray, memoryview)), bytes),
    type: _simple("a class", lambda value: isinstance(value, type) or isinstance(get_origin(value), type)),
    os.PathLike: _simple("a path", lambda value: isinstance(value, os.PathLike), plural="paths"),
    Callable: _simple("a function", callable, plural="functions"),
    AsyncIterable: _simple("an async iterator", lambda value: isinstance(value, AsyncIterable)),
    Awaitable: _simple("a coroutine", lambda value: hasattr(value, "__await__")),
}


def _union(kinds: Sequence[_Kind]) -> _Kind:
    def find_error(value: Any, name: str) -> Exception | None:
        found: Exception = _OTHER_TYPE
        for kind in kinds:
            error = kind.find_error(value, name)
            if error is None:
                return None
            if found is _OTHER_TYPE or isinstance(error, ValueError):  # a ValueError says that the type is right
                found = error
        return found

    return _Kind(
        _alternatives([kind.right for kind in kinds]),
        find_error,
        {each: rule for kind in reversed(kinds) for each, rule in kind.quick.items()},
        _alternatives([kind.plural for kind in kinds]),
        any(kind.reads_iterators for kind in kinds),
    )


def _literal(choices: Sequence[Any]) -> _Kind:
    right = _alternatives(list(map(repr, choices)))
    types = tuple({type(choice) for choice in choices})

    def find_error(value: Any, name: str) -> Exception | None:
        if not isinstance(value, types):
            return _OTHER_TYPE
        return None if value in choices else ValueError(f"{name} must be {right}, not {excerpt(repr(value))}")

    return _Kind(right, find_error, plural=right)


def _tuple(kinds: Sequence[_Kind]) -> _Kind:
    right = f"({', '.join(kind.right for kind in kinds)})"

    def find_error(value: Any, name: str) -> Exception | None:
        if not isinstance(value, (tuple, list)):
            return _OTHER_TYPE
        if len(value) != len(kinds):
            return TypeError(f"{name} must be {right}, not {len(value)} values")
        errors = (kind.problem(item, f"{name}[{at}]") for at, (kind, item) in enumerate(zip(kinds, value, strict=True)))
        return next(filter(None, errors), None)

    return _Kind(right, find_error, plural=right)


def _mapping(key: _Kind, value: _Kind) -> _Kind:
    def check_items(mapping: Any, name: str) -> None:
        for each, item in mapping.items():
            if not key.accepts_type(each) and (error := key.problem(each, f"each key of {name}")):
                raise error
            if value is not _SIMPLE[Any] and (error := value.problem(item, f"{name}[{each!r}]")):
                raise error

    return _with_rule(_simple("a dict", _is_mapping, dict, plural="dicts"), check_items)


def _collection(base: type[Any], item: _Kind) -> _Kind:
    def find_error(values: Any, name: str) -> Exception | None:
        if isinstance(values, (str, bytes, bytearray, memoryview, Mapping)) or not isinstance(values, base):
            return _OTHER_TYPE
        for place, value in enumerate(() if isinstance(values, Iterator) or item is _SIMPLE[Any] else values):
            if error := item.problem(value, f"{name}[{place}]"):
                return error
        return None

    reads_iterators = issubclass(Iterator, base) and item is not _SIMPLE[Any]  # otherwise there is nothing to check
    right = f"a list of {item.plural}"
    return _Kind(right, find_error, plural=right, reads_iterators=reads_iterators)


def _alternatives(words: Sequence[str]) -> str:
    words = list(dict.fromkeys(words))
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _shown(value: Any) -> str:
    """Name a value by its type only: it may be long, or a key."""
    return repr(value) if value is None or isinstance(value, bool) else type(value).__name__
