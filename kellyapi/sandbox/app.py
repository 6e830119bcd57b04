"""The sandbox: a local server that answers like all four systems, for people without keys and for tests.

It owns the server's life and addresses, and remembers what arrived. What each system answers is in the module of its
name, what does the work in `engines`, what goes wrong on order in `faults`.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from attrs import define

from kellyapi import Aerostack, Kelly, KellyAPI, Khaya, Skytells

from . import kelly, khaya
from .aerostack import face as aerostack
from .breaking import Gone, Recorder, spoil
from .engines.process import Engines
from .face import SHARED, Face, Handler, Refused, Shared
from .faults import Fault, Orders
from .skytells import routes as skytells
from .skytells.callbacks import WEBHOOK_RETRIES
from .skytells.predictions import PREDICTION_TIME
from .store import Store

MAX_BODY = 256 * 2**20
_PATHS = {"kelly": "", "khaya": "", "skytells": "/v1", "aerostack": "/v1"}
# Kelly AI's header comes last: some clients of Skytells send Authorization beside x-api-key.
_FACES = (khaya.FACE, skytells.FACE, skytells.INFERENCE, aerostack.FACE, kelly.FACE)
_CODES = {
    400: "VALIDATION_ERROR",
    402: "INSUFFICIENT_CREDITS",
    403: "FORBIDDEN",
    404: "ENDPOINT_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    422: "VALIDATION_ERROR",
    429: "RATE_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}
_SECRET = ("Authorization", "Proxy-Authorization", "Cookie", *(face.key_header for face in _FACES))


@define
class Received:
    """A request that arrived."""

    method: str
    path: str
    """With its query, as it was on the wire."""
    headers: Mapping[str, str]
    """By names in any case; without keys and cookies."""
    status: int | None = None
    """What was answered; `None` until the answer begins, and where there is none."""


_RECEIVED = web.RequestKey("received", Received)


class Sandbox:
    """A local server for all four systems at one address: `async with Sandbox() as sandbox: …`.

    `port=0` takes a free port, and keeps it when the sandbox is closed and started again. `keys` are the keys that are
    accepted; without them any that is not blank is. `data` is the folder that keeps what the sandbox remembers for the
    next one; without it, it is forgotten at the end. `schema` is SQL that makes the tables of Aerostack's database,
    each statement once in the life of the folder. `clock` gives the seconds since 1970 by which things expire.
    `prediction_time` is the seconds that a job of Skytells takes at least, `webhook_retries` the pauses in seconds
    after which a webhook that did not take a call is called again. `faults` go wrong from the start, with those of a
    probability by dice that begin with `seed`. `engines` names the package whose modules do the work.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        keys: Iterable[str] | None = None,
        data: str | os.PathLike[str] | None = None,
        schema: str | None = None,
        clock: Callable[[], float] = time.time,
        prediction_time: float = 0.5,
        webhook_retries: Iterable[float] = (0.5, 1.0, 2.0),
        faults: Iterable[Fault] = (),
        seed: int = 0,
        engines: str = f"{__package__}.engines",
    ) -> None:
        if not isinstance(port, int) or port not in range(65536):
            raise ValueError(f"port must be a number from 0 to 65535, not {port!r}")
        if keys is not None and isinstance(keys, str):
            raise TypeError('keys must be several strings, such as ["my-key"]')
        if not 0 <= prediction_time < float("inf"):
            raise ValueError(f"prediction_time must be seconds, 0 or more, not {prediction_time}")
        self.port = port
        self.host = host
        self.keys = None if keys is None else frozenset(keys)
        self._engines = engines
        self._prediction_time = float(prediction_time)
        self._webhook_retries = tuple(map(float, webhook_retries))
        if not all(0 <= pause < float("inf") for pause in self._webhook_retries):
            raise ValueError(f"webhook_retries must be seconds, 0 or more, not {self._webhook_retries}")
        self._new_store = partial(Store, data, schema=schema, clock=clock)
        self._runner: web.AppRunner | None = None
        self._orders = Orders(faults, seed)
        self._received: deque[Received] = deque(maxlen=10_000)
        self._face_of: dict[web.AbstractRoute, Face] = {}
        self._is_closing = False

    @property
    def requests(self) -> list[Received]:
        """What arrived so far, the newest 10,000: each with `method`, `path`, `headers` and `status`."""
        return list(self._received)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that are still to happen, in the order in which they are looked at."""
        return self._orders.pending()

    def fail_next(self, route: str = "*", **fault: Any) -> None:
        """Let the next request of a route go wrong, or the next `times` requests; the arguments are those of `Fault`.

        Faults that were ordered so happen in their order, and before those of `Sandbox(faults=…)`. It may be called at
        any time and from any thread.
        """
        self._orders.add(Fault(route, **{"times": 1, **fault}))

    def clear_faults(self) -> None:
        """Let nothing more go wrong."""
        self._orders.clear()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    @property
    def urls(self) -> dict[str, str]:
        """The base URL of each system: "kelly", "khaya", "skytells", "aerostack"."""
        return {system: f"{self.url}{path}" for system, path in _PATHS.items()}

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead `KellyAPI()`, and the other clients without arguments, to this sandbox."""
        systems = [client.SYSTEM for client in (Kelly, Khaya, Skytells, Aerostack)]
        urls = {f"{system.variables}_BASE_URL": self.urls[system.name] for system in systems}
        return {**urls, **{f"{system.variables}_API_KEY": self._key for system in systems}}

    @property
    def _key(self) -> str:
        return min(self.keys) if self.keys else "sandbox"

    def api(self, make: Callable[..., KellyAPI] = KellyAPI, **options: Any) -> KellyAPI:
        """Give a client of this sandbox; `options` are those of `KellyAPI`."""
        key = self._key
        others = {"khaya": Khaya, "skytells": Skytells, "aerostack": Aerostack}
        clients = {name: client(key, base_url=self.urls[name], **options) for name, client in others.items()}
        return make(key, self.urls["kelly"], **clients, **options)

    async def start(self) -> None:
        """Listen. A port that is taken and a folder that cannot be written raise `OSError`."""
        if self._runner is not None:
            raise RuntimeError(f"the sandbox is listening already, at {self.url}")
        self._is_closing = False
        self._face_of.clear()
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._receive, _in_its_words])
        app[PREDICTION_TIME] = self._prediction_time
        app[WEBHOOK_RETRIES] = self._webhook_retries
        app[SHARED] = shared = Shared(engines=Engines(self._engines), store=self._new_store(), keys=self.keys)
        for face in _FACES:
            for method, path, handler in face.routes:
                self._face_of[app.router.add_route(method, path, face.guarded(handler))] = face
            for method, path, handler in face.open_routes:
                self._face_of[app.router.add_route(method, path, handler)] = face
        app.on_response_prepare.append(_note_status)

        async def stop(_: web.Application) -> None:
            self._is_closing = True
            await shared.store.stop()
            await shared.engines.close()

        app.cleanup_ctx.append(shared.store.life)
        app.on_shutdown.append(stop)  # before the server waits for its answers, so that none waits for an engine
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        try:
            await self._runner.setup()
            await web.TCPSite(self._runner, self.host, self.port).start()
        except BaseException:
            await self.close()
            raise
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening, and end the engines' process."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @web.middleware
    async def _receive(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Remember a request, and let it go wrong if that was ordered."""
        headers = request.headers.copy()
        for name in _SECRET:
            headers.popall(name, None)
        request[_RECEIVED] = received = Received(request.method, request.raw_path, headers)
        self._received.append(received)
        fault = self._orders.take(request.method, request.path)
        if fault is None:
            return await handler(request)

        def refuse(status: int) -> web.Response:
            face = self._face_of.get(request.match_info.route) or _face_by_key(request) or kelly.FACE
            return face.refuse(face.bad_key(True) if status == 401 else _refusal(status))

        try:
            return await spoil(request, handler, fault, refuse=refuse, is_closing=lambda: self._is_closing)
        except Gone:
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=499)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _note_status(request: web.Request, response: web.StreamResponse) -> None:
    connection = request.transport
    if connection is not None and not connection.is_closing() and not isinstance(request.writer, Recorder):
        request[_RECEIVED].status = response.status


def _face_by_key(request: web.Request) -> Face | None:
    return next((face for face in _FACES if face.key_header in request.headers), None)


def _refusal(status: int, message: str | None = None) -> Refused:
    known = {each.value: each.phrase for each in HTTPStatus}
    return Refused(status, _CODES.get(status, "HTTP_ERROR"), message or known.get(status, f"Status {status}"))


@web.middleware
async def _in_its_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let aiohttp's own refusals be worded by the system whose key the request carries."""
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        face = _face_by_key(request)
        if face is None:
            raise
        return face.refuse(_refusal(refusal.status, refusal.reason))
    except ConnectionError:  # whoever asked has left, which aiohttp would log with a traceback
        return web.Response(status=499)


@asynccontextmanager
async def sandboxed(make: Callable[..., KellyAPI], **options: Any) -> AsyncIterator[KellyAPI]:
    """Give a client of a sandbox of its own; both end with the block."""
    async with Sandbox() as sandbox, sandbox.api(make, **options) as api:
        yield api
