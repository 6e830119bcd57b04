"""How arguments are checked against annotations: what goes on working, and how errors name what is right."""

from __future__ import annotations

import asyncio
import inspect
import math
import warnings
from collections import OrderedDict, UserDict, UserList, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal, Protocol, TypedDict, TypeVar, Unpack

import pytest
from attrs import frozen

from kellyapi._data.arguments import Checked, Count, NotBlank, NotNegative, Positive, Range, Share, build, checked


class Named(StrEnum):
    A = "a"


class Mixed(str, Enum):  # noqa: UP042  the older way, which others use
    A = "a"


class Number(IntEnum):
    ONE = 1


class Text(str):
    """A string of another class."""


class Index:
    """A whole number of another library."""

    def __index__(self) -> int:
        return 5


class Runs(Protocol):
    def run(self) -> None: ...


class Runner:
    def run(self) -> None: ...


class Keyed:
    """A mapping of another library."""

    def keys(self) -> list[str]:
        return ["a"]

    def items(self) -> list[tuple[str, int]]:
        return [("a", 1)]


class Row:
    """It has keys and no items."""

    keys = Keyed.keys


class Outcome:
    """A class whose name begins with a vowel."""


Word = TypeVar("Word", bound=str)


class Settings(TypedDict, total=False):
    size: Count
    name: str | None


@frozen
class Pair:
    left: int
    right: str = ""


def function_of(annotation: Any) -> Callable[..., Any]:
    """Make a function with one argument."""

    def function(value: Any) -> Any:
        return value

    function.__annotations__ = {"value": annotation}
    return checked(function)


ACCEPTED: list[tuple[Any, Any]] = [
    *((str, each) for each in ("", Text("a"), Named.A, Mixed.A)),
    *((int, each) for each in (0, -5, 10**30, Number.ONE, Index())),
    *((float, each) for each in (0, 1.5, Number.ONE, Index(), 10**400)),
    *((bool, each) for each in (True, False)),
    *((Count | None, each) for each in (None, 1, Index())),
    *((NotBlank | Iterable[NotBlank], each) for each in ("a", ["a"], ("a",), {"a"}, deque("a"), {"a": 1}.keys())),
    *((Sequence[str], each) for each in (["a"], ("a",), deque("a"), UserList("a"), [])),
    *(
        (Mapping[str, Any], each)
        for each in ({"a": 1}, OrderedDict(a=1), MappingProxyType({"a": 1}), UserDict(a=1), Keyed())
    ),
    *((Literal["a", "b"], each) for each in ("a", Text("b"), Named.A, Mixed.A)),
    *((bytes, each) for each in (b"", bytearray(b"a"), memoryview(b"a"))),
    *((tuple[str, int], each) for each in (("a", 1), ["a", 1])),
    *((Callable[[int], int], each) for each in (len, int, lambda: None)),
    (Runs, Runner()),
    (Positive, 0.001),
    (NotNegative, 0),
    (Share, 1),
    (Any, object()),
    (tuple[Any, object], (1, None)),
    (TypeVar("Anything"), 5),
    (Word, "a"),
]


@pytest.mark.parametrize(("annotation", "value"), ACCEPTED)
def test_values_that_work_as_the_annotation_says_are_accepted(annotation: Any, value: Any) -> None:
    assert function_of(annotation)(value) is value


