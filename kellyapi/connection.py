"""How a system is asked: its address and key, retries, error bodies, the type of the answer.

It completes a request, sends it through the transport it is handed, and decodes what comes back. What is asked belongs
to the services, the wire to the transport, the arithmetic of retries to `retry`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import NoneType
from typing import Any, NoReturn, Protocol, TypeVar
from urllib.parse import urlencode

from attrs import evolve, field, frozen
from multidict import CIMultiDict

from .decoding import decode, dumps, loads
from .errors import ConfigurationError, DecodingError, KellyAPIError, RequestTimeoutError, status_error
from .limits import Limits
from .retry import RetryPolicy, is_throttled, outcome_unknown, read_retry_after, retry_delay
from .wire import (
    DEFAULT_MAX_RESPONSE_BYTES,
    DEFAULT_TIMEOUT,
    TRANSFER_TIMEOUT,
    ErrorBody,
    Headers,
    Into,
    Key,
    Raw,
    Request,
    Response,
    Secret,
    System,
    Timeout,
    excerpt,
    origin,
)

T = TypeVar("T")
OnResponse = Callable[[Request, Response], Awaitable[None] | None]

_BIG = 256 * 2**10
_decoder = ThreadPoolExecutor(1, "kellyapi-decoder")
"""One thread: JSON parsers hold the interpreter's lock, so several only fight for it."""


def _replace_decoder() -> None:
    """Give a forked child a thread of its own."""
    global _decoder
    _decoder = ThreadPoolExecutor(1, "kellyapi-decoder")


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_replace_decoder)


class Incoming(Protocol):
    """What the connection needs of an answer that is still arriving."""

    status: int
    headers: Headers

    async def read(self) -> bytes: ...
    def chunks(self) -> AsyncIterator[bytes]: ...
    def close(self) -> None: ...


class Transport(Protocol):
    """What the connection needs of a transport."""

    source: Any
    """What sessions are made with."""

    async def send(self, request: Request) -> Response: ...
    async def open(self, request: Request) -> Incoming: ...
    async def close(self) -> None: ...


