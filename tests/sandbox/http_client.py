"""What the tests' bare client gives and takes."""

from __future__ import annotations

import asyncio
import json as jsons
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import define, frozen


@frozen
class Answer:
    """What came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        assert self.headers["Content-Type"].startswith("application/json"), self
        return jsons.loads(self.body)


Ask = Callable[..., Awaitable[Answer]]


@frozen
class Call:
    """An engine that is at work until the test hangs up."""

    process: int
    hang_up: Callable[[], None]


@frozen
class Line:
    """Where the fake of speech calls when it is asked to say `text`."""

    text: str
    calls: asyncio.Queue[Call]


@define
class Clock:
    """A clock that stands until it is set."""

    now: float
    """Seconds since 1970."""

    def __call__(self) -> float:
        return self.now
