"""Redirects: which are followed, and what is sent along."""

from __future__ import annotations

import pytest
from servers import KEY, OK, Server, asked, make_response

from kellyapi._core.retry import NO_RETRY
from kellyapi.errors import StatusError, TransportError


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
