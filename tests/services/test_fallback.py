"""Fallback over real sockets: which provider is called when one fails, and which is skipped."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from servers import AT_ONCE, Exchange, Script, Server, hang, make_response, reset

from kellyapi import (
    NO_RETRY,
    Aerostack,
    AuthenticationError,
    BadRequestError,
    DecodingError,
    KellyAPI,
    KellyAPIError,
    Khaya,
    PaymentRequiredError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    Skytells,
    TransportError,
)
from kellyapi.services.circuit import FAILURES_BEFORE_REST, LONGEST_REST

KELLY_SAYS = make_response(body=b'{"message": "I am Kelly"}')
AEROSTACK_SAYS = make_response(body=b'{"response": "I am Aerostack"}')
HTML = make_response(body=b"<html><title>Gateway</title></html>", kind="text/html")


@asynccontextmanager
async def two(
    kelly: Script, other: Script, kind: type[Aerostack] | type[Khaya] | type[Skytells] = Aerostack, **options: Any
) -> AsyncIterator[tuple[KellyAPI, Server, Server]]:
    """Yield a client of two providers, and their servers."""
    options = {"retry": AT_ONCE, **options}
    async with Server(kelly) as first, Server(other) as second:
        client = {kind.PROVIDER.name: kind("k2", base_url=second.url, **options)}
        async with KellyAPI("k1", first.url, **client, **options) as api:
            yield api, first, second


@pytest.mark.parametrize(
    ("script", "sent"),
    [
        (reset, 1),
        (hang, 1),
        (HTML, 1),
        (make_response(402), 1),
        (make_response(429), 3),
        (make_response(429, Retry_After="3600"), 1),
        (make_response(500), 1),
        (make_response(502), 1),
        (make_response(503), 3),
        (make_response(504), 1),
    ],
    ids=["reset", "hang", "HTML", "402", "429", "429 for an hour", "500", "502", "503", "504"],
)
async def test_if_a_provider_fails_the_next_one_responds_and_the_result_says_so(script: Script, sent: int) -> None:
    async with two(script, AEROSTACK_SAYS) as (api, kelly, aerostack):
        reply = await api.with_options(timeout=0.2 if script is hang else None).chat("Who are you?", fallback=True)
        assert (reply.text, reply.provider, reply.tried) == ("I am Aerostack", "aerostack", ("kelly", "aerostack"))
        assert (len(kelly.requests), len(aerostack.requests)) == (sent, 1)


async def test_a_prediction_that_is_paid_for_is_not_requested_from_another_provider() -> None:
    done = make_response(body=b'{"id": "p1", "status": "succeeded", "output": "no link"}')
    picture = make_response(body=b'{"image": "aW1hZ2U="}')
    async with Server(done) as first, Server(picture) as second:
        skytells = Skytells("k2", base_url=first.url)
        async with skytells, KellyAPI("k1", second.url, skytells=skytells) as api:
            with pytest.raises(DecodingError) as caught:
                await api.generate_image("a fox", provider="skytells", fallback=True)
            assert caught.value.prediction is not None
            assert second.requests == []


async def test_a_long_text_of_which_a_part_fails_is_translated_by_the_next_provider() -> None:
    class Mine:
        name = "mine"

        async def translate(self, text: str, pair: str, split: bool = False) -> str:
            return text.upper()

    async def fail_at_the_second_part(exchange: Exchange) -> None:
        await exchange.read()
        fails = len(server.requests) == 2
        await exchange.write(make_response(500) if fails else make_response(body=b'"A"'))

    async with Server(fail_at_the_second_part) as server, Khaya("k", base_url=server.url, retry=NO_RETRY) as khaya:
        api = KellyAPI(khaya=khaya, providers=["khaya", Mine()])
        translated = await api.translate("a. " * 1000, "en-tw", split=True, fallback=True)
    assert translated.tried == ("khaya", "mine")


async def test_a_completion_without_choices_is_a_failure_that_may_be_billed() -> None:
    empty = make_response(body=b'{"choices": []}', X_Request_Id="r1")
    async with two(KELLY_SAYS, empty, kind=Skytells) as (api, *_):
        with pytest.raises(DecodingError, match="no choices") as caught:
            await api.chat("Who are you?", provider="skytells")
        assert (caught.value.provider, caught.value.request_id) == ("skytells", "r1")
        assert caught.value.outcome_unknown
        assert (await api.chat("Who?", provider="skytells", fallback=True)).tried == ("skytells", "kelly")


async def test_an_empty_fallback_tries_no_other_provider() -> None:
    async with two(make_response(500), AEROSTACK_SAYS) as (api, _, aerostack):
        with pytest.raises(ServerError):
            await api.chat("Who are you?", fallback=[])
        assert aerostack.requests == []


@pytest.mark.parametrize(
    ("status", "error"), [(400, BadRequestError), (401, AuthenticationError), (422, BadRequestError)]
)
async def test_an_error_about_the_input_is_not_retried_with_another_provider(
    status: int, error: type[KellyAPIError]
) -> None:
    async with two(make_response(status), AEROSTACK_SAYS) as (api, _, aerostack):
        with pytest.raises(error):
            await api.chat("Who are you?", fallback=True)
        assert not aerostack.requests


async def test_without_fallback_no_other_provider_is_tried_or_paid() -> None:
    async with two(make_response(503), AEROSTACK_SAYS) as (api, _, aerostack):
        with pytest.raises(ServerError):
            await api.chat("Who are you?")
        assert not aerostack.requests


async def test_if_all_fail_the_last_failure_is_raised_and_names_the_others() -> None:
    async with two(make_response(402, b'{"detail": "no credits"}'), make_response(500)) as (api, *_):
        with pytest.raises(ServerError) as caught:
            await api.chat("Who are you?", fallback=True)
        assert caught.value.provider == "aerostack"
        assert caught.value.__notes__ == ["tried before: kelly: no credits (402, HTTP_ERROR)"]


@pytest.mark.parametrize(
    ("provider", "fallback", "tried"),
    [
        (None, ("aerostack", "kelly"), ("aerostack", "kelly")),
        ("aerostack", True, ("aerostack", "kelly")),
        ("aerostack", ["kelly"], ("aerostack", "kelly")),
        (None, ["kelly", "kelly", "aerostack"], ("kelly", "aerostack")),
        (None, ["aerostack"], ("aerostack",)),
    ],
)
async def test_providers_are_tried_in_the_given_order(
    provider: str | None, fallback: bool | Sequence[str], tried: tuple[str, ...]
) -> None:
    async with two(make_response(503), make_response(503)) as (api, kelly, aerostack):
        api = api.with_options(retry=NO_RETRY)
        with pytest.raises(ServerError) as caught:
            await api.chat("Who are you?", provider=provider, fallback=fallback)
        assert caught.value.provider == tried[-1]
        assert [len(kelly.requests), len(aerostack.requests)] == [tried.count("kelly"), tried.count("aerostack")]


@pytest.mark.parametrize(
    ("fallback", "error", "message"),
    [
        ("kelly", TypeError, "fallback must be True or False or a list of strings or objects with name"),
        (1.5, TypeError, "fallback must be True or False or a list of strings or objects with name"),
        (["khaya"], ValueError, "provider='khaya' cannot do this: only kelly or aerostack or skytells can"),
    ],
)
async def test_a_wrong_order_is_refused_before_anything_is_sent(
    fallback: Any, error: type[Exception], message: str
) -> None:
    async with two(KELLY_SAYS, AEROSTACK_SAYS) as (api, kelly, aerostack):
        with pytest.raises(error, match=message):
            await api.chat("Who are you?", fallback=fallback)
        assert not kelly.requests
        assert not aerostack.requests


async def test_a_provider_without_a_key_or_an_argument_is_not_tried() -> None:
    async with two(make_response(503), AEROSTACK_SAYS) as (api, _, aerostack):
        with pytest.raises(ServerError):  # Aerostack has no characters
            await api.chat("Who are you?", character="KelyAI", fallback=True)
        with pytest.raises(ServerError):  # Skytells has no key
            await api.generate_image("A red fox", fallback=True)
        assert not aerostack.requests


async def test_a_model_is_for_the_first_provider_and_the_next_one_uses_its_default() -> None:
    async with two(make_response(500), AEROSTACK_SAYS) as (api, kelly, aerostack):
        await api.chat("Who are you?", model="gemini", fallback=True)
        assert kelly.requests[0].target == "/chat/gemini"
        assert b"gemini" not in aerostack.requests[0].body


@pytest.mark.parametrize("unseekable", [True, False])
async def test_audio_that_can_be_read_once_reaches_the_next_provider_completely(unseekable: bool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"RIFF"
        yield b"0000WAVE"

    said = make_response(body=b'{"result": "hello"}')
    async with two(said, make_response(500), kind=Khaya) as (api, kelly, khaya):
        audio = pieces() if unseekable else io.BytesIO(b"RIFF0000WAVE")
        heard = await api.transcribe(audio, fallback=True)
        assert (heard.text, heard.tried) == ("hello", ("khaya", "kelly"))
        assert bytes(khaya.requests[0].body) == b"RIFF0000WAVE"
        assert b"UklGRjAwMDBXQVZF" in kelly.requests[0].body  # the same in base64


async def test_a_provider_that_keeps_failing_is_skipped_and_then_tried_by_one_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with two(make_response(500), AEROSTACK_SAYS) as (api, kelly, _):
        for _ in range(FAILURES_BEFORE_REST + 5):
            reply = await api.chat("Who are you?", fallback=True)
        assert len(kelly.requests) == FAILURES_BEFORE_REST
        assert reply.tried == ("aerostack",)

        with pytest.raises(ServerError):  # calls without fallback still use it
            await api.chat("Who are you?")
        loop = asyncio.get_running_loop()
        later = loop.time() + LONGEST_REST
        monkeypatch.setattr(loop, "time", lambda: later)
        assert (await api.chat("Who are you?", fallback=True)).tried == ("kelly", "aerostack")
        assert (await api.chat("Who are you?", fallback=True)).tried == ("aerostack",)


async def test_if_all_keep_failing_they_are_tried_anyway() -> None:
    async with two(reset, reset) as (api, kelly, aerostack):
        for _ in range(FAILURES_BEFORE_REST + 2):
            with pytest.raises(TransportError):
                await api.chat("Who are you?", fallback=True)
        assert len(kelly.requests) == len(aerostack.requests) == FAILURES_BEFORE_REST + 2


async def test_a_wrong_input_does_not_count_as_a_failure_of_the_provider() -> None:
    async with two(make_response(400), AEROSTACK_SAYS) as (api, kelly, _):
        for _ in range(FAILURES_BEFORE_REST + 1):
            with pytest.raises(BadRequestError):
                await api.chat("Who are you?", fallback=True)
        assert len(kelly.requests) == FAILURES_BEFORE_REST + 1


async def test_trying_the_next_provider_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kellyapi")
    async with two(make_response(402, b'{"detail": "no credits"}'), AEROSTACK_SAYS) as (api, *_):
        await api.chat("Who are you?", fallback=True)
    assert "kelly failed, the next provider is tried: kelly: no credits (402, HTTP_ERROR)" in caplog.messages


@pytest.mark.parametrize("script", [make_response(402), make_response(429), hang], ids=["402", "429", "hang"])
async def test_the_only_provider_of_a_service_raises_its_own_error(script: Script) -> None:
    wanted = {402: PaymentRequiredError, 429: RateLimitError}
    async with two(script, script, kind=Khaya) as (api, *_):
        with pytest.raises(tuple(wanted.values()) if script is not hang else RequestTimeoutError) as caught:
            await api.with_options(timeout=0.2).translate("Good morning", "en-tw", fallback=True)
        assert caught.value.provider == "khaya"
