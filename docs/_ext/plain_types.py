"""Imports the library with `Annotated[str, rule]` as `str`: Sphinx would show rules as addresses of functions."""

from __future__ import annotations

import typing


class _Plain:
    def __class_getitem__(cls, given: tuple[typing.Any, ...]) -> typing.Any:
        return given[0]


annotated, typing.Annotated = typing.Annotated, _Plain  # type: ignore[assignment]
try:
    import kellyapi

    for each in kellyapi.__all__:
        getattr(kellyapi, each)  # imports its module
finally:
    typing.Annotated = annotated
