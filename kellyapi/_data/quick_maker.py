"""Make values of frozen attrs classes in half the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import attrs

P = ParamSpec("P")
T = TypeVar("T")


def quick_maker(cls: Callable[P, T]) -> Callable[P, T]:
    """Return a function that takes the arguments of a frozen class with slots, and makes the same value.

    attrs sets a field of a frozen class by a call of `object.__setattr__`, of another class by an assignment. The
    function makes a value of a subclass that is not frozen, and then changes its class: 7,000 instructions instead of
    15,000 for a `Call`. A translation takes 22,000 of its 300,000 instructions less.
    """
    frozen: Any = cls
    own = getattr(frozen, "__attrs_post_init__", None)

    def freeze(value: Any) -> None:
        if own is not None:
            own(value)
        value.__class__ = frozen

    members = {
        "__attrs_post_init__": freeze,
        "__setattr__": object.__setattr__,
        "__delattr__": object.__delattr__,
        "__slots__": (),
        "__module__": frozen.__module__,
    }
    only_init = attrs.define(repr=False, eq=False, match_args=False, getstate_setstate=False)
    return cast(Callable[P, T], only_init(type(frozen.__name__, (frozen,), members)))
