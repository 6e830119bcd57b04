"""What a response becomes: a result, an error of the provider, or an error of decoding."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from servers import KEY, OK, asked, make_response

from kellyapi._core.messages import FromResponse
from kellyapi._core.retry import NO_RETRY
from kellyapi._data import json_text
from kellyapi._data.decoding import Shape
from kellyapi.errors import DecodingError, KellyAPIError, RateLimitError, RequestTimeoutError, ServerError, StatusError

from .shop_calls import Fox

# -- errors ------------------------------------------------------------------------------------------------------------


async def test_an_error_body_of_the_provider_becomes_an_error_with_all_its_details() -> None:
    body = b'{"problem": "no fox left", "code": "SOLD_OUT"}'
    async with asked(make_response(404, body, X_Request_Id="r-1")) as (shop, _):
        with pytest.raises(StatusError) as caught:
            await shop.look()
        error = caught.value
        assert (error.message, error.code, error.provider, error.request_id) == (
            "no fox left",
            "SOLD_OUT",
            "shop",
            "r-1",
        )
        assert error.body == {"problem": "no fox left", "code": "SOLD_OUT"}
        assert error.headers["X-Request-Id"] == error.headers["x-request-id"] == "r-1"
        assert str(error) == "shop: no fox left (404, SOLD_OUT, request r-1)"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (502, b"<html><TITLE a>\n Bad  gateway\n</TITLE>" + b"x" * 900, "Bad gateway"),
        (500, b"it   broke\n" * 100, ("it broke " * 100)[:200]),
        (500, b"", "HTTP status 500"),
        (500, b"{}", "HTTP status 500"),
        (500, b"\xff", "\N{REPLACEMENT CHARACTER}"),
    ],
)
async def test_an_error_body_of_an_unknown_form_is_shortened(status: int, body: bytes, message: str) -> None:
    async with asked(make_response(status, body, "text/html"), retry=NO_RETRY) as (shop, _):
        with pytest.raises(ServerError) as caught:
            await shop.look()
        assert caught.value.message == message.strip()


async def test_an_error_body_with_status_200_is_an_error_with_the_status_in_the_body() -> None:
    async with asked(make_response(200, b'{"problem": "slower", "status": 429}')) as (shop, server):
        with pytest.raises(RateLimitError, match="slower") as caught:
            await shop.buy()
        assert (caught.value.status, len(server.requests)) == (429, 3)


async def test_a_reader_of_raw_responses_never_gets_an_error_body() -> None:
    async with asked(make_response(200, b'{"problem": "no audio"}'), make_response(200, b"RIFF", "audio/wav")) as (
        shop,
        _,
    ):
        with pytest.raises(StatusError, match="no audio"):
            await shop.buy(into=FromResponse(lambda response: response.body))
        assert await shop.buy(into=FromResponse(lambda response: response.body)) == b"RIFF"


# -- decoding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "into", "reason"),
    [
        (b"<html>Sign in to the hotel</html>", "text/html", Fox, "text/html instead of JSON: <html>Sign in"),
        (b"x" * 900, "text/plain", Fox, "x" * 200 + r"( \(|;|$)"),
        (b"", "application/json", Fox, "instead of JSON: nothing"),
        (b"{", "application/json", Fox, "instead of JSON: {"),
        (b"\xff\xfe", "application/json", Fox, "instead of JSON"),
        (b"[" * 100_000, "application/json", object, r"instead of JSON: \[\[\["),
        (b"null", "application/json", Fox, "None"),
        (b"null", "application/json", str, "None"),
        (b'"text"', "application/json", Fox, "expected an object"),
        (b"[]", "application/json", Fox, "expected an object"),
        (b'{"age": 1}', "application/json", Fox, r"\$.name: missing"),
        (b'{"name": null}', "application/json", Fox, r"\$.name"),
        (b"{}", "application/json", str, "expected a string"),
    ],
)
async def test_a_success_that_breaks_the_protocol_is_a_decoding_error_that_shows_its_beginning(
    body: bytes, kind: str, into: Any, reason: str
) -> None:
    async with asked(make_response(200, body, kind)) as (shop, server):
        for call, unknown in ((shop.look, False), (shop.buy, True)):
            with pytest.raises(DecodingError, match=reason) as caught:
                await call(into=into)
            assert (caught.value.provider, caught.value.outcome_unknown) == ("shop", unknown)
            assert len(caught.value.message) < 500
        assert len(server.requests) == 2


async def test_deep_nesting_is_a_decoding_error_with_the_parser_of_the_standard_library_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_text, "_parse", json_text._plain_loads)
    async with asked(make_response(body=b"[" * 100_000), make_response(500, b"[" * 100_000), retry=NO_RETRY) as (
        shop,
        _,
    ):
        with pytest.raises(DecodingError):
            await shop.look()
        with pytest.raises(ServerError):
            await shop.look()


async def test_a_response_may_be_empty_if_nothing_is_read_from_it() -> None:
    async with asked(b"HTTP/1.1 204 No Content\r\n\r\n") as (shop, _):
        assert await shop.remove() is None


async def test_a_key_function_that_does_not_return_ends_at_the_deadline_of_the_call() -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return KEY

    async with asked(OK) as (shop, server):
        with pytest.raises(RequestTimeoutError, match="the key function did not return in time") as caught:
            await shop.with_access(api_key=never).with_options(timeout=0.05).look()
        assert (caught.value.outcome_unknown, server.requests) == (False, [])


async def test_a_timeout_error_of_the_key_function_is_raised_unchanged() -> None:
    async def slow() -> str:
        raise TimeoutError("the vault")

    async with asked(OK) as (shop, _):
        with pytest.raises(TimeoutError, match="the vault"):
            await shop.with_access(api_key=slow).look()


@pytest.mark.parametrize(("size", "thread"), [(1000, "MainThread"), (300 * 2**10, "kellyapi_0")])
async def test_a_large_response_is_decoded_off_the_loop(size: int, thread: str) -> None:
    def where(value: str) -> tuple[str, int]:
        return threading.current_thread().name, len(value)

    async with asked(make_response(body=b'"' + b"x" * size + b'"')) as (shop, _):
        assert await shop.look(into=Shape(str, where)) == (thread, size)


@pytest.mark.parametrize(("status", "error"), [(101, StatusError), (206, DecodingError)])
async def test_statuses_of_partial_responses_are_no_success(status: int, error: type[KellyAPIError]) -> None:
    async with asked(make_response(status), retry=NO_RETRY) as (shop, _):
        with pytest.raises(error):
            await shop.look(into=FromResponse(lambda response: response.body))


async def test_control_characters_of_a_response_do_not_reach_the_terminal() -> None:
    body = json.dumps({"problem": "\x1b[2Jgone\x00\u202e", "code": "A\x07"}).encode()
    async with asked(make_response(400, body, X_Request_Id="r\x1b1")) as (shop, _):
        with pytest.raises(StatusError) as caught:
            await shop.look()
        assert str(caught.value) == "shop: \ufffd[2Jgone\ufffd\ufffd (400, A\ufffd, request r\ufffd1)"
