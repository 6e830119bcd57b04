"""The wire, on real sockets: what is sent how often, broken answers, time, redirects, sessions."""

from __future__ import annotations

import asyncio
import gc
import gzip
import logging
import socket
import sys
import threading
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver
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

from kellyapi._core import environment
from kellyapi._core.messages import FormField, FromResponse, Timeout
from kellyapi._core.retry import NO_RETRY, RetryPolicy
from kellyapi._data.media import open_media
from kellyapi.errors import (
    ConfigurationError,
    DecodingError,
    NotFoundError,
    RequestTimeoutError,
    StatusError,
    TransportError,
)

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


# -- broken answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
async def test_an_answer_that_is_not_whole_is_a_transport_error_and_its_outcome_unknown(script: Script) -> None:
    async with asked(script) as (shop, server):
        with pytest.raises(TransportError) as caught:
            await shop.buy()
        assert (caught.value.sent, caught.value.outcome_unknown, caught.value.provider) == (True, True, "shop")
        assert caught.value.message
        assert len(server.requests) == 1


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("verb", ["look", "remove", "put"])
@pytest.mark.parametrize("attempts", [1, 3])
async def test_what_is_free_to_repeat_is_sent_as_often_as_the_policy_says(
    script: Script, verb: str, attempts: int
) -> None:
    async with asked(script, retry=RetryPolicy(attempts=attempts, base=0)) as (shop, server):
        with pytest.raises(TransportError) as caught:
            await getattr(shop, verb)()
        assert not caught.value.outcome_unknown
        assert len(server.requests) == attempts


@pytest.mark.parametrize("verb", ["look", "remove", "put", "buy"])
async def test_nothing_is_sent_again_silently_on_a_connection_that_was_kept(verb: str) -> None:
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
async def test_refused_connections_are_tried_again_since_nothing_was_sent(
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


async def test_a_failed_handshake_is_tried_again_since_nothing_was_sent() -> None:
    async with Server() as server, Shop(KEY, base_url=server.url.replace("http", "https"), retry=AT_ONCE) as shop:
        with pytest.raises(TransportError) as caught:
            await shop.buy()
        assert (caught.value.sent, caught.value.outcome_unknown, server.connections) == (False, False, 3)


async def test_a_handshake_that_takes_too_long_is_a_timeout_that_sent_nothing() -> None:
    async with (
        Server(hang) as server,
        Shop(KEY, base_url=server.url.replace("http", "https"), retry=AT_ONCE, timeout=Timeout(connect=0.05)) as shop,
    ):
        with pytest.raises(RequestTimeoutError) as caught:
            await shop.buy()
        assert (caught.value.sent, caught.value.outcome_unknown, server.connections) == (False, False, 3)


async def test_a_host_that_has_no_address_was_sent_nothing() -> None:
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


# -- the size of an answer ---------------------------------------------------------------------------------------------


def chunked(body: bytes, **headers: str) -> bytes:
    return make_response(body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), Transfer_Encoding="chunked", **headers)


LONG = b'"' + b"x" * 999 + b'"'


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
async def test_the_limit_of_an_answer_counts_what_is_unpacked(whole: bytes, limit: int) -> None:
    async with asked(whole, max_response_bytes=limit) as (shop, server):
        if limit >= len(LONG):
            assert await shop.buy(into=str) == "x" * 999
            return
        with pytest.raises(DecodingError, match="max_response_bytes=1000") as caught:
            await shop.buy()
        assert (caught.value.outcome_unknown, len(server.requests)) == (True, 1)


@pytest.mark.parametrize("headers", [{}, {"Content_Encoding": "gzip"}], ids=["plain", "gzip"])
async def test_an_endless_answer_is_refused_while_it_arrives(headers: dict[str, str]) -> None:
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(2**20)

    async def endless(exchange: Exchange) -> None:
        await exchange.write(make_response(body=b"", Transfer_Encoding="chunked", **headers))
        while True:
            if piece := packer.compress(zeros) if headers else zeros:
                await exchange.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await asyncio.sleep(0)

    async with asked(endless, max_response_bytes=2**20) as (shop, server):
        with pytest.raises(DecodingError):
            await shop.look()
        await server.until(lambda: server.open == 0)


