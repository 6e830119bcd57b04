"""`cancel_on_exit` when a program is interrupted or its loop ends while the prediction is being created."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import anyio
import pytest
from processes import script
from servers import Exchange, Server, hang, make_response

from kellyapi import Prediction, Skytells

from .polled_predictions import CANCEL, GET, state, targets


@asynccontextmanager
async def creating() -> AsyncIterator[tuple[Server, asyncio.Event]]:
    """Yield a server that creates a prediction when the event is set, and check that it is cancelled at the end."""
    go_on = asyncio.Event()

    async def respond(exchange: Exchange) -> None:
        await exchange.read()
        if exchange.seen.target == "/predict":
            await go_on.wait()
            await exchange.write(state("pending"))
        else:
            await exchange.write(make_response(body=b'{"success": true}'))

    async with Server(respond) as server:
        yield server, go_on
        # A poll may be sent if the response comes before the interrupt has reached the thread of the loop.
        assert [target for target in targets(server) if target != GET] == ["/predict", CANCEL]
        await server.until(lambda: server.open == 0)


# Programs that are interrupted

HEAD = """
import asyncio, signal, sys
from kellyapi import Skytells, run_sync

running = Skytells("key", base_url=sys.argv[1]).run("m", {}, cancel_on_exit=True)

def interrupt(*_):
    print("left", flush=True)
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, interrupt)
"""
RUN_SYNC = """
try:
    run_sync(running)
except KeyboardInterrupt:
    print("interrupted")
"""
# The first signal cancels the task, as by `asyncio.run`. It is reported when the loop waits again.
ASYNCIO_RUN = """
async def main():
    def leave():
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, interrupt)
        task.cancel()
        report(5)
    def report(turns):
        loop.call_soon(report, turns - 1) if turns else print("left", flush=True)
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    loop.add_signal_handler(signal.SIGINT, leave)
    await running
try:
    asyncio.run(main())
except (asyncio.CancelledError, KeyboardInterrupt):
    print("interrupted")
