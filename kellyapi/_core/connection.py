"""One call: its key, its limits, its attempts, and the way from response to result.

A call goes down and comes back in this order: `call` or `open`, the loop `_send_with_retries`, one `_attempt`, the
transport, then `_read_result` or `_check_head`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import random
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import urlencode

from attrs import evolve, field, frozen

from .._data.decoding import Into
from .._data.json_text import dumps
from .._data.quick_maker import quick_maker
from .._data.threads import OFF_LOOP_SIZE, run_off_loop
from ..errors import ConfigurationError, DecodingError, KellyAPIError, RequestTimeoutError
from .body_log import describe_body
from .limits import Limits
from .log import Log
from .messages import (
    DEFAULT_MAX_RESPONSE_BYTES,
    DEFAULT_TIMEOUT,
    Call,
    FromResponse,
    Headers,
    OnBytes,
    OnResponse,
    PreparedRequest,
    RaisedByUser,
    Response,
    Timeout,
    make_request,
    time_left,
)
from .observation import show_outcome
from .provider import Problem, Provider
from .responses import read_request_id, read_response
from .retry import NO_RETRY, RetryPolicy, is_throttled, outcome_unknown, pause_for_all, retry_delay
from .secrets import HiddenString, Key, Secret, WrongSecret, as_secret, redact_error
from .upload_progress import report_upload

if TYPE_CHECKING:  # the transport imports aiohttp, which the first client does
    from .late_response import LateResponse
    from .transport import IncomingResponse, Transport

T = TypeVar("T")

_MAX_WARNINGS = 1000


@frozen
class _AcceptedHead:
    """Stands for the result of `open`: the response itself, as soon as its head is accepted."""

    accepts: Callable[[Headers], bool]


Expected = Into[Any] | FromResponse[Any] | _AcceptedHead
"""What an attempt makes of its response."""


@frozen
class _Deadline:
    """The time of one call, by the clock of the loop."""

    timeout: Timeout
    started: float
    at: float | None
    """When the call must have ended."""

    def left(self, now: float) -> Timeout:
        return time_left(self.timeout, now - self.started)


_make_deadline = quick_maker(_Deadline)


@frozen(kw_only=True, slots=False)  # with slots, attrs keeps cached properties behind a `__getattr__`: 0.5 us a call
class Connection:
    """One provider as one client uses it; `attrs.evolve` makes the variants of `with_options`."""

    provider: Provider
    base_url: str
    problem: Problem | None = None
    """Why the client cannot work as it is set up; raised at the first call."""
    key: Key | None
    transport: Transport
    limits: Limits
    retry: RetryPolicy = field(factory=RetryPolicy)
    timeout: Timeout | None = None
    late: LateResponse | None = None
    """For one call whose caller may leave: what it has done is undone then."""
    headers: Mapping[str, str] = field(factory=dict)
    proxy: str | None = None
    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES
    allow_http: bool = False
    on_response: OnResponse | None = None
    on_upload: OnBytes | None = None
    logger: Log = field(converter=Log)
    log_bodies: bool = False
    known_paths: dict[str, Any] = field(factory=dict, repr=False)
    """Which form of its paths a server knows, by its address; siblings share it."""
    _warned: set[str] = field(factory=set)
    """What `warn` has said already; siblings share it."""

    @cached_property
    def without_retries(self) -> Connection:
        """The same connection with one attempt per call."""
        return evolve(self, retry=NO_RETRY)

    def limited_to(self, seconds: float) -> Connection:
        """Return a connection whose calls take at most this many seconds; this one if its calls already do."""
        timeout = self.timeout or DEFAULT_TIMEOUT
        if seconds == math.inf or (timeout.total is not None and timeout.total <= seconds):
            return self
        return evolve(self, timeout=evolve(timeout, total=seconds))

    def without_headers(self, names: Iterable[str]) -> Connection:
        """Return a connection that does not send the headers of these names; this one if it sends none of them."""
        lower = {name.lower() for name in names}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in lower}
        return self if len(kept) == len(self.headers) else evolve(self, headers=kept)

    def call(self, call: Call, into: Into[T] | FromResponse[T]) -> Coroutine[Any, Any, T]:
        """Send a call and return its result; `NoneType` reads nothing from the response."""
        return self._send_with_retries(_without_compression(call) if isinstance(into, FromResponse) else call, into)

    def open(self, call: Call, accepts: Callable[[Headers], bool]) -> Coroutine[Any, Any, IncomingResponse]:
        """Send a call and return its response as soon as its head has arrived, if that is what is expected."""
        return self._send_with_retries(_without_compression(call), _AcceptedHead(accepts))

    async def _send_with_retries(self, call: Call, expected: Expected) -> Any:
        """Repeat attempts until one succeeds, or its error is not worth another."""
        if self.problem is not None:
            raise ConfigurationError(self.problem.message, provider=self.provider.name, remedy=self.problem.remedy)
        timeout, now = self._timeout_of(call), _now()
        deadline = _make_deadline(timeout, now, None if timeout.total is None else now + timeout.total)
        number, cost = 1, 0
        while True:
            try:
                result = await self._attempt(call, expected, deadline, now)
            except RaisedByUser as raised:
                raise raised.error from None
            except KellyAPIError as error:
                self.annotate_error(error, call, deadline.timeout)
                now = _now()
                if wanted := pause_for_all(self.retry, error):
                    self.limits.server.stop(wanted, now)
                remaining = None if deadline.at is None else deadline.at - now
                delay = retry_delay(self.retry, number, error, call, dice=random.random(), remaining=remaining)
                cost = 0 if delay is None else self.limits.quota.take(throttled=is_throttled(error))
                if delay is None or not cost:
                    raise
                self.logger.info("attempt %d failed, the next in %.2f s: %s", number, delay, error)
            else:
                self.limits.quota.refund(cost)
                return result
            await asyncio.sleep(delay)
            number, now = number + 1, _now()

    async def _attempt(self, call: Call, expected: Expected, deadline: _Deadline, sent_at: float) -> Any:
        """Make one attempt: take a turn, find the key, send one request, read its response.

        A stream gives its turn back when its head has arrived.
        """
        if not self.limits.enter(sent_at):
            await self._wait_for_turn(deadline)
            sent_at = _now()
        request = incoming = None
        try:
            key = self._fixed_key_header(call)
            if key is None:
                key = await self._fetch_key_header(call.bearer, deadline.left(sent_at).total)
                sent_at = _now()
            left = deadline.left(sent_at)
            request = self._prepare(call, key, left if self.late is None else self.late.begin(left))
            incoming = await self.transport.send(request)
            result: Any
            if isinstance(expected, _AcceptedHead):
                result = await self._check_head(request, incoming, expected, sent_at)
            else:
                result = await self._read_result(request, incoming, expected, sent_at)
        except KellyAPIError as error:
            if request is not None:
                redact_error(error, request.headers)
                if self.on_response is not None:
                    self.annotate_error(error, call)
                    await show_outcome(self.on_response, request, incoming, error)
            raise
        else:
            if self.on_response is not None:
                try:
                    await show_outcome(self.on_response, request, incoming)
                except BaseException:
                    del result  # a traceback may show it, and a server may repeat the key in it
                    raise
            return result
        finally:
            self.limits.release()
            if self.late is not None:
                self.late.sending = False

    async def _read_result(
        self, request: PreparedRequest, incoming: IncomingResponse, into: Into[Any] | FromResponse[Any], sent_at: float
    ) -> Any:
        """Read the whole response and make the result of it."""
        size = len(incoming.body if incoming.take_body() else await incoming.read())
        self._note_response(request, incoming, sent_at, size)
        if size < OFF_LOOP_SIZE:  # most are, and need no thread
            return read_response(self.provider, incoming, into, request.headers, self.warn)
        arguments = (self.provider, incoming, into, request.headers, self.warn)
        return await run_off_loop(read_response, *arguments, size=size)

    async def _check_head(
        self, request: PreparedRequest, incoming: IncomingResponse, expected: _AcceptedHead, sent_at: float
    ) -> IncomingResponse:
        """Return the response if its head is accepted, or raise its error."""
        self._note_response(request, incoming, sent_at, None)
        refused = not 200 <= incoming.status < 300
        if refused or not expected.accepts(incoming.headers):
            incoming.body = await incoming.read() if refused else await anext(incoming.chunks(), b"")
            incoming.close()
            read_response(self.provider, incoming, FromResponse(refuse_as_stream), request.headers, self.warn)
        return incoming

    async def report_broken_off(self, incoming: IncomingResponse, error: KellyAPIError) -> None:
        """Call `on_response` with the error that ended a stream or a download after its head had arrived."""
        if self.on_response is not None:
            try:
                await show_outcome(self.on_response, incoming.request, incoming, error)
            except RaisedByUser as raised:
                raise raised.error from None

    def annotate_error(self, error: KellyAPIError, call: Call, timeout: Timeout | None = None) -> None:
        """Set the provider of an error, whether the call may have been carried out, and the time limit that was hit."""
        error.provider = self.provider.name
        error.outcome_unknown = outcome_unknown(error, call)
        if isinstance(error, RequestTimeoutError):
            error.name_limit(timeout or self._timeout_of(call))

    def _timeout_of(self, call: Call) -> Timeout:
        return self.timeout or call.timeout

    async def _wait_for_turn(self, deadline: _Deadline) -> None:
        try:
            await self.limits.acquire(deadline.at)
        except TimeoutError:
            raise RequestTimeoutError("the call did not get its turn in time", limit="total", sent=False) from None

    def _prepare(self, call: Call, key: Mapping[str, str], timeout: Timeout) -> PreparedRequest:
        """Make the request of one attempt: its address and body, the key of this moment, the time that is left."""
        base, own = ("", {}) if call.keyless else (self.base_url, self._own_headers)
        url, body, headers = base + call.url, call.body, {**own, **call.headers, **key}
        if call.json is not None:
            headers.setdefault("Content-Type", "application/json")
            body = dumps(call.json)
        if self.on_upload is not None:
            body, headers = report_upload(body, headers, self.on_upload)
        return make_request(
            call=call,
            url=f"{url}?{urlencode(call.query)}" if call.query else url,
            headers=headers,
            body=body,
            timeout=timeout,
            proxy=self.proxy,
            max_response_bytes=self.max_response_bytes,
        )

    def _fixed_key_header(self, call: Call) -> dict[str, str] | None:
        """Return the header of a key that stays the same; `None` if a function must be called for it."""
        if call.keyless:
            return {}
        return self._key_header if call.bearer is None else None

    @cached_property
    def _own_headers(self) -> Mapping[str, str]:
        """The `headers` of the client."""
        return dict(self.extended_header(name, value) for name, value in self.headers.items())

    def extended_header(self, name: str, value: str) -> tuple[str, str]:
        """Return a header of the user as it is sent. The library's User-Agent is added to the user's."""
        if name.lower() != "user-agent":
            return name, value
        return "User-Agent", HiddenString(f"{value} {self.transport.user_agent}")

    @cached_property
    def _key_header(self) -> dict[str, str] | None:
        return None if callable(self.key) else self._header_of(self.key)

    async def _fetch_key_header(self, bearer: Key | None, seconds: float | None) -> dict[str, str]:
        if bearer is not None:
            key = self._checked_key(await _call_for_key(bearer, seconds), "consumer")
            return {"Authorization": Secret("Bearer " + key)}
        return self._header_of(await _call_for_key(self.key, seconds))

    def _header_of(self, key: Any) -> dict[str, str]:
        return {self.provider.key_header: Secret(self.provider.key_prefix + self._checked_key(key))}

    def _checked_key(self, given: Any, argument: str = "api_key") -> str:
        title, name = self.provider.title, self.provider.name
        if isinstance(given, WrongSecret):
            raise TypeError(f"{argument} must be a string, or a function that returns one, not {given!r}")
        variable = f"{self.provider.variables}_API_KEY"
        remedy = f"pass api_key=… or set {variable}, or use KellyAPI.sandbox(), which needs none"
        key = Secret((given or "").strip())
        problem = ""
        if given is None:
            problem = f"no API key for {title}"
        elif not key:
            problem = f"the API key for {title} is blank"
        elif len(key) > 1 and key[0] == key[-1] in ("'", '"'):
            problem = f"the API key for {title} is in quotation marks"
        elif not (key.isascii() and key.isprintable()):
            problem = f"the API key for {title} has characters that no header can carry"
        if problem:
            raise ConfigurationError(problem, provider=name, remedy=remedy, variables=(variable,))
        return key

    def _note_response(
        self, request: PreparedRequest, response: IncomingResponse, sent_at: float, size: int | None
    ) -> None:
        """Log a response, and learn what the server says of its own limits."""
        if self.logger.isEnabledFor(logging.DEBUG):
            id = read_request_id(response.headers, request.headers)
            sent = len(request.body) if isinstance(request.body, bytes) else None
            facts = (request.method, request.shown_url, response.status, (_now() - sent_at) * 1000, sent, size, id)
            self.logger.debug("%s %s -> %d in %.0f ms, %s bytes sent, %s bytes received, request %s", *facts)
            if self.log_bodies:
                body = response.chunks if size is None else response.body
                sent_and_received = (request.body, request.headers), (body, response.headers)
                shown = [describe_body(*each, request.headers) for each in sent_and_received]
                self.logger.debug("%s %s was sent %s and responded with %s", request.method, request.shown_url, *shown)
        if self.provider.read_rate_limit and (found := self.provider.read_rate_limit(response.headers)):
            self.limits.server.learn(*found, _now())

    def warn(self, problem: str) -> None:
        """Log an optional field of a response that was left out, once for this client and its siblings."""
        if problem not in self._warned and len(self._warned) < _MAX_WARNINGS:
            self._warned.add(problem)
            self.logger.warning("left out of a result, see its .raw: %s", problem)


def _without_compression(call: Call) -> Call:
    """Request the body uncompressed: aiohttp does not notice that a compressed one lacks its end, and the ranges of a
    download would be of compressed bytes.
    """
    return evolve(call, headers={"Accept-Encoding": "identity", **call.headers})


async def _call_for_key(source: Key | None, seconds: float | None) -> Any:
    timer = asyncio.timeout(seconds)
    try:
        key = source() if callable(source) else source
        if not inspect.isawaitable(key):
            return as_secret(key)
        async with timer:
            return as_secret(await key)
    except KellyAPIError as error:
        raise RaisedByUser(error) from None
    except TimeoutError:
        if not timer.expired():
            raise
        raise RequestTimeoutError("the key function did not return in time", limit="total", sent=False) from None


def _now() -> float:
    return asyncio.get_running_loop().time()


def refuse_as_stream(response: Response) -> NoReturn:
    """Raise the error for a response that is not a stream."""
    raise DecodingError(f"{response.content_type or 'no content type'} instead of a stream: {response.beginning}")
