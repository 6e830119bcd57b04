"""What the errors and the `repr` of a call show of its key."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from servers import KEY, OK, Script, Server, Shop, asked, cut, hang, make_response, reset

from kellyapi._core.retry import NO_RETRY
from kellyapi.errors import KellyAPIError, StatusError

from .shop_calls import Fox, refuse
from .shown_secrets import shows


@pytest.mark.parametrize(
    "script",
    [
        reset, make_response(401), make_response(503), make_response(302, Location="http://other.example/"), hang,
        make_response(body=b"<html>"), cut(b"SSH-2.0\r\n\r\n"), cut(make_response()[:-1]),
        make_response(body=b"x" * 999), make_response(body=b"null"),
        make_response(body=b"zip", Content_Encoding="gzip"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("given", [str, lambda key: lambda: key], ids=["string", "function"])
async def test_no_error_shows_the_key(script: Script, given: Callable[[str], Any]) -> None:
    options: Any = {"retry": NO_RETRY, "timeout": 0.1, "max_response_bytes": 500}
    async with Server(script) as server, Shop(given(KEY), base_url=server.url, **options) as shop:
        for call in (shop.look(into=Fox), shop.buy(into=Fox), anext(shop.listen(refuse))):
            with pytest.raises(KellyAPIError) as caught:
                await call
            assert not shows(caught.value, KEY)


async def test_no_repr_shows_the_key_or_a_proxys_password() -> None:
    shown: list[str] = []
    hook = lambda request, response: shown.extend([repr(request), repr(response)])  # noqa: E731
    async with asked(OK, on_response=hook) as (shop, _):
        await shop.buy()
        proxied = shop.with_options(proxy="http://somebody:pass-word@127.0.0.1:1")
        shown += [repr(thing) for thing in (shop, shop.api_key, shop._connection, proxied, proxied._connection)]
    assert len(shown) == 7
    assert not [text for text in shown if KEY in text or "pass-word" in text]


ECHO = {"problem": f"bad key {KEY}", "seen": [{f"Key {KEY}": KEY}, 1]}


@pytest.mark.parametrize("status", [200, 401])
async def test_a_key_that_a_server_repeats_is_nowhere_in_the_error(status: int) -> None:
    echo = make_response(status, json.dumps(ECHO).encode(), X_Echo=f"Key {KEY}")
    async with asked(echo, retry=NO_RETRY) as (shop, _):
        for call in (shop.look, shop.listen().__aenter__):
            with pytest.raises(StatusError) as caught:
                await call()
            error = caught.value
            assert error.message == "bad key ***"
            assert error.body == {"problem": "bad key ***", "seen": [{"Key ***": "***"}, 1]}
            assert error.headers["X-Echo"] == "Key ***"
            assert KEY not in "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
            if status == 200:
                break  # a stream accepts any body


async def test_a_short_key_is_not_redacted() -> None:
    refusal = make_response(401, b'{"problem": "the sandbox says no"}')
    async with Server(refusal) as server, Shop("sandbox", base_url=server.url) as shop:
        with pytest.raises(StatusError, match="the sandbox says no"):
            await shop.look()
