"""Providers of the user's own: their errors, and the limits of the client."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from traceback import TracebackException

import aiohttp
import pytest
from servers import Script, Server, make_response, reset

from kellyapi import (
    AuthenticationError,
    BadRequestError,
    DecodingError,
    KellyAPI,
    KellyAPIError,
    Khaya,
    NotFoundError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    ServiceProvider,
    Translation,
    TransportError,
)
from kellyapi.client import SERVICES

from .own_providers import Mine, answering, raising

# Errors


@pytest.mark.parametrize(
    ("error", "becomes", "unknown"),
    [
        (aiohttp.ServerDisconnectedError(), TransportError, True),
        (aiohttp.ClientPayloadError("cut"), TransportError, True),
        (ConnectionRefusedError("no"), TransportError, True),
        (OSError(errno.EHOSTUNREACH, "no route"), TransportError, True),
        (socket.gaierror("no such host"), TransportError, True),
        (ssl.SSLError("bad"), TransportError, True),
        (TimeoutError(), RequestTimeoutError, True),
        (aiohttp.SocketTimeoutError(), RequestTimeoutError, True),
        (DecodingError("odd"), DecodingError, True),
        (RateLimitError("slow down", status=429), RateLimitError, False),
        (BadRequestError("no", status=400), BadRequestError, False),
    ],
    ids=repr,
)
async def test_errors_of_connections_become_those_of_the_library(
    error: Exception, becomes: type[KellyAPIError], unknown: bool
) -> None:
    async with KellyAPI(providers=[raising(error)]) as api:
        with pytest.raises(becomes) as caught:
            await api.chat("a")
    assert type(caught.value) is becomes
    assert (caught.value.provider, caught.value.outcome_unknown) == ("mine", unknown)
    assert "the limit is" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [KeyError("choices"), FileNotFoundError(2, "no file", "model.bin"), UnicodeDecodeError("utf-8", b"", 0, 1, "bad")],
    ids=repr,
)
async def test_other_errors_pass_unchanged_and_no_other_provider_is_tried(error: Exception) -> None:
    async with KellyAPI(providers=[raising(error), Mine("other")]) as api:
        with pytest.raises(type(error)) as caught:
            await api.chat("a", fallback=True)
    assert caught.value is error


@pytest.mark.parametrize(
    ("status", "becomes", "tried"),
    [
        (401, AuthenticationError, None),
        (404, NotFoundError, None),
        (429, RateLimitError, "mine"),
        (500, ServerError, "mine"),
    ],
)
async def test_raise_for_status_becomes_the_error_of_the_status(
    status: int, becomes: type[KellyAPIError], tried: str | None
) -> None:
    async with Server(make_response(status, Retry_After="7")) as server, aiohttp.ClientSession() as session:

        async def chat(prompt: str) -> str:
            async with session.get(server.url) as response:
                response.raise_for_status()
                return await response.text()

        async with KellyAPI(providers=[answering("chat", chat, "broken"), Mine()]) as api:
            with pytest.raises(becomes) as caught:
                await api.chat("a")
            assert (caught.value.status, caught.value.provider, caught.value.retry_after) == (status, "broken", 7)
            if tried:
                assert (await api.chat("a", fallback=True)).provider == tried


@pytest.mark.parametrize("answer", [reset, make_response(403)])
async def test_the_key_of_a_provider_is_not_in_the_traceback_of_its_error(answer: Script) -> None:
    """Not even in one with the values of local variables, as services that collect errors record it."""
    async with Server(answer) as server, aiohttp.ClientSession(raise_for_status=True) as session:

        async def chat(prompt: str) -> str:
            async with session.get(server.url, headers={"Authorization": "".join(["sec", "ret"])}) as response:
                return await response.text()

        async with KellyAPI(providers=[answering("chat", chat)]) as api:
            with pytest.raises(KellyAPIError) as caught:
                await api.chat("a")
    shown = "".join(TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "secret" not in shown + repr(caught.value.__cause__)
    assert "test_own_provider_errors" in shown


async def test_an_error_of_another_provider_of_ours_keeps_its_name() -> None:
    async with Server(make_response(400)) as server, Khaya("key", base_url=server.url) as khaya:

        async def translate(text: str, pair: str) -> Translation:
            return await khaya.translate(text, pair)

        async with KellyAPI(providers=[answering("translate", translate)]) as api:
            with pytest.raises(BadRequestError) as caught:
                await api.translate("a", "en-tw")
    assert caught.value.provider == "khaya"


async def test_a_client_of_the_library_is_a_provider_when_it_has_a_name() -> None:
    class Mirror(Khaya):
        name = "mirror"

    async with Server(make_response(body=b'"Maakye"')) as server, Mirror("key", base_url=server.url) as mirror:
        async with KellyAPI(providers=[mirror]) as api:
            found = await api.translate("Good morning", "en-tw", split=True)
            assert (found.text, found.provider) == ("Maakye", "mirror")
        await mirror.translate("Good morning", "en-tw")  # its session is still open
    assert [bytes(each.body) for each in server.requests] == [b'{"in":"Good morning","lang":"en-tw"}'] * 2


def test_a_provider_fits_the_protocol() -> None:
    provider: ServiceProvider = Mine()
    assert provider.name == "mine"


# Limits


async def wait_forever(prompt: str) -> str:
    await asyncio.Event().wait()
    return ""


async def test_the_timeout_of_the_client_limits_a_call() -> None:
    async with KellyAPI(providers=[answering("chat", wait_forever, "slow"), Mine()], timeout=0.01) as api:
        with pytest.raises(
            RequestTimeoutError, match=r"there was no result in time: the limit is total=0\.01 s"
        ) as caught:
            await api.chat("a")
        assert (caught.value.limit, caught.value.provider, caught.value.outcome_unknown) == ("total", "slow", True)
        reply = await api.with_options(timeout=0.02).chat("a", fallback=True)
        assert reply.tried == ("slow", "mine")


async def test_the_limits_of_the_client_hold_for_each_provider() -> None:
    running, most = 0, 0

    async def chat(prompt: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return prompt

    async with KellyAPI(providers=[answering("chat", chat)]) as api:
        await asyncio.gather(*(api.chat("a") for _ in range(5)))
        assert most == 5
        most = 0
        limited = api.with_options(max_concurrency=2)
        assert {each.text for each in await asyncio.gather(*(limited.chat("a") for _ in range(5)))} == {"a"}
        assert most == 2


async def test_a_call_that_gets_no_turn_was_not_sent() -> None:
    async with KellyAPI(providers=[answering("chat", wait_forever)], max_concurrency=1, timeout=0.05) as api:
        first = asyncio.create_task(api.with_options(timeout=None).chat("a"))
        await asyncio.sleep(0)
        with pytest.raises(RequestTimeoutError, match="the call did not get its turn in time") as caught:
            await api.chat("a")
        assert (caught.value.sent, caught.value.outcome_unknown) == (False, False)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_cancelled_call_ends_the_method_and_gives_its_turn_back() -> None:
    ended = []

    async def chat(prompt: str) -> str:
        try:
            return await wait_forever(prompt) if prompt == "wait" else prompt
        finally:
            ended.append(prompt)

    async with KellyAPI(providers=[answering("chat", chat)], max_concurrency=1, timeout=5) as api:
        waiting = asyncio.create_task(api.chat("wait"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (await api.chat("next")).text == "next"
    assert ended == ["wait", "next"]


async def test_the_timeout_of_a_call_comes_before_that_of_the_client() -> None:
    async def generate_image(prompt: str) -> bytes:
        return (await wait_forever(prompt)).encode()

    async with KellyAPI(providers=[answering("generate_image", generate_image)], timeout=60) as api:
        with pytest.raises(RequestTimeoutError, match=r"the limit is total=0\.01 s"):
            await api.generate_image("a", timeout=0.01)


@pytest.mark.parametrize(
    ("service", "total"), [("chat", 60), ("generate_image", 900), ("generate_video", 900), ("transcribe", None)]
)
def test_without_a_timeout_a_call_has_that_of_its_service(service: str, total: float | None) -> None:
    assert {each.name: each.timeout.total for each in SERVICES}[service] == total
