"""Tests with aioresponses: register one response, and get the exact request."""

from __future__ import annotations

import json as jsons
from typing import Any

from aioresponses import aioresponses as Responses
from attrs import frozen
from yarl import URL

NOTHING = object()
AS_IT_IS = {"Accept-Encoding": "identity"}
"""The header that requests a file without compression."""


@frozen
class Sent:
    """One request as the transport passed it to aiohttp, with its body."""

    headers: dict[str, str]
    """Without the User-Agent, which all requests have."""
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        return jsons.loads(self.body)


def respond(
    wire: Responses,
    method: str,
    url: str,
    *,
    status: int = 200,
    json: Any = NOTHING,
    body: bytes | str = b"",
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
    repeat: bool = False,
) -> list[Sent]:
    """Respond to a request of exactly this method and encoded URL; the returned list collects the requests."""
    sent: list[Sent] = []

    async def record(url: URL, *, headers: dict[str, str], data: Any = None, **_: Any) -> None:
        if hasattr(data, "__aiter__"):
            data = b"".join([piece async for piece in data])
        elif hasattr(data, "read"):
            data = data.read()
        own = {name: value for name, value in headers.items() if name != "User-Agent"}
        sent.append(Sent(own, data or b""))

    wire.add(
        URL(url, encoded=True),
        method,
        status=status,
        body=body if json is NOTHING else jsons.dumps(json),
        content_type=content_type,
        headers=headers,
        callback=record,
        repeat=repeat,
    )
    return sent
