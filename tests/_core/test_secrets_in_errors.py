"""Keys and passwords in errors, and in tracebacks with the locals of each frame."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from servers import KEY, Server, Shop, cut, hang, make_response

from kellyapi import (
    NO_RETRY,
    Aerostack,
    ConfigurationError,
    KellyAPI,
    KellyAPIError,
    Khaya,
    Skytells,
    WebhookReceiver,
    verify_webhook,
)

from .shown_secrets import (
    ALL_PROVIDERS,
    FAR,
    PASSWORD,
    consume,
    consume_stream,
    secrets_in,
    shown,
    wallet,
    with_password,
)


async def ask_a_function(url: str) -> None:
    await Khaya(lambda: KEY, base_url=url, retry=NO_RETRY).translate("hi", "en-tw")


async def upload(url: str) -> None:
    await Aerostack(KEY, base_url=url, retry=NO_RETRY).storage.upload("a", __file__)


async def follow(url: str) -> None:
    await anext(Skytells(KEY, base_url=url, retry=NO_RETRY).predictions.follow("a1", timeout=0))


async def fall_back(url: str) -> None:
    await KellyAPI(KEY, url, khaya=Khaya(KEY, base_url=url), retry=NO_RETRY).transcribe(b"RIFF", "en", fallback=True)


async def through_a_proxy(url: str) -> None:
    await Shop(KEY, base_url=FAR, allow_http=True, retry=NO_RETRY, proxy=with_password(url)).look()


async def through_a_tunnel(url: str) -> None:
    await Shop(KEY, base_url="https://far.example", retry=NO_RETRY, proxy=with_password(url)).look()


USES: tuple[Callable[[str], Awaitable[None]], ...] = (
    wallet, consume, consume_stream, ask_a_function, upload, follow, fall_back, through_a_proxy, through_a_tunnel
)  # fmt: skip


@pytest.mark.parametrize("script", [make_response(401), make_response(500), cut(b""), cut(b"SSH-2.0\r\n\r\n")])
@pytest.mark.parametrize("use", USES)
async def test_a_call_that_fails_shows_no_key_in_any_frame(use: Callable[[str], Awaitable[None]], script: Any) -> None:
    async with Server(script) as server:
        with pytest.raises(KellyAPIError) as caught:
            await use(server.url)
    assert "self = " in shown(caught.value)
    assert secrets_in(shown(caught.value)) == []


@pytest.mark.parametrize("use", USES)
async def test_a_call_that_is_cancelled_at_any_moment_shows_no_key_in_any_frame(
    use: Callable[[str], Awaitable[None]],
) -> None:
    frames = 0
    async with Server(hang) as server:
        for turns in range(30):
            call = asyncio.ensure_future(use(server.url))
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns > 20:
                await server.until(lambda: bool(server.requests))
            call.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await call
            text = shown(caught.value)
            frames += "aiohttp" in text
            assert secrets_in(text) == []
    assert frames  # those of aiohttp hold the headers and the proxy


@pytest.mark.parametrize("make", [*ALL_PROVIDERS, KellyAPI])
def test_a_client_that_cannot_be_made_shows_neither_key_nor_password(make: Callable[..., Any]) -> None:
    for options in ({"timeout": 0}, {"max_connections": 0}, {"unheard": 1}, {"retry": 3}):
        with pytest.raises((ValueError, TypeError)) as caught:
            make(KEY, proxy=with_password(FAR), **options)
        assert secrets_in(shown(caught.value)) == []
        with pytest.raises((ValueError, TypeError)) as caught:
            make(KEY).with_options(proxy=with_password(FAR), **options)
        assert secrets_in(shown(caught.value)) == []
    with pytest.raises(ValueError, match="the proxy is malformed") as caught:
        make(KEY, proxy=f"somebody:{PASSWORD}@far.example:port")
    assert "options = " in shown(caught.value)
    assert secrets_in(shown(caught.value)) == []


@pytest.mark.parametrize("name", ["khaya", "skytells", "aerostack"])
def test_the_key_of_one_provider_is_hidden_in_an_error_of_kelly_api(name: str) -> None:
    with pytest.raises(ValueError, match="timeout") as caught:
        KellyAPI(**{name: KEY}, timeout=0)
    assert secrets_in(shown(caught.value)) == []


WRONG: dict[str, Callable[[], Any]] = {
    "a receiver": lambda: WebhookReceiver(KEY, 3),  # type: ignore[arg-type]  # on purpose
    "secrets": lambda: verify_webhook({}, b"", [KEY, 3]),  # type: ignore[list-item]  # on purpose
    "a signature": lambda: verify_webhook({"X-Skytells-Signature": "0" * 64}, b"{}", KEY),
    "an address": lambda: Khaya("x").with_access(api_key=KEY, base_url=3),  # type: ignore[arg-type]  # on purpose
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_an_error_about_a_wrong_argument_does_not_show_the_key(wrong: Callable[[], Any]) -> None:
    with pytest.raises((TypeError, KellyAPIError)) as caught:
        wrong()
    assert secrets_in(shown(caught.value)) == []


@pytest.mark.parametrize("given", [f"{KEY}\n\x00", f"{KEY}é"])
@pytest.mark.parametrize("provider", ALL_PROVIDERS)
async def test_a_key_that_no_header_can_contain_is_not_shown(provider: Any, given: str) -> None:
    for key in (given, lambda: given):
        with pytest.raises(ConfigurationError, match="no header can carry") as caught:
            await provider(key)._fetch("/a", into=object)
        assert secrets_in(shown(caught.value)) == []
