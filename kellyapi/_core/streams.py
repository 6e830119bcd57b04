"""Responses that are still arriving: bytes as they come, and the JSON events of an event stream.

Nothing is sent before a block is entered or the first item is requested. Until the head of the response has arrived, a
failure is retried like that of any call. `sse` parses the events; the services and providers know what they mean.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from attrs import frozen

from .._data.decoding import Into, decode
from .._data.json_text import loads_response
from .._data.text import excerpt, whole_letters
from .._data.threads import run_off_loop
from ..errors import DecodingError, KellyAPIError, TransportError
from .connection import Connection, refuse_as_stream
from .messages import Call, FromResponse, Headers, Response, media_type
from .responses import error_from_event, read_response
from .secrets import redact_error
from .sse import ServerSentEvent, ServerSentEventParser

if TYPE_CHECKING:
    from .transport import IncomingResponse

T = TypeVar("T")

MAX_EVENT_BYTES = 4 * 2**20
"""Parsed in 13 ms. The last event of a response repeats it whole, in some alphabets with six bytes for a letter."""
_MAX_EVENTS_IN_A_ROW = 64
"""Events that are returned from what has arrived already, before other tasks get a turn."""
_PARSE_SIZE = 64 * 2**10
"""Bytes that are parsed before other tasks get a turn: a compressed stream may arrive as one piece of megabytes."""
_FIRST_LINE = re.compile(rb"(\xef\xbb\xbf)?[\r\n]*(data|event|id|retry)?:")
"""The first line of an event stream."""
_LONGEST_FIELD = 16
"""Bytes that are enough to know it by."""
_STREAM_TYPES = frozenset({"text/event-stream", "application/json", "text/plain", "application/octet-stream", ""})
"""Servers and gateways forget the type of a stream, or send that of the same response whole."""
_LAST_EVENT = re.compile(r'(?i)(["\']?)(\[\s*)?DONE(?(2)\s*\])\1')
"""`[DONE]`, also in the spellings of gateways."""
_SIGNS_OF_LIFE = frozenset({"ping", "heartbeat", "keepalive", "keep-alive"})
"""The types of events that say only that the server is there, in any words."""
_DRAIN_TIMEOUT = 0.1
"""Seconds in which a response may end after its last event, so that its connection can be kept."""
_LAST_EVENTS_TIMEOUT = 5.0
"""Seconds without a byte after which a finished stream ends: some servers never send `[DONE]` and keep the connection.
Only the usage may still be missing."""


@frozen(repr=False)
class StreamRequest:
    """The call of a stream, its connection, and the heads that it accepts."""

    connection: Connection
    call: Call
    accepts: Callable[[Headers], bool] = lambda _: True
    blank: str | None = None
    """What is wrong with a response without a single byte, if anything is."""

    async def open(self) -> tuple[StreamRequest, IncomingResponse]:
        """Send the call; return the request as it was sent, and the response."""
        return self, await self.connection.open(self.call, self.accepts)


class Stream(ABC, Generic[T]):
    """A response that is still arriving, as an async iterator: `async with … as stream: async for item in stream: …`.

    Leaving the block frees the connection, at the end or early.
    """

    def __init__(self, source: StreamRequest) -> None:
        self._source = source
        self._incoming: IncomingResponse | None = None
        self._pieces: AsyncIterator[bytes] | None = None
        self._received = 0

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    @abstractmethod
    async def __anext__(self) -> T: ...

    async def aclose(self) -> None:
        """Free the connection."""
        if self._incoming is not None:
            self._incoming.close()

    async def _open(self) -> AsyncIterator[bytes]:
        if self._pieces is None:
            self._source, self._incoming = await self._source.open()
            self._pieces = self._incoming.chunks()
        return self._pieces

    async def _end_with(self, error: KellyAPIError, partial: Any) -> None:
        """Add to an error what all errors carry, free the connection, and report the error."""
        self._source.connection.annotate_error(error, self._source.call)
        if self._received:
            error.outcome_unknown = not self._source.call.repeatable
            error.partial = partial
        if self._incoming is not None:
            redact_error(error, self._incoming.request.headers)
            self._incoming.close()
            await self._source.connection.report_broken_off(self._incoming, error)


class ByteStream(Stream[bytes]):
    """Bytes that are still arriving: `async with … as stream: async for piece in stream: …`.

    Leaving the block frees the connection, at the end or early. If the stream breaks off, `error.partial` is the number
    of bytes that had arrived.
    """

    async def __anext__(self) -> bytes:
        pieces = await self._open()
        try:
            piece = await anext(pieces, None)
            if piece is None and self._source.blank and not self._received:
                raise DecodingError(self._source.blank)
        except KellyAPIError as error:
            await self._end_with(error, self._received)
            raise
        if piece is None:
            raise StopAsyncIteration
        self._received += len(piece)
        return piece


class EventStream(Stream[T]):
    """JSON events that are still arriving, until `[DONE]` or another last event."""

    def __init__(self, source: StreamRequest) -> None:
        super().__init__(source)
        self._most = source.connection.max_response_bytes
        self._parser = ServerSentEventParser(min(MAX_EVENT_BYTES, self._most))
        self._values: Iterator[Any] = iter(())
        self._in_a_row = 0
        self._rest = memoryview(b"")
        """What has arrived and is not parsed yet."""
        self._parsed = 0
        self._half_letter = ""
        """The first half of a letter that a string ended in: a server may cut its texts there."""
        self._broken_off: TransportError | None = None
        """Why the stream has ended, if it broke off."""
        self._at_end = False
        """Whether all that has arrived is parsed, and no more will arrive."""
        self._whole = False
        """Whether the response came whole, from a server that does not stream."""
        self._ended = False

    @abstractmethod
    def _handle_event(self, value: Any) -> T | None:
        """Read the value of one event, and return what the user gets for it, if anything."""

    @abstractmethod
    def _partial(self) -> Any:
        """Return what has arrived so far, for errors."""

    @abstractmethod
    def _is_complete(self) -> bool:
        """Return whether the stream may end here: whether all that is needed has arrived."""

    def _is_finished(self) -> bool:
        """Return whether all that is needed has arrived for certain, so that a failing connection is not an error."""
        return False

    def _events_of_whole(self, value: Any) -> Iterable[Any]:
        """Return the events that stand for a response that came whole."""
        return (value,)

    def _check_complete(self) -> None:
        """Check what has arrived, now that the stream has ended."""

    async def __anext__(self) -> T:
        try:
            while not self._ended:
                if self._in_a_row >= _MAX_EVENTS_IN_A_ROW:
                    self._in_a_row = 0
                    await asyncio.sleep(0)  # with no value in hand, which a cancelled call would lose
                value = next(self._values, None)
                if value is not None:
                    self._in_a_row += 1
                    if (item := self._handle_event(value)) is not None:
                        return item
                elif not self._ended:
                    await self._read_more()
            self._check_complete()
            await self._drain()
        except KellyAPIError as error:
            await self._end_with(error, self._partial())
            raise
        raise StopAsyncIteration

    async def _open(self) -> AsyncIterator[bytes]:
        first = self._pieces is None
        pieces = await super()._open()
        if first and self._incoming is not None:
            try:
                await self._read_beginning(self._incoming, media_type(self._incoming.headers), pieces)
            except KellyAPIError as error:
                await self._end_with(error, None)
                raise
        return pieces

    async def _read_beginning(self, incoming: IncomingResponse, kind: str, pieces: AsyncIterator[bytes]) -> None:
        """Read so much of a response that is not called an event stream that it is known what it is."""
        if kind == "text/event-stream":
            return
        is_json = kind == "application/json"
        beginning = await incoming.read() if is_json else b""
        while not is_json and len(beginning) < _LONGEST_FIELD and (piece := await anext(pieces, b"")):
            beginning += piece
        if _FIRST_LINE.match(beginning):
            self._rest, self._received = memoryview(beginning), len(beginning)
            return
        response = Response(status=incoming.status, headers=incoming.headers, body=beginning)
        connection = self._source.connection
        into = object if is_json else FromResponse(refuse_as_stream)
        arguments = (connection.provider, response, into, incoming.request.headers, connection.warn)
        value = await run_off_loop(read_response, *arguments, size=len(beginning))
        self._check(value)
        self._values = iter(self._events_of_whole(value))
        self._whole = True

    async def _read_more(self) -> None:
        was_open = self._pieces is not None
        pieces = await self._open()
        if not was_open and self._whole:
            return  # the response came whole
        if self._rest:
            await asyncio.sleep(0)
        elif not self._at_end:
            try:
                self._rest = memoryview(await self._next_piece(pieces))
            except TransportError as error:
                self._broken_off = error.with_traceback(None)
            self._received += len(self._rest)
        if self._rest:
            size = min(_PARSE_SIZE, self._most - self._parsed)
            if not size:
                raise DecodingError("the response is too large", remedy=f"raise max_response_bytes={self._most}")
            piece, self._rest = bytes(self._rest[:size]), self._rest[size:]
            self._parsed += len(piece)
            self._values = self._read(self._parser.feed(piece))
        elif not self._at_end:
            self._at_end = True
            self._values = self._read(self._parser.finish(), last=True)
        elif self._broken_off is not None and not self._is_finished():
            raise self._broken_off
        elif self._whole or self._is_complete():
            self._ended = True
        else:
            raise TransportError("the stream broke off: it ended before its last event")

    async def _next_piece(self, pieces: AsyncIterator[bytes]) -> bytes:
        """Wait for the next piece; empty at the end of the response, or soon after that of a finished stream."""
        if not self._is_finished():
            return await anext(pieces, b"")
        timer = asyncio.timeout(_LAST_EVENTS_TIMEOUT)
        try:
            async with timer:
                return await anext(pieces, b"")
        except TimeoutError:
            if not timer.expired():
                raise
            return b""

    def _read(self, events: Iterator[ServerSentEvent], *, last: bool = False) -> Iterator[Any]:
        """Yield the values of events. The `last` one, which may be cut, counts only if it is an object or an array."""
        for event, text in _texts_of(events):
            if _LAST_EVENT.fullmatch(text):
                self._ended = True
                return
            if not text or text.startswith(":"):  # some gateways send comments as data
                continue
            try:
                value = loads_response(text.encode(), change=self._join_letters)
            except ValueError:
                if event.type in _SIGNS_OF_LIFE:
                    continue
                if event.type != "error":
                    if last:
                        return
                    raise DecodingError(f"an event is not JSON: {excerpt(text)}") from None
                value = {"error": text}
            if last and not isinstance(value, (dict, list)):
                return
            self._check(value, event.type)
            yield value

    def _join_letters(self, text: str) -> str:
        """Return a string without a half letter: it may be continued in a string of the next event."""
        if "\udc00" <= text[:1] <= "\udfff":
            text, self._half_letter = self._half_letter + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            self._half_letter, text = text[-1], text[:-1]
        return whole_letters(text)

    def _check(self, value: Any, type: str = "") -> None:
        """Raise an error if an event is not an object, or reports an error."""
        if not isinstance(value, dict):
            raise DecodingError(f"an event is not a JSON object: {excerpt(repr(value))}")
        # A response that failed is a result, with the error in it, as it is without a stream.
        if "error" in (type, value.get("type")) or (value.get("error") and value.get("object") != "response"):
            raise error_from_event(self._source.connection.provider, self._headers, value)

    def _raise_reported_error(self, value: dict[str, Any]) -> None:
        """Raise the error that an event without data reports, if it reports one."""
        if value.get("success") is False or self._source.connection.provider.read_error(500, self._headers, value):
            raise error_from_event(self._source.connection.provider, self._headers, value)

    @property
    def _headers(self) -> Headers:
        return {} if self._incoming is None else self._incoming.headers

    async def _drain(self) -> None:
        """Read the end of the response, so that its connection is kept; one that does not end soon is closed."""
        assert self._pieces is not None
        try:
            async with asyncio.timeout(_DRAIN_TIMEOUT):
                async for _ in self._pieces:
                    pass
        except (TimeoutError, KellyAPIError):
            pass


def _texts_of(events: Iterable[ServerSentEvent]) -> Iterator[tuple[ServerSentEvent, str]]:
    """Yield the text of each event. If its first line is JSON, each line is an event whose blank line is missing."""
    for event in events:
        text = event.data.strip()
        first, *more = text.split("\n")
        for each in (first, *more) if more and _is_json(first) else (text,):
            yield event, each.strip()


def _is_json(text: str) -> bool:
    try:
        loads_response(text.encode())
    except ValueError:
        return False
    return True


class JSONEventStream(EventStream[T]):
    """The JSON events of an event stream: `async with … as stream: async for event in stream: …`.

    Each event is the JSON of its `data`, read into the type that was passed as `into`. The stream ends at `[DONE]`, or
    where the response ends. A response that is plain JSON is one event. If the stream breaks off, `error.partial` is
    the number of events that had arrived.
    """

    def __init__(self, source: StreamRequest, into: Into[T]) -> None:
        super().__init__(source)
        self._into = into
        self._count = 0

    def _check(self, value: Any, type: str = "") -> None:
        """Accept any JSON but null, which is not an event."""
        if value is None or isinstance(value, dict):
            super()._check(value, type)

    def _handle_event(self, value: Any) -> T:
        connection = self._source.connection
        item = decode(value, self._into, connection.warn)
        self._count += 1
        return item

    def _partial(self) -> int:
        return self._count

    def _is_complete(self) -> bool:
        return True  # nothing is known of the last event


def is_event_stream(headers: Headers) -> bool:
    """Return whether a head may be that of an event stream, or of the same response whole."""
    return media_type(headers) in _STREAM_TYPES
