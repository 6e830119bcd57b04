"""How a provider is asked: verbs, keys, addresses, retries, errors, decoding, observation, options, streams."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen
from servers import (
    AT_ONCE,
    KEY,
    OK,
    Exchange,
    Script,
    Server,
    Shop,
    asked,
    cut,
    hang,
    late,
    make_response,
    pausing,
    reset,
)

from kellyapi._core.limits import Rate, RetryQuota
from kellyapi._core.messages import NO_TIMEOUT, FromResponse, Headers, PreparedRequest, Response, Timeout
from kellyapi._core.retry import NO_RETRY, RetryPolicy
from kellyapi._data import json_text
from kellyapi._data.decoding import Shape
from kellyapi.errors import (
    ConfigurationError,
    DecodingError,
    KellyAPIError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StatusError,
    TransportError,
)
from kellyapi.providers.khaya import Khaya

# -- verbs -------------------------------------------------------------------------------------------------------------


async def test_each_verb_is_one_request_with_the_key_and_the_headers_of_the_client() -> None:
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


async def test_an_address_may_have_a_path_and_slashes_at_its_end() -> None:
    async with Server(OK) as server, Shop(KEY, base_url=f" {server.url}/v1// ") as shop:
        await shop.look()
        assert (shop.base_url, server.requests[0].target) == (f"{server.url}/v1", "/v1/look")


# -- keys and addresses ------------------------------------------------------------------------------------------------


async def test_a_function_is_asked_for_the_key_at_every_request() -> None:
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
        (None, "no API key for Shop: pass api_key=… or set SHOP_API_KEY"),
        ("", "blank"),
        (" \n", "blank"),
        (lambda: " ", "blank"),
        (lambda: None, "no API key"),
        ("secret\nX-Other: 1", "no header can carry"),
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
            assert not reveals(caught.value, "secr")
        assert server.requests == []


@pytest.mark.parametrize("key", [1, b"secret", ["secret"]])
def test_a_key_of_another_type_is_refused_at_once(key: Any) -> None:
    with pytest.raises(TypeError, match="api_key"):
        Shop(key)


async def test_a_function_that_gives_no_string_as_key_is_a_type_error() -> None:
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
async def test_an_address_that_cannot_be_used_is_an_error_at_the_first_call_that_says_what_is_right(
    address: str,
) -> None:
    async with Shop(KEY, base_url=address) as shop:
        for call in (shop.look, shop.with_options(timeout=1).buy, lambda: anext(shop.listen())):
            with pytest.raises(ConfigurationError, match="https://") as caught:
                await call()
            assert caught.value.provider == "shop"
            assert not reveals(caught.value, "password")
        assert "password" not in repr(shop)


@pytest.mark.parametrize("address", [1, b"https://shop.example"])
def test_an_address_of_another_type_is_refused_at_once(address: Any) -> None:
    with pytest.raises(TypeError, match="base_url"):
        Shop(KEY, base_url=address)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost", "a.localhost"])
def test_plain_http_to_this_machine_needs_no_leave(host: str) -> None:
    assert Shop(KEY, base_url=f"http://{host}:1/v1")._connection.problem is None


async def test_plain_http_elsewhere_needs_allow_http_which_a_sibling_can_take_back() -> None:
    async with Server(OK) as proxy, Shop(KEY, base_url="http://shop.example", proxy=proxy.url) as shop:
        allowed = shop.with_options(allow_http=True)
        assert await allowed.look() == {}
        for refused in (shop, allowed.with_options(allow_http=False)):
            with pytest.raises(ConfigurationError, match="allow_http"):
                await refused.look()
        assert len(proxy.requests) == 1


# -- retries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "free", "metered", "unknown"),
    [
        (400, 1, 1, False), (401, 1, 1, False), (402, 1, 1, False), (403, 1, 1, False), (404, 1, 1, False),
        (408, 3, 1, True), (409, 1, 1, False), (413, 1, 1, False), (422, 1, 1, False), (429, 3, 3, False),
        (500, 3, 1, True), (501, 1, 1, True), (502, 3, 1, True), (503, 3, 3, False), (504, 3, 1, True),
    ],
)  # fmt: skip
async def test_a_status_is_repeated_when_that_is_free_or_nothing_was_done(
    status: int, free: int, metered: int, unknown: bool
) -> None:
    async with asked(make_response(status)) as (shop, server):
        for call, times in ((shop.look, free), (shop.put, free), (shop.buy, metered)):
            server.requests.clear()
            with pytest.raises(StatusError) as caught:
                await call()
            assert (caught.value.status, len(server.requests)) == (status, times)
        assert caught.value.outcome_unknown is unknown
        server.requests.clear()
        with pytest.raises(StatusError):
            await anext(shop.listen())
        assert len(server.requests) == metered


async def test_repeat_metered_is_the_one_way_to_send_a_metered_call_again() -> None:
    async with asked(reset, make_response(500), OK, retry=RetryPolicy(base=0, repeat_metered=True)) as (shop, server):
        assert await shop.buy() == {}
        assert len(server.requests) == 3


@pytest.mark.parametrize("scripts", [(reset, OK), (make_response(503), OK), (make_response(429), OK)])
async def test_no_retry_sends_once(scripts: tuple[Script, ...]) -> None:
    async with asked(*scripts, retry=NO_RETRY) as (shop, server):
        with pytest.raises((TransportError, StatusError)):
            await shop.look()
        assert len(server.requests) == 1


async def test_only_the_statuses_of_the_policy_are_repeated() -> None:
    policy = RetryPolicy(base=0, statuses=[409], connection_errors=False)
    for script, times in ((make_response(409), 3), (make_response(503), 1), (reset, 1)):
        async with asked(script, retry=policy) as (shop, server):
            with pytest.raises(KellyAPIError):
                await shop.look()
            assert len(server.requests) == times


@pytest.mark.parametrize("hint", ["0", format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_that_has_come_is_waited_for_no_longer(status: int, hint: str) -> None:
    policy = RetryPolicy(base=3600, throttle_base=3600, cap=3600)
    async with asked(make_response(status, Retry_After=hint), OK, retry=policy, timeout=NO_TIMEOUT) as (shop, server):
        assert await shop.buy() == {}
        assert [seen.connection for seen in server.requests] == [1, 1]


@pytest.mark.parametrize("seconds", [61, 3600])
@pytest.mark.parametrize("dated", [False, True])
async def test_a_retry_after_that_is_too_long_is_told_and_not_waited_for(seconds: int, dated: bool) -> None:
    hint = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds + 30), usegmt=True) if dated else str(seconds)
    async with asked(make_response(429, Retry_After=hint), timeout=NO_TIMEOUT) as (shop, server):
        with pytest.raises(RateLimitError) as caught:
            await shop.look()
        assert caught.value.retry_after == pytest.approx(seconds + 30 * dated, abs=30)
        assert len(server.requests) == 1


async def test_a_connection_is_free_for_others_while_a_call_pauses() -> None:
    async with asked(make_response(503, Retry_After="30"), OK, max_connections=1) as (shop, server):
        pausing = asyncio.create_task(shop.look("/first"))
        await server.until(lambda: len(server.requests) == 1)
        assert await shop.look("/second") == {}
        pausing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pausing
        assert [seen.target for seen in server.requests] == ["/first", "/second"]
        assert server.connections == 1


@pytest.mark.parametrize(("script", "retries"), [(reset, 35), (make_response(500), 35), (make_response(429), 100)])
async def test_an_outage_ends_the_retries_of_a_client_and_of_its_siblings(script: Script, retries: int) -> None:
    async with asked(script) as (shop, server):
        for number in range(60):
            with pytest.raises(KellyAPIError):
                await (shop if number % 2 else shop.with_options(max_concurrency=3)).look()
        assert len(server.requests) == 60 + retries


async def test_a_success_gives_back_what_its_retry_cost() -> None:
    async with asked(*[make_response(500), OK] * 40) as (shop, _):
        for _ in range(40):
            await shop.look()
        assert shop._connection.limits.quota == RetryQuota()


async def test_retries_are_logged_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kellyapi.shop")
    async with asked(make_response(503, b'{"problem": "busy"}'), OK) as (shop, _):
        await shop.look()
    [record] = caplog.records
    assert (record.name, record.levelname) == ("kellyapi.shop", "INFO")
    assert record.getMessage() == "attempt 1 failed, the next in 0.00 s: shop: busy (503, HTTP_ERROR)"


# -- errors ------------------------------------------------------------------------------------------------------------


async def test_an_error_body_of_the_system_is_told_with_all_that_came_with_it() -> None:
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
async def test_an_error_body_of_somebody_else_is_told_in_short(status: int, body: bytes, message: str) -> None:
    async with asked(make_response(status, body, "text/html"), retry=NO_RETRY) as (shop, _):
        with pytest.raises(ServerError) as caught:
            await shop.look()
        assert caught.value.message == message.strip()


async def test_an_error_body_with_status_200_is_an_error_by_the_status_in_the_body() -> None:
    async with asked(make_response(200, b'{"problem": "slower", "status": 429}')) as (shop, server):
        with pytest.raises(RateLimitError, match="slower") as caught:
            await shop.buy()
        assert (caught.value.status, len(server.requests)) == (429, 3)


async def test_a_reader_of_raw_answers_is_not_handed_an_error_body() -> None:
    async with asked(make_response(200, b'{"problem": "no audio"}'), make_response(200, b"RIFF", "audio/wav")) as (
        shop,
        _,
    ):
        with pytest.raises(StatusError, match="no audio"):
            await shop.buy(into=FromResponse(lambda response: response.body))
        assert await shop.buy(into=FromResponse(lambda response: response.body)) == b"RIFF"


# -- decoding ----------------------------------------------------------------------------------------------------------


@frozen
class Fox:
    name: str
    age: int = 1


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
async def test_a_success_that_is_not_what_the_protocol_says_is_a_decoding_error_with_its_beginning(
    body: bytes, kind: str, into: Any, reason: str
) -> None:
    async with asked(make_response(200, body, kind)) as (shop, server):
        for call, unknown in ((shop.look, False), (shop.buy, True)):
            with pytest.raises(DecodingError, match=reason) as caught:
                await call(into=into)
            assert (caught.value.provider, caught.value.outcome_unknown) == ("shop", unknown)
            assert len(caught.value.message) < 500
        assert len(server.requests) == 2


async def test_the_standard_librarys_parser_meets_endless_nesting_as_calmly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kellyapi._core.responses.loads", json_text._plain_loads)
    async with asked(make_response(body=b"[" * 100_000), make_response(500, b"[" * 100_000), retry=NO_RETRY) as (
        shop,
        _,
    ):
        with pytest.raises(DecodingError):
            await shop.look()
        with pytest.raises(ServerError):
            await shop.look()


async def test_an_answer_that_nothing_is_read_from_may_be_empty() -> None:
    async with asked(b"HTTP/1.1 204 No Content\r\n\r\n") as (shop, _):
        assert await shop.remove() is None


async def test_a_key_that_does_not_come_ends_with_the_time_of_the_call() -> None:
    async def never() -> str:
        await asyncio.Event().wait()
        return KEY

    async with asked(OK) as (shop, server):
        with pytest.raises(RequestTimeoutError, match="the key did not come in time") as caught:
            await shop.with_access(api_key=never).with_options(timeout=0.05).look()
        assert (caught.value.outcome_unknown, server.requests) == (False, [])


async def test_a_key_functions_own_timeout_is_its_own() -> None:
    async def slow() -> str:
        raise TimeoutError("the vault")

    async with asked(OK) as (shop, _):
        with pytest.raises(TimeoutError, match="the vault"):
            await shop.with_access(api_key=slow).look()


@pytest.mark.parametrize(("size", "thread"), [(1000, "MainThread"), (300 * 2**10, "kellyapi_0")])
async def test_a_large_answer_is_decoded_off_the_loop(size: int, thread: str) -> None:
    def where(value: str) -> tuple[str, int]:
        return threading.current_thread().name, len(value)

    async with asked(make_response(body=b'"' + b"x" * size + b'"')) as (shop, _):
        assert await shop.look(into=Shape(str, where)) == (thread, size)


# -- observation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [True, False])
async def test_on_response_sees_each_raw_exchange(plain: bool) -> None:
    seen: list[tuple[PreparedRequest, Response]] = []

    async def watch(request: PreparedRequest, response: Response) -> None:
        await asyncio.sleep(0)
        seen.append((request, response))

    hook: Any = (lambda request, response: seen.append((request, response))) if plain else watch
    async with asked(make_response(503, b"busy"), OK, on_response=hook) as (shop, server):
        await shop.buy()
        assert [(request.method, request.url, request.body) for request, _ in seen] == [
            ("POST", f"{server.url}/buy", b'{"what":"a fox"}')
        ] * 2
        assert [(response.status, response.body) for _, response in seen] == [(503, b"busy"), (200, b"{}")]


async def test_an_error_of_on_response_reaches_the_user_with_the_answer_and_is_not_repeated() -> None:
    def fail(request: PreparedRequest, response: Response) -> None:
        raise LookupError("mine")

    async with asked(make_response(body=b'{"id": "p1", "key": "%s"}' % KEY.encode()), on_response=fail) as (
        shop,
        server,
    ):
        with pytest.raises(LookupError, match="mine") as caught:
            await shop.buy()
        note = f'POST {server.url}/buy was answered with status 200: {{"id": "p1", "key": "***"}}'
        assert caught.value.__notes__ == [note]
        assert len(server.requests) == 1


async def test_each_exchange_is_logged_at_debug_without_key_or_body(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with asked(make_response(404, b'{"problem": "a body"}', X_Request_Id="r-1"), make_response(body=b"abc")) as (
        shop,
        server,
    ):
        with pytest.raises(StatusError):
            await shop.buy()
        async with shop.listen() as stream:
            assert [piece async for piece in stream] == [b"abc"]
        records = [record for record in caplog.records if record.name.startswith("kellyapi")]
        assert {(record.name, record.levelname) for record in records} == {("kellyapi.shop", "DEBUG")}
        first, second = (record.getMessage() for record in records)
        for part in ("POST", f"{server.url}/buy", "404", " ms", "21 bytes", "r-1"):
            assert part in first
        for part in ("POST", f"{server.url}/listen", "200", " ms"):
            assert part in second
    assert not [record for record in caplog.records if KEY in record.getMessage() or "a body" in record.getMessage()]


async def test_the_logger_can_be_replaced(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "mine")
    async with asked(OK, logger=logging.getLogger("mine")) as (shop, _):
        await shop.look()
    assert [record.name for record in caplog.records if record.name in ("mine", "kellyapi.shop")] == ["mine"]


def test_without_a_handler_of_the_users_nothing_is_printed() -> None:
    Shop(KEY)
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("kellyapi").handlers)


def reveals(error: BaseException, secret: str) -> bool:
    """Tell whether an error shows a secret: in itself, or in its traceback with the locals of every frame but ours."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    trace.stack[:] = [frame for frame in trace.stack if Path(frame.filename).parent != Path(__file__).parent]
    shown = "".join(trace.format())
    assert "self = " in shown
    return any(secret in text for text in (shown, str(error), repr(error), repr(vars(error))))


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
            assert not reveals(caught.value, KEY)


