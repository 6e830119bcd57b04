"""The options of a client and of its siblings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from servers import KEY, OK, Server, Shop, asked

from kellyapi._core.messages import NO_TIMEOUT, Timeout
from kellyapi._core.options import check_headers, read_timeout
from kellyapi.errors import ConfigurationError

from .shop_calls import timeout_of


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout": 0}, ValueError), ({"timeout": -1}, ValueError), ({"timeout": float("nan")}, ValueError),
        ({"timeout": float("inf")}, ValueError),
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


@pytest.mark.parametrize(
    "headers", [{"": "a"}, {"a b": "c"}, {"a:": "b"}, {"\u00e9": "a"}, {5: "a"}, {"a": 5}, {"a": "b\r\nc: d"}]
)
def test_headers_that_cannot_be_sent_are_refused(headers: Any) -> None:
    with pytest.raises(ValueError, match="headers must be printable strings by name"):
        check_headers(headers)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_no_time_and_endless_time_are_no_seconds(seconds: float) -> None:
    with pytest.raises(ValueError, match=r"^timeout must be more than 0 seconds, a Timeout or NO_TIMEOUT, not "):
        read_timeout(seconds)


@pytest.mark.parametrize("seconds", [0.001, 1, 3600])
def test_seconds_are_the_total_of_a_timeout(seconds: float) -> None:
    assert read_timeout(seconds) == Timeout(total=seconds)


def test_a_timeout_of_an_hour_is_no_mistake_and_a_longer_one_is_shown_in_hours() -> None:
    Shop(KEY, timeout=3600)
    with pytest.warns(UserWarning, match=r"timeout=3600\.1 is in seconds, which is 1\.0 hours"):
        Shop(KEY, timeout=3600.1)
    with pytest.warns(UserWarning, match=r"which is 1000\.0 hours"):
        Shop(KEY, timeout=3_600_000)


def test_a_timeout_of_hours_warns_that_seconds_are_meant() -> None:
    with pytest.warns(UserWarning, match="seconds") as caught:
        Shop(KEY, timeout=60_000)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="seconds") as caught:
        Shop(KEY).with_options(timeout=60_000)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("given", "call", "transfer"),
    [
        (None, Timeout(total=60, connect=10, idle=None), Timeout(total=None, connect=10, idle=60)),
        (5, Timeout(total=5, connect=10, idle=None), Timeout(total=5, connect=10, idle=None)),
        (NO_TIMEOUT, NO_TIMEOUT, NO_TIMEOUT),
        (Timeout(total=2, idle=1), Timeout(total=2, idle=1), Timeout(total=2, idle=1)),
    ],
)
async def test_streamed_uploads_and_downloads_have_an_idle_timeout_by_default(
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


async def test_a_client_without_its_own_session_can_share_the_one_of_another() -> None:
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
