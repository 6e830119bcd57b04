"""One request over aiohttp, and aiohttp's errors turned into ours.

It owns the sessions: one of our own per running loop, opened on first use, or the user's. Keys, retries and the meaning
of a body belong to the connection.
"""

from __future__ import annotations

import asyncio
import errno
import io
import os
import re
import socket
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any

import aiohttp
from attrs import define, evolve
from multidict import CIMultiDict
from yarl import URL

from .._data.media_files import SourceChangedError
from .._data.text import excerpt, whole_letters, without_credentials
from ..errors import (
    ConfigurationError,
    DecodingError,
    KellyAPIError,
    RequestTimeoutError,
    TransportError,
    status_error,
)
from . import aiohttp_compat
from .content_codings import make_decoder
from .messages import Headers, PreparedRequest, RaisedByUser, Timeout, time_left
from .proxies import EnvironmentProxies, split_proxy
from .redirects import REDIRECT_STATUSES, redirected_request
from .retry import read_retry_after
from .secrets import Secret
from .sessions import HEADER_LIMITS, NEVER_ROUND, NOTHING_SENT, USER_AGENT, SessionHolder, keep_open, make_session
from .unfinished import UnfinishedWork

SessionSource = aiohttp.ClientSession | Callable[[], aiohttp.ClientSession]
"""A session of the user's, or a function that makes one; the function is called once per loop."""

