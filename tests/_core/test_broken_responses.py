"""Responses that are not whole or too long, and connections that fail."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import zlib
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver
from servers import AT_ONCE, KEY, OK, Exchange, Script, Server, Shop, asked, cut, hang, make_response, pausing, reset

from kellyapi._core.messages import Timeout
from kellyapi._core.retry import NO_RETRY, RetryPolicy
from kellyapi.errors import DecodingError, NotFoundError, RequestTimeoutError, TransportError

from .shop_calls import LONG

PACKED = gzip.compress(bytes(100_000))
BROKEN: dict[str, Script] = {
    "reset": reset,
    "closed before the head": cut(b""),
    "cut within the head": cut(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "cut within the body": cut(make_response(body=b"{}" * 9)[:-1]),
    "cut within a chunk": cut(make_response(Transfer_Encoding="chunked") + b"5\r\n{"),
    "closed before the last chunk": cut(make_response(body=b"", Transfer_Encoding="chunked") + b"2\r\n{}\r\n"),
    "no HTTP": cut(b"SSH-2.0-server\r\n\r\n"),
    "a length that is no number": cut(b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}"),
    "gzip that is none": cut(make_response(body=b"nonsense", Content_Encoding="gzip")),
    "gzip that is cut": cut(make_response(body=PACKED, Content_Encoding="gzip")[:-40]),
}


# -- broken responses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
async def test_an_incomplete_response_is_a_transport_error_with_an_unknown_outcome(script: Script) -> None:
    async with asked(script) as (shop, server):
        with pytest.raises(TransportError) as caught:
            await shop.buy()
        assert (caught.value.sent, caught.value.outcome_unknown, caught.value.provider) == (True, True, "shop")
        assert caught.value.message
        assert len(server.requests) == 1


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("verb", ["look", "remove", "put"])
@pytest.mark.parametrize("attempts", [1, 3])
async def test_a_repeatable_call_is_sent_as_often_as_the_policy_says(script: Script, verb: str, attempts: int) -> None:
    async with asked(script, retry=RetryPolicy(attempts=attempts, base=0)) as (shop, server):
        with pytest.raises(TransportError) as caught:
            await getattr(shop, verb)()
        assert not caught.value.outcome_unknown
        assert len(server.requests) == attempts


@pytest.mark.parametrize("verb", ["look", "remove", "put", "buy"])
async def test_nothing_is_resent_silently_on_a_reused_connection(verb: str) -> None:
    async with asked(OK, reset, OK, retry=NO_RETRY) as (shop, server):
        await shop.look()
        with pytest.raises(TransportError):
            await getattr(shop, verb)()
        assert [seen.connection for seen in server.requests] == [1, 1]


async def test_a_connection_that_the_server_closed_between_calls_is_not_used_for_a_metered_call() -> None:
    async with asked(cut(OK), OK) as (shop, server):
        await shop.look()
        await server.until(lambda: server.open == 0)
        await shop.buy()
        assert [seen.connection for seen in server.requests] == [1, 2]


@pytest.mark.parametrize("verb", ["look", "buy"])
async def test_refused_connections_are_retried_because_nothing_was_sent(
    verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kellyapi")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        async with Shop(KEY, base_url=f"http://127.0.0.1:{taken.getsockname()[1]}", retry=AT_ONCE) as shop:
            with pytest.raises(TransportError) as caught:
                await getattr(shop, verb)()
    assert (caught.value.sent, caught.value.outcome_unknown) == (False, False)
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "attempt 1 failed",
        "attempt 2 failed",
    ]


async def test_a_failed_handshake_is_retried_because_nothing_was_sent() -> None:
    async with Server() as server, Shop(KEY, base_url=server.url.replace("http", "https"), retry=AT_ONCE) as shop:
        with pytest.raises(TransportError) as caught:
            await shop.buy()
        assert (caught.value.sent, caught.value.outcome_unknown, server.connections) == (False, False, 3)


async def test_a_handshake_that_takes_too_long_is_a_timeout_before_anything_was_sent() -> None:
    async with (
        Server(hang) as server,
        Shop(KEY, base_url=server.url.replace("http", "https"), retry=AT_ONCE, timeout=Timeout(connect=0.05)) as shop,
    ):
        with pytest.raises(RequestTimeoutError) as caught:
            await shop.buy()
        assert (caught.value.sent, caught.value.outcome_unknown, server.connections) == (False, False, 3)


async def test_an_unknown_host_is_an_error_before_anything_was_sent() -> None:
    class Nowhere(AbstractResolver):
        asked = 0

        async def resolve(self, *_: Any, **__: Any) -> Any:
            self.asked += 1
            raise OSError("no address")

        async def close(self) -> None:
            pass

    resolver = Nowhere()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=resolver)) as session:
        with pytest.raises(TransportError) as caught:
            await Shop(KEY, session=session, retry=AT_ONCE).buy()
    assert (caught.value.sent, caught.value.outcome_unknown, resolver.asked) == (False, False, 3)


# -- the size of a response --------------------------------------------------------------------------------------------


def chunked(body: bytes, **headers: str) -> bytes:
    return make_response(body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), Transfer_Encoding="chunked", **headers)


@pytest.mark.parametrize("limit", [1000, 1001])
@pytest.mark.parametrize(
    "whole",
    [
        make_response(body=LONG),
        chunked(LONG),
        make_response(body=gzip.compress(LONG), Content_Encoding="gzip"),
        chunked(gzip.compress(LONG), Content_Encoding="gzip"),
    ],
    ids=["plain", "chunked", "gzip", "chunked gzip"],
)
async def test_the_limit_of_a_response_counts_unpacked_bytes(whole: bytes, limit: int) -> None:
    async with asked(whole, max_response_bytes=limit) as (shop, server):
        if limit >= len(LONG):
            assert await shop.buy(into=str) == "x" * 999
            return
        with pytest.raises(DecodingError, match="max_response_bytes=1000") as caught:
            await shop.buy()
        assert (caught.value.outcome_unknown, len(server.requests)) == (True, 1)


@pytest.mark.parametrize("headers", [{}, {"Content_Encoding": "gzip"}], ids=["plain", "gzip"])
async def test_a_response_without_an_end_is_refused_while_it_arrives(headers: dict[str, str]) -> None:
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(2**20)

    async def without_end(exchange: Exchange) -> None:
        await exchange.write(make_response(body=b"", Transfer_Encoding="chunked", **headers))
        while True:
            if piece := packer.compress(zeros) if headers else zeros:
                await exchange.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await asyncio.sleep(0)

    async with asked(without_end, max_response_bytes=2**20) as (shop, server):
        with pytest.raises(DecodingError):
            await shop.look()
        await server.until(lambda: server.open == 0)


async def test_the_body_of_an_error_is_cut_at_the_limit_without_changing_the_error() -> None:
    async with asked(pausing(make_response(404, LONG)[:-1]), max_response_bytes=100) as (shop, server):
        for call in (shop.look(), anext(shop.listen())):
            with pytest.raises(NotFoundError) as caught:
                await call
            assert len(caught.value.body) == 100
        await server.until(lambda: server.open == 0)


async def test_one_mebibyte_of_an_error_body_is_read() -> None:
    async with asked(make_response(404, bytes(2**20 + 1))) as (shop, _):
        with pytest.raises(NotFoundError) as caught:
            await shop.look()
        assert len(caught.value.body) == 100_000  # of text that is no JSON


@pytest.mark.parametrize("junk", [b"x", b"\0", b"<", b"\xff"])
async def test_long_junk_instead_of_a_response_is_an_error_without_delay(junk: bytes) -> None:
    async with asked(cut(junk * 2**18), retry=NO_RETRY) as (shop, _):
        with pytest.raises(TransportError):
            await shop.look()