"""


@pytest.mark.parametrize("signals", [1, 2])
@pytest.mark.parametrize("program", [RUN_SYNC, ASYNCIO_RUN], ids=["run_sync", "asyncio.run"])
async def test_ctrl_c_cancels_a_prediction_that_is_being_created(signals: int, program: str) -> None:
    async with creating() as (server, go_on), script(HEAD + program, server.url) as process:
        assert process.stdout is not None
        await server.until(lambda: bool(server.requests))
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
            assert await process.stdout.readline() == b"left\n"
        go_on.set()
        out, err = await process.communicate()
        assert (out.decode(), err.decode(), process.returncode) == ("interrupted\n", "", 0)


# Loops, each in a thread of its own

Run = Callable[[], Awaitable[Prediction]]
OnLeave = Callable[[Callable[[], Any]], None]
"""Takes what makes the program leave; called when the request of the prediction has arrived."""


async def cancel_the_task(client: Skytells, run: Run, on_leave: OnLeave) -> None:
    async with client:
        task = asyncio.ensure_future(run())
        on_leave(task.cancel)
        await asyncio.wait([task])


async def cancel_the_task_twice(client: Skytells, run: Run, on_leave: OnLeave) -> None:
    def leave() -> None:
        task.cancel()
        loop.call_soon(loop.call_soon, task.cancel)

    loop = asyncio.get_running_loop()
    async with client:
        task = asyncio.ensure_future(run())
        on_leave(leave)
        await asyncio.wait([task])


async def time_out(client: Skytells, run: Run, on_leave: OnLeave) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as timer:
            on_leave(lambda: timer.reschedule(0))
            await run()


async def fail_in_a_group(client: Skytells, run: Run, on_leave: OnLeave) -> None:
    async def fail() -> None:
        leaving = asyncio.Event()
        on_leave(leaving.set)
        await leaving.wait()
        raise LookupError

    with suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await run()


async def end_the_loop(client: Skytells, run: Run, on_leave: OnLeave) -> None:
    leaving = asyncio.Event()
    on_leave(leaving.set)
    asyncio.ensure_future(run())  # noqa: RUF006  the loop's end is what cancels it
    await leaving.wait()


async def leave_a_scope_in_the_clients_block(client: Skytells, run: Run, on_leave: OnLeave) -> None:
    async with client:
        with anyio.CancelScope() as scope:
            on_leave(scope.cancel)
            await run()


async def leave_a_scope_around_the_clients_block(client: Skytells, run: Run, on_leave: OnLeave) -> None:
    with anyio.CancelScope() as scope:
        on_leave(scope.cancel)
        async with client:
            await run()


async def leave_a_group_of_anyio_at_the_loops_end(client: Skytells, run: Run, on_leave: OnLeave) -> None:
    async with anyio.create_task_group() as group:
        on_leave(group.cancel_scope.cancel)
        group.start_soon(run)


LEAVINGS = (
    cancel_the_task,
    cancel_the_task_twice,
    time_out,
    fail_in_a_group,
    end_the_loop,
    leave_a_scope_in_the_clients_block,
    leave_a_scope_around_the_clients_block,
    leave_a_group_of_anyio_at_the_loops_end,
)


@pytest.mark.parametrize(
    "start", [asyncio.run, lambda main: anyio.run(partial(_wait_for, main))], ids=["asyncio", "anyio"]
)
@pytest.mark.parametrize("leaving", LEAVINGS)
async def test_leaving_cancels_a_prediction_that_is_being_created(
    leaving: Callable[[Skytells, Run, OnLeave], Awaitable[None]], start: Callable[[Any], None]
) -> None:
    async with creating() as (server, go_on):
        here, arrived = asyncio.get_running_loop(), threading.Event()

        async def main() -> None:
            loop = asyncio.get_running_loop()
            client = Skytells("key", base_url=server.url)

            def on_leave(leave: Callable[[], Any]) -> None:
                def left() -> None:
                    leave()
                    loop.call_soon(here.call_soon_threadsafe, go_on.set)

                waiting = loop.run_in_executor(None, arrived.wait, 20)
                waiting.add_done_callback(lambda _: left())

            await leaving(client, lambda: client.run("m", {}, cancel_on_exit=True), on_leave)

        program = asyncio.create_task(asyncio.to_thread(lambda: start(main())))
        await server.until(lambda: bool(server.requests))
        arrived.set()
        await program


async def _wait_for(main: Awaitable[None]) -> None:
    await main


# Creations that fail, or take too long


async def test_a_creation_that_breaks_off_when_its_caller_has_left_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    go_on = asyncio.Event()

    async def break_off(exchange: Exchange) -> None:
        await exchange.read()
        await go_on.wait()
        exchange.writer.close()

    async with Server(break_off) as server, Skytells("key", base_url=server.url) as client:
        task = asyncio.create_task(client.run("m", {}, cancel_on_exit=True))
        await server.until(lambda: bool(server.requests))
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert "a prediction whose creation failed was not cancelled: " in caplog.text
    assert "may have been carried out and billed" in caplog.text


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_a_creation_that_takes_too_long_at_the_loops_end_is_logged(
    cancellations: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kellyapi._core.unfinished.FINISH_TIMEOUT", 0.05)
    async with Server(hang) as server:
        here, arrived = asyncio.get_running_loop(), asyncio.Event()

        async def main() -> None:
            task = asyncio.ensure_future(Skytells("key", base_url=server.url).run("m", {}, cancel_on_exit=True))
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(arrived.wait(), here))
            for _ in range(cancellations - 1):
                task.cancel()
                await asyncio.sleep(0)

        program = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(main())))
        await server.until(lambda: bool(server.requests))
        arrived.set()
        await program
        await server.until(lambda: server.open == 0)
    assert "was not cancelled: " in caplog.text
