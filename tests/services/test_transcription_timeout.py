"""How long `transcribe` waits: for the upload, for the response, and with a timeout of the user's."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from fake_clock import run
from servers import KEY, Exchange, Script, Server, hang, late, make_response

from kellyapi import NO_RETRY, Base64, Kelly, KellyAPI, Khaya, RequestTimeoutError, Timeout, Transcript
from kellyapi._data.base64_text import b64encode

LARGE = b"RIFF" + bytes(16 * 2**20)  # more than the sockets hold
SMALL = b"RIFF" + bytes(16)
HEARD = {"khaya": make_response(body=b'"good morning"'), "kelly": make_response(body=b'{"result": "good morning"}')}


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


def path_of(data: bytes, folder: Path) -> Path:
    path = folder / "a.wav"
    path.write_bytes(data)
    return path


SOURCES: dict[str, Callable[[bytes, Path], Any]] = {
    "a path": path_of,
    "bytes": lambda data, _: data,
    "a bytearray": lambda data, _: bytearray(data),
    "an open file": lambda data, _: io.BytesIO(data),
    "an iterator": lambda data, _: pieces(data),
    "base64": lambda data, _: Base64(b64encode(data).decode()),
}
each_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
each_provider = pytest.mark.parametrize("provider", ["khaya", "kelly"])


def transcribe(provider: str, audio: Any, script: Script, **options: Any) -> tuple[Transcript | Exception, float]:
    """Call the service against a server that follows a script: (result or error, seconds by the loop's clock)."""

    async def call() -> tuple[Transcript | Exception, float]:
        async with Server(script) as server, KellyAPI(KEY, server.url, khaya=Khaya(KEY, base_url=server.url)) as api:
            started = asyncio.get_running_loop().time()
            try:
                changed = api.with_options(retry=NO_RETRY, **options)
                result: Transcript | Exception = await changed.transcribe(audio, provider=provider)  # type: ignore[arg-type]  # of a table
            except RequestTimeoutError as error:
                result = error
            return result, asyncio.get_running_loop().time() - started

    return run(call())


@each_source
@each_provider
def test_a_response_may_come_599_seconds_after_the_upload(
    provider: str, source: Callable[..., Any], tmp_path: Path
) -> None:
    result, seconds = transcribe(provider, source(SMALL, tmp_path), late(599.0, HEARD[provider]))
    assert isinstance(result, Transcript), result
    assert (result.text, round(seconds)) == ("good morning", 599)


@each_source
@each_provider
def test_after_600_seconds_without_a_response_it_ends_and_names_the_option(
    provider: str, source: Callable[..., Any], tmp_path: Path
) -> None:
    error, seconds = transcribe(provider, source(SMALL, tmp_path), hang)
    assert isinstance(error, RequestTimeoutError)
    assert (error.limit, error.outcome_unknown, round(seconds)) == ("head", True, 600)
    assert "the limit is head=600 s; raise it with timeout=Timeout(total=None, head=…)" in str(error)


@each_source
@each_provider
def test_an_upload_that_no_longer_moves_ends_after_60_seconds(
    provider: str, source: Callable[..., Any], tmp_path: Path
) -> None:
    async def deaf(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    error, seconds = transcribe(provider, source(LARGE, tmp_path), deaf)
    assert isinstance(error, RequestTimeoutError)
    assert (error.limit, error.message) == ("idle", "the body did not move: the limit is idle=60 s")
    assert 60 <= seconds < 61


@each_source
def test_a_slow_connection_is_not_a_silent_one(source: Callable[..., Any], tmp_path: Path) -> None:
    async def slow(exchange: Exchange) -> None:
        left = int(exchange.seen.headers.get("content-length", len(LARGE)))
        while left > 0:
            left -= len(await exchange.reader.read(2**17))  # a socket may ask for more only when a third is read
            await asyncio.sleep(1)
        await asyncio.sleep(500)
        await exchange.write(HEARD["khaya"])

    result, seconds = transcribe("khaya", source(LARGE, tmp_path), slow)
    assert isinstance(result, Transcript), result
    assert seconds > 600


@each_provider
def test_a_response_that_breaks_off_ends_after_60_seconds_of_silence(provider: str) -> None:
    async def halting(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(HEARD[provider][:-2])
        await exchange.left()

    error, seconds = transcribe(provider, SMALL, halting)
    assert isinstance(error, RequestTimeoutError)
    assert (error.limit, round(seconds)) == ("idle", 60)


@each_source
@pytest.mark.parametrize(
    ("timeout", "limit", "seconds"),
    [(5, "total", 5), (Timeout(total=None, idle=7), "idle", 7), (Timeout(total=None, idle=7, head=9), "head", 9)],
)
def test_an_explicit_timeout_replaces_the_default(
    timeout: Any, limit: str, seconds: float, source: Callable[..., Any], tmp_path: Path
) -> None:
    error, passed = transcribe("khaya", source(SMALL, tmp_path), hang, timeout=timeout)
    assert isinstance(error, RequestTimeoutError)
    assert (error.limit, passed) == (limit, pytest.approx(seconds, abs=0.15))


def test_many_recordings_at_once_wait_for_a_server_that_hears_one_after_the_other() -> None:
    turns = asyncio.Lock()

    async def busy(exchange: Exchange) -> None:
        await exchange.read()
        async with turns:
            await asyncio.sleep(10)
        await exchange.write(HEARD["khaya"])

    async def call() -> list[Transcript]:
        async with Server(busy) as server, Khaya(KEY, base_url=server.url) as khaya:
            return list(await asyncio.gather(*(khaya.transcribe(SMALL, "twi") for _ in range(50))))

    assert [heard.text for heard in run(call())] == ["good morning"] * 50


async def test_bytes_are_sent_with_their_length() -> None:
    async with Server(HEARD["khaya"]) as server, Khaya(KEY, base_url=server.url) as khaya:
        await khaya.transcribe(LARGE, "twi")
        (seen,) = server.requests
    assert seen.headers["content-length"] == str(len(LARGE))
    assert bytes(seen.body) == LARGE


async def test_a_large_json_body_is_sent_with_its_length() -> None:
    async with Server(HEARD["kelly"]) as server, Kelly(KEY, base_url=server.url) as kelly:
        await kelly.transcribe(LARGE)
        (seen,) = server.requests
    assert seen.headers["content-length"] == str(len(seen.body))
    assert seen.headers["content-type"] == "application/json"
