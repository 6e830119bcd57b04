"""Responses that several of Aerostack's resources share."""

from __future__ import annotations

from attrs import frozen


@frozen
class Success:
    """An answer that says only whether it was done."""

    success: bool = True


def whole_number(number: float) -> float:
    """Give a whole number as an `int`, as it looks on the wire."""
    return int(number) if number.is_integer() else number
