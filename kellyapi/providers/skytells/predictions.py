"""Skytells' predictions: create a job, look at it, follow it to its end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from itertools import count
from typing import Any

from attrs import field, frozen

from ...core import Service
from ...decoding import decode
from ...errors import (
    KellyAPIError,
    PredictionFailedError,
    RateLimitError,
    ServerError,
    TransportError,
    WaitTimeoutError,
)
from ...polling import poll_pause, time_left
from ...wire import encode_path, not_blank

ENDED = frozenset({"succeeded", "failed", "cancelled", "canceled"})


@frozen
class Metrics:
    """What the work took."""

    progress: float | None = None
    """Percent."""
    predict_time: float | None = None
    """Seconds of computing."""
    total_time: float | None = None
    """Seconds, waiting included."""
    image_count: int | None = None
    asset_count: int | None = None


@frozen
class Billing:
    """What a prediction cost."""

    credits_used: float | None = None


@frozen
class StoredFile:
    """An output as it is stored."""

    url: str
    name: str | None = None
    type: str | None = None
    size: int | None = None
    """Bytes."""


@frozen
class Storage:
    """Where the outputs are."""

    files: tuple[StoredFile, ...] = ()


@frozen
class Metadata:
    """What the system keeps about a prediction."""

    billing: Billing = Billing()
    storage: Storage = Storage()
    data_available: bool | None = None


@frozen(kw_only=True)
class Prediction:
    """The state of a job at one moment.

    Source: https://github.com/Skytells/ts-sdk (src/types/predict.types.ts)
    """

    id: str
    status: str
    """"pending", "queued", "starting", "started", "processing", "succeeded", "failed", "cancelled" or "canceled";
    others may come.
    """
    model: str | None = None
    type: str | None = None
    """"inference" or "training"."""
    input: dict[str, object] = field(factory=dict)
    output: object = None
    """As it came: `None`, a URL or text, or an array of them. See `outputs`."""
    error: str | None = None
    """Why it failed."""
    response: str | None = None
    """What the system says about it."""
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    updated_at: str | None = None
    privacy: str | None = None
    source: str | None = None
    metrics: Metrics = Metrics()
    metadata: Metadata = Metadata()
    urls: dict[str, str] = field(factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ENDED

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs one by one: mostly URLs, which expire about five minutes after completion."""
        items = self.output if isinstance(self.output, list) else [self.output]
        return tuple(item for item in items if isinstance(item, str))

    @property
    def progress(self) -> float | None:
        """Percent; `None` when the system does not tell."""
        return self.metrics.progress

    @property
    def credits_used(self) -> float | None:
        """What it cost; `None` when the system does not tell."""
        return self.metadata.billing.credits_used


def read_prediction(value: Any) -> Prediction:
    """Read a prediction in each form in which the system sends it."""
    fields = decode(value, dict[str, object])
    model = fields.get("model")
    if isinstance(model, dict):
        fields = {**fields, "model": model.get("name")}
    if fields.get("status") is False:  # queued, in the words of the older generation
        fields = {**fields, "status": "pending"}
    if fields.get("status") == "failed" and not fields.get("error"):
        fields = {**fields, "error": fields.get("response")}
    return decode(fields, Prediction)


class Predictions(Service):
    """`skytells.predictions`."""

    async def create(
        self,
        model: str,
        input: Mapping[str, Any],
        *,
        wait: bool = False,
        webhook: str | Mapping[str, Any] | None = None,
        stream: bool = False,
    ) -> Prediction:
        """Create a job and give its first state.

        `wait=True` lets the server answer only when the job has ended: a timeout then loses the id of a paid job, so
        prefer `follow` or `skytells.run`. `webhook` is an https URL, or `{"url": …, "events": […]}`.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts)
        """
        data = {"model": not_blank(model, "model"), "input": dict(input), "await": wait}
        if webhook is not None:
            data["webhook"] = {"url": webhook, "events": _ALL_EVENTS} if isinstance(webhook, str) else dict(webhook)
        if stream:
            data["stream"] = True
        return await self._post_json("/predict", data, into=read_prediction)

    async def get(self, prediction: str | Prediction) -> Prediction:
        """Look at a job, by its id or an earlier state.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts)
        """
        return await self._fetch(encode_path("/predictions/{}", id_of(prediction)), into=read_prediction)

    async def follow(
        self, prediction: str | Prediction, *, interval: float | None = None, timeout: float | None = 900.0
    ) -> AsyncIterator[Prediction]:
        """Give each state of a job once, until it has ended, well or badly.

        `interval` is the seconds between two looks, by default 0.5 s growing to 5 s. After `timeout` seconds (`None`:
        never) `WaitTimeoutError` is raised. A look that fails for want of a connection or of the server is repeated.

        Source: https://github.com/Skytells/cli (docs/predictions.md)
        """
        clock = asyncio.get_running_loop().time
        deadline = None if timeout is None else clock() + timeout
        last: Prediction | None = None
        for polls in count(1):
            try:
                state = await self.get(prediction)
            except (TransportError, ServerError, RateLimitError) as error:
                if error.code == "PREDICTION_FAILED":  # what the system says of an id it does not know
                    raise
                self._connection.logger.info("a look at %s failed and is repeated: %s", id_of(prediction), error)
            else:
                if state != last:
                    yield state
                last = state
                if state.ended:
                    return
            left = time_left(deadline, clock())
            if left <= 0:
                known = last or (prediction if isinstance(prediction, Prediction) else None)
                message = f"prediction {id_of(prediction)} has not ended within {timeout} s and goes on"
                raise WaitTimeoutError(message, provider="skytells", prediction=known)
            await asyncio.sleep(min(poll_pause(polls, interval, random.random()), left))

    async def wait(
        self, prediction: str | Prediction, *, interval: float | None = None, timeout: float | None = 900.0
    ) -> Prediction:
        """Follow a job to its end and give its last state; one that did not succeed raises `PredictionFailedError`.

        Every error carries the last known state as `error.prediction`, so that the job can be followed later.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts)
        """
        state = prediction if isinstance(prediction, Prediction) else None
        try:
            async for seen in self.follow(prediction, interval=interval, timeout=timeout):
                state = seen
        except KellyAPIError as error:
            error.prediction = error.prediction or state
            raise
        assert state is not None
        if state.status != "succeeded":
            reason = state.error or state.response or "no reason given"
            message = f"prediction {state.id} {state.status}: {reason}"
            raise PredictionFailedError(message, provider="skytells", prediction=state)
        return state


_ALL_EVENTS = ["completed", "failed", "canceled", "started"]


def id_of(prediction: str | Prediction) -> str:
    """Give the id of a prediction that is named by it or by an earlier state."""
    return prediction.id if isinstance(prediction, Prediction) else prediction