MAX_REDIRECTS = 5
_LARGE_BODY = 2**20
_PIECE_SIZE = 2**16
"""Bytes of a body that must be sent within the limit of silence, so that a slow line can. The sockets hold more."""
_CHECK_INTERVAL = 1.0
"""Seconds after which the wait for a silent body starts again, which fails if the connection is closed."""
_ERROR_LIMIT = 2**20
"""Bytes of an error's body that are read: its beginning is enough."""
_CONNECTION_ERRNOS = frozenset(
    {errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENOTCONN}
)
"""Errors of the network for which Python has no class of its own."""
_RESENT_BY_AIOHTTP = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class Transport:
    """The sessions of one client and the requests they send."""

    user_agent = USER_AGENT

    def __init__(self, session: SessionSource | None = None, *, max_connections: int | None = None) -> None:
        if session is not None and not isinstance(session, aiohttp.ClientSession) and not callable(session):
            raise TypeError(f"session must be an aiohttp.ClientSession or a function that makes one, not {session!r}")
        if session is not None and max_connections is not None:
            raise ValueError("max_connections belongs to a session of ours: set the limit of your session's connector")
        self.source: SessionSource = session or aiohttp.ClientSession
        self._max_connections = max_connections or 100
        self._ours = session is None
        self._proxies = EnvironmentProxies.read(os.environ) if self._ours else EnvironmentProxies()
        self.unfinished = UnfinishedWork()
        self._sessions: dict[asyncio.AbstractEventLoop, tuple[aiohttp.ClientSession, SessionHolder | None]] = {}

    async def send(self, request: PreparedRequest) -> IncomingResponse:
        """Send a request and wait for the head of its response, following the redirects that are safe."""
        loop = asyncio.get_running_loop()
        session = self._open_session(loop) or await self._make_session(loop)
        for _ in range(MAX_REDIRECTS):
            started = loop.time()
            response = await self._send_one(session, request, started)
            if response.status not in REDIRECT_STATUSES:
                return response
            target = redirected_request(request, response.status, response.headers.get("Location", ""))
            if target is None:
                return response
            response.close()
            request = evolve(target, timeout=time_left(target.timeout, loop.time() - started))
        return await self._send_one(session, request, loop.time())

    def find_proxy(self, scheme: str, host: str, port: int | None) -> Secret | None:
        """Return the proxy that the environment has for a request; `None` for a session of the user's.

        Raises:
            ConfigurationError: The proxy cannot be used.
        """
        return self._proxies.find(scheme, host, port)

    async def close(self) -> None:
        """Close our session of the running loop when unfinished work has ended; the next request opens another."""
        await self.unfinished.wait()
        _, holder = self._sessions.pop(asyncio.get_running_loop(), (None, None))
        if holder is not None:
            await holder.aclose()

    async def _send_one(
        self, session: aiohttp.ClientSession, request: PreparedRequest, started: float
    ) -> IncomingResponse:
        if request.timeout.total == 0:  # which aiohttp takes for no limit
            raise RequestTimeoutError("no time is left", limit="total", sent=False)
        if not (request.call.repeatable or self._ours):
            # A close that has already reached this machine is noticed so: failures 300 of 300 -> 0 to 5, for 3 us.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        upload = _Upload(request.timeout.idle)
        body = _request_data(request.body, upload)
        if upload.in_pieces and isinstance(request.body, bytes):
            request = evolve(request, headers={"Content-Length": str(len(request.body)), **request.headers})
        url = URL(request.url, encoded=True)
        given = request.proxy
        if self._proxies.by_scheme and not given:
            given = self.find_proxy(url.scheme, url.raw_host or "", url.explicit_port)
        proxy, login = split_proxy(given) if given else (None, {})
        with _MappedErrors(request.timeout, upload, proxy, started):
            sending = self._start_request(session, request, url, body, proxy, login)
            response = await (upload.guard(sending) if upload.in_pieces else sending)
        largest = request.max_response_bytes
        if request.timeout.head is not None:
            aiohttp_compat.limit_silence(response, request.timeout.idle)
        limit = largest if response.status < 300 else min(largest, _ERROR_LIMIT)
        return IncomingResponse(response, request, limit)

    def _start_request(
        self,
        session: aiohttp.ClientSession,
        request: PreparedRequest,
        url: URL,
        body: Any,
        proxy: str | None,
        login: Headers,
    ) -> Awaitable[aiohttp.ClientResponse]:
        """Return the awaitable that sends one request."""
        headers, tunnel_headers = request.headers, None
        options: dict[str, Any] = {}
        if not self._ours:
            options = {"raise_for_status": False, "auto_decompress": True}
            if "User-Agent" not in session.headers:
                headers = {"User-Agent": USER_AGENT, **headers}
            options |= aiohttp_compat.widen_header_limits(session, HEADER_LIMITS)
        if proxy is not None:
            options["proxy"] = proxy
            if url.scheme == "https":
                tunnel_headers = login
            else:
                headers = {**headers, **login}
        if body is None and request.method != "GET":  # aiohttp gives a POST or DELETE without a body a Content-Type
            options["skip_auto_headers"] = ("Content-Type",)
        if request.method in _RESENT_BY_AIOHTTP and aiohttp_compat.resends(session):
            others = aiohttp_compat.middlewares_of(session)
            if others is not None:
                options["middlewares"] = (_send_once, *others)
        return session.request(
            request.method,
            url,
            headers=_plain(headers),
            proxy_headers=tunnel_headers and _plain(tunnel_headers),
            data=body,
            allow_redirects=False,
            timeout=_client_timeout(request.timeout, self._ours),
            **options,  # only what is needed: Python looks for each among some 30
        )

    def _open_session(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession | None:
        """Return the session of a loop if there is one that is open."""
        session, _ = self._sessions.get(loop, (None, None))
        return None if session is None or session.closed else session

    async def _make_session(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        for other in tuple(self._sessions):  # another thread may be adding its own
            if other.is_closed():
                self._sessions.pop(other, None)
        # Nothing here suspends, so that two first calls do not open two sessions.
        session, holder = await self._take_session()
        if session.closed:
            raise ConfigurationError("the given session is closed")
        if aiohttp_compat.loop_of(session) not in (None, loop):
            raise ConfigurationError("the given session belongs to another event loop: give a function that makes one")
        self._sessions[loop] = session, holder
        return session

    async def _take_session(self) -> tuple[aiohttp.ClientSession, SessionHolder | None]:
        """Return the user's session, or a new one and what closes it."""
        if isinstance(self.source, aiohttp.ClientSession):
            return self.source, None
        session = make_session(self._max_connections) if self._ours else self.source()
        if not hasattr(session, "closed"):
            raise ConfigurationError("the function given as session must return an aiohttp.ClientSession")
        if not (self._ours or (isinstance(self.source, type) and issubclass(self.source, aiohttp.ClientSession))):
            return session, None
        holder = keep_open(session)
        return await anext(holder), holder


class IncomingResponse:
    """A response whose body is still arriving."""

    body: bytes = b""
    """The whole body, when it was read."""

    def __init__(self, response: aiohttp.ClientResponse, request: PreparedRequest, limit: int) -> None:
        self.status = response.status
        self.headers: Headers = response.headers
        self.request = request
        self._response = response
        self._timeout = request.timeout
        self._limit = limit
        self._decoder = None
        if response.headers.get("Content-Encoding"):
            decodes = getattr(response.content, "total_compressed_bytes", None) is not None  # an empty body has no such
            self._decoder = make_decoder(response.headers, aiohttp_decodes=decodes)

    def take_body(self) -> bool:
        """Read the body if it has arrived whole with the head, as most do, and return whether it has."""
        content = self._response.content
        arrived = content.is_eof() and content.exception() is None and content.total_bytes <= self._limit
        if not arrived or self._decoder is not None:
            return False
        self.body = content.read_nowait()
        if self.status == 101:
            self.close()  # after any other end of a body aiohttp has freed the connection
        return True

    async def read(self) -> bytes:
        """Read the whole body, refusing one above the limit while it arrives."""
        if self.take_body():
            return self.body
        limit = self._limit
        pieces = io.BytesIO()  # its value is not copied, which would take 4 ms for 4 MiB
        try:
            async for piece in self.chunks():
                pieces.write(piece)
                if pieces.tell() > limit and self.status < 300:
                    raise DecodingError("the response is too large", remedy=f"raise max_response_bytes={limit}")
                if pieces.tell() > limit:
                    self.close()
                    break
        except BaseException as error:
            self.close()
            unreadable = isinstance(error, TransportError) and not isinstance(error, RequestTimeoutError)
            if self.status < 300 or not unreadable:
                raise  # an error's status says more than its body
        self.body = pieces.getvalue()[:limit]
        return self.body

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives, decompressed."""
        content, decoder = self._response.content, self._decoder
        try:
            with _MappedErrors(self._timeout):
                try:
                    while chunk := content.read_nowait() or await self._wait_for_chunk():
                        if decoder is None:
                            yield chunk
                            continue
                        for piece in decoder.feed(chunk):
                            yield piece
                            await asyncio.sleep(0)  # a small chunk may hold megabytes
                except aiohttp.ClientError:
                    if rest := aiohttp_compat.read_rest(content):
                        for piece in decoder.feed(rest) if decoder is not None else (rest,):
                            yield piece
                    raise
                if decoder is not None:
                    decoder.check_end()
        except BaseException:
            self.close()
            raise

    async def _wait_for_chunk(self) -> bytes:
        """Wait for more of the body; empty at its end.

        At a malformed chunk aiohttp closes the connection and ends `sock_read`, but the wait for the body continues;
        a new wait fails.
        """
        while True:
            timer = asyncio.timeout(_CHECK_INTERVAL)
            try:
                async with timer:
                    return await self._response.content.readany()
            except TimeoutError:
                if not timer.expired():
                    raise
            except RuntimeError:
                connection = self._response.connection
                if connection is not None and connection.transport is not None:
                    raise
                raise TransportError("the response broke off: it is not valid HTTP") from None

    def close(self) -> None:
        """Free the connection; one whose response was not read to its end is closed."""
        self._response.close()


class _MappedErrors:
    """A block in which aiohttp's errors become ours, and nothing leaves with the frames of aiohttp, which hold keys."""

    def __init__(
        self, timeout: Timeout, upload: _Upload | None = None, proxy: str | None = None, started: float = 0.0
    ) -> None:
        self._timeout = timeout
        self._upload = upload
        self._proxy = proxy
        self._started = started
        """When the request was; only its head needs it."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, GeneratorExit):
            return
        cut_frames(error)
        if self._upload is not None and self._upload.failure is not None:
            failure = self._upload.failure
            if isinstance(failure, SourceChangedError):
                raise TransportError(str(failure), final=True) from None
            raise RaisedByUser(failure) if isinstance(failure, KellyAPIError) else failure from None
        elapsed = asyncio.get_running_loop().time() - self._started
        ours = map_error(error, self._timeout, elapsed, in_head=self._upload is not None)
        if ours is not None and not ours.sent and self._proxy is not None:
            ours.message = f"no connection through the proxy {self._proxy}: {ours.message}"
            ours.args = (ours.message,)
        del error, frames  # this frame is shown too, and aiohttp's error shows the headers
        if ours is not None:
            raise ours from None


def map_error(
    error: BaseException, timeout: Timeout, elapsed: float, *, in_head: bool = False
) -> TransportError | None:
    """Return our error for one of aiohttp's; `None` for errors that are not aiohttp's.

    `in_head` says that the head of the response has not arrived.
    """
    if isinstance(error, KellyAPIError):
        return None
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        # `connect=` of a user's session includes the wait for a free slot, which ends just before the total.
        waited = timeout.total is not None and elapsed > timeout.total - 0.05
        limit = "total" if waited and timeout.connect != timeout.total else "connect"
        return RequestTimeoutError("there was no connection in time", limit=limit, sent=False)
    if isinstance(
        error, (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.InvalidURL, UnicodeError)
    ):
        return TransportError(_error_text(error), sent=False)
    sent = not any(NOTHING_SENT in getattr(each, "__notes__", ()) for each in (error, error.__cause__))
    if isinstance(error, aiohttp.SocketTimeoutError):
        limit = "head" if in_head and timeout.head is not None else "idle"
        return RequestTimeoutError("nothing arrived in time", limit=limit, sent=sent)
    if isinstance(error, TimeoutError):
        missing = "whole response" if sent else "connection"
        return RequestTimeoutError(f"there was no {missing} in time", limit="total", sent=sent)
    if isinstance(error, (aiohttp.ClientError, OSError, _SentOnce)):
        return TransportError(_error_text(error), sent=sent)
    return None


def map_error_of_user(error: Exception, timeout: Timeout, elapsed: float) -> KellyAPIError | None:
    """Return our error for one that code of the user raised; `None` if it is not an error of a connection.

    `raise_for_status` of aiohttp becomes the error of the status. The frames of an error of connections are cut, since
    they may hold a key.
    """
    found = _find_error_of_user(error, timeout, elapsed)
    if found is not None:
        cut_frames(error)
    return found


def _find_error_of_user(error: Exception, timeout: Timeout, elapsed: float) -> KellyAPIError | None:
    if type(error) is aiohttp.ClientResponseError and error.status >= 400 and error.__cause__ is None:
        headers = CIMultiDict(error.headers or {})  # aiohttp's cannot be pickled
        return status_error(error.status)(
            excerpt(error.message) or f"HTTP status {error.status}",
            status=error.status,
            headers=headers,
            retry_after=read_retry_after(headers, datetime.now(UTC)),
        )
    if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
        return RequestTimeoutError(excerpt(str(error)) or "there was no response in time")
    of_connections = (aiohttp.ClientError, ConnectionError, socket.gaierror, ssl.SSLError)
    if not isinstance(error, of_connections) and getattr(error, "errno", 0) not in _CONNECTION_ERRNOS:
        return None
    return map_error(error, timeout, elapsed)


def cut_frames(error: BaseException) -> None:
    """Remove the frames of an error and of all that led to it: aiohttp's hold the headers, and so the key.

    Some of its errors hold the headers themselves.
    """
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            each.__traceback__ = None
            if isinstance(each, aiohttp.ClientResponseError):
                each.request_info, each.history, each.args = None, (), ()  # type: ignore[assignment]  # it is ours now
            left += [each.__cause__, each.__context__]


class _SentOnce(Exception):
    """Carries a failure past aiohttp, which would send the request again; it only catches errors of its own tree."""


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _SentOnce(_error_text(error)) from None


@define(eq=False)
class _Upload:
    """A body that is sent in pieces: whether it moves, and why it failed."""

    idle: float | None
    in_pieces: bool = False
    failure: Exception | None = None
    """The body's own failure, which aiohttp would wrap in one of the connection."""
    _timer: asyncio.Timeout | None = None

    async def watch(self, pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Pass a body on; when a piece is requested, the one before it has been sent."""
        try:
            async for piece in pieces:
                for start in range(0, len(piece), _PIECE_SIZE) if self.idle else (0,):
                    self._restart_timer(self.idle)
                    yield piece[start : start + _PIECE_SIZE] if self.idle else piece
            self._restart_timer(None)  # from here on aiohttp measures
        except Exception as error:  # whatever the user's iterator or file raises
            self.failure = error
            raise

    async def guard(self, sending: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
        """Wait for the head of the response as long as the body moves: aiohttp limits silence only while it reads."""
        self._timer = timer = asyncio.timeout(self.idle)
        try:
            async with timer:
                return await sending
        except TimeoutError:
            if not timer.expired():
                raise
            raise RequestTimeoutError("the body did not move", limit="idle") from None
        finally:
            self._timer = None

    def _restart_timer(self, seconds: float | None) -> None:
        if self._timer is not None and not self._timer.expired():
            self._timer.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)


def _request_data(body: Any, upload: _Upload) -> Any:
    """Return the body in the form that aiohttp sends."""
    if isinstance(body, tuple):
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        for part in body:
            text = isinstance(part.body, bytes) and part.filename is None
            data = part.body.decode() if text else _request_data(part.body, upload)
            name = part.filename and _form_file_name(part.filename)
            form.add_field(part.name, data, filename=name, content_type=part.content_type)
        return form
    if callable(body):
        upload.in_pieces = True
        return upload.watch(body())
    if upload.idle is not None and body is not None and len(body) > _PIECE_SIZE:
        upload.in_pieces = True
        return upload.watch(_one_piece(body))
    # aiohttp writes large bytes in one piece, and warns of it; what it takes for a file it writes in many.
    return io.BytesIO(body) if body is not None and len(body) > _LARGE_BODY else body


async def _one_piece(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _form_file_name(name: str) -> str:
    """Return a file name that cannot end its header, as browsers write it.

    Source: https://html.spec.whatwg.org/#multipart-form-data
    """
    return re.sub(r'["\x00-\x1f\x7f]', lambda found: f"%{ord(found[0]):02X}", whole_letters(name))


def _plain(headers: Headers) -> dict[str, str]:
    """Return headers as plain strings: recorders and other tools do not know `Secret`."""
    return {name: str(value) for name, value in headers.items()}


@lru_cache(64)  # most calls have the same one
def _client_timeout(timeout: Timeout, ours: bool) -> aiohttp.ClientTimeout:
    total = timeout.total
    return aiohttp.ClientTimeout(
        total=total,
        # Includes the wait for a free slot. It ends just before the total, which cannot tell that nothing was sent,
        # unless the connector is ours; it costs 4 us a call.
        connect=None if total is None or ours else max(total - 0.01, total / 2),
        sock_connect=timeout.connect,
        sock_read=timeout.head or timeout.idle,
        ceil_threshold=NEVER_ROUND,
    )


def _error_text(error: BaseException) -> str:
    message = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    if isinstance(error, aiohttp.ClientHttpProxyError):  # its status is the proxy's
        message = f"{error.status} {error.message}"
    elif isinstance(error, (aiohttp.ClientResponseError, aiohttp.ClientPayloadError)):
        message = "the response cannot be read: " + re.sub(r"^\d+, message:\s*", "", message)  # not a server's status
    return excerpt(without_credentials(message)) or type(error).__name__