def refuse(headers: Headers) -> bool:
    return False


async def consume(shop: Shop) -> None:
    async for _ in shop.listen():
        pass


async def test_no_repr_shows_the_key_or_a_proxys_password() -> None:
    shown: list[str] = []
    hook = lambda request, response: shown.extend([repr(request), repr(response)])  # noqa: E731
    async with asked(OK, on_response=hook) as (shop, _):
        await shop.buy()
        proxied = shop.with_options(proxy="http://somebody:pass-word@127.0.0.1:1")
        shown += [repr(thing) for thing in (shop, shop.api_key, shop._connection, proxied, proxied._connection)]
    assert len(shown) == 7
    assert not [text for text in shown if KEY in text or "pass-word" in text]


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout": 0}, ValueError), ({"timeout": -1}, ValueError), ({"timeout": float("nan")}, ValueError),
        ({"timeout": "5"}, TypeError), ({"timeout": True}, TypeError), ({"retry": 3}, TypeError),
        ({"headers": "X: 1"}, TypeError), ({"proxy": 1}, TypeError), ({"max_concurrency": 0}, ValueError),
        ({"max_concurrency": "1"}, TypeError), ({"rate": 5}, TypeError), ({"max_response_bytes": "1"}, TypeError),
        ({"allow_http": 1}, TypeError), ({"logger": "kellyapi"}, TypeError), ({"retries": 3}, TypeError),
        ({"on_response": 1}, TypeError), ({"max_response_bytes": 0}, ValueError),
    ],
)  # fmt: skip
def test_a_wrong_option_is_refused_at_once(options: dict[str, Any], error: type[Exception]) -> None:
    [name] = options
    for make in (lambda: Shop(KEY, **options), lambda: Shop(KEY).with_options(**options)):
        with pytest.raises(error, match=name):
            make()


