"""How a provider is asked: its address and key, its limits, retries.

It completes a request and sends it through the transport it is handed. What is asked belongs to the services, the wire
to the transport, the arithmetic of retries to `retry`, what an answer means to `reading`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from functools import cached_property
from typing import Any, NoReturn, Protocol, TypeVar
from urllib.parse import urlencode

from attrs import evolve, field, frozen

from .._data.decoding import Into
from .._data.json_text import dumps
from .._data.threads import OFF_LOOP_SIZE, run_off_loop
from ..errors import ConfigurationError, DecodingError, KellyAPIError, RequestTimeoutError
from .limits import Limits
from .messages import (
    DEFAULT_MAX_RESPONSE_BYTES,
    DEFAULT_TIMEOUT,
    TRANSFER_TIMEOUT,
    FromResponse,
    Headers,
    OnResponse,
    Request,
    Response,
    Timeout,
)
from .provider import Provider
from .responses import read_response
from .retry import NO_RETRY, RetryPolicy, is_throttled, outcome_unknown, pause_for_all, retry_delay
from .secrets import Key, Secret, as_secret, redact_error, redact_text

A = TypeVar("A")
T = TypeVar("T")


class IncomingResponse(Protocol):
    """What the connection needs of an answer that is still arriving."""

    status: int
    headers: Headers
    sent: Headers
    """The headers of the request, with the key."""

    def arrived(self) -> bytes: ...
    async def read(self) -> bytes: ...
    def chunks(self) -> AsyncIterator[bytes]: ...
    def close(self) -> None: ...


TakeResponse = Callable[[Request, IncomingResponse, float | None, A], Awaitable[T]]
"""Takes an answer in: the request, its answer, when it was sent if that is logged, and what is wanted of it."""


class Transport(Protocol):
    """What the connection needs of a transport."""

    source: Any
    """What sessions are made with."""

    async def send(self, request: Request) -> IncomingResponse: ...
    async def close(self) -> None: ...


@frozen(kw_only=True, slots=False)  # with slots, attrs keeps cached properties behind a `__getattr__`: 0.5 us a call
class Connection:
    """One provider as one client asks it; `attrs.evolve` makes the variants of `with_options`."""

    provider: Provider
    base_url: str
    problem: str | None = None
    """Why the client cannot work as it is set up; raised at the first call."""
    key: Key | None
    transport: Transport
    limits: Limits
    retry: RetryPolicy = field(factory=RetryPolicy)
    timeout: Timeout | None = None
    headers: Mapping[str, str] = field(factory=dict)
    proxy: str | None = None
    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES
    allow_http: bool = False
    on_response: OnResponse | None = None
    logger: logging.Logger

    @cached_property
    def once(self) -> Connection:
        """The same without further attempts."""
        return evolve(self, retry=NO_RETRY)

    def call(self, request: Request, into: Into[T] | FromResponse[T]) -> Coroutine[Any, Any, T]:
        """Send a request and decode its answer; `NoneType` reads nothing from it."""
        return self._send_with_retries(
            _without_compression(request) if isinstance(into, FromResponse) else request, self._read, into
        )

    def open(self, request: Request, accepts: Callable[[Headers], bool]) -> Coroutine[Any, Any, IncomingResponse]:
        """Send a request and give its answer as soon as its head has arrived, if that is what is expected."""
        return self._send_with_retries(_without_compression(request), self._begin, accepts)

    async def _read(
        self, request: Request, incoming: IncomingResponse, started: float | None, into: Into[T] | FromResponse[T]
    ) -> T:
        body = incoming.arrived() or await incoming.read()
        response = Response(status=incoming.status, headers=incoming.headers, body=body)
        self._note(request, response, started, len(body))
        if self.on_response is not None:
            await _call_hook(self.on_response, request, response)
        if len(body) < OFF_LOOP_SIZE:  # most are, and need no coroutine
            return read_response(self.provider, response, into)
        return await run_off_loop(read_response, self.provider, response, into, size=len(body))

    async def _begin(
        self, request: Request, incoming: IncomingResponse, started: float | None, accepts: Callable[[Headers], bool]
    ) -> IncomingResponse:
        self._note(request, incoming, started, None)
        refused = not 200 <= incoming.status < 300
        if refused or not accepts(incoming.headers):
            body = await incoming.read() if refused else await anext(incoming.chunks(), b"")
            incoming.close()
            head = Response(status=incoming.status, headers=incoming.headers, body=body)
            read_response(self.provider, head, FromResponse(_raise_not_a_stream))
        return incoming

    async def _send_with_retries(self, request: Request, take: TakeResponse[A, T], argument: A) -> T:
        """Send a request until there is an answer to `take`; fewer coroutines in one another are faster, 1 us each."""
        if self.problem is not None:
            raise ConfigurationError(self.problem, provider=self.provider.name)
        clock = asyncio.get_running_loop().time
        started = now = clock()
        timeout = self.timeout or (TRANSFER_TIMEOUT if request.transfer else DEFAULT_TIMEOUT)
        deadline = None if timeout.total is None else started + timeout.total
        number, cost = 1, 0
        while True:
            if not self.limits.enter(now):
                await self._wait_for_turn(deadline)
                now = clock()
            whole = None
            try:
                try:
                    left = timeout.after(now - started)
                    key = self._static_key_header(request)
                    if key is None:
                        key = await self._current_key_header(request.bearer, left.total)
                        left = timeout.after(clock() - started)
                    whole = self._prepare(request, key, left)
                    sent = self._started()
                    incoming = await self.transport.send(whole)
                    result = await take(whole, incoming, sent, argument)
                finally:
                    self.limits.release()
            except KellyAPIError as error:
                if whole is not None:
                    redact_error(error, whole.headers)
                self.annotate_error(error, request)
                now = clock()
                if wanted := pause_for_all(self.retry, error):
                    self.limits.server.stop(wanted, now)
                remaining = None if deadline is None else deadline - now
                delay = retry_delay(self.retry, number, error, request, dice=random.random(), remaining=remaining)
                cost = 0 if delay is None else self.limits.quota.take(throttled=is_throttled(error))
                if delay is None or not cost:
                    raise
                self.logger.info("attempt %d failed, the next in %.2f s: %s", number, delay, error)
            else:
                self.limits.quota.refund(cost)
                return result
            await asyncio.sleep(delay)
            now = clock()
            number += 1

    def annotate_error(self, error: KellyAPIError, request: Request) -> None:
        """Say in an error whose it is, and whether the request may have been carried out."""
        error.provider = self.provider.name
        error.outcome_unknown = outcome_unknown(error, request)

    async def _wait_for_turn(self, deadline: float | None) -> None:
        try:
            await self.limits.acquire(deadline)
        except TimeoutError:
            raise RequestTimeoutError("no turn in time", provider=self.provider.name, sent=False) from None

    def _prepare(self, request: Request, key: Mapping[str, str], timeout: Timeout) -> Request:
        """Make a request whole for one attempt: its address and body, the key of this moment, the time that is left."""
        url, body, headers = request.url, request.body, {**request.headers, **key}
        if not request.keyless:
            url, headers = self.base_url + url, {**self.headers, **headers}
        if request.json is not None:
            headers.setdefault("Content-Type", "application/json")
            body = dumps(request.json)
        return Request(  # evolve takes twice the time
            method=request.method,
            url=f"{url}?{urlencode(request.query)}" if request.query else url,
            headers=headers,
            body=body,
            repeatable=request.repeatable,
            one_shot=request.one_shot,
            keyless=request.keyless,
            timeout=timeout,
            proxy=self.proxy,
            max_response_bytes=self.max_response_bytes,
        )

    def _static_key_header(self, request: Request) -> dict[str, str] | None:
        """Give the header of the key, unless somebody has to be asked for it."""
        if request.keyless:
            return {}
        return self._key_header if request.bearer is None else None

    @cached_property
    def _key_header(self) -> dict[str, str] | None:
        """The header of a key that stays the same."""
        return None if callable(self.key) else self._key_to_header(self.key)

    async def _current_key_header(self, bearer: Key | None, seconds: float | None) -> dict[str, str]:
        if bearer is not None:
            return {"Authorization": Secret("Bearer " + self._check_key(await _ask_for_key(bearer, seconds)))}
        return self._key_to_header(await _ask_for_key(self.key, seconds))

    def _key_to_header(self, key: Any) -> dict[str, str]:
        return {self.provider.key_header: Secret(self.provider.key_prefix + self._check_key(key))}

    def _check_key(self, given: Any) -> str:
        title, name = self.provider.title, self.provider.name
        if not isinstance(given, (str, type(None))):
            raise TypeError(f"the function given as api_key must give a string, not {type(given).__name__}")
        right = f"pass api_key=… or set {self.provider.variables}_API_KEY"
        if given is None:
            problem = f"no API key for {title}: {right}; KellyAPI.sandbox() needs none"
            raise ConfigurationError(problem, provider=name)
        key = Secret(given.strip())
        if not key:
            raise ConfigurationError(f"the API key for {title} is blank: {right}", provider=name)
        if not (key.isascii() and key.isprintable()):
            raise ConfigurationError(f"the API key for {title} has characters that no header can carry", provider=name)
        return key

    def _started(self) -> float | None:
        """Give the time if exchanges are logged."""
        return _now() if self.logger.isEnabledFor(logging.DEBUG) else None

    def _note(
        self, request: Request, answer: Response | IncomingResponse, started: float | None, size: int | None
    ) -> None:
        """Log an exchange, and learn what the server says of its own limits."""
        if started is not None:
            id = redact_text(answer.headers.get("X-Request-Id", ""), request.headers) or None
            sent = len(request.body) if isinstance(request.body, bytes) else None
            facts = (request.method, request.url, answer.status, (_now() - started) * 1000, sent, size, id)
            self.logger.debug("%s %s -> %d in %.0f ms, %s bytes sent, %s bytes received, request %s", *facts)
        if self.provider.read_rate_limit and (said := self.provider.read_rate_limit(answer.headers)):
            self.limits.server.learn(*said, _now())


def _without_compression(request: Request) -> Request:
    """Ask for a file as it is: aiohttp does not notice that a compressed one lacks its end."""
    return evolve(request, headers={"Accept-Encoding": "identity", **request.headers})


async def _call_hook(hook: OnResponse, request: Request, response: Response) -> None:
    """Show an exchange to the user's hook; what it raises keeps the answer, which may be a paid job's id, in a note."""
    try:
        waiting = hook(request, response)
        if inspect.isawaitable(waiting):
            await waiting
    except BaseException as error:
        said = redact_text(response.beginning, request.headers)
        error.add_note(f"{request.method} {request.url} was answered with status {response.status}: {said}")
        raise


async def _ask_for_key(source: Key | None, seconds: float | None) -> Any:
    key = source() if callable(source) else source
    if not inspect.isawaitable(key):
        return as_secret(key)
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            return as_secret(await key)
    except TimeoutError:
        if not timer.expired():
            raise
        raise RequestTimeoutError("the key did not come in time", sent=False) from None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _raise_not_a_stream(response: Response) -> NoReturn:
    raise DecodingError(f"{response.content_type or 'no content type'} instead of a stream: {response.beginning}")
