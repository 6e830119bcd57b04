"""`on_response` sees every attempt: of calls, uploads, streams and downloads, and of those that fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from servers import KEY, OK, Server, Shop, asked, cut, hang, make_response, reset

from kellyapi import (
    DecodingError,
    KellyAPIError,
    PreparedRequest,
    RateLimitError,
    RequestTimeoutError,
    Response,
    TransportError,
)
from kellyapi._core.messages import FormField


@define
class Watch:
    """A hook that notes what it is called with."""

    seen: list[tuple[PreparedRequest, Response]] = field(factory=list)

    async def __call__(self, request: PreparedRequest, response: Response) -> None:
        self.seen.append((request, response))

    @property
    def outcomes(self) -> list[tuple[int, bytes, type[KellyAPIError] | None]]:
        return [(each.status, each.body, each.error and type(each.error)) for _, each in self.seen]


async def test_each_attempt_is_seen_with_the_error_that_it_ended_in() -> None:
    watch = Watch()
    async with asked(reset, make_response(429, b"slow"), OK, on_response=watch) as (shop, _):
        await shop.put()
    assert watch.outcomes == [(0, b"", TransportError), (429, b"slow", RateLimitError), (200, b"{}", None)]
    first, second, _ = (response.error for _, response in watch.seen)
    assert first is not None
    assert second is not None
    assert (first.provider, second.provider, second.status) == ("shop", "shop", 429)
    assert {request.url.rpartition("/")[2] for request, _ in watch.seen} == {"put"}


@pytest.mark.parametrize(
    ("script", "status", "body", "error"),
    [
        (make_response(body=b"<html>"), 200, b"<html>", DecodingError),
        (make_response(404, b'{"problem": "no"}'), 404, b'{"problem": "no"}', KellyAPIError),
        (cut(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), 200, b"", TransportError),
        (hang, 0, b"", RequestTimeoutError),
    ],
)
async def test_a_failed_call_is_seen_with_what_arrived(script: Any, status: int, body: bytes, error: Any) -> None:
    watch = Watch()
    async with asked(script, on_response=watch, timeout=0.5) as (shop, _):
        with pytest.raises(error) as caught:
            await shop.buy()
    ((_, response),) = watch.seen
    assert (response.status, response.body, response.error) == (status, body, caught.value)
    assert isinstance(response.error, KellyAPIError)
    assert response.error.outcome_unknown is (status != 404)


async def test_a_call_that_was_not_sent_is_seen() -> None:
    async with Server(OK) as gone:
        pass
    watch = Watch()
    async with Shop(KEY, base_url=gone.url, on_response=watch) as shop:
        with pytest.raises(TransportError):
            await shop.buy()
    assert watch.outcomes == [(0, b"", TransportError)] * 3


async def test_uploads_are_seen(file: Path) -> None:
    watch = Watch()
    async with asked(OK, on_response=watch) as (shop, _):
        await shop.send(file)
        await shop.fill(FormField("a", b"b"))
    assert watch.outcomes == [(200, b"{}", None)] * 2
    assert callable(watch.seen[0][0].body)


async def test_a_stream_is_seen_when_its_head_arrives() -> None:
    watch = Watch()
    scripts = make_response(503), make_response(body=b"abc", X_Id="7")
    async with asked(*scripts, on_response=watch) as (shop, _), shop.listen() as stream:
        assert watch.outcomes[1:] == [(200, b"", None)]
        assert [piece async for piece in stream] == [b"abc"]
    assert [each.status for _, each in watch.seen] == [503, 200]
    assert watch.seen[1][1].headers["X-Id"] == "7"


async def test_a_stream_that_is_refused_or_breaks_off_is_seen_with_the_error() -> None:
    watch = Watch()
    broken = cut(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    async with asked(make_response(body=b"page"), broken, on_response=watch) as (shop, _):
        with pytest.raises(DecodingError):
            async with shop.listen(lambda headers: False):
                pass
        async with shop.listen() as stream:
            assert await anext(stream) == b"abc"
            with pytest.raises(TransportError) as caught:
                await anext(stream)
    assert watch.outcomes == [(200, b"page", DecodingError), (200, b"", None), (200, b"", TransportError)]
    assert watch.seen[-1][1].error is caught.value
    assert caught.value.outcome_unknown


async def test_a_download_is_seen_with_each_of_its_requests(tmp_path: Path) -> None:
    watch = Watch()
    head = b'HTTP/1.1 200 OK\r\nETag: "a"\r\nAccept-Ranges: bytes\r\nContent-Length: 9\r\n\r\n'
    rest = b'HTTP/1.1 206 Partial\r\nETag: "a"\r\nContent-Range: bytes 3-8/9\r\nContent-Length: 6\r\n\r\ndefghi'
    async with asked(cut(head + b"abc"), rest, on_response=watch) as (shop, server):
        path = await shop._save_link(f"{server.url}/a", tmp_path / "a")
        assert path.read_bytes() == b"abcdefghi"
    assert watch.outcomes == [(200, b"", None), (200, b"", TransportError), (206, b"", None)]
    assert KEY not in str([request.headers for request, _ in watch.seen])


@pytest.mark.parametrize("use", [lambda shop: shop.buy(), lambda shop: anext(shop.listen())])
async def test_an_error_of_the_hook_ends_the_call_with_a_note_of_the_outcome(use: Callable[[Shop], Any]) -> None:
    def fail(request: PreparedRequest, response: Response) -> None:
        raise LookupError("mine")

    async with asked(reset, on_response=fail) as (shop, server):
        with pytest.raises(LookupError, match="mine") as caught:
            await use(shop)
        (note,) = caught.value.__notes__
        assert note.startswith(f"POST {server.url}/")
        assert "failed: " in note
        assert len(server.requests) == 1
    async with asked(OK, on_response=fail) as (shop, server):
        with pytest.raises(LookupError, match="mine"):
            await use(shop)
        await server.until(lambda: server.open <= 1)
        assert len(server.requests) == 1