@frozen(kw_only=True)
class Connection:
    """One system as one client asks it; `attrs.evolve` makes the variants of `with_options`."""

    system: System
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

    async def call(self, request: Request, into: Into[T] | Raw[T]) -> T:
        """Send a request and decode its answer; `NoneType` reads nothing from it."""

        async def attempt(request: Request) -> T:
            started = _now()
            response = await self.transport.send(request)
            self._log(request, response, started, len(response.body))
            if self.on_response is not None:
                waiting = self.on_response(request, response)
                if inspect.isawaitable(waiting):
                    await waiting
            return await self._read(response, into)

        return await self._repeat(request, attempt)

    async def open(self, request: Request, accepts: Callable[[Headers], bool]) -> Incoming:
        """Send a request and give its answer as soon as its head has arrived, if that is what is expected."""

        async def attempt(request: Request) -> Incoming:
            started = _now()
            incoming = await self.transport.open(request)
            self._log(request, incoming, started, None)
            if incoming.status >= 300 or not accepts(incoming.headers):
                body = await incoming.read() if incoming.status >= 300 else await anext(incoming.chunks(), b"")
                incoming.close()
                await self._read(Response(status=incoming.status, headers=incoming.headers, body=body), Raw(_refuse))
            return incoming

        return await self._repeat(request, attempt)

    async def _repeat(self, request: Request, attempt: Callable[[Request], Awaitable[T]]) -> T:
        if self.problem is not None:
            raise ConfigurationError(self.problem, provider=self.system.name)
        request = self._complete(request)
        started = _now()
        if not self.limits.in_force:
            return await self._attempts(request, attempt, started, request.timeout)
        await self._take_turn(None if request.timeout.total is None else started + request.timeout.total)
        try:
            return await self._attempts(request, attempt, started, request.timeout.after(_now() - started))
        finally:
            self.limits.release()

    async def _attempts(
        self, request: Request, attempt: Callable[[Request], Awaitable[T]], started: float, timeout: Timeout
    ) -> T:
        number, cost = 1, 0
        while True:
            try:
                result = await attempt(await self._ready(request, timeout))
            except KellyAPIError as error:
                self.explain(error, request)
                timeout = request.timeout.after(_now() - started)
                delay = retry_delay(self.retry, number, error, request, dice=random.random(), remaining=timeout.total)
                cost = 0 if delay is None else self.limits.quota.take(throttled=is_throttled(error))
                if delay is None or not cost:
                    raise
                self.logger.info("attempt %d failed, the next in %.2f s: %s", number, delay, error)
            else:
                self.limits.quota.refund(cost)
                return result
            await asyncio.sleep(delay)
            number += 1
            timeout = request.timeout.after(_now() - started)

    def explain(self, error: KellyAPIError, request: Request) -> None:
        """Say in an error whose it is, and whether the request may have been carried out."""
        error.provider = self.system.name
        error.outcome_unknown = outcome_unknown(error, request)

    async def _take_turn(self, deadline: float | None) -> None:
        try:
            await self.limits.acquire(deadline)
        except TimeoutError:
            raise RequestTimeoutError("no turn in time", provider=self.system.name, sent=False) from None

    def _complete(self, request: Request) -> Request:
        """Make a request absolute, with all that holds for every attempt."""
        headers = dict(request.headers) if request.keyless else {**self.headers, **request.headers}
        body = request.body
        if request.json is not None:
            headers.setdefault("Content-Type", "application/json")
            body = dumps(request.json)
        url = request.url if request.keyless else self.base_url + request.url
        return evolve(
            request,
            url=f"{url}?{urlencode(request.query)}" if request.query else url,
            query={},
            headers=headers,
            body=body,
            json=None,
            timeout=self.timeout or (TRANSFER_TIMEOUT if request.transfer else DEFAULT_TIMEOUT),
            proxy=self.proxy,
            max_response_bytes=self.max_response_bytes,
        )

    async def _ready(self, request: Request, timeout: Timeout) -> Request:
        """Add what holds for one attempt: the key of this moment and the time that is left."""
        if request.keyless:
            return evolve(request, timeout=timeout)
        key, header, prefix = self.key, self.system.key_header, self.system.key_prefix
        if request.bearer is not None:
            key, header, prefix = request.bearer, "Authorization", "Bearer "
        value = Secret(prefix + await self._ask_key(key))
        return evolve(request, headers={**request.headers, header: value}, timeout=timeout)

    async def _ask_key(self, source: Key | None) -> str:
        title, name = self.system.title, self.system.name
        key = source() if callable(source) else source
        if inspect.isawaitable(key):
            key = await key
        if not isinstance(key, (str, type(None))):
            raise TypeError(f"the function given as api_key must give a string, not {type(key).__name__}")
        right = f"pass api_key=… or set {self.system.variables}_API_KEY"
        if key is None:
            problem = f"no API key for {title}: {right}; KellyAPI.sandbox() needs none"
            raise ConfigurationError(problem, provider=name)
        key = Secret(key.strip())
        if not key:
            raise ConfigurationError(f"the API key for {title} is blank: {right}", provider=name)
        if not (key.isascii() and key.isprintable()):
            raise ConfigurationError(f"the API key for {title} has characters that no header can carry", provider=name)
        return key

    def _log(self, request: Request, answer: Response | Incoming, started: float, size: int | None) -> None:
        if self.logger.isEnabledFor(logging.DEBUG):
            id = answer.headers.get("X-Request-Id")
            sent = len(request.body) if isinstance(request.body, bytes) else None
            facts = (request.method, request.url, answer.status, (_now() - started) * 1000, sent, size, id)
            self.logger.debug("%s %s -> %d in %.0f ms, %s bytes sent, %s bytes received, request %s", *facts)

    async def _read(self, response: Response, into: Into[T] | Raw[T]) -> T:
        if response.status >= 300:
            raise await self._status_error(response)
        if into is NoneType:
            return None  # type: ignore[return-value]  # T is None here
        if isinstance(into, Raw) and response.content_type != "application/json":
            return into.read(response)
        parse = _parse_leniently if isinstance(into, Raw) else _parse  # a file is no less one for being broken JSON
        value = await _off_loop(response, parse, response)
        if error := self.system.read_error(response.status, response.headers, value):
            raise self._error(response, value, error)
        if isinstance(into, Raw):
            return into.read(response)
        return await _off_loop(response, _decode, response, value, into)

    async def _status_error(self, response: Response) -> KellyAPIError:
        body = await _off_loop(response, _parse_leniently, response)
        error = self.system.read_error(response.status, response.headers, body)
        return self._error(response, body, error or _describe(response, body))

    def _error(self, response: Response, body: Any, error: ErrorBody) -> KellyAPIError:
        meant, headers = error.status or response.status, response.headers
        return status_error(meant)(
            error.message,
            status=response.status if response.status >= 300 else meant,
            code=error.code,
            details=error.details,
            request_id=error.request_id or headers.get("X-Request-Id"),
            body=body,
            headers=CIMultiDict(headers),
            final=error.final,
            retry_after=read_retry_after(headers, datetime.now(UTC)),
        )


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _off_loop(response: Response, work: Callable[..., T], *arguments: Any) -> T:
    """Do the work in the decoding thread when the body is large enough to hold up the loop."""
    if len(response.body) < _BIG:
        return work(*arguments)
    return await asyncio.get_running_loop().run_in_executor(_decoder, work, *arguments)


def _refuse(response: Response) -> NoReturn:
    raise DecodingError(f"{response.content_type or 'no content type'} instead of a stream: {response.beginning}")


def _parse(response: Response) -> Any:
    try:
        return loads(response.body)
    except ValueError:
        kind = response.content_type or "no content type"
        raise DecodingError(f"status {response.status} with {kind} instead of JSON: {response.beginning}") from None


def _decode(response: Response, value: Any, into: Into[T]) -> T:
    try:
        return decode(value, into)
    except DecodingError as error:
        raise DecodingError(f"{error.message}; the answer reads {response.beginning}") from None


def _parse_leniently(response: Response) -> Any:
    try:
        return loads(response.body)
    except ValueError:
        return response.body[:100_000].decode(errors="replace")


def _describe(response: Response, body: Any) -> ErrorBody:
    """Describe an error body that is none of the system's own: a redirect, a gateway's HTML page, plain text."""
    if 300 <= response.status < 400:
        location = response.headers.get("Location", "")
        return ErrorBody(message=f"redirected to {origin(location) or excerpt(location)!r}, which is not followed")
    text = body if isinstance(body, str) else ""
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    return ErrorBody(message=excerpt(title[1] if title else text) or f"HTTP status {response.status}")