def test_max_connections_belongs_to_the_client_that_opens_the_session() -> None:
    with pytest.raises(ValueError, match="max_connections"):
        Shop(KEY).with_options(max_connections=3)


def test_a_timeout_of_hours_warns_that_seconds_are_meant() -> None:
    with pytest.warns(UserWarning, match="seconds") as caught:
        Shop(KEY, timeout=60_000)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="seconds") as caught:
        Shop(KEY).with_options(timeout=60_000)
    assert caught[0].filename == __file__


async def timeout_of(shop: Shop, call: Callable[[Shop], Any]) -> Timeout:
    seen: list[PreparedRequest] = []
    await call(shop.with_options(on_response=lambda request, response: seen.append(request)))
    return seen[0].timeout


@pytest.mark.parametrize(
    ("given", "call", "transfer"),
    [
        (None, Timeout(total=60, connect=10, idle=None), Timeout(total=None, connect=10, idle=60)),
        (5, Timeout(total=5, connect=10, idle=None), Timeout(total=5, connect=10, idle=None)),
        (NO_TIMEOUT, NO_TIMEOUT, NO_TIMEOUT),
        (Timeout(total=2, idle=1), Timeout(total=2, idle=1), Timeout(total=2, idle=1)),
    ],
)
async def test_streamed_uploads_and_downloads_are_timed_by_silence_unless_the_user_says_otherwise(
    given: Any, call: Timeout, transfer: Timeout, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    async with asked(OK, timeout=given) as (shop, server):
        for ask, right in (
            (lambda shop: shop.look(), call),
            (lambda shop: shop.send(b"RIFF"), call),
            (lambda shop: shop.send(path), transfer),
            (lambda shop: shop.download(server.url), transfer),
        ):
            timeout = await timeout_of(shop, ask)
            assert (timeout.total, timeout.connect, timeout.idle) == (
                right.total and pytest.approx(right.total, abs=1), right.connect, right.idle,
            )  # fmt: skip


async def test_a_sibling_differs_in_its_options_and_shares_the_session() -> None:
    async with asked(OK, headers={"X-Own": "1"}) as (shop, server):
        sibling = shop.with_options(headers={"X-Own": "2"}, timeout=5)
        await shop.look()
        await sibling.look()
        assert [seen.headers["x-own"] for seen in server.requests] == ["1", "2"]
        assert server.connections == 1
        assert (type(sibling), sibling.base_url, sibling.api_key) == (Shop, shop.base_url, shop.api_key)
        assert shop._connection.timeout is None
        await sibling.close()
        await server.until(lambda: server.open == 0)


async def test_a_sibling_with_another_key_or_address_is_checked_like_a_client() -> None:
    async with Server(OK) as other, asked(OK, allow_http=True) as (shop, server):
        await shop.with_access(api_key="another").look()
        await shop.with_access(base_url=f"{other.url}/v2/").look()
        assert [(seen.target, seen.headers["x-key"]) for seen in server.requests + other.requests] == [
            ("/look", "Key another"),
            ("/v2/look", f"Key {KEY}"),
        ]
        assert shop.with_access().base_url == shop.base_url == server.url
        strict = shop.with_options(allow_http=False)
        with pytest.raises(ConfigurationError, match="allow_http"):
            await strict.with_access(base_url="http://shop.example").look()
        assert await strict.with_access(base_url="shop.example").with_access(base_url=server.url).look() == {}
        with pytest.raises(TypeError, match="api_key"):
            shop.with_access(api_key=1)  # type: ignore[arg-type]  # on purpose


async def test_a_client_without_a_session_of_its_own_shares_anothers() -> None:
    async with Server(OK) as server:
        first = Shop(KEY, base_url=server.url)
        joined = Shop("other", base_url=f"{server.url}/v2").share(first._connection.transport)
        with_own = Shop(KEY, base_url=server.url, session=Shop("x").session)
        assert with_own.share(first._connection.transport) is with_own
        await first.look()
        await joined.look()
        assert [(seen.target, seen.headers["x-key"]) for seen in server.requests] == [
            ("/look", f"Key {KEY}"), ("/v2/look", "Key other"),
        ]  # fmt: skip
        assert server.connections == 1
        await joined.close()
        await server.until(lambda: server.open == 0)


ECHO = {"problem": f"bad key {KEY}", "seen": [{f"Key {KEY}": KEY}, 1]}


@pytest.mark.parametrize("status", [200, 401])
async def test_a_key_that_a_server_repeats_shows_nowhere_in_the_error(status: int) -> None:
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
                break  # a stream takes what comes


async def test_a_short_key_is_a_word_and_no_secret() -> None:
    refusal = make_response(401, b'{"problem": "the sandbox says no"}')
    async with Server(refusal) as server, Shop("sandbox", base_url=server.url) as shop:
        with pytest.raises(StatusError, match="the sandbox says no"):
            await shop.look()


@pytest.mark.parametrize(("status", "error"), [(101, StatusError), (206, DecodingError)])
async def test_half_an_answer_is_no_success(status: int, error: type[KellyAPIError]) -> None:
    async with asked(make_response(status), retry=NO_RETRY) as (shop, _):
        with pytest.raises(error):
            await shop.look(into=FromResponse(lambda response: response.body))


async def test_what_commands_a_terminal_does_not_reach_it() -> None:
    body = json.dumps({"problem": "\x1b[2Jgone\x00\u202e", "code": "A\x07"}).encode()
    async with asked(make_response(400, body, X_Request_Id="r\x1b1")) as (shop, _):
        with pytest.raises(StatusError) as caught:
            await shop.look()
        assert str(caught.value) == "shop: \ufffd[2Jgone\ufffd\ufffd (400, A\ufffd, request r\ufffd1)"


# -- limits ------------------------------------------------------------------------------------------------------------


async def test_calls_above_max_concurrency_wait_in_order_and_a_cancelled_one_makes_room() -> None:
    gates = {f"/{number}": asyncio.Event() for number in range(4)}

    async def gated(exchange: Exchange) -> None:
        await gates[exchange.seen.target].wait()
        await exchange.write(OK)

    async with asked(gated, max_concurrency=1) as (shop, server):
        calls = [asyncio.create_task(shop.look(path)) for path in gates]
        await server.until(lambda: len(server.requests) == 1)
        calls[1].cancel()  # waits for its turn
        calls[0].cancel()  # is being answered
        await server.until(lambda: len(server.requests) == 2)
        gates["/2"].set()
        assert await calls[2] == {}
        await server.until(lambda: len(server.requests) == 3)
        gates["/3"].set()
        assert await calls[3] == {}
        assert [seen.target for seen in server.requests] == ["/0", "/2", "/3"]


async def test_the_deadline_of_a_call_covers_the_wait_for_its_turn() -> None:
    async with asked(hang, max_concurrency=1) as (shop, server):
        first = asyncio.create_task(shop.look())
        await server.until(lambda: len(server.requests) == 1)
        with pytest.raises(TransportError) as caught:
            await shop.with_options(timeout=0.05).buy()
        assert (caught.value.provider, caught.value.sent, caught.value.outcome_unknown) == ("shop", False, False)
        assert len(server.requests) == 1
        first.cancel()


async def test_what_a_call_waited_for_its_turn_is_taken_off_its_time() -> None:
    async with asked(late(0.1, OK), OK, max_concurrency=1) as (shop, server):
        first = asyncio.create_task(shop.look())
        await server.until(lambda: len(server.requests) == 1)
        timeout = await timeout_of(shop.with_options(timeout=10), lambda shop: shop.look())
        assert timeout.total is not None
        assert timeout.total < 9.95
        await first


async def test_calls_above_the_rate_wait_in_order() -> None:
    async with asked(OK, rate=Rate(2, per=0.1)) as (shop, server):
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*(shop.look(f"/{number}") for number in range(4)))
        assert asyncio.get_running_loop().time() - started >= 0.1
        assert [seen.target for seen in server.requests][2:] == ["/2", "/3"]


