"""The sandbox: a local server that responds like all four providers, for tests and for users without keys.

`Sandbox` starts and stops the server, knows its addresses and records the requests that arrive. Each provider's routes
are in the module of its name, the work behind them is in `engines`, and `faults` has the failures that a test can ask
for.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Annotated, Any, Self

from aiohttp import StreamReader, web
from attrs import define, evolve

from kellyapi import PROVIDERS, KellyAPI, Options, ProviderName

from .._data.arguments import FilePath, NotBlank, NotNegative, Range, checked
from .._data.hosts import is_loopback, read_address
from .._data.threads import serving_loops
from . import kelly, khaya
from .access import Host, normalize_host, refuse_stranger
from .aerostack import routes as aerostack
from .api_errors import http_error, to_api_error
from .connection import Connection
from .engines.supervisor import EngineSupervisor, count_cores
from .fault_injection import BodyRecorder, ClientGone, inject_fault
from .faults import Fault, FaultQueue
from .frontend import CONTEXT, Frontend, Handler, Hearing, SandboxContext
from .recordings import Tape, tape_factory
from .request_log import LOGGER, RequestLogger
from .skytells import routes as skytells
from .skytells.outgoing_webhooks import WEBHOOK_HOSTS, WEBHOOK_RETRIES
from .skytells.predictions import PREDICTION_TIME
from .store import Store

MAX_BODY = 256 * 2**20
BODY_IDLE = 60.0
"""Seconds in which something of a request's body must arrive."""
MAX_REQUESTS, MAX_RECORDED = 10_000, 32 * 2**20
"""Limits of `Sandbox.requests`: requests, and characters of their paths and headers. One request may have a million."""
# Those of Authorization come last: some clients of Skytells and Aerostack send it beside the key's own header.
_FRONTENDS = (khaya.FRONTEND, skytells.FRONTEND, aerostack.FRONTEND, skytells.INFERENCE, kelly.FRONTEND)
ROUTES = (*kelly.ROUTES, *khaya.ROUTES, *skytells.ROUTES, *aerostack.ROUTES)
_ENCODINGS = ("identity", "gzip", "deflate", "br", "zstd")
_OPTIONS_OF_CLIENTS = frozenset({"session", *Options.__annotations__})
"""The arguments of `KellyAPI` that the clients of the providers have too."""
_SECRET_HEADERS = ("Authorization", "Proxy-Authorization", "Cookie", *(frontend.key_header for frontend in _FRONTENDS))


@define
class ReceivedRequest:
    """A request that the sandbox received."""

    method: str
    path: str
    """Path and query, as sent."""
    headers: Mapping[str, str]
    """Headers without keys and cookies; names are case-insensitive."""
    status: int | None = None
    """Status of the response; `None` before the response begins and when there is none."""


async def _meet_expectation(request: web.Request) -> None:
    """Ask for the body of a client that waits for this, and ignore other expectations; aiohttp would refuse them.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-expect
    """
    if request.headers["Expect"].lower() == "100-continue" and request.version >= (1, 1):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # what is counted is the response


def _make_resources() -> dict[web.AbstractResource, Frontend]:
    """Make aiohttp's resource for each path of `ROUTES`."""
    dispatcher = web.UrlDispatcher()
    frontends = {}
    for route in ROUTES:
        arguments = {**route.definition.kwargs, "expect_handler": _meet_expectation}
        for added in dispatcher.add_routes([evolve(route.definition, kwargs=arguments)]):
            assert added.resource is not None  # only routes for errors have none
            frontends[added.resource] = route.frontend
    return frontends


_FRONTEND_OF = _make_resources()
"""The resources of all sandboxes, each with its provider. To make them takes 4 ms, a third of a sandbox's start."""
_RECEIVED = web.RequestKey("received", ReceivedRequest)
_FRONTEND = web.RequestKey("frontend", Frontend)


