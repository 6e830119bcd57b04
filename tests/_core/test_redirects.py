"""Redirects: which are followed, and what is sent along."""

from __future__ import annotations

from typing import Any

import pytest
from servers import KEY, OK, Server, asked, make_response
from yarl import URL

from kellyapi._core.messages import Call, PreparedRequest
from kellyapi._core.redirects import redirected_request
from kellyapi._core.retry import NO_RETRY
from kellyapi.errors import StatusError, TransportError

# The rule


def prepared(url: str, *, body: bytes | None = None, **fields: Any) -> PreparedRequest:
    """Prepare the first request of a call."""
    return PreparedRequest(call=Call(url=url, **fields), url=url, headers={}, body=body)


GET = prepared("https://api.example/v1/a?b=1", method="GET", repeatable=True)
POST = prepared("https://api.example/v1/a", body=b"{}", method="POST", repeatable=False)
DOWNLOAD = prepared("https://cdn.example/a", method="GET", repeatable=True, keyless=True)
PLAIN_DOWNLOAD = prepared("http://cdn.example/a", method="GET", repeatable=True, keyless=True)


@pytest.mark.parametrize(
    ("request_", "status", "location", "url"),
    [
        (GET, 301, "/v2/a", "https://api.example/v2/a"),
        (GET, 302, "c?d=2", "https://api.example/v1/c?d=2"),
        (GET, 303, "https://api.example/x", "https://api.example/x"),
        (GET, 307, "https://API.example/x", "https://API.example/x"),
        (GET, 308, "//api.example/x", "https://api.example/x"),
        (POST, 307, "/v2/a", "https://api.example/v2/a"),
        (POST, 308, "/v2/a", "https://api.example/v2/a"),
        (DOWNLOAD, 302, "https://elsewhere.example/a", "https://elsewhere.example/a"),
        (DOWNLOAD, 302, "/b", "https://cdn.example/b"),
        (PLAIN_DOWNLOAD, 302, "http://elsewhere.example/a", "http://elsewhere.example/a"),
        (PLAIN_DOWNLOAD, 302, "https://elsewhere.example/a", "https://elsewhere.example/a"),
    ],
)
def test_a_safe_redirect_keeps_method_and_body(request_: PreparedRequest, status: int, location: str, url: str) -> None:
    target = redirected_request(request_, status, location)
    assert target is not None
    assert target.url == url
    assert (target.call, target.body) == (request_.call, request_.body)


@pytest.mark.parametrize(
    ("request_", "status", "location"),
    [
        (GET, 302, "https://evil.example/v1/a"),
        (GET, 302, "//evil.example/v1/a"),
        (GET, 302, "http://api.example/v1/a"),
        (GET, 302, "https://api.example:8443/v1/a"),
        (GET, 302, "https://api.example@evil.example/"),
        (GET, 302, "https://api.example.evil.example/"),
        (GET, 302, "file:///etc/passwd"),
        (GET, 302, "javascript:alert(1)"),
        (GET, 302, "http://["),
        (GET, 302, ""),
        (GET, 300, "/v2/a"),
        (GET, 304, "/v2/a"),
        (GET, 200, "/v2/a"),
        (GET, 201, "/v2/a"),
        (POST, 301, "/v2/a"),
        (POST, 302, "/v2/a"),
        (POST, 303, "/v2/a"),
        (POST, 307, "https://evil.example/v1/a"),
        (DOWNLOAD, 302, "http://elsewhere.example/a"),
        (DOWNLOAD, 302, "file:///etc/passwd"),
        (PLAIN_DOWNLOAD, 302, "ftp://elsewhere.example/a"),
    ],
)
def test_a_redirect_that_would_carry_the_key_away_or_change_the_method_is_not_followed(
    request_: PreparedRequest, status: int, location: str
) -> None:
    assert redirected_request(request_, status, location) is None


