"""Uploads: bodies from paths, bytes and iterators, and forms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from servers import OK, Exchange, Script, asked, make_response, reset

from kellyapi._core.messages import FormField, Timeout
from kellyapi._core.retry import NO_RETRY
from kellyapi._data.media import open_media
from kellyapi.errors import RequestTimeoutError, StatusError, TransportError


async def pieces(*items: bytes | Exception) -> AsyncIterator[bytes]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


@pytest.mark.parametrize("size", [5, 3 * 2**20])
@pytest.mark.parametrize("kind", ["path", "bytes"])
async def test_a_path_and_bytes_are_sent_with_their_length_and_resent_after_a_failure(
    size: int, kind: str, tmp_path: Path
) -> None:
    data = b"RIFF" + bytes(size - 4)
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    async with asked(make_response(503), OK) as (shop, server):
        assert await shop.send(path if kind == "path" else data) == {}
        assert [bytes(seen.body) == data for seen in server.requests] == [True, True]
        for seen in server.requests:
            assert seen.headers["content-length"] == str(size)
            assert "transfer-encoding" not in seen.headers


async def test_an_iterator_is_sent_in_chunks() -> None:
    async with asked(OK) as (shop, server):
        assert await shop.send(pieces(b"fLaC", b"", b"12", b"3" * 100_000)) == {}
        [seen] = server.requests
        assert seen.body == b"fLaC12" + b"3" * 100_000
        assert (seen.headers["transfer-encoding"], seen.headers["content-type"]) == ("chunked", "audio/flac")


@pytest.mark.parametrize(
    "script", [reset, make_response(503), make_response(429, Retry_After="0"), make_response(307, Location="/there")]
)
async def test_a_body_that_can_be_read_once_is_sent_once(script: Script) -> None:
    async with asked(script) as (shop, server):
        with pytest.raises((TransportError, StatusError)):
            await shop.send(pieces(b"fLaC", b"1"), repeatable=True)
        assert len(server.requests) == 1


async def test_an_early_response_ends_an_upload_before_its_end() -> None:
    asked_for_more = asyncio.Event()
    closed = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        try:
            yield b"fLaC"
            asked_for_more.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def refuse(exchange: Exchange) -> None:
        await asked_for_more.wait()
        await exchange.write(make_response(401, b'{"problem": "no"}'))
        await exchange.left()

    async with asked(refuse) as (shop, server):
        with pytest.raises(StatusError, match="no") as caught:
            await shop.send(slow())
        assert caught.value.status == 401
        await server.until(lambda: server.open == 0)
        async with asyncio.timeout(5):
            await closed.wait()


async def test_a_success_that_begins_during_the_upload_does_not_cut_the_upload() -> None:
    begun = asyncio.Event()

    async def both() -> AsyncIterator[bytes]:
        yield b"fLaC"
        await begun.wait()
        for _ in range(5):
            await asyncio.sleep(0)
            yield b"more"

    async def at_once(exchange: Exchange) -> None:
        whole = make_response(body=b"[1]")
        await exchange.write(whole[:-3])
        begun.set()
        await exchange.read()
        await exchange.write(whole[-3:])

    async with asked(at_once) as (shop, server):
        assert await shop.send(both()) == [1]
        assert server.requests[0].body == b"fLaC" + b"more" * 5


@pytest.mark.parametrize("error", [ValueError("mine"), OSError(5, "mine"), TimeoutError("mine")])
async def test_an_error_of_the_users_iterator_is_raised_unchanged(error: Exception) -> None:
    async with asked(OK) as (shop, server):
        with pytest.raises(type(error)) as caught:
            await shop.send(pieces(b"fLaC", error))
        assert caught.value is error
        assert server.requests == [] or not server.requests[0].body.endswith(b"0\r\n\r\n")
        await server.until(lambda: server.open == 0)


async def test_a_form_is_sent_with_the_names_types_and_bodies_of_its_parts(tmp_path: Path) -> None:
    parts = (
        FormField("text", "é".encode(), content_type="text/plain; charset=utf-8"),
        FormField("audio", lambda: pieces(b"fLaC", b"12"), 'mɛ "1".flac', "audio/flac"),
    )
    async with asked(make_response(503), OK) as (shop, server):
        assert await shop.fill(*parts) == {}
        for seen in server.requests:
            assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
            boundary = seen.headers["content-type"].partition("=")[2].encode()
            _, text, audio, end = bytes(seen.body).split(b"--" + boundary)
            assert b'name="text"' in text
            assert text.endswith("\r\n\r\né\r\n".encode())
            assert 'name="audio"; filename="mɛ %221%22.flac"'.encode() in audio  # as browsers write it
            assert b"Content-Type: audio/flac\r\n" in audio
            assert audio.endswith(b"\r\n\r\nfLaC12\r\n")
            assert end == b"--\r\n"


async def test_a_request_without_a_body_has_no_content_type() -> None:
    async with asked(OK) as (shop, server):
        await shop.cancel()
        assert "content-type" not in server.requests[0].headers


@pytest.mark.parametrize("kind", ["path", "form", "a silent iterator"])
async def test_an_upload_that_stops_moving_is_a_timeout(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + bytes(16 * 2**20))  # more than the sockets hold

    async def silent() -> AsyncIterator[bytes]:
        yield b"fLaC"
        await asyncio.Event().wait()

    async def deaf(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    timeout = Timeout(total=None, idle=0.1)
    async with asked(deaf, retry=NO_RETRY, timeout=timeout) as (shop, _):
        form = FormField("file", (await open_media(path, "audio")).body, "a.wav")
        sending = shop.fill(form) if kind == "form" else shop.send(path if kind == "path" else silent())
        with pytest.raises(RequestTimeoutError, match=r"the body did not move: the limit is idle=0\.1 s") as caught:
            await sending
        assert caught.value.outcome_unknown
