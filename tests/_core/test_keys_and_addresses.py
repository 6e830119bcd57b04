"""HTTP methods, keys and addresses of a client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from servers import AT_ONCE, KEY, OK, Server, Shop, asked, make_response

from kellyapi.errors import ConfigurationError

from .shown_secrets import shows

# -- methods -----------------------------------------------------------------------------------------------------------


async def test_each_method_sends_one_request_with_the_key_and_the_headers_of_the_client() -> None:
    async with asked(OK, headers={"X-Own": "1"}) as (shop, server):
        assert await shop.look("/a%2Fb", {"q": "é &?#", "n": "1"}) == {}
        assert await shop.buy() == {}
        assert await shop.send(b"RIFF....WAVE") == {}
        assert await shop.remove() is None
        assert [(seen.method, seen.target, bytes(seen.body)) for seen in server.requests] == [
            ("GET", "/a%2Fb?q=%C3%A9+%26%3F%23&n=1", b""),
            ("POST", "/buy", b'{"what":"a fox"}'),
            ("POST", "/send", b"RIFF....WAVE"),
            ("DELETE", "/remove", b""),
        ]
        assert [seen.headers.get("content-type") for seen in server.requests] == [
            None, "application/json", "audio/wav", None,
        ]  # fmt: skip
        assert {(seen.headers["x-key"], seen.headers["x-own"]) for seen in server.requests} == {(f"Key {KEY}", "1")}


async def test_an_address_may_have_a_path_and_trailing_slashes() -> None:
    async with Server(OK) as server, Shop(KEY, base_url=f" {server.url}/v1// ") as shop:
        await shop.look()
        assert (shop.base_url, server.requests[0].target) == (f"{server.url}/v1", "/v1/look")


# -- keys and addresses ------------------------------------------------------------------------------------------------


async def test_a_key_function_is_called_for_every_request() -> None:
    keys = iter(["one", "two", "three", "four"])

    async def later() -> str:
        await asyncio.sleep(0)
        return next(keys)

    async with Server(make_response(503), OK) as server:
        async with Shop(lambda: next(keys), base_url=server.url, retry=AT_ONCE) as shop:
            await shop.buy()
        async with Shop(later, base_url=server.url) as shop:
            await shop.look()
            await shop.look()
        assert [seen.headers["x-key"] for seen in server.requests] == ["Key one", "Key two", "Key three", "Key four"]


async def test_the_key_and_the_address_default_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server(OK) as server:
        monkeypatch.setenv("SHOP_API_KEY", f" {KEY}\n")
        monkeypatch.setenv("SHOP_BASE_URL", server.url)
        async with Shop() as shop:
            await shop.look()
        assert shop.configured
        assert server.requests[0].headers["x-key"] == f"Key {KEY}"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "no API key for Shop; pass api_key=… or set SHOP_API_KEY"),
        ("", "blank"),
        (" \n", "blank"),
        (lambda: " ", "blank"),
        (lambda: None, "no API key"),
        ("secret\nX-Other: 1", "no header can carry"),
        (' "secret"\n', "in quotation marks"),  # a file for Docker keeps them
        ("'secret'", "in quotation marks"),
        ("secret\x7f", "no header can carry"),
        ("secrét", "no header can carry"),
    ],
)
async def test_a_key_that_cannot_be_sent_is_an_error_at_the_first_call(key: Any, reason: str) -> None:
    async with Server(OK) as server, Shop(key, base_url=server.url) as shop:
        for verb in (shop.look, shop.buy, lambda: anext(shop.listen())):
            with pytest.raises(ConfigurationError, match=reason) as caught:
                await verb()
            assert (caught.value.provider, caught.value.outcome_unknown) == ("shop", False)
            assert not shows(caught.value, "secr")
        assert server.requests == []


@pytest.mark.parametrize("key", [1, b"secret", ["secret"]])
def test_a_key_of_another_type_is_refused_at_once(key: Any) -> None:
    with pytest.raises(TypeError, match="api_key"):
        Shop(key)


async def test_a_key_function_that_returns_no_string_is_a_type_error() -> None:
    async with asked(OK) as (_, server), Shop(lambda: b"secret", base_url=server.url) as shop:  # type: ignore[arg-type]  # on purpose
        with pytest.raises(TypeError, match="api_key"):
            await shop.look()
        assert server.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "shop.example", "shop.example/v1", "//shop.example", "ftp://shop.example", "https://", "https:///v1", "", "   ",
        "https://shop.example:port", "https://[shop", "https://user:password@shop.example",
        "https://user:password@shop.example:port", "ftp://user:password@shop.example", "user:password@shop.example",
        "https://shop.example?x=1", "https://shop.example/#x", "https://shop.example/a b", "https://shop.ex\nample",
        "http://shop.example", "http://10.0.0.1", "http://user:password@shop.example",
    ],
)  # fmt: skip
async def test_an_unusable_address_is_an_error_at_the_first_call_that_shows_a_right_one(
    address: str,
) -> None:
    async with Shop(KEY, base_url=address) as shop:
        for call in (shop.look, shop.with_options(timeout=1).buy, lambda: anext(shop.listen())):
            with pytest.raises(ConfigurationError, match="https://") as caught:
                await call()
            assert caught.value.provider == "shop"
            assert not shows(caught.value, "password")
        assert "password" not in repr(shop)


@pytest.mark.parametrize("address", [1, b"https://shop.example"])
def test_an_address_of_another_type_is_refused_at_once(address: Any) -> None:
    with pytest.raises(TypeError, match="base_url"):
        Shop(KEY, base_url=address)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost", "a.localhost"])
def test_plain_http_to_this_machine_needs_no_option(host: str) -> None:
    assert Shop(KEY, base_url=f"http://{host}:1/v1")._connection.problem is None


async def test_plain_http_elsewhere_needs_allow_http_which_a_sibling_can_switch_off() -> None:
    async with Server(OK) as proxy, Shop(KEY, base_url="http://shop.example", proxy=proxy.url) as shop:
        allowed = shop.with_options(allow_http=True)
        assert await allowed.look() == {}
        for refused in (shop, allowed.with_options(allow_http=False)):
            with pytest.raises(ConfigurationError, match="allow_http"):
                await refused.look()
        assert len(proxy.requests) == 1
