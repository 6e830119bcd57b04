"""Command-line arguments that are numbers within bounds."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from math import inf
from typing import TypeVar

N = TypeVar("N", int, float)


def number(kind: type[N], least: float, most: float = inf) -> Callable[[str], N]:
    """Return a function for `type=` that reads such a number."""
    bounds = f"{least:g} or more" if most == inf else f"{least:g} to {most:g}"
    wanted = f"must be a {'whole ' if kind is int else ''}number, {bounds}"

    def read(text: str) -> N:
        try:
            value = kind(text)
        except ValueError:
            raise ArgumentTypeError(f"{wanted}, not {text!r}") from None
        if not (least <= value <= most and value < inf):
            raise ArgumentTypeError(f"{wanted}, not {text!r}")
        return value

    return read
