"""How a system is asked: its address and key, retries, error bodies, the type of the answer.

It completes a request, sends it through the transport it is handed, and decodes what comes back. What is asked belongs
to the services, the wire to the transport, the arithmetic of retries to `retry`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import NoneType
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from attrs import evolve, frozen

from .decoding import decode, dumps, loads
from .errors import ConfigurationError, DecodingError, KellyAPIError, status_error
from .limits import Limits
from .retry import RetryPolicy, is_throttled, outcome_unknown, read_retry_after, retry_delay
from .wire import (
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
_DECODER = ThreadPoolExecutor(1, "kellyapi-decoder")
"""One thread: JSON parsers hold the interpreter's lock, so several only fight for it."""


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
    problem: str | None
    """Why the address cannot be used; raised at the first call."""
    key: Key | None
    transport: Transport
    limits: Limits
    retry: RetryPolicy
    timeout: Timeout | None
    headers: Mapping[str, str]
    proxy: str | None
    max_response_bytes: int
    allow_http: bool
    on_response: OnResponse | None
    logger: logging.Logger

    async def call(self, request: Request, into: Into[T] | Raw[T]) -> T:
        """Send a request and decode its answer; `NoneType` reads nothing from it."""

        async def attempt(request: Request) -> T:
            return await self._read(await self._observed(request), into)

        return await self._repeat(request, attempt)

    async def open(self, request: Request, check: Callable[[Headers], None]) -> Incoming:
        """Send a request and give its answer as soon as the head has arrived and `check` has let it through."""

        async def attempt(request: Request) -> Incoming:
            incoming = await self.transport.open(request)
            if incoming.status >= 300:
                body = await incoming.read()
                raise self._status_error(Response(status=incoming.status, headers=incoming.headers, body=body))
            try:
                check(incoming.headers)
            except BaseException:
                incoming.close()
                raise
            return incoming

        return await self._repeat(request, attempt)

    async def _repeat(self, request: Request, attempt: Callable[[Request], Awaitable[T]]) -> T:
        clock = asyncio.get_running_loop().time
        request = self._complete(request)
        total = request.timeout.total
        deadline = None if total is None else clock() + total
        attempts, cost = 1, 0
        async with self.limits:
            while True:
                remaining = None if deadline is None else max(0.001, deadline - clock())
                try:
                    result = await attempt(await self._ready(request, remaining))
                except KellyAPIError as error:
                    error.provider = self.system.name
                    error.outcome_unknown = outcome_unknown(error, request)
                    left = None if deadline is None else deadline - clock()
                    delay = retry_delay(self.retry, attempts, error, request, dice=random.random(), remaining=left)
                    cost = 0 if delay is None else self.limits.quota.take(throttled=is_throttled(error))
                    if delay is None or not cost:
                        raise
                    self.logger.info("attempt %d failed, the next in %.2f s: %s", attempts, delay, error)
                else:
                    self.limits.quota.refund(cost)
                    return result
                await asyncio.sleep(delay)
                attempts += 1

    def _complete(self, request: Request) -> Request:
        if self.problem is not None:
            raise ConfigurationError(self.problem, provider=self.system.name)
        headers = {**self.headers, **request.headers} if not request.keyless else dict(request.headers)
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

    async def _ready(self, request: Request, remaining: float | None) -> Request:
        """Add what holds for one attempt: the key of this moment and the time that is left."""
        if not request.keyless:
            headers = {
                **request.headers,
                self.system.key_header: Secret(self.system.key_prefix + await self._ask_key()),
            }
        else:
            headers = dict(request.headers)
        return evolve(request, headers=headers, timeout=evolve(request.timeout, total=remaining))

    async def _ask_key(self) -> str:
        system = self.system
        key = self.key() if callable(self.key) else self.key
        if inspect.isawaitable(key):
            key = await key
        right = f"pass api_key=… or set {system.variables}_API_KEY"
        if key is None:
            raise ConfigurationError(f"no API key for {system.title}: {right}", provider=system.name)
        key = Secret(key.strip())
        if not key:
            raise ConfigurationError(f"the API key for {system.title} is blank: {right}", provider=system.name)
        if not (key.isascii() and key.isprintable()):
            raise ConfigurationError(
                f"the API key for {system.title} has characters that no header can carry", provider=system.name
            )
        return key

    async def _observed(self, request: Request) -> Response:
        started = asyncio.get_running_loop().time()
        response = await self.transport.send(request)
        if self.logger.isEnabledFor(logging.DEBUG):
            elapsed = (asyncio.get_running_loop().time() - started) * 1000
            self.logger.debug(
                "%s %s -> %d in %.0f ms, %d bytes",
                request.method,
                request.url,
                response.status,
                elapsed,
                len(response.body),
            )
        if self.on_response is not None:
            waiting = self.on_response(request, response)
            if inspect.isawaitable(waiting):
                await waiting
        return response

    async def _read(self, response: Response, into: Into[T] | Raw[T]) -> T:
        if response.status >= 300:
            raise self._status_error(response)
        if into is NoneType:
            return None  # type: ignore[return-value]  # T is None here
        if not isinstance(into, Raw) or response.content_type == "application/json":
            value = await _off_loop(response, _parse, response)
            error = self.system.read_error(response.status, response.headers, value)
            if error is not None:
                raise self._status_error(response, error)
        return into.read(response) if isinstance(into, Raw) else await _off_loop(response, decode, value, into)

    def _status_error(self, response: Response, error: ErrorBody | None = None) -> KellyAPIError:
        status, headers = response.status, response.headers
        body = _parse_leniently(response.body)
        error = error or self.system.read_error(status, headers, body) or _describe(response, body)
        meant = error.status or status
        return status_error(meant)(
            error.message,
            status=status if status >= 300 else meant,
            code=error.code,
            details=error.details,
            request_id=error.request_id or headers.get("X-Request-Id"),
            body=body,
            headers=headers,
            retry_after=read_retry_after(headers, datetime.now(UTC)),
        )


async def _off_loop(response: Response, work: Callable[..., T], *arguments: Any) -> T:
    """Do the work in the decoding thread when the body is large enough to hold up the loop."""
    if len(response.body) < _BIG:
        return work(*arguments)
    return await asyncio.get_running_loop().run_in_executor(_DECODER, work, *arguments)


def _parse(response: Response) -> Any:
    try:
        return loads(response.body)
    except ValueError:
        text = excerpt(response.body[:2000].decode(errors="replace")) or "nothing"
        raise DecodingError(
            f"status {response.status} with {response.content_type or 'no content type'} instead of JSON: {text}"
        ) from None


def _parse_leniently(body: bytes) -> Any:
    try:
        return loads(body)
    except ValueError:
        return body[:100_000].decode(errors="replace")


def _describe(response: Response, body: Any) -> ErrorBody:
    """Describe an error body that is none of the system's own: a redirect, a gateway's HTML page, plain text."""
    if 300 <= response.status < 400:
        location = response.headers.get("Location", "")
        target = origin(location) if "//" in location else excerpt(location)
        return ErrorBody(message=f"redirected to {target!r}, which is not followed")
    text = body if isinstance(body, str) else ""
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    return ErrorBody(message=excerpt(title[1] if title else text) or f"HTTP status {response.status}")
