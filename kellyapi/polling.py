"""The pace of following a job: arithmetic only."""

from __future__ import annotations

import math

from attrs import frozen

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
GROWTH = 1.5
LAST_LOOK = 1.0
"""Seconds before the deadline at which a job is looked at a last time: an answer takes some."""


@frozen
class Pace:
    """How often a job is looked at and for how long, in seconds."""

    interval: float | None = None
    """Between two looks; `None` grows from 0.5 s to 5 s."""
    timeout: float | None = None
    """`None` is endless, 0 one look."""

    def left(self, passed: float) -> float:
        """Give the seconds that are left when some have passed; infinitely many when there is no end."""
        return math.inf if self.timeout is None else self.timeout - passed


def poll_pause(polls: int, interval: float | None, dice: float) -> float:
    """Give the seconds before the next poll after `polls` of them; `dice` is in 0..1.

    It is the `interval`, if there is one. Else it grows from 0.5 s to 5 s, and a quarter of it is left to the dice, so
    that many followers do not ask at once.
    """
    if interval is not None:
        return interval
    grown = FIRST_PAUSE * GROWTH ** min(polls - 1, 10)  # the tenth is past the longest: a higher power only overflows
    return min(grown, LONGEST_PAUSE) * (0.75 + 0.25 * dice)


def next_pause(pause: float, left: float, hint: float | None = None) -> float | None:
    """Give the seconds until the next look, or `None` when there is no time for another.

    `left` is the time until the deadline, shortly before which a last look is taken. `hint` is what the server wants to
    be left alone for: it is never looked at sooner.
    """
    if hint is None and left > LAST_LOOK:
        return min(pause, left - LAST_LOOK)
    pause = max(pause, hint or 0.0)
    return pause if pause < left else None


def check_interval(interval: float | None) -> float | None:
    """Give an interval back that is seconds, 0 or more, or `None`."""
    if interval is None:
        return None
    if isinstance(interval, bool) or not isinstance(interval, (int, float)):
        raise TypeError(f"interval must be seconds or None, not {interval!r}")
    if not 0 <= interval < math.inf:
        raise ValueError(f"interval must be 0 seconds or more, not {interval!r}")
    return float(interval)
