"""Polling a prediction over real sockets: its states, polls that fail, and the deadline."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Awaitable, Callable
from itertools import accumulate, count, takewhile
from typing import Any

import pytest
from fake_clock import run as run_patiently
from servers import AT_ONCE, Exchange, Script, hang, make_response, reset

from kellyapi import (
    NO_RETRY,
    AuthenticationError,
    DecodingError,
    Prediction,
    RequestTimeoutError,
    Skytells,
    StatusError,
    WaitTimeoutError,
)
from kellyapi.providers.skytells.predictions.polling import poll_pause

from .polled_predictions import DONE, GET, followed, progress, refusal, state, targets

# States


async def test_each_change_is_yielded_once_and_unknown_states_are_not_the_end() -> None:
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
async def test_an_id_that_no_path_can_contain_is_a_decoding_error(id: str) -> None:
    async with followed(make_response(body=json.dumps({"id": id, "status": "pending"}).encode())) as (skytells, server):
        with pytest.raises(DecodingError, match="cannot be requested by its id") as caught:
            await skytells.run("m", {})
        assert (caught.value.outcome_unknown, len(server.requests)) == (True, 1)


def test_a_callback_that_uses_all_the_time_leaves_one_last_poll() -> None:
    async def main() -> Prediction:
        async with followed(progress(10), DONE) as (skytells, _):
            return await skytells.predictions.wait("a1", timeout=2, on_progress=lambda _: asyncio.sleep(3))

    assert run_patiently(main()).status == "succeeded"


async def test_a_creation_that_has_ended_is_the_result_with_all_its_fields_and_is_not_polled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = "a" * 70_000  # in `raw` a string of this length is left out
    created = state("succeeded", output=text, metrics={"image_count": 1}, metadata=[])
    async with followed(created) as (skytells, server):
        done = await skytells.run("m", {})
    assert (done.output, done.metrics.image_count, len(server.requests)) == (text, 1, 1)
    assert done.raw["output"] == "<70000 characters>"
    assert "$.metadata: expected an object, got an array" in caplog.text


async def test_an_error_before_the_first_poll_holds_the_whole_created_state() -> None:
    created = make_response(body=b'{"id": "a1", "status": false, "created_at": "2026", "urls": {"get": "/a1"}}')
    async with followed(created, refusal(401)) as (skytells, _):
        with pytest.raises(AuthenticationError) as caught:
            await skytells.run("m", {})
    state = caught.value.prediction
    assert isinstance(state, Prediction)
    assert (state.id, state.status, state.created_at, state.urls) == ("a1", "pending", "2026", {"get": "/a1"})
    assert state.raw["status"] is False


@pytest.mark.parametrize("how", ["plain", "async"])
async def test_run_reports_each_state_from_the_first(how: str) -> None:
    reported: list[tuple[str, float | None]] = []

    def plain(seen: Prediction) -> None:
        reported.append((seen.status, seen.progress))

    async def later(seen: Prediction) -> None:
        await asyncio.sleep(0)
        plain(seen)

    async with followed(state("pending"), state("pending"), progress(40), DONE) as (skytells, _):
        callback = plain if how == "plain" else later
        done = await skytells.run("m", {}, interval=0, on_progress=callback)
    assert done.status == "succeeded"
    assert reported == [("pending", None), ("processing", 40), ("succeeded", None)]


async def test_an_error_of_the_callback_ends_the_waiting_and_names_the_prediction() -> None:
    def fail(seen: Prediction) -> None:
        raise LookupError("the message is gone")

    async with followed(state("pending")) as (skytells, server):
        with pytest.raises(LookupError) as caught:
            await skytells.run("m", {}, on_progress=fail)
        assert caught.value.__notes__ == ["the prediction is a1"]
        assert targets(server) == ["/predict"]


@pytest.mark.parametrize("cancel_on_exit", [False, True])
async def test_a_prediction_that_a_cancelled_task_leaves_is_named_in_the_log(
    cancel_on_exit: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "kellyapi.skytells")

    async with followed(state("pending"), hang, DONE) as (skytells, server):
        task = asyncio.create_task(skytells.run("m", {}, interval=0, cancel_on_exit=cancel_on_exit))
        await server.until(lambda: len(server.requests) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert ("prediction a1 continues, but nothing waits for it now" in caplog.messages) == (not cancel_on_exit)


# Failed polls


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


async def test_failed_polls_do_not_fail_the_prediction_and_each_is_one_request() -> None:
    async with followed(*PASSING, progress(50), *PASSING, DONE) as (skytells, server):
        done = await skytells.predictions.wait("a1", interval=0)
    assert done.status == "succeeded"
    assert targets(server) == [GET] * (2 * len(PASSING) + 2)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 410])
async def test_a_refused_poll_ends_the_following_with_the_last_state(status: int) -> None:
    async with followed(progress(50), refusal(status)) as (skytells, server):
        with pytest.raises(StatusError) as caught:
            await skytells.predictions.wait("a1", interval=0)
    assert (caught.value.status, caught.value.prediction.progress) == (status, 50)
    assert len(server.requests) == 2


def other(id: str) -> bytes:
    return make_response(body=json.dumps({"id": id, "status": "succeeded"}).encode())


async def test_two_polls_in_a_row_that_return_another_prediction_are_failed_polls() -> None:
    wrong = [other("b2"), other("b2")]
    async with followed(*wrong, progress(50), *wrong, other("A1"), retry=NO_RETRY) as (skytells, server):
        done = await skytells.predictions.wait("a1", interval=0)
    assert (done.id, done.status) == ("A1", "succeeded")  # an id has no case
    assert len(server.requests) == 6


async def test_three_polls_in_a_row_that_return_another_prediction_are_an_error() -> None:
    async with followed(progress(50), other("b2"), retry=NO_RETRY) as (skytells, server):
        with pytest.raises(DecodingError, match="prediction a1 returned prediction b2") as caught:
            await skytells.predictions.wait("a1", interval=0)
    assert caught.value.prediction.progress == 50
    assert len(server.requests) == 4


def test_the_first_poll_is_at_once() -> None:
    async def main() -> None:
        async with followed(DONE) as (skytells, _):
            started = asyncio.get_running_loop().time()
            await skytells.predictions.wait("a1", interval=5)
            assert asyncio.get_running_loop().time() - started < 1

    run_patiently(main())


async def test_polls_do_not_use_the_retry_quota() -> None:
    polls = [refusal(503)] * 100
    async with followed(*polls, DONE, refusal(503), DONE, retry=AT_ONCE) as (skytells, server):
        await skytells.predictions.wait("a1", interval=0)
        await skytells.predictions.get("a1")  # its retry needs some of the quota
        assert len(server.requests) == len(polls) + 3


async def test_polling_pauses_as_long_as_the_server_requests() -> None:
    async with followed(refusal(429, Retry_After="30")) as (skytells, server):
        with pytest.raises(WaitTimeoutError, match="the last poll failed") as caught:
            await skytells.predictions.wait("a1", interval=0, timeout=0.1)
        assert len(server.requests) == 1
    assert caught.value.code == "WAIT_TIMEOUT"


# The deadline


@pytest.mark.parametrize("script", [hang, progress(50)], ids=["hangs", "never ends"])
async def test_waiting_ends_at_its_deadline_whatever_the_server_does(script: Script) -> None:
    async with followed(script) as (skytells, _):
        loop = asyncio.get_running_loop()
        started = loop.time()
        with pytest.raises(WaitTimeoutError, match=r"within 0\.2 s and continues"):
            await skytells.predictions.wait("a1", timeout=0.2)
        assert 0.2 <= loop.time() - started < 5  # the client's own timeout is 60 s


def test_by_default_waiting_for_a_prediction_ends_after_15_minutes() -> None:
    async def main() -> tuple[float, int]:
        async with followed(progress(50)) as (skytells, server):
            clock = asyncio.get_running_loop().time
            started = clock()
            with pytest.raises(WaitTimeoutError):
                await skytells.predictions.wait("a1")
            return clock() - started, len(server.requests)

    def polls(dice: float) -> int:
        pauses = (poll_pause(polls, None, dice) for polls in count(1))
        return sum(1 for _ in takewhile(lambda now: now < 900, accumulate(pauses)))

    seconds, seen = run_patiently(main())
    assert seconds == pytest.approx(900)
    assert polls(1) <= seen <= polls(0) + 2  # the first, and the one before the deadline


async def test_a_timeout_of_zero_is_one_poll() -> None:
    async with followed(progress(50), DONE) as (skytells, server):
        with pytest.raises(WaitTimeoutError) as caught:
            await skytells.predictions.wait("a1", timeout=0)
        assert (caught.value.prediction.progress, len(server.requests)) == (50, 1)
        assert (await skytells.predictions.wait("a1", timeout=0)).status == "succeeded"


async def test_a_poll_that_hangs_ends_after_the_timeout_of_the_client() -> None:
    async with followed(hang, DONE, timeout=0.05) as (skytells, server):
        assert (await skytells.predictions.wait("a1", interval=0, timeout=None)).status == "succeeded"
        assert len(server.requests) == 2


async def test_the_error_of_waiting_too_long_has_the_last_known_state() -> None:
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
async def test_wrong_intervals_and_timeouts_are_refused_before_anything_is_sent(
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


# Many predictions


async def test_many_followed_predictions_need_no_more_requests_than_each_alone() -> None:
    polls: dict[str, int] = {}

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        id = exchange.seen.target.rpartition("/")[2]
        polls[id] = polls.get(id, 0) + 1
        body = {"id": id, "status": "succeeded" if polls[id] == 3 else "processing"}
        await exchange.write(make_response(body=json.dumps(body).encode()))

    async with followed(script) as (skytells, server):
        waiting = (skytells.predictions.wait(f"job{number}", interval=0.01) for number in range(200))
        done = await asyncio.gather(*waiting)
        assert {one.id for one in done} == set(polls)
        assert set(polls.values()) == {3}
        assert server.connections <= 100


async def test_an_error_of_follow_has_the_last_known_state() -> None:
    refusal = make_response(401, b'{"error": {"message": "no", "error_id": "UNAUTHORIZED"}}')
    async with followed(progress(50), refusal) as (skytells, _):
        states = skytells.predictions.follow("a1", interval=0)
        assert (await anext(states)).progress == 50
        with pytest.raises(AuthenticationError) as caught:
            await anext(states)
    assert caught.value.prediction.progress == 50
