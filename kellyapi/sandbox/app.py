"""The sandbox: a local server that answers like all four systems, for people without keys and for tests.

It owns the server's life and addresses. What each system answers is in the module of its name, what does the work in
`engines`.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from kellyapi import Aerostack, KellyAPI, Khaya, Skytells

from . import kelly, khaya
from .aerostack import face as aerostack
from .engines.process import Engines
from .face import SHARED, Handler, Refused, Shared
from .skytells import routes as skytells
from .skytells.predictions import PREDICTION_TIME
from .store import Store

MAX_BODY = 256 * 2**20
_PATHS = {"kelly": "", "khaya": "", "skytells": "/v1", "aerostack": "/v1"}
# Kelly AI's header comes last: some clients of Skytells send Authorization beside x-api-key.
_FACES = (khaya.FACE, skytells.FACE, skytells.INFERENCE, aerostack.FACE, kelly.FACE)
_CODES = {404: "ENDPOINT_NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "PAYLOAD_TOO_LARGE"}


class Sandbox:
    """A local server for all four systems at one address: `async with Sandbox() as sandbox: …`.

    `port=0` takes a free port, and keeps it when the sandbox is closed and started again. `keys` are the keys that are
    accepted; without them any that is not blank is. `data` is the folder that keeps what the sandbox remembers for the
    next one; without it, it is forgotten at the end. `schema` is SQL that makes the tables of Aerostack's database,
    each statement once in the life of the folder. `clock` gives the seconds since 1970 by which things expire.
    `prediction_time` is the seconds that a job of Skytells takes at least. `engines` names the package whose modules do
    the work.
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
        self._new_store = partial(Store, data, schema=schema, clock=clock)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    @property
    def urls(self) -> dict[str, str]:
        """The base URL of each system: "kelly", "khaya", "skytells", "aerostack"."""
        return {system: f"{self.url}{path}" for system, path in _PATHS.items()}

    def api(self, make: Callable[..., KellyAPI] = KellyAPI, **options: Any) -> KellyAPI:
        """Give a client of this sandbox; `options` are those of `KellyAPI`."""
        key = min(self.keys) if self.keys else "sandbox"
        others = {"khaya": Khaya, "skytells": Skytells, "aerostack": Aerostack}
        clients = {name: client(key, base_url=self.urls[name], **options) for name, client in others.items()}
        return make(key, self.urls["kelly"], **clients, **options)

    async def start(self) -> None:
        """Listen. A port that is taken and a folder that cannot be written raise `OSError`."""
        if self._runner is not None:
            raise RuntimeError(f"the sandbox is listening already, at {self.url}")
        app = web.Application(client_max_size=MAX_BODY, middlewares=[_in_its_words])
        app[PREDICTION_TIME] = self._prediction_time
        app[SHARED] = shared = Shared(engines=Engines(self._engines), store=self._new_store(), keys=self.keys)
        for face in _FACES:
            for method, path, handler in face.routes:
                app.router.add_route(method, path, face.guarded(handler))
            for method, path, handler in face.open_routes:
                app.router.add_route(method, path, handler)

        async def stop(_: web.Application) -> None:
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

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


@web.middleware
async def _in_its_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let aiohttp's own refusals be worded by the system whose key the request carries."""
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        for face in _FACES:
            if face.key_header in request.headers:
                return face.refuse(Refused(refusal.status, _CODES.get(refusal.status, "HTTP_ERROR"), refusal.reason))
        raise
    except ConnectionError:  # whoever asked has left, which aiohttp would log with a traceback
        return web.Response(status=499)


@asynccontextmanager
async def sandboxed(make: Callable[..., KellyAPI], **options: Any) -> AsyncIterator[KellyAPI]:
    """Give a client of a sandbox of its own; both end with the block."""
    async with Sandbox() as sandbox, sandbox.api(make, **options) as api:
        yield api
