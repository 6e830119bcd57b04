"""Waiting for the webhook of a prediction, and polling when none comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import (
    NO_RETRY,
    AuthenticationError,
    MemoryDeliveries,
    Prediction,
    PredictionFailedError,
    Skytells,
    WaitTimeoutError,
    WebhookDelivery,
    WebhookReceiver,
)
from kellyapi.providers.skytells.webhooks.waiting import MAX_KNOWN_STATES

from .webhook_calls import BODY, HEADERS, SECRET, call, listening

PREDICTION_URL = "https://api.skytells.ai/v1/predictions/p1"


# Waiting for a delivery


class Time:
    """The time of the loop, which can be advanced."""

    ahead = 0.0

    def __init__(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self.ahead)


@pytest.fixture
async def time(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Time]:
    with monkeypatch.context() as patch:
        yield Time(asyncio.get_running_loop(), patch)


DONE = Prediction(id="p1", status="succeeded")
PENDING = Prediction(id="p1", status="pending")


@pytest.mark.parametrize("prediction", ["p1", PENDING])
async def test_a_delivery_ends_the_waiting(receiver: WebhookReceiver, prediction: Any) -> None:
    waiting = [asyncio.create_task(receiver.wait_for(prediction, timeout=None)) for _ in range(3)]
    await asyncio.sleep(0)
    for each in (call("started"), call(id="p2"), ({}, BODY)):
        await receiver.handle(*each)
    assert not any(task.done() for task in waiting)
    await receiver.handle(HEADERS, BODY)
    assert await asyncio.gather(*waiting) == [DONE] * 3


async def test_an_earlier_delivery_counts_even_after_late_ones(receiver: WebhookReceiver) -> None:
    await receiver.handle(HEADERS, BODY)
    await receiver.handle(*call("started"))
    assert await receiver.wait_for("p1") == DONE


async def test_a_repeated_delivery_without_a_handler_call_ends_the_waiting(seen: list[WebhookDelivery]) -> None:
    store = MemoryDeliveries()
    await store.claim("p1:succeeded")  # by another process
    receiver = listening(seen, store=store)
    waiting = asyncio.create_task(receiver.wait_for("p1"))
    await asyncio.sleep(0)
    await receiver.handle(HEADERS, BODY)
    assert (await waiting, seen) == (DONE, [])


async def test_a_prediction_that_has_ended_is_not_waited_for(receiver: WebhookReceiver) -> None:
    assert await receiver.wait_for(DONE) == DONE
    await receiver.handle(*call("started"))
    assert await receiver.wait_for(DONE, timeout=0.01) == DONE  # whatever an older delivery says


@pytest.mark.parametrize("status", ["failed", "cancelled", "canceled"])
@pytest.mark.parametrize("early", [True, False])
async def test_a_prediction_that_does_not_succeed_raises(receiver: WebhookReceiver, status: str, early: bool) -> None:
    if early:
        await receiver.handle(*call(status, response="no luck"))
    waiting = asyncio.create_task(receiver.wait_for("p1"))
    await asyncio.sleep(0)
    if not early:
        await receiver.handle(*call(status, response="no luck"))
    with pytest.raises(PredictionFailedError, match=f"prediction p1 {status}: no luck") as raised:
        await waiting
    assert raised.value.prediction.status == status


async def test_without_a_client_and_a_delivery_the_waiting_times_out(receiver: WebhookReceiver, time: Time) -> None:
    async def too_long(prediction: str | Prediction) -> WaitTimeoutError:
        waiting = asyncio.create_task(receiver.wait_for(prediction, timeout=60))
        await asyncio.sleep(0)
        time.ahead += 59
        await asyncio.sleep(0)
        assert not waiting.done()
        time.ahead += 1
        with pytest.raises(WaitTimeoutError, match="prediction p1 has not ended within 60 s") as raised:
            await waiting
        return raised.value

    assert (await too_long("p1")).prediction is None
    assert (await too_long(PENDING)).prediction == PENDING
    await receiver.handle(*call("started"))
    assert (await too_long(PENDING)).prediction.status == "started"


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
async def test_a_timeout_is_in_seconds(receiver: WebhookReceiver, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout must be "):
        await receiver.wait_for("p1", timeout=timeout)


@pytest.fixture
async def polling(seen: list[WebhookDelivery]) -> AsyncIterator[WebhookReceiver]:
    """A receiver that can poll."""
    async with Skytells("key", retry=NO_RETRY) as skytells:
        yield listening(seen, skytells=skytells)


@pytest.mark.parametrize(("timeout", "after"), [(None, 5), (900, 5), (4, 2)])
async def test_if_no_delivery_comes_the_prediction_is_polled(
    wire: Responses, polling: WebhookReceiver, time: Time, timeout: float | None, after: float
) -> None:
    sent = respond(wire, "GET", PREDICTION_URL, json={"id": "p1", "status": "succeeded"})
    waiting = [asyncio.create_task(polling.wait_for("p1", timeout=timeout)) for _ in range(2)]
    await asyncio.sleep(0)
    time.ahead += after - 1
    await asyncio.sleep(0)
    assert not sent
    time.ahead += 1
    assert await waiting[0] == DONE
    assert await waiting[1] == DONE
    assert await polling.wait_for("p1") == DONE  # the state is known now


async def test_the_prediction_is_not_polled_while_a_delivery_may_come(
    wire: Responses, polling: WebhookReceiver
) -> None:
    waiting = asyncio.create_task(polling.wait_for("p1"))
    await asyncio.sleep(0)
    await polling.handle(HEADERS, BODY)
    assert await waiting == DONE
    assert not wire.requests


async def test_a_delivery_during_a_poll_ends_the_waiting(wire: Responses, polling: WebhookReceiver) -> None:
    sent = respond(wire, "GET", PREDICTION_URL, json={"id": "p1", "status": "processing"})
    waiting = asyncio.create_task(polling.wait_for("p1", poll_after=0))
    while not sent:  # noqa: ASYNC110  aioresponses has no event for it
        await asyncio.sleep(0)
    await polling.handle(HEADERS, BODY)
    assert await waiting == DONE
    assert asyncio.all_tasks() - polling._tasks == {asyncio.current_task()}


async def test_polling_that_times_out_has_the_last_state(wire: Responses, polling: WebhookReceiver, time: Time) -> None:
    sent = respond(wire, "GET", PREDICTION_URL, json={"id": "p1", "status": "processing"}, repeat=True)
    waiting = asyncio.create_task(polling.wait_for("p1", timeout=60, poll_after=0))
    while not sent:  # noqa: ASYNC110  aioresponses has no event for it
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    time.ahead += 60
    with pytest.raises(WaitTimeoutError) as raised:
        await waiting
    assert raised.value.prediction == Prediction(id="p1", status="processing")


async def test_an_error_of_polling_is_raised(wire: Responses, polling: WebhookReceiver) -> None:
    respond(wire, "GET", PREDICTION_URL, status=401, json={"status": False, "response": "Unauthorized"})
    with pytest.raises(AuthenticationError):
        await polling.wait_for("p1", poll_after=0)


@pytest.mark.parametrize("timeout", [None, 60])
async def test_a_timeout_of_the_key_function_is_not_the_end_of_the_waiting(timeout: float | None) -> None:
    def key() -> str:
        raise TimeoutError("no key in time")

    async with Skytells(key) as skytells:
        with pytest.raises(TimeoutError, match="no key in time") as raised:
            await WebhookReceiver(SECRET, skytells=skytells).wait_for("p1", timeout=timeout, poll_after=0)
    assert raised.type is TimeoutError


@pytest.mark.parametrize("asking", [False, True])
async def test_cancelled_waiting_leaves_nothing(wire: Responses, polling: WebhookReceiver, asking: bool) -> None:
    sent = respond(wire, "GET", PREDICTION_URL, json={"id": "p1", "status": "processing"}, repeat=True)
    waiting = asyncio.create_task(polling.wait_for("p1", poll_after=0 if asking else 60))
    while asking and not sent:  # noqa: ASYNC110  aioresponses has no event for it
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not polling._waiters._waiting


async def test_the_states_of_the_newest_predictions_are_kept(receiver: WebhookReceiver) -> None:
    for number in range(MAX_KNOWN_STATES + 1):
        await receiver.handle(*call(id=f"p{number}"))
    assert (await receiver.wait_for(f"p{MAX_KNOWN_STATES}")).status == "succeeded"
    forgotten = asyncio.create_task(receiver.wait_for("p0"))
    await asyncio.sleep(0)
    assert not forgotten.done()
    await receiver.handle(*call(id="p0"))
    assert (await forgotten).id == "p0"
    await receiver.close()