REFUSED: list[tuple[Any, Any, type[Exception], str]] = [
    (str, b"a", TypeError, "value must be a string, not bytes"),
    (str, None, TypeError, "value must be a string, not None"),
    (str, iter(()), TypeError, "value must be a string, not tuple_iterator"),
    (int, True, TypeError, "value must be a whole number, not True"),
    (int, 1.0, TypeError, "value must be a whole number, not float"),
    (float, "1", TypeError, "value must be a number, not str"),
    (float, float("nan"), ValueError, "value must be a finite number, not nan"),
    (bool, 1, TypeError, "value must be True or False, not int"),
    (Count, 0, ValueError, "value must be at least 1, not 0"),
    (Positive, 0, ValueError, "value must be more than 0, not 0"),
    (Share, 1.5, ValueError, "value must be from 0 to 1, not 1.5"),
    (NotBlank, " ", ValueError, "the value is empty"),
    (NotBlank | None, 5, TypeError, "value must be a string or None, not int"),
    (Literal["a", "b"], "c", ValueError, "value must be 'a' or 'b', not 'c'"),
    (Literal["a", "b"], 5, TypeError, "value must be 'a' or 'b', not int"),
    (Sequence[str], "abc", TypeError, "value must be a list of strings, not str"),
    (Sequence[str], {"a"}, TypeError, "value must be a list of strings, not set"),
    (Iterable[str], {"a": 1}, TypeError, "value must be a list of strings, not dict"),
    (Iterable[str], ["a", 5], TypeError, "value[1] must be a string, not int"),
    (Iterable[Count], iter([1, 0]), ValueError, "value[1] must be at least 1, not 0"),
    (Mapping[str, Any], [("a", 1)], TypeError, "value must be a dict, not list"),
    (Mapping[str, Any], Row(), TypeError, "value must be a dict, not Row"),
    (Mapping[str, Any], {5: 1}, TypeError, "each key of value must be a string, not int"),
    (Mapping[str, int], {"a": "b"}, TypeError, "value['a'] must be a whole number, not str"),
    (tuple[str, int], ("a",), TypeError, "value must be (a string, a whole number), not 1 values"),
    (tuple[str, int], ("a", "b"), TypeError, "value[1] must be a whole number, not str"),
    (Callable[[], int], "len", TypeError, "value must be a function, not str"),
    (Runs, object(), TypeError, "value must be an object with run, not object"),
    (Pair | str, 5, TypeError, "value must be a Pair or a string, not int"),
    (Outcome, 5, TypeError, "value must be an Outcome, not int"),
    (Word, 5, TypeError, "value must be a string, not int"),
    (NotBlank | Iterable[NotBlank], " ", ValueError, "the value is empty"),
    (NotBlank | Iterable[NotBlank], ["a", 5], TypeError, "value[1] must be a string, not int"),
    (Sequence[int] | Sequence[NotBlank], [" "], ValueError, "value[0] is empty"),
    (Annotated[float, Range(-math.inf)], float("inf"), ValueError, "value must be a finite number, not inf"),
]