@pytest.mark.parametrize(
    "location", ["https:\\\\evil.example", "\\\\evil.example", "/\\evil.example", "https:/evil.example"]
)
def test_a_location_that_browsers_read_as_another_host_stays_on_this_one(location: str) -> None:
    target = redirected_request(GET, 302, location)
    assert target is None or URL(target.url, encoded=True).host == "api.example"


def test_a_body_that_can_be_read_once_is_not_sent_to_a_second_address() -> None:
    one_shot = prepared("https://api.example/a", method="POST", repeatable=False, one_shot=True)
    assert redirected_request(one_shot, 307, "/b") is None


# On a server


@pytest.mark.parametrize(
    ("verb", "status"), [("look", 301), ("look", 302), ("look", 303), ("look", 307), ("look", 308), ("buy", 307),
                         ("buy", 308), ("remove", 307)],
)  # fmt: skip
async def test_a_redirect_on_the_same_origin_is_followed_with_method_body_and_key(verb: str, status: int) -> None:
    async with asked(make_response(status, Location="/there?a=1"), make_response(body=b"[1]")) as (shop, server):
        assert await getattr(shop, verb)(into=object) == [1]
        first, second = server.requests
        assert second.target == "/there?a=1"
        assert (second.method, second.body, second.headers) == (first.method, first.body, first.headers)
        assert second.headers["x-key"] == f"Key {KEY}"


@pytest.mark.parametrize("status", [301, 302, 303])
@pytest.mark.parametrize("verb", ["buy", "remove"])
async def test_a_redirect_that_would_change_the_method_is_not_followed(verb: str, status: int) -> None:
    async with asked(make_response(status, Location="/there")) as (shop, server):
        with pytest.raises(StatusError, match="/there") as caught:
            await getattr(shop, verb)()
        assert (caught.value.status, caught.value.outcome_unknown, len(server.requests)) == (status, False, 1)


@pytest.mark.parametrize("verb", ["look", "buy", "remove"])
async def test_a_redirect_to_another_origin_is_an_error_that_names_it_and_the_key_is_not_sent(verb: str) -> None:
    async with Server(OK) as other, asked(make_response(307, Location=f"{other.url}/there?token=1")) as (shop, server):
        with pytest.raises(StatusError) as caught:
            await getattr(shop, verb)()
        assert f"'{other.url}'" in str(caught.value)
        assert (len(server.requests), other.connections) == (1, 0)


@pytest.mark.parametrize("location", ["", "http://[broken", "http://127.0.0.1:no/", "mailto:a@b", "//other.example/x"])
async def test_a_redirect_without_a_usable_location_is_an_error(location: str) -> None:
    async with asked(make_response(302, Location=location)) as (shop, _):
        with pytest.raises(StatusError) as caught:
            await shop.look()
        assert caught.value.status == 302


async def test_five_redirects_are_followed_and_a_sixth_is_an_error() -> None:
    hop = make_response(302, b"", Location="/hop")
    async with asked(*[hop] * 5, OK) as (shop, server):
        assert await shop.look() == {}
        assert (len(server.requests), server.connections) == (6, 1)
    async with asked(hop) as (shop, server):
        with pytest.raises(StatusError) as caught:
            await shop.look()
        assert (caught.value.status, len(server.requests)) == (302, 6)


async def test_a_download_follows_redirects_and_never_sends_the_key() -> None:
    async with asked(make_response(302, Location="/there"), make_response(body=b"\0\xff", kind="image/png")) as (
        shop,
        server,
    ):
        with_headers = shop.with_options(headers={"X-Other": "secret"})
        assert (await with_headers.download(f"{server.url}/output")).body == b"\0\xff"
        assert [seen.target for seen in server.requests] == ["/output", "/there"]
        assert not [seen for seen in server.requests if {"x-key", "x-other"} & set(seen.headers)]


async def test_a_download_follows_a_redirect_to_any_encrypted_origin() -> None:
    async with (
        Server() as other,
        asked(make_response(302, Location=other.url.replace("http", "https"))) as (shop, server),
    ):
        with pytest.raises(TransportError):
            await shop.with_options(retry=NO_RETRY).download(f"{server.url}/output")
        assert other.connections == 1
