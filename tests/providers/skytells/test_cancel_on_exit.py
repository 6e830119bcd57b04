"""`cancel_on_exit`: which ways of leaving cancel the prediction."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from processes import run_script
from servers import Exchange, Script, Server, make_response

from kellyapi import Prediction, PredictionFailedError, Skytells, StatusError, WaitTimeoutError

from .polled_predictions import CANCEL, GET, followed, progress, refusal, state, targets


def poll_responses(*scripts: Script) -> Script:
    """Respond to polls with these scripts, then always with one state, and to every cancellation with success."""
    left = list(scripts)

    async def script(exchange: Exchange) -> None:
        if exchange.seen.target == CANCEL:
            await exchange.read()
            await exchange.write(make_response(body=b'{"success": true}'))
            return
        one = left.pop(0) if left else progress(50)
        if callable(one):
            await one(exchange)
        else:
            await exchange.read()
            await exchange.write(one)

    return script


async def leave_by_cancelling(skytells: Skytells, server: Server, **options: Any) -> None:
    task = asyncio.create_task(skytells.predictions.wait("a1", interval=60, **options))
    await server.until(lambda: GET in targets(server))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_the_loop(skytells: Skytells, server: Server, **options: Any) -> None:
    async with aclosing(skytells.predictions.follow("a1", **options)) as states:
        async for _ in states:
            break


async def leave_it_to_the_collector(skytells: Skytells, server: Server, **options: Any) -> None:
    async for _ in skytells.predictions.follow("a1", **options):
        break
    gc.collect()
    if options["cancel_on_exit"]:
        await server.until(lambda: CANCEL in targets(server))


async def leave_by_the_timeout(skytells: Skytells, server: Server, **options: Any) -> None:
    fate = "is cancelled now" if options["cancel_on_exit"] else "continues"
    with pytest.raises(WaitTimeoutError, match=fate):
        await skytells.predictions.wait("a1", timeout=0.05, **options)


async def leave_by_the_callback(skytells: Skytells, server: Server, **options: Any) -> None:
    def fail(seen: Prediction) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await skytells.predictions.wait("a1", on_progress=fail, **options)


async def leave_run(skytells: Skytells, server: Server, **options: Any) -> None:
    def fail(seen: Prediction) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await skytells.run("m", {}, on_progress=fail, **options)


@pytest.mark.parametrize("cancel", [True, False])
@pytest.mark.parametrize(
    "leave",
    [
        leave_by_cancelling,
        leave_the_loop,
        leave_it_to_the_collector,
        leave_by_the_timeout,
        leave_by_the_callback,
        leave_run,
    ],
)
async def test_leaving_cancels_the_prediction_with_cancel_on_exit(
    leave: Callable[..., Awaitable[None]], cancel: bool
) -> None:
    async with followed(poll_responses()) as (skytells, server):
        await leave(skytells, server, cancel_on_exit=cancel)
        assert targets(server).count(CANCEL) == cancel


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled"])
async def test_a_prediction_that_has_ended_is_not_cancelled(status: str) -> None:
    async with followed(poll_responses(progress(1), state(status))) as (skytells, server):
        async for seen in skytells.predictions.follow("a1", interval=0, cancel_on_exit=True):
            if seen.ended:
                break
        gc.collect()
        assert targets(server) == [GET, GET]
    async with followed(poll_responses(state(status))) as (skytells, server):
        outcome = await asyncio.gather(skytells.predictions.wait("a1", cancel_on_exit=True), return_exceptions=True)
        assert isinstance(outcome[0], Prediction if status == "succeeded" else PredictionFailedError)
        assert targets(server) == [GET]


async def test_a_prediction_that_is_being_created_is_cancelled_as_soon_as_its_id_is_known() -> None:
    asked, known = asyncio.Event(), asyncio.Event()

    async def create(exchange: Exchange) -> None:
        await exchange.read()
        asked.set()
        await known.wait()
        await exchange.write(state("pending"))

    async with followed(poll_responses(create)) as (skytells, server):
        task = asyncio.create_task(skytells.run("m", {}, cancel_on_exit=True))
        await asked.wait()
        task.cancel()
        await asyncio.sleep(0)
        known.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert targets(server) == ["/predict", CANCEL]


async def test_a_failed_cancellation_hides_no_error_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with followed(progress(50), refusal(401)) as (skytells, _):
        with pytest.raises(StatusError) as caught, caplog.at_level(logging.WARNING, "kellyapi.skytells"):
            await skytells.predictions.wait("a1", interval=0, cancel_on_exit=True)
    assert caught.value.status == 401
    assert [record.message for record in caplog.records] == [
        "prediction a1 was not cancelled: skytells: no (401, API_ERROR)"
    ]


KEPT = """
import asyncio, logging, sys
from kellyapi import Skytells

logging.basicConfig(format="%(message)s", stream=sys.stdout)
kept = []

async def main():
    async with Skytells("key", base_url=sys.argv[1]) as skytells:
        kept.append(skytells.predictions.follow("a1", cancel_on_exit=True))
        print((await anext(kept[0])).status)

asyncio.run(main())
"""


async def test_following_that_is_left_open_until_the_end_of_the_loop_cancels_the_prediction() -> None:
    async with Server(poll_responses()) as server:
        assert await run_script(KEPT, server.url) == "processing"
        assert targets(server) == [GET, CANCEL]


async def test_a_second_cancellation_neither_waits_for_the_cancel_request_nor_stops_it() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        await exchange.read()
        asked.set()
        await go_on.wait()
        await exchange.write(make_response(body=b'{"success": true}'))

    async with followed(progress(50), slow) as (skytells, server):
        task = asyncio.create_task(skytells.predictions.wait("a1", interval=60, cancel_on_exit=True))
        await server.until(lambda: len(server.requests) == 1)
        task.cancel()
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        closing = asyncio.create_task(skytells.close())
        await asyncio.sleep(0)
        assert not closing.done()  # it waits for the cancel request
        go_on.set()
        await closing
        assert targets(server) == [GET, CANCEL]


async def test_an_error_of_cancel_on_exit_never_replaces_a_cancellation() -> None:
    def fail(request: object, response: object) -> None:
        if "cancel" in getattr(request, "url", ""):
            raise LookupError("a hook of the user's")

    async with followed(progress(50), make_response(body=b'{"success": true}'), on_response=fail) as (skytells, server):
        task = asyncio.create_task(skytells.predictions.wait("a1", interval=60, cancel_on_exit=True))
        await server.until(lambda: len(server.requests) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
