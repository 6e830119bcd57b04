"""The input schemas of models, which a client requests once per model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import define

Schema = Mapping[str, Any] | None


@define
class _Request:
    """A request that several callers wait for."""

    task: asyncio.Task[Schema]
    callers: int = 0


class InputSchemas:
    """The schemas that a client and its siblings know. Calls at the same time share one request."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Schema] = {}
        self._requests: dict[tuple[asyncio.AbstractEventLoop, str, str], _Request] = {}

    async def get(self, address: str, model: str, fetch: Callable[[], Awaitable[Schema]]) -> Schema:
        """Return the schema of a model of a server; `None` if the catalogue has none.

        `fetch` requests it, unless it is known or requested already. If all callers are cancelled, so is the request.
        """
        if (address, model) in self._known:
            return self._known[address, model]
        place = (asyncio.get_running_loop(), address, model)
        request = self._requests.get(place)
        if request is None:
            request = self._requests[place] = _Request(asyncio.ensure_future(_call(fetch)))
        request.callers += 1
        try:
            schema = await asyncio.shield(request.task)
        finally:
            request.callers -= 1
            if not request.callers or request.task.done():
                self._requests.pop(place, None)
                request.task.cancel()
        self._known[address, model] = schema
        return schema


async def _call(fetch: Callable[[], Awaitable[Schema]]) -> Schema:
    return await fetch()