async def test_a_further_attempt_waits_for_the_rate_like_any_other() -> None:
    async with asked(make_response(503), OK, rate=Rate(1, per=60), timeout=5) as (shop, server):
        with pytest.raises(RequestTimeoutError, match="no turn in time"):
            await shop.look()
        assert len(server.requests) == 1


async def test_a_pause_that_a_server_asks_for_holds_for_the_next_call() -> None:
    async with asked(make_response(429, Retry_After="0.1"), OK) as (shop, _):
        paused = shop.with_options(timeout=0.05)
        started = asyncio.get_running_loop().time()
        with pytest.raises(RateLimitError):
            await paused.look()  # too short to wait
        assert await paused.look("/at-once") == {}  # rather sent than failed here
        assert await shop.look("/later") == {}
        assert asyncio.get_running_loop().time() - started >= 0.1


async def test_whoever_never_repeats_heeds_no_pause_either() -> None:
    async with asked(make_response(429, Retry_After="50"), OK, retry=NO_RETRY) as (shop, _):
        with pytest.raises(RateLimitError):
            await shop.look()
        assert await shop.look() == {}


async def test_the_headers_of_a_system_slow_its_client_down_before_it_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read_rate_limit(headers: Headers) -> tuple[float, float, float]:
        return float(headers["X-Left"]), 2.0, 0.1

    monkeypatch.setattr(Shop, "PROVIDER", evolve(Shop.PROVIDER, read_rate_limit=read_rate_limit))
    async with asked(make_response(X_Left="1"), make_response(X_Left="0"), make_response(X_Left="1")) as (shop, _):
        started = asyncio.get_running_loop().time()
        for _ in range(2):
            await shop.look()
        before = asyncio.get_running_loop().time() - started
        await anext(shop.listen())
        assert before < 0.1 <= asyncio.get_running_loop().time() - started


