"""Values that nothing changes once they are made, and how they are made quickly.

attrs writes each field of a frozen class with slots by a call of `object.__setattr__`, which takes 920 instructions,
and of another class by an assignment, which takes 160. The values of one `translate` have 30 fields, those of one `run`
90: a twentieth of a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import attrs

if TYPE_CHECKING:
    from attrs import frozen as fixed
else:
    from attrs import define as fixed

__all__ = ["draft_class", "fixed"]
"""`fixed` declares a class of values that live for one call, and are no results: to type checkers it is frozen."""

T = TypeVar("T")


def draft_class(cls: type[T]) -> type[T]:
    """Return the class to make a value of a frozen class with: a draft, until `cls` is assigned to its `__class__`.

    For a class of the user's it is the class itself.
    """
    if cls.__module__.partition(".")[0] != __name__.partition(".")[0]:
        return cls
    writable = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__, "__slots__": ()}
    return attrs.define(type(cls.__name__, (cls,), {**writable, "__module__": cls.__module__}))
