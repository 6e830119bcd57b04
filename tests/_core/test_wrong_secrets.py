"""Keys that cannot be used, and what led to an error: neither shows a key, not even in what a traceback leaves out."""

from __future__ import annotations

import json
import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import AT_ONCE, KEY, OK, Server, Shop, asked, cut, make_response

from kellyapi import (
    NO_RETRY,
    Aerostack,
    ConfigurationError,
    Kelly,
    KellyAPI,
    KellyAPIError,
    Khaya,
    PreparedRequest,
    Response,
    Skytells,
    WebhookReceiver,
    verify_webhook,
)

TESTS = Path(__file__).parents[1]
CLIENTS = (Kelly, Khaya, Skytells, Aerostack, KellyAPI)
OTHER_TYPES = (KEY.encode(), bytearray(KEY.encode()), memoryview(KEY.encode()), [KEY], (KEY,), {"key": KEY}, {KEY})


def leads(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    """Yield an error and everything that led to it, also what `raise … from None` leaves out of a traceback."""
    if error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        yield from leads(error.__cause__, seen)
        yield from leads(error.__context__, seen)


def texts(error: BaseException) -> str:
    found: list[str] = []
    for each in leads(error, set()):
        trace = traceback.TracebackException.from_exception(each, capture_locals=True)
        trace.stack[:] = [frame for frame in trace.stack if TESTS not in Path(frame.filename).parents]
        trace.__cause__ = trace.__context__ = None
        found += [*trace.format(), repr(each.args), repr(vars(each)), *getattr(each, "__notes__", ())]
        found += [repr(getattr(each, name)) for name in ("doc", "object") if hasattr(each, name)]  # of JSON and Unicode
    return "\n".join(found)


def check_hidden(error: BaseException) -> None:
    text = texts(error)
    assert KEY not in text, text[max(0, text.index(KEY) - 300) :][:400]


# Keys of other types


@pytest.mark.parametrize("key", OTHER_TYPES, ids=lambda key: type(key).__name__)
@pytest.mark.parametrize("make", CLIENTS)
def test_a_key_of_another_type_is_refused_without_showing_it(make: Callable[..., Any], key: Any) -> None:
    words = f"api_key must be a string, a function or None, not {type(key).__name__}"
    with pytest.raises(TypeError, match=words) as caught:
        make(key)
    check_hidden(caught.value)
    if make is not KellyAPI:
        with pytest.raises(TypeError, match=f"not {type(key).__name__}") as caught:
            make("x").with_access(api_key=key)
        check_hidden(caught.value)


@pytest.mark.parametrize("name", ["khaya", "skytells", "aerostack"])
def test_a_key_of_another_type_for_one_provider_is_refused_without_showing_it(name: str) -> None:
    with pytest.raises(TypeError, match="not bytes") as caught:
        KellyAPI(**{name: KEY.encode()})  # type: ignore[arg-type]  # on purpose
    check_hidden(caught.value)


async def _given(key: Any) -> Any:
    return key


@pytest.mark.parametrize("key", OTHER_TYPES, ids=lambda key: type(key).__name__)
@pytest.mark.parametrize("function", [lambda key: key, _given], ids=["plain", "async"])
async def test_a_function_that_returns_another_type_is_refused_without_showing_it(
    function: Callable[[Any], Any], key: Any
) -> None:
    async with Server(OK) as server, Shop(lambda: function(key), base_url=server.url) as shop:
        with pytest.raises(TypeError, match=f"a function that returns one, not {type(key).__name__}") as caught:
            await shop.buy()
        check_hidden(caught.value)
        assert server.requests == []


@pytest.mark.parametrize("returned", [None, "", "  "])
async def test_a_function_that_returns_no_key_is_a_configuration_error(returned: str | None) -> None:
    async with Server(OK) as server, Shop(lambda: returned, base_url=server.url) as shop:  # type: ignore[arg-type,return-value]
        with pytest.raises(ConfigurationError, match="API key for Shop"):
            await shop.buy()
        assert server.requests == []


@pytest.mark.parametrize("consumer", [KEY.encode(), lambda: KEY.encode(), lambda: _given(KEY.encode())])
async def test_a_consumers_key_of_another_type_is_refused_without_showing_it(consumer: Any) -> None:
    async with Server(OK) as server, Aerostack("project-key", base_url=server.url) as aerostack:
        with pytest.raises(TypeError, match="consumer must be a string") as caught:
            await aerostack.gateway.wallet("api", consumer=consumer)
        check_hidden(caught.value)
        assert server.requests == []


@pytest.mark.parametrize("key", [f"{KEY}\r\nX-Admin: 1", f"{KEY}\n{KEY}", f"{KEY}\x00", f"{KEY}\x7f", f"\ufeff{KEY}"])
async def test_a_key_that_would_add_a_header_is_refused_without_showing_it(key: str) -> None:
    async with Server(OK) as server:
        for given in (key, lambda: key, lambda: _given(key)):
            with pytest.raises(ConfigurationError, match="no header can carry") as caught:
                await Shop(given, base_url=server.url).buy()
            check_hidden(caught.value)
        assert server.requests == []


async def test_a_function_that_raises_leads_to_its_own_error_alone() -> None:
    def fail() -> str:
        raise LookupError("no vault")

    async def fail_later() -> str:
        fail()
        return KEY

    for given in (fail, fail_later):
        with pytest.raises(LookupError, match="no vault") as caught:
            await Shop(given, headers={"X-Mine": KEY}, base_url="http://localhost:9").buy()
        check_hidden(caught.value)


# Headers, proxies and webhooks


HEADERS: tuple[Any, ...] = (
    {"Authorization": f"Bearer {KEY}\r\nX-Admin: 1"},
    {"X-Mine": f"{KEY}\n"},
    {"X-Mine": KEY.encode()},
    {"X-Mine": [KEY]},
    {"X Mine": KEY},
    {5: KEY},
    [("X-Mine", KEY)],
    KEY,
    KEY.encode(),
)


@pytest.mark.parametrize("headers", HEADERS)
@pytest.mark.parametrize("make", CLIENTS)
def test_a_header_that_cannot_be_sent_is_refused_without_showing_it(make: Callable[..., Any], headers: Any) -> None:
    for use in (lambda: make("x", headers=headers), lambda: make("x").with_options(headers=headers)):
        with pytest.raises((ValueError, TypeError), match=r"headers(\['X-Mine'\])? must be") as caught:
            use()
        check_hidden(caught.value)


@pytest.mark.parametrize("options", [{"timeout": 0}, {"unheard": 1}, {"retry": 3}])
def test_headers_beside_a_wrong_option_are_not_shown(options: Any) -> None:
    for make in CLIENTS:
        with pytest.raises((ValueError, TypeError)) as caught:
            make("x", headers={"X-Mine": KEY}, **options)
        check_hidden(caught.value)


async def test_hidden_headers_are_sent_as_they_are() -> None:
    async with asked(OK, headers={"X-Mine": KEY, "Authorization": "Basic abc"}) as (shop, server):
        await shop.look()
        assert server.requests[0].headers["x-mine"] == KEY
        assert server.requests[0].headers["authorization"] == "Basic abc"


async def test_a_server_that_repeats_a_header_with_a_secret_is_quoted_without_it() -> None:
    said = make_response(400, json.dumps({"problem": f"{KEY} at application/json"}).encode())
    headers = {"X-Auth-Token": KEY, "Accept": "application/json"}
    async with asked(said, headers=headers) as (shop, _):
        with pytest.raises(KellyAPIError, match=r"\*\*\* at application/json") as caught:
            await shop.buy()
        check_hidden(caught.value)


@pytest.mark.parametrize("proxy", [f"http://a:{KEY}@proxy.example".encode(), [KEY]])
def test_a_proxy_of_another_type_is_refused_without_showing_it(proxy: Any) -> None:
    with pytest.raises(TypeError, match=f"proxy must be a string or None, not {type(proxy).__name__}") as caught:
        Khaya("x", proxy=proxy)
    check_hidden(caught.value)


def test_secrets_of_webhooks_of_another_type_are_refused_without_showing_them() -> None:
    for use in (
        lambda: WebhookReceiver(KEY.encode()),  # type: ignore[arg-type]  # on purpose
        lambda: verify_webhook({}, b"", [KEY.encode()]),  # type: ignore[list-item]  # on purpose
        lambda: verify_webhook({}, b"", KEY.encode() + b"\xff"),
    ):
        with pytest.raises((TypeError, KellyAPIError)) as caught:
            use()
        check_hidden(caught.value)


# What led to an error


BODIES = {
    "no JSON": make_response(body=b"<" * 300 + KEY.encode(), kind="text/html"),
    "JSON that is cut": make_response(body=b'{"a": "' + b"x" * 300 + KEY.encode()),
    "no UTF-8": make_response(body=b'{"a": "' + b"x" * 300 + KEY.encode() + b'\xff"}'),
    "a wrong type": make_response(body=json.dumps({"a": "x" * 300 + KEY}).encode()),
    "an error": make_response(400, b"x" * 300 + KEY.encode(), "text/plain"),
    "an error with a header": make_response(500, b"{}", X_Mine=f"Key {KEY}"),
    "a status line": cut(f"HTTP/1.1 {KEY}\r\n\r\n".encode()),
    "a line that is no header": cut(f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode()),
    "a length": cut(f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}\r\n\r\n".encode()),
}


@pytest.mark.parametrize("script", BODIES.values(), ids=BODIES)
async def test_nothing_that_led_to_an_error_has_the_key_that_a_server_repeats(script: Any) -> None:
    async with asked(script, retry=AT_ONCE) as (shop, _):
        for call in (shop.buy, shop.look):
            with pytest.raises(KellyAPIError) as caught:
                await call(into=int)
            check_hidden(caught.value)


@pytest.mark.parametrize("later", [False, True], ids=["plain", "async"])
async def test_the_error_of_a_hook_does_not_show_the_response_that_repeats_the_key(later: bool) -> None:
    def fail(request: PreparedRequest, response: Response) -> Awaitable[None] | None:
        if later:
            return fail_later()
        raise LookupError("mine")

    async def fail_later() -> None:
        raise LookupError("mine")

    said = make_response(body=json.dumps({"id": "x" * 300 + KEY}).encode(), X_Mine=KEY)
    async with asked(said, on_response=fail) as (shop, _):
        with pytest.raises(LookupError, match="mine") as caught:
            await shop.buy()
    check_hidden(caught.value)


async def test_a_stream_that_fails_does_not_show_the_key_that_a_server_repeats() -> None:
    said = make_response(401, b"x" * 300 + KEY.encode(), "text/plain")
    async with asked(said, retry=NO_RETRY) as (shop, _):
        with pytest.raises(KellyAPIError) as caught:
            async with shop.listen() as stream:
                await anext(stream)
        check_hidden(caught.value)