async def test_cancelling_a_call_frees_its_connection() -> None:
    async with asked(hang) as (shop, server):
        for call in (shop.look(), shop.buy(), anext(shop.listen())):
            server.requests.clear()
            task = asyncio.ensure_future(call)
            await server.until(lambda: len(server.requests) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.until(lambda: server.open == 0)


# -- streams -----------------------------------------------------------------------------------------------------------


async def test_a_stream_gives_its_pieces_as_they_arrive_and_sends_nothing_before() -> None:
    more = asyncio.Event()

    async def spoken(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(make_response(body=b"3\r\none\r\n", Transfer_Encoding="chunked"))
        await more.wait()
        await exchange.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async with asked(spoken) as (shop, server):
        stream = shop.listen()
        assert server.connections == 0
        async with stream as entered:
            assert entered is stream
            assert await anext(stream) == b"one"
            more.set()
            assert [piece async for piece in stream] == [b"two"]
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
        assert b"".join([piece async for piece in shop.listen()]) == b"onetwo"  # without the block
        assert [seen.connection for seen in server.requests] == [1, 1]


HALF = pausing(make_response(body=b"x" * 100)[:-50])


async def test_leaving_a_stream_early_frees_its_connection_at_once() -> None:
    async with asked(HALF) as (shop, server):
        async with shop.listen() as stream:
            assert len(await anext(stream)) == 50
        await server.until(lambda: server.open == 0)
        with pytest.raises(KellyAPIError):
            await anext(stream)
        with pytest.raises(LookupError):
            async with shop.listen():
                raise LookupError
        await server.until(lambda: server.open == 0)
        async with shop.listen():
            pass
        await server.until(lambda: server.open == 0)
        assert len(server.requests) == 3


async def test_a_stream_that_is_dropped_within_a_loop_frees_its_connection_silently() -> None:
    async with asked(HALF) as (shop, server):
        async for _ in shop.listen():
            break
        gc.collect()
        await server.until(lambda: server.open == 0)


async def test_closing_a_stream_that_was_never_opened_does_nothing() -> None:
    async with asked(OK) as (shop, server):
        await shop.listen().aclose()
        assert server.connections == 0


@pytest.mark.parametrize("block", [True, False])
async def test_a_stream_answered_by_an_error_is_a_status_error_and_its_connection_kept(block: bool) -> None:
    async with asked(make_response(402, b'{"problem": "no credits"}')) as (shop, server):
        for _ in range(2):
            stream = shop.listen()
            with pytest.raises(StatusError, match="no credits"):
                await (stream.__aenter__() if block else anext(stream))
        assert server.connections == 1


async def test_a_stream_whose_head_is_not_let_through_frees_its_connection() -> None:
    async with asked(HALF) as (shop, server):
        with pytest.raises(DecodingError, match="instead of") as caught:
            await anext(shop.listen(refuse))
        assert (caught.value.provider, caught.value.outcome_unknown) == ("shop", True)
        await server.until(lambda: server.open == 0)
        assert len(server.requests) == 1


async def test_a_stream_that_breaks_off_is_a_transport_error_with_all_that_errors_carry() -> None:
    async with asked(cut(make_response(body=b"x" * 100)[:-50])) as (shop, server):
        stream = shop.listen()
        assert await anext(stream) == b"x" * 50
        with pytest.raises(TransportError) as caught:
            await anext(stream)
        assert (caught.value.provider, caught.value.outcome_unknown) == ("shop", True)
        assert len(server.requests) == 1


async def test_a_stream_that_falls_silent_is_a_timeout() -> None:
    async with asked(HALF, timeout=Timeout(total=None, idle=0.05)) as (shop, server):
        with pytest.raises(TimeoutError):
            await consume(shop)
        await server.until(lambda: server.open == 0)


async def test_khaya_hears_speech_as_it_is_made() -> None:
    async with Server(make_response(body=b"RIFF1234", kind="audio/wav"), make_response(body=b"{}")) as server:
        async with Khaya(KEY, base_url=server.url) as khaya:
            async with khaya.synthesize_stream("Maakye", "twi") as stream:
                assert b"".join([piece async for piece in stream]) == b"RIFF1234"
            with pytest.raises(DecodingError, match="instead of"):
                await anext(khaya.synthesize_stream("Maakye", "twi"))
        assert server.requests[0].headers["ocp-apim-subscription-key"] == KEY
