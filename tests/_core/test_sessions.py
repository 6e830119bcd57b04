"""Sessions and their connections: ours, a user's, and one for each loop."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import sys
import threading
from typing import Any

import aiohttp
import pytest
from servers import KEY, OK, Exchange, Server, Shop, asked, hang, late, make_response

from kellyapi._core.messages import Timeout
from kellyapi._core.retry import NO_RETRY
from kellyapi.errors import ConfigurationError, RequestTimeoutError, StatusError, TransportError

from .pools import session_of


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
                closed.acquire()  # the loop is blocked meanwhile
        server.join()


@pytest.mark.parametrize("steps", [0, 9], ids=["it is in the kernel", "the loop has read it"])
async def test_an_unrequested_response_is_not_used_for_the_next_call(steps: int) -> None:
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


async def test_a_session_makes_its_resolver_for_the_first_name_and_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    resolvers = []

    class Resolver(aiohttp.ThreadedResolver):
        is_closed = False

        def __init__(self) -> None:
            super().__init__()
            resolvers.append(self)

        async def close(self) -> None:
            self.is_closed = True

    monkeypatch.setattr(aiohttp, "DefaultResolver", Resolver)
    async with asked(OK) as (shop, server):
        await shop.buy()
        assert resolvers == []
        async with Shop(KEY, base_url=server.url.replace("127.0.0.1", "localhost")) as other:
            await asyncio.gather(other.buy(), other.buy())
    assert [resolver.is_closed for resolver in resolvers] == [True]


async def test_ten_times_more_calls_than_connections_all_finish() -> None:
    async with asked(late(0.01, OK), max_connections=3) as (shop, server):
        assert await asyncio.gather(*(shop.look() for _ in range(30))) == [{}] * 30
        assert (len(server.requests), server.connections) == (30, 3)


async def test_a_call_that_gets_no_connection_in_time_is_not_sent() -> None:
    async with asked(hang, max_connections=1) as (shop, server):
        first = asyncio.create_task(shop.look())
        await server.until(lambda: len(server.requests) == 1)
        with pytest.raises(RequestTimeoutError, match="no connection in time") as caught:
            await shop.with_options(timeout=0.1).buy()
        assert (caught.value.sent, caught.value.outcome_unknown) == (False, False)
        first.cancel()


async def test_after_many_cancelled_calls_the_pool_is_complete_and_no_task_remains() -> None:
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


async def test_a_session_of_the_user_keeps_its_settings_and_is_never_closed() -> None:
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


async def test_a_response_that_a_middleware_closed_is_a_transport_error() -> None:
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


async def test_a_session_function_is_called_once_per_loop_and_its_sessions_stay_open() -> None:
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
        await shop.look()  # after its owner closed a session, another one is made
        assert len(made) == 3
        await made[2].close()


async def test_a_session_made_by_the_session_class_is_closed() -> None:
    with pytest.warns(DeprecationWarning, match="Inheritance"):

        class Own(aiohttp.ClientSession):
            pass

    for kind in (aiohttp.ClientSession, Own):
        async with Server(OK) as server:
            async with Shop(KEY, base_url=server.url, session=kind) as shop:
                await shop.look()
                session = session_of(shop)
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


async def test_one_client_works_in_many_threads_with_short_lived_loops() -> None:
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


async def test_a_session_that_a_thread_opens_during_the_clean_up_of_another_is_kept() -> None:
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


async def test_connections_read_in_pieces_below_128_kib() -> None:
    async with asked(OK) as (shop, _):
        await shop.look()
        session = session_of(shop)
        (((protocol, _),),) = session.connector._conns.values()
        assert protocol.transport.max_size < 128 * 2**10


async def test_aiohttp_does_not_round_its_timers_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[aiohttp.ClientTimeout] = []
    request = aiohttp.ClientSession._request

    async def watched(self: aiohttp.ClientSession, *args: Any, **options: Any) -> aiohttp.ClientResponse:
        seen.append(options["timeout"])
        return await request(self, *args, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", watched)
    async with asked(make_response(), timeout=Timeout(total=5.2, connect=6.1, idle=7.3)) as (shop, _):
        await shop.look()
        session = session_of(shop)
        assert session.connector._timeout_ceil_threshold == float("inf")
    (timeout,) = seen
    assert (timeout.ceil_threshold, timeout.sock_connect, timeout.sock_read) == (float("inf"), 6.1, 7.3)
    assert timeout.total == pytest.approx(5.2)
