"""The pauses between polls of a prediction."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest
from fake_clock import run

from kellyapi import Prediction, WaitTimeoutError
from kellyapi.providers.skytells.predictions.polling import Pace, PredictionPoller, next_pause, poll_pause


@pytest.mark.parametrize(
    ("polls", "interval", "dice", "pause"),
    [
        (1, None, 1, 0.5), (1, None, 0, 0.375), (2, None, 1, 0.75), (3, None, 1, 1.125), (6, None, 1, 3.796875),
        (7, None, 1, 5), (50, None, 1, 5), (50, None, 0, 3.75), (1, 2.0, 1, 2), (50, 2.0, 0, 2), (1, 0.0, 1, 0),
    ],
)  # fmt: skip
def test_polls_slow_down_to_five_seconds_unless_an_interval_is_set(
    polls: int, interval: float | None, dice: float, pause: float
) -> None:
    assert poll_pause(polls, interval, dice) == pytest.approx(pause)


@pytest.mark.parametrize(("timeout", "left"), [(None, float("inf")), (12.0, 2.0), (9.0, -1.0)])
def test_without_a_timeout_the_time_is_unlimited(timeout: float | None, left: float) -> None:
    assert Pace(timeout=timeout).left(10.0) == left


def test_polling_for_days_does_not_overflow() -> None:
    assert poll_pause(100_000, None, 1.0) == 5.0


@pytest.mark.parametrize(
    ("pause", "left", "hint", "next"),
    [
        (0.5, 900, None, 0.5),
        (5, float("inf"), None, 5),
        (5, 4, None, 3),  # a last poll, one second before the deadline
        (5, 1, None, None),
        (0.1, 1, None, 0.1),
        (0.1, 0.1, None, None),
        (0, 0.5, None, 0),
        (0, 0, None, None),
        (0.5, -1, None, None),
        (0.5, 900, 30, 30),
        (0.5, 900, 0, 0.5),
        (0.5, 30, 30, None),  # never earlier than the server requests
        (5, float("inf"), 60, 60),
    ],
)
def test_the_next_poll_respects_the_deadline_and_retry_after(
    pause: float, left: float, hint: float | None, next: float | None
) -> None:
    assert next_pause(pause, left, hint) == next


class Polls:
    """The polls of a prediction that is queued until a number of polls: their times and their limits, in seconds."""

    def __init__(self, until: float, pace: Pace) -> None:
        self.until = until
        self.clock = asyncio.get_running_loop().time
        self.started = self.clock()
        self.times: list[float] = []
        self.limits: list[float] = []
        self.poller = PredictionPoller("a1", self.get, pace, logging.getLogger(__name__), cancels=False)

    async def get(self, prediction: object, limit: float) -> Prediction:
        self.times.append(self.clock() - self.started)
        self.limits.append(limit)
        return Prediction(id="a1", status="queued" if len(self.times) < self.until else "succeeded")

    async def follow(self) -> None:
        while not self.poller.ended:
            await self.poller.next_state()


def test_a_prediction_is_polled_at_once_and_then_after_pauses_that_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)

    async def main() -> None:
        polls = Polls(until=5, pace=Pace())
        await polls.follow()
        assert polls.times == pytest.approx([0, 0.5, 1.25, 2.375, 4.0625])
        assert polls.limits == [float("inf")] * 5

    run(main())


def test_the_last_poll_is_a_second_before_the_deadline_and_the_error_comes_at_the_deadline() -> None:
    async def main() -> None:
        polls = Polls(until=float("inf"), pace=Pace(interval=4, timeout=10))
        with pytest.raises(WaitTimeoutError, match=r"has not ended within 10 s and continues$") as caught:
            await polls.follow()
        assert (polls.times, polls.limits) == ([0, 4, 8, 9], [10, 6, 2, 1])
        assert polls.clock() - polls.started == 10
        assert caught.value.prediction == polls.poller.last

    run(main())


@pytest.mark.parametrize(("late", "limit"), [(0, 5), (3, 2), (4.5, 0.5), (5, 1), (9, 1)])
def test_a_poll_ends_at_the_deadline_or_after_a_second_if_that_has_passed(late: float, limit: float) -> None:
    async def main() -> None:
        polls = Polls(until=1, pace=Pace(timeout=5))
        await asyncio.sleep(late)  # as long as a callback takes
        await polls.follow()
        assert polls.limits == [limit]

    run(main())
