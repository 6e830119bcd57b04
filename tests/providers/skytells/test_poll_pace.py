"""The pauses between polls of a prediction."""

from __future__ import annotations

import pytest

from kellyapi.providers.skytells.predictions.polling import Pace, next_pause, poll_pause


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
