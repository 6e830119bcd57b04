"""Polling a prediction until it ends: how often, for how long, and what a failed poll means."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable

from attrs import define, field, frozen

from ...._core.log import Log
from ...._core.options import check_seconds
from ...._core.retry import MAX_RETRY_AFTER
from ....errors import (
    DecodingError,
    KellyAPIError,
    RateLimitError,
    ServerError,
    StatusError,
    TransportError,
    WaitTimeoutError,
)
from .types import CreatedPrediction, Prediction, prediction_id

OnState = Callable[[Prediction], Awaitable[None] | None]
"""Called with each new state of a prediction; plain or async."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
GROWTH = 1.5
LAST_POLL = 1.0
"""Seconds from the last poll to the deadline, since its response takes some time."""
MAX_WRONG_IDS = 3
"""How many polls in a row may return another prediction before this is an error."""


@frozen
class Pace:
    """How often and how long a prediction is polled, in seconds."""

    interval: float | None = None
    """The pause between two polls; `None` is a pause that grows from 0.5 s to 5 s."""
    timeout: float | None = None
    """The time until polling ends; `None` polls without an end, 0 polls once."""

    def left(self, passed: float) -> float:
        """Return the seconds that are left after `passed` seconds; infinity if there is no deadline."""
        return math.inf if self.timeout is None else self.timeout - passed


def read_pace(interval: float | None, timeout: float | None) -> Pace:
    """Check the arguments of `follow`, `wait` and `run`, and return their pace."""
    if timeout:
        timeout = check_seconds(timeout, "0 to poll once, or None")
    return Pace(interval, timeout)


def poll_pause(polls: int, interval: float | None, dice: float) -> float:
    """Return the pause after a poll, in seconds.

    Without an `interval` it grows from 0.5 s to 5 s, and a quarter of it is random, so that many clients do not poll at
    the same moment.

    Args:
        polls: How many polls there were; at least 1.
        interval: The pause that the user wants, if any.
        dice: A random number from 0 to 1.
    """
    if interval is not None:
        return interval
    # The exponent is capped: with 10 the pause is longer than the longest one, and a high power would overflow.
    grown = FIRST_PAUSE * GROWTH ** min(polls - 1, 10)
    return min(grown, LONGEST_PAUSE) * (0.75 + 0.25 * dice)


def next_pause(pause: float, left: float, retry_after: float | None = None) -> float | None:
    """Return the seconds until the next poll, or `None` if there is no time for another.

    The last poll comes shortly before the deadline, which is `left` seconds from now. No poll comes before
    `retry_after` seconds have passed.
    """
    if retry_after is None and left > LAST_POLL:
        return min(pause, left - LAST_POLL)
    pause = max(pause, retry_after or 0.0)
    return pause if pause < left else None


def is_transient(error: KellyAPIError) -> bool:
    """Return whether a failed poll says nothing about the prediction, so that it is polled again."""
    if isinstance(error, StatusError):
        return not error.final and (isinstance(error, (ServerError, RateLimitError)) or error.status == 408)
    return isinstance(error, (TransportError, DecodingError))


@define
class PredictionPoller:
    """Poll one prediction until it ends."""

    prediction: str | Prediction | CreatedPrediction
    get: Callable[[str | Prediction | CreatedPrediction, float], Awaitable[Prediction]]
    """Polls once. Called with the prediction and a time limit in seconds."""
    pace: Pace
    logger: Log
    cancels: bool
    """Whether the prediction is cancelled after a timeout."""
    started: float = field(factory=lambda: _now())
    last: Prediction | None = None
    """The state that `next_state` returned last."""
    _polls: int = 0
    _polled_at: float = 0.0
    _failure: KellyAPIError | None = None
    _wrong_ids: int = 0

    @property
    def known(self) -> Prediction | None:
        """The last known state, if any."""
        if self.last is not None or isinstance(self.prediction, str):
            return self.last
        return self.prediction if isinstance(self.prediction, Prediction) else self.prediction.read()

    @property
    def ended(self) -> bool:
        """Whether the prediction has ended, so that there is no next state."""
        return self.last is not None and self.last.ended

    async def next_state(self) -> Prediction:
        """Poll until the state differs from the last one, and return it."""
        while True:
            if self._polls:
                await self._pause()
            self._polls += 1
            left = self.pace.left(_now() - self.started) if self.pace.timeout else math.inf
            state = self._failure = None
            try:
                # A slow callback may have used up the time: then this is the last poll, with a limit of its own.
                state = await self.get(self.prediction, left if left > 0 else LAST_POLL)
                self._check_id(state)
            except KellyAPIError as error:
                if not is_transient(error) or self._wrong_ids >= MAX_WRONG_IDS:
                    error.prediction = self.known
                    raise
                state, self._failure = None, error
                self.logger.info("a poll of %s failed and is repeated: %s", prediction_id(self.prediction), error)
            self._polled_at = _now()
            if state is not None and state != self.last:
                self.last = state
                return state

    def _check_id(self, state: Prediction) -> None:
        wanted = prediction_id(self.prediction)
        if state.id.casefold() == wanted.casefold():
            self._wrong_ids = 0
            return
        self._wrong_ids += 1
        problem = f"the poll of prediction {wanted} returned prediction {state.id}"
        raise DecodingError(problem, provider="skytells", prediction=self.known)

    async def _pause(self) -> None:
        """Wait for the time of the next poll, or raise `WaitTimeoutError` if it would be too late."""
        left = self.pace.left(self._polled_at - self.started)
        wanted = poll_pause(self._polls, self.pace.interval, random.random())
        pause = next_pause(wanted, left, _capped_retry_after(self._failure))
        await asyncio.sleep(self._polled_at + (left if pause is None else pause) - _now())
        if pause is None:
            why = f"; the last poll failed: {self._failure}" if self._failure else ""
            took = f"has not ended within {round(self.pace.timeout or 0, 3):g} s"
            then = "is cancelled now" if self.cancels else "continues"
            message = f"prediction {prediction_id(self.prediction)} {took} and {then}{why}"
            raise WaitTimeoutError(message, provider="skytells", prediction=self.known)


def _capped_retry_after(failure: KellyAPIError | None) -> float | None:
    if failure is None or failure.retry_after is None:
        return None
    return min(failure.retry_after, MAX_RETRY_AFTER)


def _now() -> float:
    return asyncio.get_running_loop().time()
