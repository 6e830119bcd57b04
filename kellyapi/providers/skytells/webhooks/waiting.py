"""Wait for the delivery that a prediction has ended, or poll the prediction if no delivery arrives."""

from __future__ import annotations

import asyncio

from ...._core.options import check_seconds
from ....errors import WaitTimeoutError
from ..client import Skytells
from ..predictions.types import Prediction, prediction_id, require_success

MAX_KNOWN_STATES = 1_000
"""How many predictions are remembered after their delivery, for a `wait_for` that comes later."""


class PredictionWaiters:
    """The delivered states of predictions, and the futures that wait for them, on one event loop.

    Source: https://github.com/Skytells/ts-sdk (src/webhooks.ts)
    """

    def __init__(self) -> None:
        self._states: dict[str, Prediction] = {}
        self._waiting: dict[str, set[asyncio.Future[Prediction]]] = {}

    def note(self, state: Prediction) -> None:
        """Remember a delivered state, and wake those who wait for the end of its prediction.

        A state that has ended is kept: an older state may be delivered after it.
        """
        before = self._states.pop(state.id, None)
        self._states[state.id] = before if before is not None and before.ended else state
        if len(self._states) > MAX_KNOWN_STATES:
            del self._states[next(iter(self._states))]
        if state.ended:
            for delivery in self._waiting.get(state.id, ()):
                if not delivery.done():
                    delivery.set_result(state)

    async def wait_for(
        self, prediction: str | Prediction, skytells: Skytells | None, *, timeout: float | None, poll_after: float
    ) -> Prediction:
        """Wait for the end of a prediction; see `WebhookReceiver.wait_for`."""
        limit = None if timeout is None else check_seconds(timeout, "or None")
        id = prediction_id(prediction)
        known = self._last(prediction)
        if known is not None and known.ended:
            return require_success(known)
        delivery: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(id, set()).add(delivery)
        timer = asyncio.timeout(limit)
        try:
            async with timer:
                if skytells is not None:
                    await asyncio.wait({delivery}, timeout=poll_after if limit is None else min(poll_after, limit / 2))
                    if not delivery.done():
                        return await self._poll(skytells, prediction, delivery)
                return require_success(await delivery)
        except TimeoutError:
            if not timer.expired():  # raised by other code, such as a key function
                raise
            message = f"prediction {id} has not ended within {limit:g} s and continues"
            raise WaitTimeoutError(message, provider="skytells", prediction=self._last(prediction)) from None
        finally:
            self._waiting[id].discard(delivery)
            if not self._waiting[id]:
                del self._waiting[id]

    async def _poll(
        self, skytells: Skytells, prediction: str | Prediction, delivery: asyncio.Future[Prediction]
    ) -> Prediction:
        """Poll the prediction until it has ended, or until its delivery arrives."""
        polling = asyncio.ensure_future(skytells.predictions.wait(prediction, timeout=None, on_progress=self.note))
        try:
            await asyncio.wait({delivery, polling}, return_when=asyncio.FIRST_COMPLETED)
            return require_success(delivery.result()) if delivery.done() else polling.result()
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)

    def _last(self, prediction: str | Prediction) -> Prediction | None:
        known = self._states.get(prediction_id(prediction))
        if isinstance(prediction, Prediction) and (known is None or prediction.ended):
            return prediction
        return known
