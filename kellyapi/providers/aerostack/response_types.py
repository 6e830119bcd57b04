"""Shapes of responses that several of Aerostack's resources share."""

from __future__ import annotations

from attrs import frozen

from ..._data.decoding import Shape


@frozen
class _Success:
    success: bool = True


SUCCESS = Shape(_Success, lambda found: found.success)
"""A response that says only whether the operation succeeded."""


def whole_number(number: float) -> float:
    """Return a number as an `int` if it is whole."""
    return int(number) if number.is_integer() else number