async def test_the_body_of_an_error_is_cut_at_the_limit_and_stays_that_error() -> None:
    async with asked(pausing(make_response(404, LONG)[:-1]), max_response_bytes=100) as (shop, server):
        for call in (shop.look(), anext(shop.listen())):
            with pytest.raises(NotFoundError) as caught:
                await call
            assert len(caught.value.body) == 100
        await server.until(lambda: server.open == 0)


# -- time --------------------------------------------------------------------------------------------------------------


async def test_of_the_body_of_an_error_a_mebibyte_is_read() -> None:
    async with asked(make_response(404, bytes(2**20 + 1))) as (shop, _):
        with pytest.raises(NotFoundError) as caught:
            await shop.look()
        assert len(caught.value.body) == 100_000  # of text that is no JSON


async def test_a_file_is_asked_for_without_compression_and_json_with_it() -> None:
    async with asked(OK) as (shop, server):
        await shop.look()
        await shop.look(into=FromResponse(lambda response: response.body))
        await anext(shop.listen())
        assert [seen.headers["accept-encoding"].split(",")[0] for seen in server.requests] == [
            "gzip", "identity", "identity",
        ]  # fmt: skip


@pytest.mark.parametrize("script", [hang, pausing(make_response(body=LONG)[:-1])], ids=["no head", "half a body"])
@pytest.mark.parametrize("timeout", [0.05, Timeout(total=None, idle=0.05)], ids=["total", "idle"])
async def test_silence_ends_in_a_timeout_that_frees_the_connection(script: Script, timeout: float | Timeout) -> None:
    async with asked(script, timeout=timeout, retry=NO_RETRY) as (shop, server):
        with pytest.raises(RequestTimeoutError) as caught:
            await shop.buy()
        assert (caught.value.sent, caught.value.outcome_unknown) == (True, True)
        assert isinstance(caught.value, TimeoutError)
        await server.until(lambda: server.open == 0)


async def test_one_deadline_covers_all_attempts() -> None:
    async with asked(late(0.1, make_response(503)), timeout=0.15) as (shop, server):
        with pytest.raises(RequestTimeoutError):
            await shop.look()
        assert len(server.requests) <= 2


async def test_one_deadline_covers_all_redirects() -> None:
    async with asked(late(0.1, make_response(302, Location="/again")), timeout=0.15) as (shop, server):
        with pytest.raises(RequestTimeoutError):
            await shop.look()
        assert len(server.requests) <= 2


async def test_a_pause_that_would_pass_the_deadline_is_not_begun() -> None:
    async with asked(make_response(429, Retry_After="1"), timeout=0.2) as (shop, server):
        with pytest.raises(StatusError) as caught:
            await shop.look()
        assert (caught.value.retry_after, len(server.requests)) == (1.0, 1)


# -- redirects ---------------------------------------------------------------------------------------------------------


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
async def test_a_redirect_to_another_origin_is_an_error_that_names_it_and_the_key_stays(verb: str) -> None:
    async with Server(OK) as other, asked(make_response(307, Location=f"{other.url}/there?token=1")) as (shop, server):
        with pytest.raises(StatusError) as caught:
            await getattr(shop, verb)()
        assert f"'{other.url}'" in str(caught.value)
        assert (len(server.requests), other.connections) == (1, 0)


@pytest.mark.parametrize("location", ["", "http://[broken", "http://127.0.0.1:no/", "mailto:a@b", "//other.example/x"])
async def test_a_redirect_to_nowhere_is_an_error(location: str) -> None:
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


async def test_a_download_follows_redirects_and_never_carries_the_key() -> None:
    async with asked(make_response(302, Location="/there"), make_response(body=b"\0\xff", kind="image/png")) as (
        shop,
        server,
    ):
        with_headers = shop.with_options(headers={"X-Other": "secret"})
        assert (await with_headers.download(f"{server.url}/output")).body == b"\0\xff"
        assert [seen.target for seen in server.requests] == ["/output", "/there"]
        assert not [seen for seen in server.requests if {"x-key", "x-other"} & set(seen.headers)]


