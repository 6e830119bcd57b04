"""A server of Skytells whose models have any inputs, and whose predictions succeed at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from attrs import define, field
from servers import Exchange, Script, Server, make_response

from kellyapi import NO_RETRY, Skytells

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x03\x00\x00\x00\x02\x08\x02\x00\x00\x00"
NUMBER = {"type": "integer", "minimum": 64, "maximum": 2048}


@define
class Studio:
    """Responds to the requests for one model. Predictions are p1, p2, …, and each output is a file of its own."""

    inputs: Mapping[str, Any] | None = None
    """The properties of the input schema; `None` for a model without a schema."""
    outputs: Sequence[int] = (1,)
    """How many outputs the first prediction has, the second, …; the last one holds for all others."""
    file: bytes = PNG
    mime: str = "image/png"
    instead: Mapping[str, Script] = field(factory=dict)
    """What responds to a path in place of the studio."""
    created: list[dict[str, Any]] = field(factory=list)
    """The bodies of the requests that created predictions."""
    server: Server = field(init=False)

    @property
    def targets(self) -> list[str]:
        return [seen.target for seen in self.server.requests]

    def count(self, target: str) -> int:
        return self.targets.count(target)

    async def __call__(self, exchange: Exchange) -> None:
        target = exchange.seen.target
        instead = self.instead.get(target)
        if callable(instead):
            await instead(exchange)
            return
        await exchange.read()
        if target == "/predict":
            self.created.append(json.loads(exchange.seen.body))
        await exchange.write(self._respond(target) if instead is None else instead)

    def _respond(self, target: str) -> bytes:
        if target.startswith("/model/"):
            schema = None if self.inputs is None else {"type": "object", "properties": self.inputs}
            model = {"name": "M", "namespace": "m", "input_schema": schema}
            return make_response(body=json.dumps(model).encode())
        if target == "/predict":
            return state(f"p{len(self.created)}", "pending")
        if target.startswith("/files/"):
            return make_response(body=self.file, kind=self.mime)
        if target.endswith("/cancel"):
            return make_response(body=b'{"success": true}')
        id = target.removeprefix("/predictions/")
        number = int(id[1:])
        count = self.outputs[min(number, len(self.outputs)) - 1]
        links = [f"{self.server.url}/files/{id}-{place}" for place in range(1, count + 1)]
        return state(id, "succeeded", output=links, metadata={"billing": {"credits_used": 0.06}})


def state(id: str, status: str, **fields: Any) -> bytes:
    """Respond with a state of a prediction."""
    return make_response(body=json.dumps({"id": id, "status": status, **fields}).encode())


@asynccontextmanager
async def opened(studio: Studio, **options: Any) -> AsyncIterator[Skytells]:
    """Yield a client of a studio."""
    async with (
        Server(studio) as studio.server,
        Skytells("key", base_url=studio.server.url, **{"retry": NO_RETRY, **options}) as skytells,
    ):
        yield skytells
