"""Event streams become events, wherever the network cuts them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from kellyapi import DecodingError
from kellyapi._core.sse import ServerSentEvent, ServerSentEventParser

LONG = b"x" * 2048


def message(data: str, type: str = "message", id: str = "", retry: int | None = None) -> ServerSentEvent:
    return ServerSentEvent(data, type, id, retry)


# The cases of the web platform tests, by the names of their files:
# https://github.com/web-platform-tests/wpt/tree/master/eventsource
# The streams are our own: theirs come from a server that adds line ends and reconnects.
WEB_PLATFORM: dict[str, tuple[bytes, list[ServerSentEvent]]] = {
    "event-data": (
        b"data:msg\ndata:msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
        [message("msg\nmsg"), message(""), message("end")],
    ),
    "format-bom": (
        b"\xef\xbb\xbfdata:1\n\n\xef\xbb\xbfdata:2\n\ndata:3\n\n",
        [message("1"), message("3")],
    ),
    "format-bom-2": (b"\xef\xbb\xbf\xef\xbb\xbfdata:1\n\ndata:2\n\ndata:3\n\n", [message("2"), message("3")]),
    "format-comments": (
        b"data:1\r:\0\n:\r\ndata:2\n:" + LONG[:40] + b"\rdata:3\n:data:fail\r:" + LONG[:40] + b"\ndata:4\n\n",
        [message("1\n2\n3\n4")],
    ),
    "format-data-before-final-empty-line": (
        b"retry:1000\ndata:test1\n\nid:test\ndata:test2",
        [message("test1", retry=1000)],
    ),
    "format-field-data": (
        b"data:\n\ndata\ndata\n\ndata:test\n\n",
        [message(""), message("\n"), message("test")],
    ),
    "format-field-event": (b"event:test\ndata:x\n\ndata:x\n\n", [message("x", "test"), message("x")]),
    "format-field-event-empty": (b"event: \ndata:data\n\n", [message("data")]),
    "format-field-id": ("id: …\ndata:hello\n\n".encode(), [message("hello", id="…")]),
    "format-field-id-2": (
        "id: …\ndata:hello\n\ndata:once\n\ndata:twice\n\n".encode(),
        [message("hello", id="…"), message("once", id="…"), message("twice", id="…")],
    ),
    "format-field-id-3: persists": (b"id: 1\ndata:a\n\ndata:b\n\n", [message("a", id="1"), message("b", id="1")]),
    "format-field-id-3: changes and persists": (
        b"id: 1\ndata:a\n\nid: 2\ndata:b\n\ndata:c\n\n",
        [message("a", id="1"), message("b", id="2"), message("c", id="2")],
    ),
    "format-field-id-3: resets": (
        b"id: 1\ndata:a\n\nid\ndata:b\n\ndata:c\n\n",
        [message("a", id="1"), message("b"), message("c")],
    ),
    "format-field-id-null": (
        b"id: \0\0\ndata:hello\n\nid: 1\ndata:a\n\nid: 2\0\ndata:b\n\n",
        [message("hello"), message("a", id="1"), message("b", id="1")],
    ),
    "format-field-parsing": (
        b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\n"
        b"data:4\n\n",
        [message("\0\n 2\n1\n3\n\n4")],
    ),
    "format-field-retry": (b"retry:3000\ndata:x\n\ndata:y\n\n", [message("x", retry=3000), message("y", retry=3000)]),
    "format-field-retry-bogus": (b"retry:3000\nretry:1000x\ndata:x\n\n", [message("x", retry=3000)]),
    "format-field-retry-empty": (b"retry\nretry:\ndata:test\n\n", [message("test")]),
    "format-field-unknown": (
        b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
        [message("test\n\ntest")],
    ),
    "format-leading-space": (b"data:\ttest\rdata: \ndata:test\n\n", [message("\ttest\n\ntest")]),
    "format-newlines": (b"data:test\r\ndata\ndata:test\r\n\r", [message("test\n\ntest")]),
    "format-null-character": (b"data:\0\n\n\n\n", [message("\0")]),
    "format-utf-8": ("data:ok…\n\n".encode(), [message("ok…")]),
}
OTHERS: dict[str, tuple[bytes, list[ServerSentEvent]]] = {
    "nothing": (b"", []),
    "a bom alone": (b"\xef\xbb\xbf", []),
    "no data at all": (b"event: ping\nid: 7\n\n", []),
    "a type is forgotten with an event that has no data": (b"event: a\n\ndata: b\n\n", [message("b")]),
    "an id holds although its event had no data": (b"id: 7\n\ndata: b\n\n", [message("b", id="7")]),
    "the last type counts": (b"event: a\nevent: b\ndata: c\n\n", [message("c", "b")]),
    "one space is taken away": (b"data:  a \nevent:  b \n\n", [message(" a ", " b ")]),
    "a line without its end": (b"data: a\n\ndata: b\n", [message("a")]),
    "an end of line without the blank one": (b"data: a\n\ndata: b\r\n", [message("a")]),
    "each way to end a line": (
        b"data: a\r\rdata: b\n\ndata: c\r\n\r\ndata: d\r\n\ndata: e\n\r\n",
        [*map(message, "abcde")],
    ),
    "line ends of other alphabets are text": (
        "data: a\u2028b\x85c\x0bd\x0ce\n\n".encode(),
        [message("a\u2028b\x85c\x0bd\x0ce")],
    ),
    "two, three and four bytes": ("data: ɛ€🦊\n\n".encode(), [message("ɛ€🦊")]),
    "broken bytes are replaced": (
        b"data: a\xffb\xf0\x9f\xa6\nid: \xe2\x82\n\n",
        [message("a\ufffdb\ufffd", id="\ufffd")],
    ),
    "digits of other alphabets are none": ("retry: ٣\ndata: x\n\n".encode(), [message("x")]),
    "a number longer than any time": (b"retry: " + b"9" * 5000 + b"\ndata: x\n\n", [message("x")]),
}
CASES = WEB_PLATFORM | OTHERS


def parse(pieces: Iterable[bytes]) -> list[ServerSentEvent]:
    parser = ServerSentEventParser()
    return [event for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize(("stream", "events"), CASES.values(), ids=CASES)
def test_a_stream_has_the_same_events_wherever_it_is_cut(stream: bytes, events: list[ServerSentEvent]) -> None:
    assert parse([stream]) == events
    for place in range(len(stream) + 1):
        assert parse([stream[:place], stream[place:]]) == events, stream[:place]
    assert parse(stream[i : i + 1] for i in range(len(stream))) == events
    assert parse(piece for i in range(len(stream)) for piece in (b"", stream[i : i + 1])) == events


def test_a_short_stream_has_the_same_events_in_any_pieces() -> None:
    stream, events = "\ufeffdata:ɛ\r\n\rid:1\r\ndata\n\n".encode(), [message("ɛ"), message("", id="1")]
    for first, second, third in itertools.combinations_with_replacement(range(len(stream) + 1), 3):
        assert parse([stream[:first], stream[first:second], stream[second:third], stream[third:]]) == events


LIMIT = 100
FITS = b"x" * (LIMIT - len(b"data:"))
TOO_LARGE = {
    "one line": b"data:" + FITS + b"x\n\n",
    "many lines": b"data:xxxxx\n" * 20 + b"\n",
    "a line without an end": b"data:" + FITS + b"x",
    "a comment": b":" + FITS + b"xxxxx\n",
    "lines and one that has not ended": b"data:" + FITS[:50] + b"\ndata:" + FITS[:50],
}


@pytest.mark.parametrize("stream", TOO_LARGE.values(), ids=TOO_LARGE)
def test_an_event_that_grows_too_large_is_refused_before_it_is_complete(stream: bytes) -> None:
    before = b"data: before\n\n"
    for size in (1, 7, len(before + stream)):
        whole, events = before + stream, list[ServerSentEvent]()
        pieces = (whole[start : start + size] for start in range(0, len(whole), size))
        parser = ServerSentEventParser(LIMIT)
        with pytest.raises(DecodingError, match=f"larger than {LIMIT} bytes"):
            events.extend(event for piece in pieces for event in parser.feed(piece))
        assert events == [message("before")]


def test_an_event_may_have_a_mebibyte() -> None:
    fits = b"data:" + bytes(2**20 - len(b"data:"))
    assert [len(event.data) for event in ServerSentEventParser().feed(fits + b"\n\n")] == [2**20 - len(b"data:")]
    with pytest.raises(DecodingError, match="larger than 1048576 bytes"):
        list(ServerSentEventParser().feed(fits + b"x\n\n"))


def test_a_line_of_data_counts_with_its_end() -> None:
    stream = b"data:a\ndata:b\n\n"
    assert list(ServerSentEventParser(8).feed(stream)) == [message("a\nb")]
    with pytest.raises(DecodingError):
        list(ServerSentEventParser(7).feed(stream))


def test_a_byte_order_mark_after_an_empty_line_is_part_of_a_field() -> None:
    assert not list(ServerSentEventParser().feed(b"\n\xef\xbb\xbfdata:1\n\n"))


@pytest.mark.parametrize(("digits", "read"), [(15, True), (16, False)])
def test_a_time_to_reconnect_of_too_many_digits_is_ignored(digits: int, read: bool) -> None:
    [event] = ServerSentEventParser().feed(b"retry:" + b"1" * digits + b"\ndata:a\n\n")
    assert event.retry == (int("1" * digits) if read else None)


def test_the_limit_applies_to_one_event_and_not_to_the_stream() -> None:
    parser = ServerSentEventParser(LIMIT)
    stream = b"data:" + FITS + b"\n\n: a comment between them\n"
    assert [event.data for _ in range(5) for event in parser.feed(stream)] == [FITS.decode()] * 5


def test_the_events_of_a_piece_are_parsed_one_by_one_on_demand() -> None:
    events = ServerSentEventParser(LIMIT).feed(b"data: a\n\ndata: b\n\n" + b"data: c" * LIMIT)
    assert [next(events).data, next(events).data] == ["a", "b"]
    with pytest.raises(DecodingError):
        next(events)
