"""One operation of each kind for each provider, its successful response, and the outcome of a call."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

from _core.pools import in_pool, in_use
from attrs import evolve, field, frozen
from providers.replies import COMPLETION, MODEL, PREDICTION
from servers import KEY, Script, Server, make_response

from kellyapi import Aerostack, Kelly, KellyAPIError, Khaya, Prediction, Skytells

WAV = b"RIFF$\0\0\0WAVEfmt " + bytes(28)
REFUSED = "refused"
"""Instead of scripts: the connection is refused."""


async def _pieces() -> AsyncIterator[bytes]:
    yield WAV
    yield WAV


async def _save(client: Aerostack, _: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = await client.storage.download("a", Path(folder) / "a")
        left = [one.name for one in path.parent.iterdir()]
        assert left == ["a"]
        return path.read_bytes()


async def _fetch_output(client: Skytells, url: str) -> bytes:
    done = Prediction(id="a1", status="succeeded", output=[f"{url}/a.png"])
    with tempfile.TemporaryDirectory() as folder:
        (path,) = await client.predictions.download(done, folder)
        return path.read_bytes()


async def _listen(client: Khaya, _: str) -> bytes:
    async with client.synthesize_stream("x", "tw") as stream:
        return b"".join([piece async for piece in stream])


@frozen
class Operation:
    client: type[Any]
    method: str
    call: Callable[[Any, str], Awaitable[Any]]
    """Takes a client and the address of its server."""
    good: bytes
    """A successful response."""
    repeat: Literal["free", "paid"]
    once: bool = False
    """The body can be read only once."""
    reads: Literal["json", "audio", "file"] = "json"
    stream: bool = False
    """The result is yielded while it arrives: only failures before its first byte are retried."""
    keyless: bool = False
    transfer: bool = False
    """It has an idle timeout instead of a total."""
    slow: bool = False
    """The server may take long before it responds."""


def _json(value: Any) -> bytes:
    return make_response(body=json.dumps(value).encode())


SPOKEN = make_response(body=WAV, kind="audio/wav")
PNG = make_response(body=b"\x89PNG\r\n\x1a\n", kind="image/png")
OPERATIONS: dict[str, Operation] = {
    "kelly GET": Operation(Kelly, "GET", lambda one, _: one.models("sd"), _json(["a"]), "free"),
    "kelly POST": Operation(Kelly, "POST", lambda one, _: one.chat("x"), _json({"message": "y"}), "paid"),
    "khaya GET": Operation(
        Khaya, "GET", lambda one, _: one.languages("translation"), _json({"languages": {"tw": "Twi"}}), "free"
    ),
    "khaya POST": Operation(Khaya, "POST", lambda one, _: one.translate("x", "en-tw"), _json("y"), "paid"),
    "khaya POST of bytes": Operation(
        Khaya, "POST", lambda one, _: one.transcribe(WAV, "tw"), _json("y"), "paid", transfer=True, slow=True
    ),
    "khaya POST of a path": Operation(
        Khaya, "POST", lambda one, _: one.transcribe(__file__, "tw"), _json("y"), "paid", transfer=True, slow=True
    ),
    "khaya POST of an iterator": Operation(
        Khaya,
        "POST",
        lambda one, _: one.transcribe(_pieces(), "tw"),
        _json("y"),
        "paid",
        once=True,
        transfer=True,
        slow=True,
    ),
    "khaya speech": Operation(Khaya, "POST", lambda one, _: one.synthesize("x", "tw"), SPOKEN, "paid", reads="audio"),
    "khaya stream": Operation(Khaya, "POST", _listen, SPOKEN, "paid", reads="audio", stream=True, transfer=True),
    "skytells GET": Operation(Skytells, "GET", lambda one, _: one.models.list(), _json([MODEL]), "free"),
    "skytells POST": Operation(
        Skytells, "POST", lambda one, _: one.predictions.create("m", {}), _json(PREDICTION), "paid"
    ),
    "skytells POST that is free": Operation(
        Skytells, "POST", lambda one, _: one.predictions.cancel("a1"), _json(PREDICTION), "free"
    ),
    "skytells DELETE": Operation(
        Skytells, "DELETE", lambda one, _: one.predictions.delete("a1"), _json(PREDICTION), "free"
    ),
    "skytells output": Operation(
        Skytells, "GET", _fetch_output, PNG, "free", reads="file", keyless=True, transfer=True
    ),
    "aerostack GET": Operation(Aerostack, "GET", lambda one, _: one.search.types(), _json({"types": []}), "free"),
    "aerostack POST": Operation(Aerostack, "POST", lambda one, _: one.ai.chat("x"), _json(COMPLETION), "paid"),
    "aerostack POST that is free": Operation(
        Aerostack, "POST", lambda one, _: one.cache.get("a"), _json({"value": 1, "exists": True}), "free"
    ),
    "aerostack form": Operation(
        Aerostack, "POST", lambda one, _: one.storage.upload("a", WAV), _json({"url": "https://a"}), "free"
    ),
    "aerostack form of an iterator": Operation(
        Aerostack,
        "POST",
        lambda one, _: one.storage.upload("a", _pieces()),
        _json({"url": "https://a"}),
        "free",
        once=True,
        transfer=True,
    ),
    "aerostack file": Operation(Aerostack, "POST", lambda one, _: one.storage.download("a"), PNG, "free", reads="file"),
    "aerostack file on disk": Operation(
        Aerostack, "POST", _save, PNG, "free", reads="file", stream=True, transfer=True
    ),
}


@frozen(kw_only=True)
class Outcome:
    """The outcome of a call."""

    result: Any = None
    error: KellyAPIError | None = None
    requests: list[Any] = field(factory=list)
    connections: int = 0
    seconds: float = 0.0
    """By the clock of the loop."""


async def ask(operation: Operation, *scripts: Script, **options: Any) -> Outcome:
    """Call an operation of a server that plays scripts, and check that the call leaves nothing open."""
    refuses = scripts == (REFUSED,)
    async with Server(*(() if refuses else scripts)) as server:
        if refuses:
            server._server.close()
        async with operation.client(KEY, base_url=server.url, **options) as client:
            loop, before = asyncio.get_running_loop(), asyncio.all_tasks()
            started = loop.time()
            outcome = Outcome()
            try:
                outcome = evolve(outcome, result=await operation.call(client, server.url))
            except KellyAPIError as error:
                outcome = evolve(outcome, error=error)
            seconds = loop.time() - started
            await _nothing_left(client, server, before)
            return evolve(outcome, requests=server.requests, connections=server.connections, seconds=seconds)


async def _nothing_left(client: Any, server: Server, before: set[asyncio.Task[Any]]) -> None:
    """Wait until each connection is closed or back in the pool, and the call has no task left."""
    for _ in range(100):
        ours = {task for task in asyncio.all_tasks() - before if "Server._serve" not in repr(task.get_coro())}
        if not in_use(client) and not ours:
            break
        await asyncio.sleep(0.01)
    assert not in_use(client)
    assert not ours, ours
    kept = in_pool(client)
    await server.until(lambda: server.open <= kept)
