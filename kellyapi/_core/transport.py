"""One request over aiohttp, and aiohttp's errors turned into ours.

It owns the sessions: one of our own per running loop, opened on first use, or the user's. Keys, retries and what a body
means are the connection's.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from functools import lru_cache
from typing import Any, NoReturn

import aiohttp
from attrs import define, evolve
from yarl import URL

from .._data.text import excerpt, without_credentials
from ..errors import ConfigurationError, DecodingError, RequestTimeoutError, TransportError
from .environment import find_proxy, split_proxy
from .messages import Headers, Request, Timeout
from .redirects import REDIRECT_STATUSES, redirected_request
from .sessions import NEVER_ROUND, NOTHING_SENT, SessionHolder, keep_open, make_session

SessionSource = aiohttp.ClientSession | Callable[[], aiohttp.ClientSession]
"""A session of the user's, or what makes one; it is called once per loop."""

MAX_REDIRECTS = 5
_LARGE_BODY = 2**20
_ERROR_LIMIT = 2**20
"""Bytes of an error's body that are read: its beginning is enough."""
_RESENT_BY_AIOHTTP = frozenset({"GET", "PUT", "DELETE"})


class _SentOnce(Exception):
    """Carries a failure past aiohttp, which would send the request again; it looks only at errors of its own tree."""


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _SentOnce(_error_text(error)) from None


