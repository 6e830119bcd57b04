"""Following a job over real sockets: what ends it, what does not, in what time, and what is cancelled with it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from itertools import accumulate, count, takewhile
from typing import Any

import pytest
from fake_clock import run as run_patiently
from servers import Exchange, Script, Server, hang, make_response, reset, run_script

from kellyapi import (
    AuthenticationError,
    DecodingError,
    Prediction,
    PredictionFailedError,
    RequestTimeoutError,
    Skytells,
    StatusError,
    WaitTimeoutError,
)
from kellyapi.providers.skytells.predictions.polling import poll_pause

GET, CANCEL = "/predictions/a1", "/predictions/a1/cancel"


def state(status: str, **fields: Any) -> bytes:
    """Answer with a state of job a1."""
    return make_response(body=json.dumps({"id": "a1", "status": status, **fields}).encode())


def progress(percent: int) -> bytes:
    return state("processing", metrics={"progress": percent})


def refusal(status: int, **headers: str) -> bytes:
    return make_response(status, b'{"error": {"message": "no"}}', **headers)


DONE = state("succeeded")


@asynccontextmanager
async def followed(*scripts: Script, **options: Any) -> AsyncIterator[tuple[Skytells, Server]]:
    async with Server(*scripts) as server, Skytells("key", base_url=server.url, **options) as skytells:
        yield skytells, server


def targets(server: Server) -> list[str]:
    return [seen.target for seen in server.requests]


# States


async def test_each_change_is_given_once_and_unknown_states_are_no_end() -> None:
    scripts = [state(name) for name in ("queued", "queued", "pending", "dreaming", "started")]
    async with followed(*scripts, progress(10), progress(10), progress(20), state("canceled")) as (skytells, server):
        seen = [(one.status, one.progress) async for one in skytells.predictions.follow("a1", interval=0)]
    assert seen == [
        ("queued", None),
        ("pending", None),
        ("dreaming", None),
        ("started", None),
        ("processing", 10),
        ("processing", 20),
        ("canceled", None),
    ]
    assert len(server.requests) == 9


def test_the_time_of_run_includes_the_creation() -> None:
    async def hanging() -> tuple[float, int]:
        async with followed(hang) as (skytells, server):
            clock = asyncio.get_running_loop().time
            started = clock()
            with pytest.raises(RequestTimeoutError) as caught:
                await skytells.run("m", {}, timeout=3)
            assert caught.value.outcome_unknown
            return clock() - started, len(server.requests)

    seconds, requests = run_patiently(hanging())
    assert (seconds, requests) == (pytest.approx(3, abs=0.1), 1)


@pytest.mark.parametrize("id", ["", "..", "a\nb"])
async def test_an_id_that_cannot_be_asked_for_is_a_decoding_error(id: str) -> None:
    async with followed(make_response(body=json.dumps({"id": id, "status": "pending"}).encode())) as (skytells, server):
        with pytest.raises(DecodingError, match="cannot be asked for") as caught:
            await skytells.run("m", {})
        assert (caught.value.outcome_unknown, len(server.requests)) == (True, 1)


def test_a_callback_that_takes_all_the_time_leaves_a_last_look() -> None:
    async def main() -> Prediction:
        async with followed(progress(10), DONE) as (skytells, _):
            return await skytells.predictions.wait("a1", timeout=2, on_progress=lambda _: asyncio.sleep(3))

    assert run_patiently(main()).status == "succeeded"


@pytest.mark.parametrize("how", ["plain", "async"])
async def test_run_tells_each_state_from_the_created_one_on(how: str) -> None:
    told: list[tuple[str, float | None]] = []

    def plain(seen: Prediction) -> None:
        told.append((seen.status, seen.progress))

    async def later(seen: Prediction) -> None:
        await asyncio.sleep(0)
        plain(seen)

    async with followed(state("pending"), state("pending"), progress(40), DONE) as (skytells, _):
        callback = plain if how == "plain" else later
        done = await skytells.run("m", {}, interval=0, on_progress=callback)
    assert done.status == "succeeded"
    assert told == [("pending", None), ("processing", 40), ("succeeded", None)]


async def test_a_job_that_was_created_complete_is_not_looked_at() -> None:
    async with followed(DONE) as (skytells, server):
        assert (await skytells.run("m", {})).status == "succeeded"
        assert targets(server) == ["/predict"]


async def test_what_the_callback_raises_ends_the_waiting_and_names_the_job() -> None:
    def fail(seen: Prediction) -> None:
        raise LookupError("the message is gone")

    async with followed(state("pending")) as (skytells, server):
        with pytest.raises(LookupError) as caught:
            await skytells.run("m", {}, on_progress=fail)
        assert caught.value.__notes__ == ["the prediction is a1"]
        assert targets(server) == ["/predict"]


# Failed looks


PASSING: list[Script] = [
    reset,
    refusal(500),
    refusal(502),
    refusal(503),
    refusal(504),
    refusal(408),
    refusal(429),
    make_response(body=b"<html>maintenance</html>", kind="text/html"),
    make_response(body=b'{"id": "a1", "sta'),
    b"no HTTP at all\r\n\r\n",
]


async def test_looks_that_fail_in_turn_are_no_failed_job_and_each_is_one_request() -> None:
    async with followed(*PASSING, progress(50), *PASSING, DONE) as (skytells, server):
        done = await skytells.predictions.wait("a1", interval=0)
    assert done.status == "succeeded"
    assert targets(server) == [GET] * (2 * len(PASSING) + 2)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 410])
async def test_a_refusal_ends_the_following_with_the_last_state(status: int) -> None:
    async with followed(progress(50), refusal(status)) as (skytells, server):
        with pytest.raises(StatusError) as caught:
            await skytells.predictions.wait("a1", interval=0)
    assert (caught.value.status, caught.value.prediction.progress) == (status, 50)
    assert len(server.requests) == 2


async def test_looks_take_nothing_from_the_quota_of_retries() -> None:
    async with followed(*[refusal(503)] * 100, DONE) as (skytells, _):
        before = skytells._connection.limits.quota.left
        await skytells.predictions.wait("a1", interval=0)
        assert skytells._connection.limits.quota.left == before


async def test_a_server_that_wants_a_pause_is_left_alone() -> None:
    async with followed(refusal(429, Retry_After="30")) as (skytells, server):
        with pytest.raises(WaitTimeoutError, match="the last poll failed") as caught:
            await skytells.predictions.wait("a1", interval=0, timeout=0.1)
        assert len(server.requests) == 1
    assert caught.value.code == "WAIT_TIMEOUT"


# The deadline


@pytest.mark.parametrize("script", [hang, progress(50)], ids=["hangs", "never ends"])
async def test_waiting_ends_in_time_whatever_the_server_does(script: Script) -> None:
    async with followed(script) as (skytells, _):
        loop = asyncio.get_running_loop()
        started = loop.time()
        with pytest.raises(WaitTimeoutError, match=r"within 0\.2 s and continues"):
            await skytells.predictions.wait("a1", timeout=0.2)
        assert 0.2 <= loop.time() - started < 5  # the client's own timeout is 60 s


def test_by_default_a_job_that_never_ends_is_left_after_a_quarter_of_an_hour() -> None:
    async def main() -> tuple[float, int]:
        async with followed(progress(50)) as (skytells, server):
            clock = asyncio.get_running_loop().time
            started = clock()
            with pytest.raises(WaitTimeoutError):
                await skytells.predictions.wait("a1")
            return clock() - started, len(server.requests)

    def looks(dice: float) -> int:
        pauses = (poll_pause(polls, None, dice) for polls in count(1))
        return sum(1 for _ in takewhile(lambda now: now < 900, accumulate(pauses)))

    seconds, seen = run_patiently(main())
    assert seconds == pytest.approx(900)
    assert looks(1) <= seen <= looks(0) + 2  # the first, and the one before the deadline


async def test_no_time_at_all_is_one_look() -> None:
    async with followed(progress(50), DONE) as (skytells, server):
        with pytest.raises(WaitTimeoutError) as caught:
            await skytells.predictions.wait("a1", timeout=0)
        assert (caught.value.prediction.progress, len(server.requests)) == (50, 1)
        assert (await skytells.predictions.wait("a1", timeout=0)).status == "succeeded"


async def test_a_look_that_hangs_is_given_up_after_the_clients_timeout() -> None:
    async with followed(hang, DONE, timeout=0.05) as (skytells, server):
        assert (await skytells.predictions.wait("a1", interval=0, timeout=None)).status == "succeeded"
        assert len(server.requests) == 2


async def test_the_error_of_waiting_too_long_has_the_last_state_known() -> None:
    async with followed(progress(50), hang) as (skytells, _):
        with pytest.raises(WaitTimeoutError) as caught:
            await skytells.predictions.wait("a1", interval=0, timeout=0.1)
        assert caught.value.prediction.progress == 50
    async with followed(hang) as (skytells, _):
        given = Prediction(id="a1", status="pending")
        with pytest.raises(WaitTimeoutError) as caught:
            await skytells.predictions.wait(given, timeout=0.05)
        assert caught.value.prediction == given


WRONG: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"timeout": -1}, ValueError),
    ({"timeout": float("nan")}, ValueError),
    ({"timeout": float("inf")}, ValueError),
    ({"timeout": True}, TypeError),
    ({"timeout": "60"}, TypeError),
    ({"interval": -1}, ValueError),
    ({"interval": float("nan")}, ValueError),
    ({"interval": False}, TypeError),
    ({"interval": "5"}, TypeError),
]


async def wait(skytells: Skytells, **options: Any) -> None:
    await skytells.predictions.wait("a1", **options)


async def run(skytells: Skytells, **options: Any) -> None:
    await skytells.run("m", {}, **options)


async def follow(skytells: Skytells, **options: Any) -> None:
    skytells.predictions.follow("a1", **options)


@pytest.mark.parametrize(("options", "error"), WRONG)
@pytest.mark.parametrize("call", [wait, run, follow])
async def test_a_wrong_pace_is_refused_before_anything_is_sent(
    call: Callable[..., Awaitable[None]], options: dict[str, Any], error: type[Exception]
) -> None:
    async with followed(DONE) as (skytells, server):
        with pytest.raises(error, match=next(iter(options))):
            await call(skytells, **options)
        assert not server.requests


@pytest.mark.parametrize("call", [wait, run])
async def test_a_callback_that_cannot_be_called_is_refused_before_anything_is_sent(
    call: Callable[..., Awaitable[None]],
) -> None:
    async with followed(DONE) as (skytells, server):
        with pytest.raises(TypeError, match="on_progress must be a function"):
            await call(skytells, on_progress="print")
        assert not server.requests


@pytest.mark.parametrize("call", [wait, run, follow])
async def test_a_timeout_of_hours_warns_once_and_points_at_the_caller(call: Callable[..., Awaitable[None]]) -> None:
    async with followed(DONE) as (skytells, _):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            await call(skytells, timeout=900_000)
    assert [(str(one.message), one.filename) for one in said] == [
        ("timeout=900000 is in seconds, which is 250.0 hours", __file__)
    ]


# Cancelling with the follower


def of_a_job(*scripts: Script) -> Script:
    """Answer looks by these scripts, then by one state for ever, and every cancelling with success."""
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
async def test_leaving_cancels_the_job_when_that_was_asked_for(
    leave: Callable[..., Awaitable[None]], cancel: bool
) -> None:
    async with followed(of_a_job()) as (skytells, server):
        await leave(skytells, server, cancel_on_exit=cancel)
        assert targets(server).count(CANCEL) == cancel


@pytest.mark.parametrize("status", ["succeeded", "failed", "canceled"])
async def test_a_job_that_has_ended_is_not_cancelled(status: str) -> None:
    async with followed(of_a_job(progress(1), state(status))) as (skytells, server):
        async for seen in skytells.predictions.follow("a1", interval=0, cancel_on_exit=True):
            if seen.ended:
                break
        gc.collect()
        assert targets(server) == [GET, GET]
    async with followed(of_a_job(state(status))) as (skytells, server):
        outcome = await asyncio.gather(skytells.predictions.wait("a1", cancel_on_exit=True), return_exceptions=True)
        assert isinstance(outcome[0], Prediction if status == "succeeded" else PredictionFailedError)
        assert targets(server) == [GET]


async def test_a_job_that_is_being_created_is_cancelled_as_soon_as_its_id_is_known() -> None:
    asked, known = asyncio.Event(), asyncio.Event()

    async def create(exchange: Exchange) -> None:
        await exchange.read()
        asked.set()
        await known.wait()
        await exchange.write(state("pending"))

    async with followed(of_a_job(create)) as (skytells, server):
        task = asyncio.create_task(skytells.run("m", {}, cancel_on_exit=True))
        await asked.wait()
        task.cancel()
        await asyncio.sleep(0)
        known.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert targets(server) == ["/predict", CANCEL]


async def test_a_job_that_cannot_be_cancelled_hides_nothing_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
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


async def test_a_follower_that_is_left_to_the_end_of_the_loop_is_only_logged() -> None:
    async with Server(of_a_job()) as server:
        said = await run_script(KEPT, server.url)
        assert targets(server) == [GET]
    assert said.splitlines() == ["processing", "prediction a1 was not cancelled: the loop ended"]


async def test_a_second_cancelling_does_not_wait_for_the_first_and_does_not_stop_it() -> None:
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
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert [one for one in others if "_cancel_and_log" in repr(one)]
        go_on.set()
        await asyncio.gather(*(one for one in others if "_cancel_and_log" in repr(one)))


# Many


async def test_many_followers_ask_no_more_than_each_alone() -> None:
    looks: dict[str, int] = {}

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        id = exchange.seen.target.rpartition("/")[2]
        looks[id] = looks.get(id, 0) + 1
        body = {"id": id, "status": "succeeded" if looks[id] == 3 else "processing"}
        await exchange.write(make_response(body=json.dumps(body).encode()))

    async with followed(script) as (skytells, server):
        waiting = (skytells.predictions.wait(f"job{number}", interval=0.01) for number in range(200))
        done = await asyncio.gather(*waiting)
        assert {one.id for one in done} == set(looks)
        assert set(looks.values()) == {3}
        assert server.connections <= 100


async def test_an_error_of_follow_has_the_last_known_state() -> None:
    refusal = make_response(401, b'{"error": {"message": "no", "error_id": "UNAUTHORIZED"}}')
    async with followed(progress(50), refusal) as (skytells, _):
        states = skytells.predictions.follow("a1", interval=0)
        assert (await anext(states)).progress == 50
        with pytest.raises(AuthenticationError) as caught:
            await anext(states)
    assert caught.value.prediction.progress == 50


async def test_cancelling_on_exit_never_replaces_a_cancellation() -> None:
    def fail(request: object, response: object) -> None:
        if "cancel" in getattr(request, "url", ""):
            raise LookupError("a hook of the user's")

    async with followed(progress(50), make_response(body=b'{"success": true}'), on_response=fail) as (skytells, server):
        task = asyncio.create_task(skytells.predictions.wait("a1", interval=60, cancel_on_exit=True))
        await server.until(lambda: len(server.requests) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
