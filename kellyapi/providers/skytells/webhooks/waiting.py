"""Jobs joined with the calls that tell of them: whoever waits for a job gets the call, early or late, or asks."""

from __future__ import annotations

import asyncio

from ...._core.options import check_seconds
from ...._core.urls import check_id
from ....errors import WaitTimeoutError
from ..client import Skytells
from ..predictions.types import Prediction, prediction_id, require_success

MAX_KNOWN_STATES = 1_000
"""Jobs whose last state is kept for those who wait for it after the call."""


class PredictionWaiters:
    """The states that calls have told of, and those who wait for them, on one event loop.

    Source: https://github.com/Skytells/ts-sdk (src/webhooks.ts)
    """

    def __init__(self) -> None:
        self._states: dict[str, Prediction] = {}
        self._waiting: dict[str, set[asyncio.Future[Prediction]]] = {}

    def note(self, state: Prediction) -> None:
        """Keep a state for those who wait for it, now or later. One that ended stays so, whatever comes late."""
        before = self._states.pop(state.id, None)
        self._states[state.id] = before if before is not None and before.ended else state
        if len(self._states) > MAX_KNOWN_STATES:
            del self._states[next(iter(self._states))]
        if state.ended:
            for call in self._waiting.get(state.id, ()):
                if not call.done():
                    call.set_result(state)

    async def wait_for(
        self, prediction: str | Prediction, skytells: Skytells | None, *, timeout: float | None, poll_after: float
    ) -> Prediction:
        """Wait for the end of a job as `WebhookReceiver.wait_for` says."""
        limit = None if timeout is None else check_seconds(timeout, "or None")
        id = prediction_id(prediction)
        check_id(id)
        if not 0 <= poll_after < float("inf"):
            raise ValueError(f"poll_after must be 0 seconds or more, not {poll_after!r}")
        known = self._last(prediction)
        if known is not None and known.ended:
            return require_success(known)
        call: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(id, set()).add(call)
        timer = asyncio.timeout(limit)
        try:
            async with timer:
                if skytells is not None:
                    await asyncio.wait({call}, timeout=poll_after if limit is None else min(poll_after, limit / 2))
                    if not call.done():
                        return await self._ask(skytells, prediction, call)
                return require_success(await call)
        except TimeoutError:
            if not timer.expired():  # somebody else's: a key function's, say
                raise
            message = f"prediction {id} has not ended within {limit:g} s, by all that was heard of it, and goes on"
            raise WaitTimeoutError(message, provider="skytells", prediction=self._last(prediction)) from None
        finally:
            self._waiting[id].discard(call)
            if not self._waiting[id]:
                del self._waiting[id]

    async def _ask(
        self, skytells: Skytells, prediction: str | Prediction, call: asyncio.Future[Prediction]
    ) -> Prediction:
        """Ask the provider until it, or a call after all, tells that the job has ended."""
        asking = asyncio.ensure_future(skytells.predictions.wait(prediction, timeout=None, on_progress=self.note))
        try:
            await asyncio.wait({call, asking}, return_when=asyncio.FIRST_COMPLETED)
            return require_success(call.result()) if call.done() else asking.result()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def _last(self, prediction: str | Prediction) -> Prediction | None:
        known = self._states.get(prediction_id(prediction))
        if isinstance(prediction, Prediction) and (known is None or prediction.ended):
            return prediction
        return known
