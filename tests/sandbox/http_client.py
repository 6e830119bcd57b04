"""Types of the plain HTTP client and of the other fixtures in conftest.py."""

from __future__ import annotations

import asyncio
import json as json_module
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import define, frozen

PROVIDER_REQUESTS = {
    "kelly": ("GET", "/models", {"Authorization": "Bearer key"}),
    "khaya": ("POST", "/v1/translate", {"Ocp-Apim-Subscription-Key": "key"}),
    "skytells": ("POST", "/v1/predictions", {"x-api-key": "key"}),
    "inference": ("POST", "/v1/chat/completions", {"x-api-key": "key"}),
    "aerostack": ("POST", "/v1/cache/get", {"X-Aerostack-Key": "key"}),
}
"""Method, path and headers of one request for each form of error bodies."""


@frozen
class Response:
    """A response as it was received."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        assert self.headers["Content-Type"].startswith("application/json"), self
        return json_module.loads(self.body)


Send = Callable[..., Awaitable[Response]]


@frozen
class BusyEngine:
    """A fake engine that works until the test calls `finish`."""

    process: int
    finish: Callable[[], None]
    ended: asyncio.Event
    """Set when it has finished or its process has ended."""


@frozen
class EngineGate:
    """A text that makes the fake synthesis wait, and the calls that wait."""

    text: str
    calls: asyncio.Queue[BusyEngine]


@define
class Clock:
    """A clock that a test sets."""

    now: float
    """Seconds since 1970."""

    def __call__(self) -> float:
        return self.now