@checked
class Sandbox:
    """A local server for all four providers at one address: `async with Sandbox() as sandbox: …`.

    Args:
        port: TCP port. 0 takes a free one, which is kept when the sandbox is closed and started again.
        host: Address to listen on. One that other machines can reach, such as "0.0.0.0", needs `allow_hosts`.
        allow_hosts: Names and addresses by which other machines call the sandbox. Requests for any other host are
            refused, except for this machine's own names.
        keys: API keys to accept. By default, every key that is not blank is accepted.
        data: Folder in which the sandbox keeps its data for the next start. By default, the data is deleted when the
            sandbox is closed.
        schema: SQL that creates the tables of Aerostack's database. Each statement runs once per folder.
        clock: Function that returns the time in seconds since 1970. Everything that expires follows it.
        prediction_time: Seconds that a prediction of Skytells takes at least.
        webhook_hosts: Names and addresses of other machines whose webhooks are called. By default, only webhooks on
            this machine are called.
        webhook_retries: Pauses in seconds before a webhook delivery that failed is sent again.
        hear: What speech recognition does with Khaya's other languages: "english" refuses them, "marked" returns a word
            such as "⟦twi-1⟧" for each sound, with its times.
        faults: Faults that are active from the start.
        seed: Seed of the random numbers for faults that have a `probability`.
        engines: Name of the package whose modules do the work.
        keep_engines: Whether the engines' idle processes are kept for the next sandbox of this program, which then
            starts faster. They end with the program.
        record: Folder in which every request is recorded with the response of `upstream`, to which it is passed on.
            These calls are billed. Keys, passwords and tokens are left out.
        upstream: Provider for `record`. Its key and address come from the environment.
        replay: Folder of recordings. The sandbox responds only with them.

    Raises:
        ValueError: If `port`, `prediction_time` or `webhook_retries` is out of range, if `allow_hosts` or
            `webhook_hosts` has something other than hosts, or if `host` needs `allow_hosts`.
        TypeError: If `keys`, `allow_hosts` or `webhook_hosts` is a single string, or `faults` has something other than
            `Fault` values.
    """

    def __init__(
        self,
        port: Annotated[int, Range(0, 65535)] = 0,
        *,
        host: NotBlank = "127.0.0.1",
        allow_hosts: Iterable[Host] = (),
        keys: Iterable[str] | None = None,
        data: FilePath | None = None,
        schema: str | None = None,
        clock: Callable[[], float] = time.time,
        prediction_time: NotNegative = 0.5,
        webhook_hosts: Iterable[Host] = (),
        webhook_retries: Iterable[NotNegative] = (0.5, 1.0, 2.0),
        hear: Hearing = "english",
        faults: Iterable[Fault] = (),
        seed: int = 0,
        engines: NotBlank = f"{__package__}.engines",
        keep_engines: bool = False,
        record: FilePath | None = None,
        upstream: ProviderName | None = None,
        replay: FilePath | None = None,
    ) -> None:
        self.port = port
        self.host = host
        self._hear = hear
        self._allowed_hosts = frozenset(map(normalize_host, allow_hosts))
        if not is_loopback(host):
            if not self._allowed_hosts:
                example = "allow_hosts=['sandbox'] or --allow-host sandbox"
                raise ValueError(
                    f"host={host!r} is open to other machines: name the hosts that they call, as {example}"
                )
            self._allowed_hosts |= {self._url_host}
        self._webhook_hosts = frozenset(map(normalize_host, webhook_hosts))
        self.keys = None if keys is None else frozenset(keys)
        self._new_engines = partial(EngineSupervisor, engines, keep=keep_engines)
        self._prediction_time = float(prediction_time)
        self._webhook_retries = tuple(map(float, webhook_retries))
        self._new_store = partial(Store, data, schema=schema, clock=clock)
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._faults = FaultQueue(faults, seed)
        self._received: deque[tuple[int, ReceivedRequest]] = deque()
        self._recorded = 0
        self._is_closing = False
        base_paths = {frontend.provider: frontend.base_path for frontend in _FRONTENDS}
        self._new_tape = tape_factory(record, upstream, replay, base_paths)
        self._tape: Tape | None = None

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The newest 10,000 requests, oldest first: each with `method`, `path`, `headers` and `status`.

        There are fewer if their paths and headers have more than 32 MiB.
        """
        return [received for _, received in self._received]

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Faults that have not happened yet, in the order in which they are tried."""
        return self._faults.pending()

    def fail_next(self, route: str = "*", **fault: Any) -> None:
        """Make the next request of a route fail, or the next `times` requests.

        Faults that are added here happen in the order of the calls, before those of `Sandbox(faults=…)`. You may call
        this at any time and from any thread.

        Args:
            route: Path with or without a method, as in `Fault`.
            fault: Arguments of `Fault`; `times` is 1 by default.
        """
        self._faults.add(Fault(route, **{"times": 1, **fault}))

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    @property
    def url(self) -> str:
        """Scheme, host and port of the server. If it listens on all addresses, the host is 127.0.0.1 or ::1."""
        host = self._url_host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def _url_host(self) -> str:
        address = read_address(self.host)
        if address is None or not address.is_unspecified:
            return self.host
        return "127.0.0.1" if address.version == 4 else "::1"

    @property
    def urls(self) -> dict[str, str]:
        """Base URL of each provider: "kelly", "khaya", "skytells", "aerostack"."""
        paths = {frontend.provider: frontend.base_path for frontend in _FRONTENDS}
        return {name: f"{self.url}{paths[name]}" for name in PROVIDERS if name in paths}

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that make `KellyAPI()` and the provider clients use this sandbox."""
        variables = {name: PROVIDERS[name].PROVIDER.variables for name in self.urls}
        urls = {f"{variables[name]}_BASE_URL": url for name, url in self.urls.items()}
        settings = {"API_KEY": self._key}
        if not is_loopback(self._url_host):
            settings["ALLOW_HTTP"] = "1"
        return {**urls, **{f"{each}_{name}": value for name, value in settings.items() for each in variables.values()}}

    @property
    def _key(self) -> str:
        return min(self.keys) if self.keys else "sandbox"

    def api(self, make: Callable[..., KellyAPI] = KellyAPI, **options: Any) -> KellyAPI:
        """Return a client of this sandbox; `options` are those of `KellyAPI`, such as `providers`."""
        key, urls = self._key, self.urls
        options = {"allow_http": True, **options}
        shared = {name: options[name] for name in options if name in _OPTIONS_OF_CLIENTS}
        kelly_url = urls.pop("kelly")
        clients = {name: PROVIDERS[name](key, base_url=url, **shared) for name, url in urls.items()}
        return make(key, kelly_url, **{**clients, **options})

    async def start(self) -> None:
        """Start listening.

        Raises:
            OSError: If the port is taken or the data folder cannot be written.
            ValueError: If SQLite refuses the `schema`, recording has no key, or there is nothing to replay.
            RuntimeError: If the sandbox is listening already.
        """
        if self._runner is not None:
            raise RuntimeError(f"the sandbox is listening already, at {self.url}")
        self._is_closing = False
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._receive, self._respond])
        app[PREDICTION_TIME] = self._prediction_time
        app[WEBHOOK_HOSTS] = self._webhook_hosts
        app[WEBHOOK_RETRIES] = self._webhook_retries
        app[CONTEXT] = context = SandboxContext(
            engines=self._new_engines(),
            store=self._new_store(),
            keys=self.keys,
            hear=self._hear,
            prediction_turns=asyncio.Semaphore(count_cores() + 1),
        )
        for resource in _FRONTEND_OF:
            app.router.register_resource(resource)
        app.on_response_prepare.append(_record_status)

        async def stop(_: web.Application) -> None:
            self._is_closing = True
            await context.store.stop()
            await context.engines.close()

        app.cleanup_ctx.append(context.store.cleanup_context)
        # on_shutdown runs before the server waits for open responses, so none of them waits for an engine.
        app.on_shutdown.append(stop)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        try:
            if self._new_tape is not None:
                self._tape = self._new_tape()
                await self._tape.start()
            await self._runner.setup()
            assert self._runner.server is not None
            self._listener = await self._listen(self._runner.server)
            self.port = self._listener.sockets[0].getsockname()[1]
            if self._tape is not None:
                self._tape.check_address(self.url)
        except BaseException:
            await self.close()
            raise
        serving_loops[self] = asyncio.get_running_loop()

    async def close(self) -> None:
        """Stop listening, and end the processes of the engines."""
        serving_loops.pop(self, None)
        tape, self._tape = self._tape, None
        if tape is not None:
            await tape.close()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _listen(self, server: web.Server) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        new_connection = partial(Connection, server, loop=loop, access_log=LOGGER, access_log_class=RequestLogger)
        return await loop.create_server(new_connection, self.host, self.port, backlog=128)

    @web.middleware
    async def _receive(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Record a request, refuse a stranger's, and inject the fault that a test asked for, if any."""
        headers = request.headers.copy()
        for name in _SECRET_HEADERS:
            headers.popall(name, None)
        request[_RECEIVED] = received = ReceivedRequest(request.method, request.raw_path, headers)
        self._record(received)
        request[_FRONTEND] = frontend = await self._find_frontend(request)
        if refused := refuse_stranger(request, self._allowed_hosts):
            return frontend.error_response(refused)
        if self._tape is not None:
            handler = partial(self._respond, handler=self._tape.respond)
        fault = self._faults.take(request.method, request.path)

        def error_response(status: int) -> web.Response:
            return frontend.error_response(frontend.key_error(True) if status == 401 else http_error(status))

        try:
            if fault is None:
                return await handler(request)
            return await inject_fault(
                request, handler, fault, error_response=error_response, is_closing=lambda: self._is_closing
            )
        except ClientGone:
            if request.transport is not None:
                request.transport.close()
            return web.Response(status=499)

    def _record(self, received: ReceivedRequest) -> None:
        size = len(received.path) + sum(len(name) + len(value) for name, value in received.headers.items())
        self._received.append((size, received))
        self._recorded += size
        while len(self._received) > MAX_REQUESTS or self._recorded > MAX_RECORDED:
            self._recorded -= self._received.popleft()[0]

    async def _find_frontend(self, request: web.Request) -> Frontend:
        """Return the provider of the request's path; if the path is unknown, that of its key, or Kelly AI."""
        found = request.match_info.route.resource
        if found in _FRONTEND_OF:
            return _FRONTEND_OF[found]
        frontend = next((each for each in _FRONTENDS if each.has_key_header(request)), kelly.FRONTEND)
        for resource, other in _FRONTEND_OF.items():
            if (await resource.resolve(request))[1]:  # the path is known, but not with this method
                frontend = other
        return evolve(frontend, keys="none")  # an unknown path is a 404, also without a key

    @web.middleware
    async def _respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check the key, and write every error in the form of the provider."""
        frontend = request[_FRONTEND]
        response: web.StreamResponse
        try:
            if request.headers.get("Content-Encoding", "identity").lower() not in _ENCODINGS:
                raise web.HTTPUnsupportedMediaType
            frontend.check_key(request)
            async with _body_deadline(request.content):
                response = await handler(request)
        except ConnectionError:  # the client disconnected; aiohttp would log this with a traceback
            response = web.Response(status=499)
        except Exception as error:  # broad: every client must be able to read the error
            if request[_RECEIVED].status is not None:  # the response has begun, and only its end can show the error
                LOGGER.error("a response broke off", exc_info=error)
                raise ClientGone from None
            response = frontend.error_response(to_api_error(error, frontend))
        if request.content.exception() is not None:  # aiohttp would read on before the next request
            request.content.feed_eof()
            response.force_close()
        return response

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


@asynccontextmanager
async def _body_deadline(content: StreamReader) -> AsyncIterator[None]:
    """Let a handler's reading of the body fail with a 408 if nothing of the body arrives for a while.

    aiohttp 3.14 never ends the body of some requests, for example of large ones that are not deflate as they say.
    """

    async def watch() -> None:
        arrived = -1
        while not content.is_eof() and arrived < content.total_bytes:
            arrived = content.total_bytes
            await asyncio.sleep(BODY_IDLE)
        if not content.is_eof():
            content.set_exception(web.HTTPRequestTimeout())

    watching = None if content.is_eof() else asyncio.create_task(watch())
    try:
        yield
    finally:
        if watching:
            watching.cancel()


async def _record_status(request: web.Request, response: web.StreamResponse) -> None:
    connection, received = request.transport, request.get(_RECEIVED)  # aiohttp refuses some requests by itself
    if received and connection and not connection.is_closing() and not isinstance(request.writer, BodyRecorder):
        received.status = response.status


@asynccontextmanager
async def sandbox_client(make: Callable[..., KellyAPI], **options: Any) -> AsyncIterator[KellyAPI]:
    """Start a sandbox and yield a client of it; both are closed at the end of the block."""
    async with Sandbox() as sandbox, sandbox.api(make, **options) as api:
        yield api