async def test_a_download_follows_to_any_origin_that_is_encrypted() -> None:
    async with (
        Server() as other,
        asked(make_response(302, Location=other.url.replace("http", "https"))) as (shop, server),
    ):
        with pytest.raises(TransportError):
            await shop.with_options(retry=NO_RETRY).download(f"{server.url}/output")
        assert other.connections == 1


# -- uploads -----------------------------------------------------------------------------------------------------------


async def pieces(*items: bytes | Exception) -> AsyncIterator[bytes]:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


@pytest.mark.parametrize("size", [5, 3 * 2**20])
@pytest.mark.parametrize("kind", ["path", "bytes"])
async def test_a_path_and_bytes_are_sent_with_their_length_and_again_after_a_failure(
    size: int, kind: str, tmp_path: Path
) -> None:
    data = b"RIFF" + bytes(size - 4)
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    async with asked(make_response(503), OK) as (shop, server):
        assert await shop.send(path if kind == "path" else data) == {}
        assert [bytes(seen.body) == data for seen in server.requests] == [True, True]
        for seen in server.requests:
            assert seen.headers["content-length"] == str(size)
            assert "transfer-encoding" not in seen.headers


async def test_an_iterator_is_sent_in_chunks() -> None:
    async with asked(OK) as (shop, server):
        assert await shop.send(pieces(b"fLaC", b"", b"12", b"3" * 100_000)) == {}
        [seen] = server.requests
        assert seen.body == b"fLaC12" + b"3" * 100_000
        assert (seen.headers["transfer-encoding"], seen.headers["content-type"]) == ("chunked", "audio/flac")


@pytest.mark.parametrize(
    "script", [reset, make_response(503), make_response(429, Retry_After="0"), make_response(307, Location="/there")]
)
async def test_a_body_that_can_be_read_once_is_sent_once(script: Script) -> None:
    async with asked(script) as (shop, server):
        with pytest.raises((TransportError, StatusError)):
            await shop.send(pieces(b"fLaC", b"1"), repeatable=True)
        assert len(server.requests) == 1


async def test_an_early_answer_ends_an_upload_without_its_rest() -> None:
    asked_for_more = asyncio.Event()
    closed = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        try:
            yield b"fLaC"
            asked_for_more.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    async def refuse(exchange: Exchange) -> None:
        await asked_for_more.wait()
        await exchange.write(make_response(401, b'{"problem": "no"}'))
        await exchange.left()

    async with asked(refuse) as (shop, server):
        with pytest.raises(StatusError, match="no") as caught:
            await shop.send(slow())
        assert caught.value.status == 401
        await server.until(lambda: server.open == 0)
        async with asyncio.timeout(5):
            await closed.wait()


async def test_an_answer_that_begins_before_the_upload_ends_does_not_cut_the_upload() -> None:
    begun = asyncio.Event()

    async def both() -> AsyncIterator[bytes]:
        yield b"fLaC"
        await begun.wait()
        for _ in range(5):
            await asyncio.sleep(0)
            yield b"more"

    async def at_once(exchange: Exchange) -> None:
        whole = make_response(body=b"[1]")
        await exchange.write(whole[:-3])
        begun.set()
        await exchange.read()
        await exchange.write(whole[-3:])

    async with asked(at_once) as (shop, server):
        assert await shop.send(both()) == [1]
        assert server.requests[0].body == b"fLaC" + b"more" * 5


@pytest.mark.parametrize("error", [ValueError("mine"), OSError(5, "mine"), TimeoutError("mine")])
async def test_an_error_of_the_users_iterator_reaches_the_user_as_it_is(error: Exception) -> None:
    async with asked(OK) as (shop, server):
        with pytest.raises(type(error)) as caught:
            await shop.send(pieces(b"fLaC", error))
        assert caught.value is error
        assert server.requests == [] or not server.requests[0].body.endswith(b"0\r\n\r\n")
        await server.until(lambda: server.open == 0)


