"""The base class of all results: what the provider sent, and the id of the request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, SupportsIndex, TypeVar

from attrs import frozen

from .json_text import map_strings
from .quick_maker import quick_maker

T = TypeVar("T")

NOTE_HEADER = "X-Sandbox-Note"
"""The header in which the sandbox says how its response differs from the provider's."""
LONG_TEXT = 64 * 2**10
"""Characters. A longer string is left out of `raw`, so that base64 is not kept alive twice."""


@frozen
class Origin:
    """Where a result comes from."""

    raw: Any = None
    request_id: str | None = None


_UNKNOWN = Origin()
make_origin = quick_maker(Origin)


class Result:
    """What every result has in addition to its own fields.

    `raw` and `request_id` are not fields of attrs: `attrs.asdict` and comparisons leave them out. Copies and pickles
    have them, results of `attrs.evolve` do not.
    """

    __slots__ = ("_origin",)

    @property
    def raw(self) -> Any:
        """The parsed JSON that the result was read from; `None` if there was none.

        Nothing that the provider sent is out of reach. A string of more than 65,536 characters stands as
        `<n characters>`.
        """
        return _origin_of(self).raw

    @property
    def request_id(self) -> str | None:
        """The id that the server gave the request, if any; quote it to the provider's support."""
        return _origin_of(self).request_id

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        plain: Any = super().__reduce_ex__(protocol)
        return _new_with_origin, (type(self), _origin_of(self)), plain[2]


class Page(Result, Generic[T]):
    """One page of a list: `for item in page`, `len(page)`."""

    __slots__ = ()

    items: tuple[T, ...]

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def stamp(result: T, origin: Origin, size: int = 0) -> T:
    """Note in a result, or in each result of a tuple or a page, where it comes from.

    The items of a tuple or a page keep the part of the JSON that they were read from. `size` is the length of the
    response: the long strings of a long one are left out.
    """
    if isinstance(result, Result):
        _set_origin(result, origin)
    items = result if isinstance(result, tuple) else result.items if isinstance(result, Page) else ()
    if items:
        for item in items:
            if isinstance(item, Result):
                own = origin.raw if item.raw is None else item.raw
                _set_origin(item, make_origin(shortened(own) if size > LONG_TEXT else own, origin.request_id))
    return result


def stamp_raw(result: Result, raw: Any) -> None:
    """Note in a result the JSON that it was read from."""
    _set_origin(result, make_origin(raw))


def with_origin_of(source: Result, result: T) -> T:
    """Give a result the origin of the one that it was made of, and return it."""
    return stamp(result, _origin_of(source))


def _origin_of(result: Result) -> Origin:
    return getattr(result, "_origin", _UNKNOWN)


def _new_with_origin(kind: type[Result], origin: Origin) -> Result:
    result = kind.__new__(kind)
    _set_origin(result, origin)
    return result


_set_origin: Callable[[Result, Origin], None] = Result.__dict__["_origin"].__set__
"""Results are frozen, and `evolve` would make another: 0.05 us, where it takes 2."""


def shortened(value: Any) -> Any:
    """Replace the long strings of parsed JSON by their lengths."""
    return map_strings(value, lambda text: f"<{len(text)} characters>" if len(text) > LONG_TEXT else text)
