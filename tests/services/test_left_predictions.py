"""Every service that creates a prediction cancels it if its caller leaves while it is being created, or later."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from attrs import define
from providers.skytells.studio import Studio, opened, state
from servers import Exchange, Server, hang, make_response

from kellyapi import (
    KellyAPI,
    KellyAPIError,
    RequestTimeoutError,
    RetryPolicy,
    Skytells,
    TransportError,
    WaitTimeoutError,
)

Call = Callable[[KellyAPI, float | None], Awaitable[Any]]
"""Calls a service with a time limit."""

SERVICES: dict[str, Call] = {
    "generate_image": lambda api, timeout: api.generate_image("a fox", timeout=timeout),
    "generate_images": lambda api, timeout: api.generate_images("a fox", 1, timeout=timeout),
    "generate_video": lambda api, timeout: api.generate_video("a fox", timeout=timeout),
    "generate_music": lambda api, timeout: api.generate_music("a fox", timeout=timeout),
    "skytells.generate_image": lambda api, timeout: api.skytells.generate_image("a fox", timeout=timeout),
    "skytells.generate_images": lambda api, timeout: api.skytells.generate_images("a fox", 1, timeout=timeout),
    "skytells.run": lambda api, timeout: api.skytells.run("m", {}, timeout=timeout, cancel_on_exit=True),
}
CANCEL = "/predictions/p1/cancel"
each_service = pytest.mark.parametrize("call", SERVICES.values(), ids=SERVICES.keys())


@define
class Creation:
    """A prediction whose creation a server does not respond to before it is told to."""

    api: KellyAPI
    studio: Studio
    go_on: asyncio.Event

    async def arrived(self) -> None:
        await self.studio.server.until(lambda: bool(self.studio.created))

    async def cancelled(self) -> None:
        await self.studio.server.until(lambda: CANCEL in self.studio.targets)


@asynccontextmanager
async def creating() -> AsyncIterator[Creation]:
    go_on = asyncio.Event()

    async def create(exchange: Exchange) -> None:
        await exchange.read()
        studio.created.append({})
        await go_on.wait()
        await exchange.write(state("p1", "pending"))

    studio = Studio(instead={"/predict": create})
    async with opened(studio) as skytells, KellyAPI(skytells=skytells) as api:
        yield Creation(api, studio, go_on)
    assert studio.targets == ["/predict", CANCEL]


@each_service
async def test_a_call_that_is_cancelled_while_its_prediction_is_created(call: Call) -> None:
    async with creating() as creation:
        task = asyncio.ensure_future(call(creation.api, None))
        await creation.arrived()
        task.cancel()
        await asyncio.sleep(0)
        creation.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task


@each_service
async def test_a_call_whose_time_is_over_before_the_prediction_is_created(call: Call) -> None:
    async with creating() as creation:
        with pytest.raises(RequestTimeoutError, match="the prediction was not created in time") as caught:
            await call(creation.api, 0.05)
        assert caught.value.outcome_unknown
        assert "raise it with timeout=" in str(caught.value)
        creation.go_on.set()
        await creation.cancelled()


@each_service
async def test_a_call_whose_clients_time_is_over_before_the_prediction_is_created(call: Call) -> None:
    async with creating() as creation:
        with pytest.raises(RequestTimeoutError, match=r"total=0\.05"):
            await call(creation.api.with_options(timeout=0.05), None)
        creation.go_on.set()
        await creation.cancelled()


@each_service
async def test_a_call_in_a_block_whose_time_is_over(call: Call) -> None:
    async with creating() as creation:
        block = asyncio.timeout(None)

        async def end_block() -> None:
            await creation.arrived()
            block.reschedule(asyncio.get_running_loop().time())
            await asyncio.sleep(0)
            assert block.expired()
            creation.go_on.set()

        ending = asyncio.ensure_future(end_block())
        with pytest.raises(TimeoutError):
            async with block:
                await call(creation.api, None)
        await ending


@each_service
async def test_a_client_that_is_closed_while_a_prediction_is_created(call: Call) -> None:
    async with creating() as creation:
        task = asyncio.ensure_future(call(creation.api, None))
        await creation.arrived()
        closing = asyncio.ensure_future(creation.api.close())
        await asyncio.sleep(0)
        creation.go_on.set()
        await closing
        assert CANCEL in creation.studio.targets
        with pytest.raises(TransportError, match="the client was closed while a prediction was being created"):
            await task


@each_service
async def test_a_loop_that_ends_while_a_prediction_is_created(call: Call) -> None:
    async with creating() as creation:
        here, arrived = asyncio.get_running_loop(), threading.Event()
        url = creation.studio.server.url

        async def main() -> None:
            api = KellyAPI(skytells=Skytells("key", base_url=url))
            asyncio.ensure_future(call(api, None))  # noqa: RUF006  the end of the loop cancels it
            await asyncio.to_thread(arrived.wait, 20)
            asyncio.get_running_loop().call_soon(here.call_soon_threadsafe, creation.go_on.set)

        program = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(main())))
        await creation.arrived()
        arrived.set()
        await program


@each_service
async def test_nothing_is_sent_again_when_the_time_of_the_caller_is_over(call: Call) -> None:
    """A creation that the server refuses for now is not repeated for a caller that has left."""
    busy = b"HTTP/1.1 429 Said\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}"
    studio = Studio(instead={"/predict": busy})
    async with Server(studio) as studio.server, Skytells("key", base_url=studio.server.url) as skytells:
        api = KellyAPI(skytells=skytells)
        with pytest.raises(KellyAPIError) as caught:
            await call(api, 0.5)
        assert (caught.value.status, caught.value.outcome_unknown) == (429, False)
        await api.close()
    assert studio.targets == ["/predict"]


async def leave_the_task(api: KellyAPI, task: asyncio.Future[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def close_the_client(api: KellyAPI, task: asyncio.Future[Any]) -> None:
    await api.close()
    with pytest.raises(TransportError, match="the client was closed") as caught:
        await task
    assert not caught.value.outcome_unknown


@pytest.mark.parametrize("leave", [leave_the_task, close_the_client])
@each_service
async def test_a_call_that_is_left_before_it_is_sent_again_creates_nothing(
    call: Call, leave: Callable[[KellyAPI, asyncio.Future[Any]], Awaitable[None]]
) -> None:
    waits = asyncio.Event()

    async def later(request: object, response: object) -> None:
        waits.set()

    studio = Studio(instead={"/predict": make_response(429, Retry_After="30")})
    async with opened(studio, retry=RetryPolicy(), on_response=later) as skytells:
        api = KellyAPI(skytells=skytells)
        task = asyncio.ensure_future(call(api, None))
        await waits.wait()
        await asyncio.sleep(0)
        await leave(api, task)
        await api.close()
    assert studio.targets == ["/predict"]


@pytest.mark.parametrize("leave", [leave_the_task, close_the_client])
async def test_a_call_that_is_left_while_it_waits_for_its_turn_creates_nothing(
    leave: Callable[[KellyAPI, asyncio.Future[Any]], Awaitable[None]],
) -> None:
    studio = Studio(instead={"/models": hang})
    async with opened(studio, max_concurrency=1) as skytells, KellyAPI(skytells=skytells) as api:
        first = asyncio.ensure_future(skytells.models.list())
        await studio.server.until(lambda: bool(studio.targets))
        task = asyncio.ensure_future(api.generate_image("a fox"))
        for _ in range(10):
            await asyncio.sleep(0)
        await leave(api, task)
        first.cancel()
        await asyncio.wait([first])
        await asyncio.sleep(0)
    assert studio.targets == ["/models"]


@pytest.mark.parametrize("leave", ["cancel", "time"])
@each_service
async def test_a_call_that_is_left_while_it_waits_for_its_prediction(call: Call, leave: str) -> None:
    studio = Studio(instead={"/predictions/p1": state("p1", "processing")})
    async with opened(studio) as skytells, KellyAPI(skytells=skytells) as api:
        if leave == "time":
            with pytest.raises(WaitTimeoutError, match="is cancelled now"):
                await call(api, 0.05)
        else:
            task = asyncio.ensure_future(call(api, None))
            await studio.server.until(lambda: "/predictions/p1" in studio.targets)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        assert studio.targets[-1] == CANCEL


async def test_without_cancel_on_exit_a_call_that_is_left_lets_its_prediction_continue() -> None:
    studio = Studio(instead={"/predictions/p1": state("p1", "processing")})
    async with opened(studio) as skytells, KellyAPI(skytells=skytells) as api:
        with pytest.raises(WaitTimeoutError, match="continues") as caught:
            await api.generate_image("a fox", timeout=0.05, cancel_on_exit=False)
        assert caught.value.prediction.id == "p1"
    assert CANCEL not in studio.targets


@each_service
async def test_a_call_that_is_cancelled_at_any_moment_leaves_no_prediction_running(call: Call) -> None:
    async def run(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(state(exchange.seen.target.removeprefix("/predictions/"), "processing"))

    studio = Studio(instead={f"/predictions/p{number}": run for number in range(100)})
    async with opened(studio) as skytells, KellyAPI(skytells=skytells) as api:
        for turns in range(0, 60, 4):
            task = asyncio.ensure_future(call(api, None))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
    assert studio.created
    created = [f"/predictions/p{number}/cancel" for number, _ in enumerate(studio.created, 1)]
    assert sorted(target for target in studio.targets if target.endswith("/cancel")) == sorted(created)
