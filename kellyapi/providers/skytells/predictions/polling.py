"""The pace of following a job: arithmetic only."""

from __future__ import annotations

import asyncio
import inspect
import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import suppress
from math import inf
from typing import Any, Self

from attrs import define, evolve, field, frozen

from ...._core.messages import DEFAULT_TIMEOUT
from ...._core.options import check_seconds
from ...._core.resource import Resource
from ...._core.retry import MAX_RETRY_AFTER
from ...._core.urls import check_id, encode_path
from ....errors import (
    DecodingError,
    KellyAPIError,
    RateLimitError,
    ServerError,
    StatusError,
    TransportError,
    WaitTimeoutError,
)
from .types import Prediction, prediction_id, read_prediction, read_prediction_if_sent, require_success

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
GROWTH = 1.5
LAST_POLL = 1.0
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
    if hint is None and left > LAST_POLL:
        return min(pause, left - LAST_POLL)
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


OnState = Callable[[Prediction], Awaitable[None] | None]
"""Called with each new state of a job; plain or async."""

CANCEL_TIME = 5.0
"""Seconds that cancelling a job at the end of its following may take."""

_background_tasks: set[asyncio.Task[None]] = set()
"""Keeps the collector from what goes on although its caller has left."""


class PredictionPolling(Resource):
    """What can be done with one job while it runs.

    Source: https://github.com/Skytells/ts-sdk (src/client.ts), https://github.com/Skytells/cli (docs/predictions.md)
    """

    async def get(self, prediction: str | Prediction) -> Prediction:
        """Look at a job, by its id or an earlier state."""
        return await self._look(prediction)

    def _look(self, prediction: str | Prediction) -> Coroutine[Any, Any, Prediction]:
        """Do what `get` does, without a coroutine around that of the connection."""
        return self._fetch(encode_path("/predictions/{}", prediction_id(prediction)), into=read_prediction)

    async def cancel(self, prediction: str | Prediction) -> Prediction | None:
        """Stop a job, and give its last state if the provider sends it."""
        return await self._post_json(
            encode_path("/predictions/{}/cancel", prediction_id(prediction)),
            None,
            into=read_prediction_if_sent,
            repeatable=True,
        )

    def follow(
        self,
        prediction: str | Prediction,
        *,
        interval: float | None = None,
        timeout: float | None = 900.0,
        cancel_on_exit: bool = False,
    ) -> AsyncGenerator[Prediction, None]:
        """Give each state of a job once, until it has ended, well or badly.

        `interval` is the seconds between two looks, by default 0.5 s growing to 5 s. After `timeout` seconds (`None`:
        never, 0: after one look) `WaitTimeoutError` is raised. A look that fails for want of a connection or of the
        server, or since it came too soon, is repeated, after the pause that the server names. With `cancel_on_exit` the
        job is cancelled when its following ends before it does: by an error, the timeout, cancelling the task, or
        leaving the loop (at once within `contextlib.aclosing`, else when the iterator is collected).
        """
        check_id(prediction_id(prediction))  # here, and not at the first look
        return self._states(prediction, read_pace(interval, timeout), cancel_on_exit=cancel_on_exit)

    async def _states(
        self, prediction: str | Prediction, pace: Pace, *, cancel_on_exit: bool
    ) -> AsyncGenerator[Prediction, None]:
        watch = PredictionPoller(self, prediction, pace, cancel_on_exit)
        try:
            while not watch.ended:
                yield await watch.next()
        finally:
            if watch.to_be_cancelled:
                await self._cancel_at_exit(prediction)

    async def wait(
        self,
        prediction: str | Prediction,
        *,
        interval: float | None = None,
        timeout: float | None = 900.0,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = False,
    ) -> Prediction:
        """Follow a job to its end and give its last state; one that did not succeed raises `PredictionFailedError`.

        `on_progress(prediction)`, plain or async, is called with each new state; what it raises ends the waiting. Every
        error of ours carries the last known state as `error.prediction`, so that the job can be followed later, and
        any other names the job in a note. For the rest see `follow`.
        """
        pace = read_pace(interval, timeout, on_progress)
        return await self._wait(PredictionPoller(self, prediction, pace, cancel_on_exit), on_progress)

    async def _wait(self, watch: PredictionPoller, on_progress: OnState | None) -> Prediction:
        try:
            state = watch.last or await watch.next()
            while True:
                waiting = on_progress(state) if on_progress is not None else None
                if waiting is not None and inspect.isawaitable(waiting):
                    await waiting
                if state.ended:
                    return require_success(state)
                state = await watch.next()
        except KellyAPIError as error:
            error.prediction = error.prediction or watch.known
            raise
        except BaseException as error:  # of the callback, or the cancelling of the task
            error.add_note(f"the prediction is {prediction_id(watch.prediction)}")
            raise
        finally:
            if watch.to_be_cancelled:
                await self._cancel_at_exit(watch.prediction)

    def _within(self, seconds: float) -> Self:
        """Give a sibling whose calls end in time, or this one, if its own do."""
        timeout = self._connection.timeout or DEFAULT_TIMEOUT
        if seconds >= (inf if timeout.total is None else timeout.total):
            return self
        return type(self)(evolve(self._connection, timeout=evolve(timeout, total=seconds)))

    async def _cancel_at_exit(self, prediction: str | Prediction) -> None:
        """Cancel a job, unless its follower is one of those that the loop finishes at its very end: no session can be
        opened there any more.
        """
        if getattr(asyncio.get_running_loop(), "_asyncgens_shutdown_called", False):  # not public
            self._connection.logger.warning(
                "prediction %s was not cancelled: the loop ended", prediction_id(prediction)
            )
        else:
            await _run_to_completion(self._cancel_quietly(prediction))

    async def _cancel_quietly(self, prediction: str | Prediction) -> None:
        """Cancel a job whose follower leaves; no failure takes the place of the reason for which it leaves."""
        try:
            async with asyncio.timeout(CANCEL_TIME):
                await self.cancel(prediction)
        except (KellyAPIError, TimeoutError) as error:
            self._connection.logger.warning("prediction %s was not cancelled: %s", prediction_id(prediction), error)

    async def _create_or_cancel(self, creating: Coroutine[Any, Any, Prediction]) -> Prediction:
        """Create a job; if the task is cancelled meanwhile, the job is cancelled as soon as its id is known."""
        task = asyncio.ensure_future(creating)

        async def undo() -> None:
            with suppress(KellyAPIError):
                await self._cancel_quietly(await task)

        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await _run_to_completion(undo())
            raise