async def test_a_form_has_its_parts_with_names_types_and_bodies(tmp_path: Path) -> None:
    parts = (
        FormField("text", "é".encode(), content_type="text/plain; charset=utf-8"),
        FormField("audio", lambda: pieces(b"fLaC", b"12"), 'mɛ "1".flac', "audio/flac"),
    )
    async with asked(make_response(503), OK) as (shop, server):
        assert await shop.fill(*parts) == {}
        for seen in server.requests:
            assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
            boundary = seen.headers["content-type"].partition("=")[2].encode()
            _, text, audio, end = bytes(seen.body).split(b"--" + boundary)
            assert b'name="text"' in text
            assert text.endswith("\r\n\r\né\r\n".encode())
            assert 'name="audio"; filename="mɛ %221%22.flac"'.encode() in audio  # as browsers write it
            assert b"Content-Type: audio/flac\r\n" in audio
            assert audio.endswith(b"\r\n\r\nfLaC12\r\n")
            assert end == b"--\r\n"


async def test_a_request_without_a_body_names_no_type_of_it() -> None:
    async with asked(OK) as (shop, server):
        await shop.cancel()
        assert "content-type" not in server.requests[0].headers


# -- sessions ----------------------------------------------------------------------------------------------------------


async def test_a_connection_that_the_server_closed_while_the_loop_was_busy_is_not_used() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = threading.Semaphore(0)

        def serve() -> None:
            for _ in range(3):
                with listener.accept()[0] as connection:
                    while not connection.recv(65536).endswith(b"}"):
                        pass
                    connection.sendall(OK)
                closed.release()

        server = threading.Thread(target=serve)
        server.start()
        async with Shop(KEY, base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", retry=NO_RETRY) as shop:
            for _ in range(3):
                assert await shop.buy() == {}
                closed.acquire()  # the loop sees nothing meanwhile
        server.join()


@pytest.mark.parametrize("steps", [0, 9], ids=["it is in the kernel", "the loop has read it"])
async def test_an_answer_that_nobody_asked_for_is_not_given_to_the_next_call(steps: int) -> None:
    more, sent = asyncio.Event(), asyncio.Event()

    async def twice(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(make_response(body=b"1"))
        await more.wait()
        await exchange.write(make_response(body=b"2"))
        sent.set()

    async with asked(twice, make_response(body=b"3"), retry=NO_RETRY) as (shop, server):
        assert await shop.buy() == 1
        more.set()
        await sent.wait()
        for _ in range(steps):
            await asyncio.sleep(0)
        assert await shop.buy() == 3
        assert server.connections == 2


async def test_calls_share_one_session_and_its_connections() -> None:
    async with asked(OK) as (shop, server):
        for _ in range(20):
            await shop.buy()
        assert server.connections == 1


async def test_ten_times_more_calls_than_connections_all_finish() -> None:
    async with asked(late(0.01, OK), max_connections=3) as (shop, server):
        assert await asyncio.gather(*(shop.look() for _ in range(30))) == [{}] * 30
        assert (len(server.requests), server.connections) == (30, 3)


async def test_a_call_that_got_no_free_connection_in_time_was_not_sent() -> None:
    async with asked(hang, max_connections=1) as (shop, server):
        first = asyncio.create_task(shop.look())
        await server.until(lambda: len(server.requests) == 1)
        with pytest.raises(RequestTimeoutError, match="no connection in time") as caught:
            await shop.with_options(timeout=0.1).buy()
        assert (caught.value.sent, caught.value.outcome_unknown) == (False, False)
        first.cancel()


async def test_after_many_cancelled_calls_the_pool_is_whole_and_no_task_is_left() -> None:
    async def some(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(OK if len(exchange.seen.target) % 2 else OK[:-1])

    async with asked(some, max_connections=4) as (shop, server):
        before = len(asyncio.all_tasks())
        for round in range(50):
            calls = [asyncio.create_task(shop.look("/" + "x" * number)) for number in range(8)]
            for _ in range(round % 25):
                await asyncio.sleep(0)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        async with asyncio.timeout(20):
            assert await asyncio.gather(*(shop.look("/xx") for _ in range(40))) == [{}] * 40
        await server.until(lambda: server.open <= 4)
        assert len([task for task in asyncio.all_tasks() if "_serve" not in repr(task)]) <= before


async def test_a_closed_client_opens_another_session_at_its_next_call() -> None:
    async with asked(OK) as (shop, server):
        await shop.close()
        for _ in range(2):
            await shop.look()
            await shop.close()
            await shop.close()
            await server.until(lambda: server.open == 0)
        assert server.connections == 2


async def test_an_injected_session_keeps_its_own_and_is_never_closed() -> None:
    ran: list[str] = []

    async def own(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        ran.append(request.method)
        return await handler(request)

    session = aiohttp.ClientSession(
        headers={"X-Own": "1"}, cookies={"c": "2"}, middlewares=[own], raise_for_status=True, auto_decompress=False
    )
    async with (
        session,
        Server(OK, make_response(404), make_response(body=gzip.compress(b"[1]"), Content_Encoding="gzip")) as server,
    ):
        async with Shop(KEY, base_url=server.url, session=session) as shop:
            await shop.buy()
            with pytest.raises(StatusError):
                await shop.look()
            assert await shop.look() == [1]
        assert ran == ["POST", "GET", "GET"]
        assert shop.session is session
        assert not session.closed
        assert {(seen.headers["x-own"], seen.headers["cookie"]) for seen in server.requests} == {("1", "c=2")}


async def test_an_answer_that_a_middleware_has_closed_is_an_error_of_ours() -> None:
    async def closing(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        async with await handler(request) as response:
            await response.read()
        return response

    async with aiohttp.ClientSession(middlewares=[closing]) as session, Server(OK) as server:
        shop = Shop(KEY, base_url=server.url, session=session, retry=NO_RETRY)
        with pytest.raises(TransportError, match="Connection closed") as caught:
            await shop.buy()
    assert caught.value.provider == shop.PROVIDER.name
    assert caught.value.outcome_unknown


async def test_a_session_that_was_closed_is_a_configuration_error() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(ConfigurationError, match="closed"):
        await Shop(KEY, session=session).look()


async def test_a_session_of_another_loop_is_a_configuration_error() -> None:
    async with asked(OK) as (_, server), aiohttp.ClientSession() as session:
        shop = Shop(KEY, base_url=server.url, session=session)
        await shop.look()

        def elsewhere() -> None:
            with pytest.raises(ConfigurationError, match="another event loop"):
                asyncio.run(shop.look())

        await asyncio.to_thread(elsewhere)
        assert len(server.requests) == 1


async def test_a_function_is_asked_for_a_session_once_per_loop_and_its_sessions_stay_open() -> None:
    made: list[aiohttp.ClientSession] = []

    def make() -> aiohttp.ClientSession:
        made.append(aiohttp.ClientSession())
        return made[-1]

    async with Server(OK) as server:
        shop = Shop(KEY, base_url=server.url, session=make)

        async def twice() -> None:
            async with shop:
                await shop.look()
                await shop.look()
            assert not made[-1].closed

        await twice()
        assert len(made) == 1

        async def elsewhere() -> None:
            await twice()
            await made[-1].close()

        await asyncio.to_thread(asyncio.run, elsewhere())
        assert len(made) == 2
        assert not made[0].closed
        await made[0].close()
        await shop.look()  # a session that its owner closed is asked for anew
        assert len(made) == 3
        await made[2].close()


async def test_what_the_session_class_itself_makes_is_closed() -> None:
    with pytest.warns(DeprecationWarning, match="Inheritance"):

        class Own(aiohttp.ClientSession):
            pass

    for kind in (aiohttp.ClientSession, Own):
        async with Server(OK) as server:
            async with Shop(KEY, base_url=server.url, session=kind) as shop:
                await shop.look()
                session, _ = shop._connection.transport._sessions[asyncio.get_running_loop()]
                assert type(session) is kind
            assert session.closed
            await server.until(lambda: server.open == 0)


@pytest.mark.parametrize("session", [aiohttp.ClientSession, lambda: None])
def test_max_connections_and_a_session_exclude_each_other(session: Any) -> None:
    with pytest.raises(ValueError, match="max_connections"):
        Shop(KEY, session=session, max_connections=5)


@pytest.mark.parametrize(
    ("options", "error"),
    [({"max_connections": 0}, ValueError), ({"session": "a session"}, TypeError), ({"session": 1}, TypeError)],
)
def test_wrong_sessions_are_refused_at_once(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Shop(KEY, **options)


async def test_one_client_serves_many_threads_whose_loops_come_and_go() -> None:
    failed: list[BaseException] = []
    interval = sys.getswitchinterval()
    async with Server(OK) as server:
        shop = Shop(KEY, base_url=server.url)

        def work() -> None:
            try:
                for _ in range(10):
                    asyncio.run(shop.look())
            except BaseException as error:
                failed.append(error)

        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await asyncio.to_thread(thread.join)
        finally:
            sys.setswitchinterval(interval)
        assert failed == []
        assert len(server.requests) == 80
        await server.until(lambda: server.open == 0)


async def test_a_session_that_a_thread_opens_while_another_tidies_up_is_kept() -> None:
    opened, finished = threading.Event(), threading.Event()

    async def twice() -> None:
        await shop.look()
        opened.set()
        await asyncio.to_thread(finished.wait, 20)
        await shop.look()

    other = threading.Thread(target=lambda: asyncio.run(twice()))

    class Meddling(asyncio.SelectorEventLoop):
        meddle = False

        def is_closed(self) -> bool:
            if self.meddle:
                self.meddle = False
                other.start()
                opened.wait(20)
            return super().is_closed()

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(shop.look())
        loop.meddle = True
        asyncio.run(shop.look())
        gc.collect()
        finished.set()
        other.join()

    async with Server(OK) as server:
        shop, loop = Shop(KEY, base_url=server.url), Meddling()
        await asyncio.to_thread(work)
        assert (len(server.requests), server.connections) == (4, 3)


# -- proxies -----------------------------------------------------------------------------------------------------------


async def test_the_environments_proxy_is_asked_except_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server(OK) as proxy, Server(OK) as server:
        for name, value in {"http_proxy": proxy.url, "no_proxy": "direct.example"}.items():
            monkeypatch.setenv(name, value)
        environment.proxies.cache_clear()
        async with Shop(KEY, base_url="http://far.example/base", allow_http=True) as shop:
            await shop.look()
        async with Shop(KEY, base_url=server.url) as shop:
            await shop.look()
        assert [seen.target for seen in proxy.requests] == ["http://far.example/base/look"]
        assert [seen.target for seen in server.requests] == ["/look"]


async def test_the_option_takes_the_place_of_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server(OK) as proxy:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        environment.proxies.cache_clear()
        async with Shop(KEY, base_url="http://far.example", allow_http=True, proxy=proxy.url) as shop:
            await shop.look()
        assert [seen.target for seen in proxy.requests] == ["http://far.example/look"]


async def test_netrc_is_never_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with asked(OK) as (shop, server):
        await shop.look()
        assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("junk", [b"x", b"\0", b"<", b"\xff"])
async def test_long_junk_in_place_of_an_answer_is_an_error_and_holds_nothing_up(junk: bytes) -> None:
    async with asked(cut(junk * 2**18), retry=NO_RETRY) as (shop, _):
        with pytest.raises(TransportError):
            await shop.look()


async def test_a_connection_of_ours_is_read_in_pieces_that_need_no_mapping_of_memory() -> None:
    async with asked(OK) as (shop, _):
        await shop.look()
        ((session, _),) = shop._connection.transport._sessions.values()  # type: ignore[attr-defined]
        (((protocol, _),),) = session.connector._conns.values()
        assert protocol.transport.max_size < 128 * 2**10


@pytest.mark.parametrize("kind", ["path", "form", "a silent iterator"])
async def test_an_upload_that_no_longer_moves_ends(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + bytes(16 * 2**20))  # more than the sockets hold

    async def silent() -> AsyncIterator[bytes]:
        yield b"fLaC"
        await asyncio.Event().wait()

    async def deaf(exchange: Exchange) -> None:
        await asyncio.Event().wait()

    timeout = Timeout(total=None, idle=0.1)
    async with asked(deaf, retry=NO_RETRY, timeout=timeout) as (shop, _):
        form = FormField("file", (await open_media(path, "audio")).body, "a.wav")
        sending = shop.fill(form) if kind == "form" else shop.send(path if kind == "path" else silent())
        with pytest.raises(RequestTimeoutError, match=r"the body did not move: the limit is idle=0\.1 s") as caught:
            await sending
        assert caught.value.outcome_unknown
