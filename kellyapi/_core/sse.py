"""Event streams, cut into events: bytes in, in any pieces, events out. What an event says is left to others.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ..errors import DecodingError

MAX_EVENT_BYTES = 2**20
_BOM = b"\xef\xbb\xbf"


@frozen
class ServerSentEvent:
    """One event."""

    data: str
    """The lines of its data, joined by line feeds."""
    type: str = "message"
    id: str = ""
    """The last id that the stream named, in this event or before."""
    retry: int | None = None
    """Milliseconds to wait before connecting again, as the stream last named them."""


class ServerSentEventParser:
    """Reads one stream.

    Lines are cut as bytes and decoded one by one: no byte of a longer UTF-8 sequence is an end of a line.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._line = bytearray()
        self._after_cr = False
        self._at_start = True
        self._data: list[bytes] = []
        self._size = 0
        self._type = b""
        self._id = ""
        self._retry: int | None = None

    def feed(self, piece: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that end in a piece; the next piece may follow when the iterator is exhausted.

        An event that grows above the limit raises `DecodingError`, before it is whole.
        """
        if self._after_cr and piece.startswith(b"\n"):  # the second half of an end of line that was counted
            piece = piece[1:]
            self._after_cr = False
        if not piece:
            return
        self._after_cr = piece.endswith(b"\r")
        lines = piece.splitlines()  # of bytes: at CR, LF and CRLF, and at nothing else
        rest = b"" if piece.endswith((b"\n", b"\r")) else lines.pop()
        if lines and self._line:
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
        if lines and self._at_start:
            lines[0] = lines[0].removeprefix(_BOM)
            self._at_start = False
        for line in lines:
            if not line:
                if self._data:
                    yield self._event()
                self._type = b""
                continue
            self._check(len(line))
            if line.startswith(b"data:"):
                self._add(line[6:] if line.startswith(b" ", 5) else line[5:])
            else:
                self._read(line)
        self._line += rest
        self._check(len(self._line))

    def finish(self) -> Iterator[ServerSentEvent]:
        """Yield the event that the stream ends in, if the blank line after it is missing."""
        yield from self.feed(b"\n\n")

    def _check(self, more: int) -> None:
        if self._size + more > self._limit:
            raise DecodingError(f"an event is larger than {self._limit} bytes")

    def _add(self, value: bytes) -> None:
        self._data.append(value)
        self._size += len(value) + 1

    def _read(self, line: bytes) -> None:
        """Read a line that is not plain data; a comment has a field without a name."""
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._add(value)
        elif field == b"event":
            self._type = value
        elif field == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")
        elif field == b"retry" and value.isdigit() and len(value) < 16:
            self._retry = int(value)

    def _event(self) -> ServerSentEvent:
        data = (self._data[0] if len(self._data) == 1 else b"\n".join(self._data)).decode(errors="replace")
        self._data.clear()
        self._size = 0
        return ServerSentEvent(data, self._type.decode(errors="replace") or "message", self._id, self._retry)
