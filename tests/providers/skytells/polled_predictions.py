"""States of a prediction, and a client that polls them from a server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from servers import Script, Server, make_response

from kellyapi import Skytells

GET, CANCEL = "/predictions/a1", "/predictions/a1/cancel"


def state(status: str, **fields: Any) -> bytes:
    """Respond with a state of prediction a1."""
    return make_response(body=json.dumps({"id": "a1", "status": status, **fields}).encode())


def progress(percent: int) -> bytes:
    return state("processing", metrics={"progress": percent})


def refusal(status: int, **headers: str) -> bytes:
    return make_response(status, b'{"error": {"message": "no"}}', **headers)


DONE = state("succeeded")


@asynccontextmanager
async def followed(*scripts: Script, **options: Any) -> AsyncIterator[tuple[Skytells, Server]]:
    async with Server(*scripts) as server, Skytells("key", base_url=server.url, **options) as skytells:
        yield skytells, server


def targets(server: Server) -> list[str]:
    return [seen.target for seen in server.requests]
