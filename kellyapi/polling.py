"""The pace of following a job: arithmetic only."""

from __future__ import annotations

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
GROWTH = 1.5


def poll_pause(polls: int, interval: float | None, dice: float) -> float:
    """Give the seconds before the next poll after `polls` of them; `dice` is in 0..1.

    Without an `interval` the pause grows from 0.5 s to 5 s. A quarter of it is left to the dice, so that many followers
    do not ask at once.
    """
    grown = FIRST_PAUSE * GROWTH ** min(polls - 1, 10)  # the tenth is past the longest: a higher power only overflows
    pause = min(grown, LONGEST_PAUSE) if interval is None else interval
    return pause * (0.75 + 0.25 * dice)


def time_left(deadline: float | None, now: float) -> float:
    """Give the seconds until a deadline; infinitely many when there is none."""
    return float("inf") if deadline is None else deadline - now