@define(eq=False)
class PredictionPoller:
    """One job, looked at until it ends.

    Source: https://github.com/Skytells/cli (docs/predictions.md)
    """

    jobs: PredictionPolling
    prediction: str | Prediction
    pace: Pace
    cancel_on_exit: bool
    started: float = field(factory=lambda: asyncio.get_running_loop().time())
    last: Prediction | None = None
    """The state that was given last."""
    _polls: int = 0
    _looked: float = 0.0
    _failure: KellyAPIError | None = None

    @property
    def known(self) -> Prediction | None:
        """The last state that anybody has of the job."""
        return self.last or (self.prediction if isinstance(self.prediction, Prediction) else None)

    @property
    def ended(self) -> bool:
        """Whether there is no next state."""
        return self.last is not None and self.last.ended

    @property
    def to_be_cancelled(self) -> bool:
        """Whether the job is not to outlive its following."""
        return self.cancel_on_exit and not self.ended

    async def next(self) -> Prediction:
        """Give the next state that differs."""
        clock = asyncio.get_running_loop().time
        while True:
            if self._polls:
                await self._pause(clock)
            self._polls += 1
            left = self.pace.left(clock() - self.started) if self.pace.timeout else inf
            jobs = type(self.jobs)(self.jobs._connection.once)  # repeating a look is what goes on here
            state = self._failure = None
            try:
                # The time is over when the callback took all of it.
                state = await jobs._within(left if left > 0 else LAST_POLL)._look(self.prediction)
            except KellyAPIError as error:
                if not is_transient(error):
                    raise
                self._failure = error
                what = "a look at %s failed and is repeated: %s"
                jobs._connection.logger.info(what, prediction_id(self.prediction), error)
            self._looked = clock()
            if state is not None and state != self.last:
                self.last = state
                return state

    async def _pause(self, clock: Callable[[], float]) -> None:
        """Wait for the time of the next look, or raise `WaitTimeoutError` when it would be too late."""
        left = self.pace.left(self._looked - self.started)
        wanted = poll_pause(self._polls, self.pace.interval, random.random())
        pause = next_pause(wanted, left, _server_pause(self._failure))
        await asyncio.sleep(self._looked + (left if pause is None else pause) - clock())
        if pause is None:
            fate = "is cancelled now" if self.cancel_on_exit else "goes on"
            why = f"; the last look failed: {self._failure}" if self._failure else ""
            took = f"has not ended within {self.pace.timeout:g} s"
            message = f"prediction {prediction_id(self.prediction)} {took} and {fate}{why}"
            raise WaitTimeoutError(message, provider="skytells", prediction=self.known)


def read_pace(interval: float | None, timeout: float | None, on_progress: OnState | None = None) -> Pace:
    """Check how a job is to be followed."""
    if on_progress is not None and not callable(on_progress):
        raise TypeError(f"on_progress must be a function, not {on_progress!r}")
    if timeout is not None and (timeout != 0 or isinstance(timeout, bool)):
        timeout = check_seconds(timeout, "0 to look once, or None")
    return Pace(check_interval(interval), timeout)


def is_transient(error: KellyAPIError) -> bool:
    """Tell whether a failed look says nothing of the job."""
    if isinstance(error, StatusError):
        return not error.final and (isinstance(error, (ServerError, RateLimitError)) or error.status == 408)
    return isinstance(error, (TransportError, DecodingError))


def _server_pause(failure: KellyAPIError | None) -> float | None:
    hint = failure.retry_after if isinstance(failure, StatusError) else None
    return None if hint is None else min(hint, MAX_RETRY_AFTER)


async def _run_to_completion(work: Coroutine[Any, Any, None]) -> None:
    """Wait for something that goes on even when the task is cancelled."""
    task = asyncio.ensure_future(work)
    _background_tasks.add(task)
    task.add_done_callback(_background_tasks.discard)
    await asyncio.shield(task)