@pytest.mark.parametrize(("annotation", "value", "kind", "message"), REFUSED)
def test_an_error_names_the_argument_and_what_is_right(
    annotation: Any, value: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        function_of(annotation)(value)
    assert str(caught.value) == message


def test_every_parameter_is_checked_however_it_is_passed() -> None:
    @checked
    def function(a: int, /, b: int = 0, *more: int, c: int = 0, **settings: Unpack[Settings]) -> None: ...

    function(1, 2, 3, 4, c=5, size=6, name=None)
    for args, named, name in [
        (("x",), {}, "a"),
        ((1, "x"), {}, "b"),
        ((1,), {"b": "x"}, "b"),
        ((1, 2, 3, "x"), {}, r"more\[1\]"),
        ((1,), {"c": "x"}, "c"),
        ((1,), {"size": "x"}, "size"),
        ((1,), {"size": 0}, "size"),
    ]:
        with pytest.raises((TypeError, ValueError), match=rf"^{name} must be"):
            function(*args, **named)
    with pytest.raises(TypeError, match="unknown argument 'sizes'; the arguments are b, c, size, name"):
        function(1, sizes=3)  # type: ignore[call-arg]  # the wrong name is the point


def test_an_iterator_is_read_once_and_arrives_whole() -> None:
    @checked
    def function(items: Iterable[int], *, more: Iterable[int] = ()) -> list[int]:
        return [*items, *more]

    assert function((number for number in (1, 2)), more=iter([3])) == [1, 2, 3]

    assert function(iter([1]), more=(2,)) == function(iter([1]), more=[2]) == [1, 2]

    @checked
    def middle(first: int, items: Iterable[int] = (), *more: int) -> list[int]:
        return [first, *items, *more]

    assert middle(1) == [1]
    assert middle(1, iter([2]), 3, 4) == [1, 2, 3, 4]


def test_an_iterator_inside_a_list_is_not_read() -> None:
    [numbers] = function_of(Sequence[Iterable[int]])([iter([1, 2])])
    assert list(numbers) == [1, 2]


def test_other_names_are_left_to_a_function_that_takes_any() -> None:
    @checked
    def function(a: int, **rest: object) -> dict[str, object]:
        return rest

    assert function(1, b=2) == {"b": 2}


def test_a_function_with_nothing_to_check_and_a_checked_one_are_not_wrapped() -> None:
    def function(a: Any, b: object) -> None: ...

    def bare(a, b): ...  # type: ignore[no-untyped-def]  # on purpose

    for each in (function, bare, checked(build)):
        assert checked(each) is each


def test_the_public_methods_and_the_constructor_of_a_class_are_checked() -> None:
    @checked
    class Box:
        def __init__(self, size: int) -> None: ...

        def fill(self, size: int) -> None: ...

        @classmethod
        def of(cls, size: int) -> None: ...

        @staticmethod
        def measure(size: int) -> None: ...

        def _private(self, size: int) -> str:
            return "not checked"

    box: Any = Box(1)
    for each in (Box, box.fill, Box.of, Box.measure):
        with pytest.raises(TypeError, match="size must be a whole number"):
            each("x")
    assert box._private("x") == "not checked"


@pytest.mark.parametrize(("module", "is_checked"), [("kellyapi.client", True), ("kellyapi_of_mine.client", False)])
def test_a_subclass_is_checked_if_it_is_in_this_package(module: str, is_checked: bool) -> None:
    def grow(self: Any, size: int) -> None: ...

    made: Any = type("Made", (Checked,), {"__module__": module, "grow": grow})
    assert (made.grow is not grow) is is_checked


def test_a_function_stays_what_it_was() -> None:
    async def one(a: int, *, b: str = "x") -> int:
        """Return one."""
        return a

    wrapped = checked(one)
    assert inspect.iscoroutinefunction(wrapped)
    assert inspect.signature(wrapped) == inspect.signature(one)
    assert (wrapped.__name__, wrapped.__doc__, wrapped.__module__) == ("one", "Return one.", __name__)
    assert asyncio.run(wrapped(5)) == 5


def test_a_wrong_argument_leaves_no_coroutine_that_was_never_awaited() -> None:
    @checked
    async def one(a: int) -> None: ...

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match="a must be a whole number"):
            asyncio.run(one("x"))  # type: ignore[arg-type]  # the wrong type is the point


def test_an_async_generator_refuses_when_it_is_called() -> None:
    @checked
    async def many(a: int) -> AsyncIterator[int]:
        yield a

    with pytest.raises(TypeError, match="a must be a whole number"):
        many("x")  # type: ignore[arg-type]  # the wrong type is the point


def test_no_frame_of_the_check_keeps_the_arguments() -> None:
    @checked
    def function(key: str, number: int) -> None:
        del key
        raise ValueError("another error")

    for number in (5, "x"):
        with pytest.raises((TypeError, ValueError)) as caught:
            function("sk-secret", number)  # type: ignore[arg-type]  # one of them is wrong
        frames, trace = [], caught.tb
        while trace:
            frames.append(trace.tb_frame)
            trace = trace.tb_next  # type: ignore[assignment]  # the last one has none
        assert "sk-secret" not in repr([frame.f_locals for frame in frames[1:]])


async def test_an_object_may_be_given_as_a_dict_of_its_fields() -> None:
    assert build(Pair, {"left": 1}, "pair") == build(Pair, Pair(1), "pair") == Pair(1)
    assert build(Pair, {"left": 1, "right": "x"}, "pair") == Pair(1, "x")
    for wrong in ({"left": 1, "middle": 2}, {"right": "x"}, {}):
        with pytest.raises(TypeError, match="pair must be a Pair, or a dict with its fields left, right"):
            build(Pair, wrong, "pair")


def test_an_annotation_may_have_rules_of_its_own() -> None:
    even = function_of(Annotated[int, Range(0, 10)])
    assert even(10) == 10
    with pytest.raises(ValueError, match="value must be from 0 to 10, not 11"):
        even(11)


def test_a_coroutine_is_an_awaitable() -> None:
    take = function_of(Awaitable[int])

    async def one() -> int:
        return 1

    assert asyncio.run(take(one())) == 1
    with pytest.raises(TypeError, match="value must be a coroutine, not int"):
        take(5)