@define(eq=False)
class IncomingResponse:
    """An answer whose body is still arriving."""

    status: int
    headers: Headers
    sent: Headers
    _response: aiohttp.ClientResponse
    _limit: int

    def arrived(self) -> bytes:
        """Give the body if all of it came with the head, else nothing; aiohttp's own reading takes 3 us more."""
        content = self._response.content
        # As long as there is a connection, the request is still being written, which `read` waits for.
        whole = content.is_eof() and self._response.connection is None and content.total_bytes <= self._limit
        try:
            return content.read_nowait() if whole else b""
        except Exception as error:  # whatever aiohttp left in it, such as when a middleware has closed the answer
            _raise_mapped(error)

    async def read(self) -> bytes:
        """Read the whole body, refusing one above the limit while it arrives."""
        response, limit = self._response, self._limit
        try:
            if response.content.is_eof() and response.content.total_bytes <= limit:
                return await response.read()
            body = io.BytesIO()  # whose value is no copy, which of 4 MiB takes 4 ms
            async for piece in self.chunks():
                body.write(piece)
                if body.tell() > limit and self.status < 300:
                    raise DecodingError(f"the answer is larger than max_response_bytes={limit}")
                if body.tell() > limit:
                    self.close()
                    break
            return body.getvalue()[:limit]
        except BaseException as error:
            self.close()
            _raise_mapped(error)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body as it arrives, decompressed."""
        content = self._response.content
        try:
            try:
                async for chunk in content.iter_any():
                    yield chunk
            except aiohttp.ClientError:
                content._exception = None  # not public; with it aiohttp withholds what arrived before the failure
                if rest := content.read_nowait():
                    yield rest
                raise
        except BaseException as error:
            self.close()
            _raise_mapped(error)

    def close(self) -> None:
        """Free the connection; one whose answer was not read to its end is closed."""
        self._response.close()


class Transport:
    """The sessions of one client and the requests they send."""

    def __init__(self, session: SessionSource | None = None, *, max_connections: int | None = None) -> None:
        if session is not None and not isinstance(session, aiohttp.ClientSession) and not callable(session):
            raise TypeError(f"session must be an aiohttp.ClientSession or a function that makes one, not {session!r}")
        if session is not None and max_connections is not None:
            raise ValueError("max_connections belongs to a session of ours: set the limit of your session's connector")
        if max_connections is not None and max_connections < 1:
            raise ValueError(f"max_connections must be at least 1, not {max_connections}")
        self.source: SessionSource = session or aiohttp.ClientSession
        self._max_connections = max_connections or 100
        self._ours = session is None
        self._sessions: dict[asyncio.AbstractEventLoop, tuple[aiohttp.ClientSession, SessionHolder | None]] = {}

    async def send(self, request: Request) -> IncomingResponse:
        """Send a request and wait for the head of its answer, following the redirects that are safe."""
        loop = asyncio.get_running_loop()
        session, _ = self._sessions.get(loop, (None, None))
        if session is None or session.closed:
            session = await self._session_of(loop)
        hops = 0
        while True:
            started = loop.time()
            if request.timeout.total == 0:  # which aiohttp takes for no limit
                raise RequestTimeoutError("no time is left", sent=False)
            if not (request.repeatable or self._ours):
                # A close that has already reached this machine is noticed so: failures 300 of 300 -> 0 to 5, for 3 us.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            upload = _Upload(request.timeout.idle)
            try:
                sending = self._request(session, request, upload)
                response = await (upload.guard(sending) if upload.in_pieces else sending)
            except BaseException as error:
                if upload.failure is not None:
                    raise upload.failure from None
                _raise_mapped(error)
            status, largest = response.status, request.max_response_bytes
            limit = largest if status < 300 else min(largest, _ERROR_LIMIT)
            incoming = IncomingResponse(status, response.headers, request.headers, response, limit)
            if status not in REDIRECT_STATUSES or hops == MAX_REDIRECTS:
                return incoming
            if (target := redirected_request(request, status, incoming.headers.get("Location", ""))) is None:
                return incoming
            incoming.close()
            hops += 1
            request = evolve(target, timeout=target.timeout.after(loop.time() - started))

    async def close(self) -> None:
        """Close our session of the running loop; the next request opens another."""
        _, holder = self._sessions.pop(asyncio.get_running_loop(), (None, None))
        if holder is not None:
            await holder.aclose()

    def _request(
        self, session: aiohttp.ClientSession, request: Request, upload: _Upload
    ) -> Awaitable[aiohttp.ClientResponse]:
        """Make what sends one request when it is awaited."""
        url = URL(request.url, encoded=True)
        proxy = find_proxy(url.scheme, url.host or "") if self._ours and request.proxy is None else request.proxy
        headers = request.headers
        options: dict[str, Any] = {} if self._ours else {"raise_for_status": False, "auto_decompress": True}
        if proxy is not None:
            options["proxy"], login = split_proxy(proxy)
            if url.scheme == "https":  # a tunnel is asked for in a request of its own
                options["proxy_headers"] = login
            else:
                headers = {**headers, **login}
        if request.body is None and request.method != "GET":  # else a POST of nothing has a type; a GET has none
            options["skip_auto_headers"] = ("Content-Type",)
        if request.method in _RESENT_BY_AIOHTTP and getattr(session, "_retry_connection", True):  # not public
            options["middlewares"] = (_send_once, *session._middlewares)  # not public, and ours would replace them
        return session.request(
            request.method,
            url,
            headers=headers,
            data=_request_data(request.body, upload),
            allow_redirects=False,
            timeout=_client_timeout(request.timeout, self._ours),
            **options,  # no more than are needed: Python looks for each among some 30
        )

    async def _session_of(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        for other in [each for each in tuple(self._sessions) if each.is_closed()]:
            self._sessions.pop(other, None)  # in place, since another thread may be adding its own
        session, holder = await self._open_session()
        if session.closed:
            raise ConfigurationError("the given session is closed")
        if getattr(session, "_loop", loop) is not loop:
            raise ConfigurationError("the given session belongs to another event loop: give a function that makes one")
        self._sessions[loop] = session, holder
        return session

    async def _open_session(self) -> tuple[aiohttp.ClientSession, SessionHolder | None]:
        if isinstance(self.source, aiohttp.ClientSession):
            return self.source, None
        session = make_session(self._max_connections) if self._ours else self.source()
        if not hasattr(session, "closed"):
            raise ConfigurationError("the function given as session must return an aiohttp.ClientSession")
        if not (self._ours or (isinstance(self.source, type) and issubclass(self.source, aiohttp.ClientSession))):
            return session, None
        holder = keep_open(session)
        return await anext(holder), holder


@lru_cache(64)  # most calls have the same one
def _client_timeout(timeout: Timeout, ours: bool) -> aiohttp.ClientTimeout:
    total = timeout.total
    return aiohttp.ClientTimeout(
        total=total,
        # Includes the wait for a free slot. It ends just before the total, which cannot tell that nothing was sent,
        # unless the connector is ours; it costs 4 us a call.
        connect=None if total is None or ours else max(total - 0.01, total / 2),
        sock_connect=timeout.connect,
        sock_read=timeout.idle,
        ceil_threshold=NEVER_ROUND,
    )


@define(eq=False)
class _Upload:
    """A body that is sent in pieces: whether it moves, and why it failed."""

    idle: float | None
    in_pieces: bool = False
    failure: Exception | None = None
    """The body's own, which aiohttp would wrap in one of the connection."""
    _timer: asyncio.Timeout | None = None

    async def watch(self, pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Pass a body on; each piece that is asked for says that the one before it went out."""
        try:
            async for piece in pieces:
                self._may_be_silent(self.idle)
                yield piece
            self._may_be_silent(None)  # from here on aiohttp measures
        except Exception as error:  # whatever the user's iterator or file raises
            self.failure = error
            raise

    async def guard(self, sending: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
        """Wait for the head of the answer as long as the body moves: aiohttp measures silence only while it reads."""
        self._timer = timer = asyncio.timeout(self.idle)
        try:
            async with timer:
                return await sending
        except TimeoutError:
            if not timer.expired():
                raise
            raise RequestTimeoutError(f"nothing moved for {self.idle:g} s") from None
        finally:
            self._timer = None

    def _may_be_silent(self, seconds: float | None) -> None:
        if self._timer is not None and not self._timer.expired():
            self._timer.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)


def _request_data(body: Any, upload: _Upload) -> Any:
    if isinstance(body, tuple):
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        for part in body:
            text = isinstance(part.body, bytes) and part.filename is None
            data = part.body.decode() if text else _request_data(part.body, upload)
            # As browsers write it: https://html.spec.whatwg.org/#multipart-form-data
            name = part.filename and part.filename.replace('"', "%22")
            form.add_field(part.name, data, filename=name, content_type=part.content_type)
        return form
    if callable(body):
        upload.in_pieces = True
        return upload.watch(body())
    # aiohttp writes large bytes in one piece, and warns of it; what it takes for a file it writes in many.
    return io.BytesIO(body) if body is not None and len(body) > _LARGE_BODY else body


def _raise_mapped(error: BaseException) -> NoReturn:
    """Raise the error of ours that stands for one of aiohttp's; others pass as they are."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        raise RequestTimeoutError("no connection in time", sent=False) from None
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, aiohttp.InvalidURL)):
        raise TransportError(_error_text(error), sent=False) from None
    if isinstance(error, TimeoutError) and NOTHING_SENT in getattr(error.__cause__, "__notes__", ()):
        raise RequestTimeoutError("no connection in time", sent=False) from None
    if isinstance(error, TimeoutError):
        raise RequestTimeoutError(_error_text(error) if str(error) else "no whole answer in time") from None
    if isinstance(error, (aiohttp.ClientError, OSError, _SentOnce)):
        raise TransportError(_error_text(error)) from None
    raise error


def _error_text(error: BaseException) -> str:
    said = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)  # it names no true status
    return excerpt(without_credentials(said)) or type(error).__name__
