"""Streams of bytes, such as speech while it is made."""

from __future__ import annotations

import asyncio
import gc

import pytest
from servers import KEY, OK, Exchange, Server, asked, cut, make_response, pausing

from kellyapi._core.messages import Timeout
from kellyapi.errors import DecodingError, KellyAPIError, StatusError, TransportError
from kellyapi.providers.khaya import Khaya

from .shop_calls import consume, refuse


async def test_a_stream_yields_its_pieces_as_they_arrive_and_sends_nothing_before_it_is_opened() -> None:
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
async def test_an_error_response_to_a_stream_is_a_status_error_and_keeps_the_connection(block: bool) -> None:
    async with asked(make_response(402, b'{"problem": "no credits"}')) as (shop, server):
        for _ in range(2):
            stream = shop.listen()
            with pytest.raises(StatusError, match="no credits"):
                await (stream.__aenter__() if block else anext(stream))
        assert server.connections == 1


async def test_a_stream_whose_headers_are_refused_frees_its_connection() -> None:
    async with asked(HALF) as (shop, server):
        with pytest.raises(DecodingError, match="instead of") as caught:
            await anext(shop.listen(refuse))
        assert (caught.value.provider, caught.value.outcome_unknown) == ("shop", True)
        await server.until(lambda: server.open == 0)
        assert len(server.requests) == 1


async def test_a_stream_that_breaks_off_is_a_transport_error_with_all_attributes() -> None:
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


async def test_khayas_speech_arrives_while_it_is_synthesized() -> None:
    async with Server(make_response(body=b"RIFF1234", kind="audio/wav"), make_response(body=b"{}")) as server:
        async with Khaya(KEY, base_url=server.url) as khaya:
            async with khaya.synthesize_stream("Maakye", "twi") as stream:
                assert b"".join([piece async for piece in stream]) == b"RIFF1234"
            with pytest.raises(DecodingError, match="instead of"):
                await anext(khaya.synthesize_stream("Maakye", "twi"))
        assert server.requests[0].headers["ocp-apim-subscription-key"] == KEY
