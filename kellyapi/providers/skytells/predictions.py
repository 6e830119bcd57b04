"""Skytells' predictions: create jobs, look at them, list them, follow them to their end, fetch what they made."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from ...core import Service
from ...decoding import dumps
from ...errors import (
    KellyAPIError,
    PredictionFailedError,
    RateLimitError,
    ServerError,
    StatusError,
    TransportError,
    WaitTimeoutError,
)
from ...media import safe_name, save_stream
from ...polling import poll_pause, time_left
from ...wire import encode_path, given, not_blank
from .errors import is_missing_route
from .prediction import (
    Job,
    Prediction,
    PredictionPage,
    Webhook,
    id_of,
    read_changed,
    read_page,
    read_prediction,
    read_webhook,
)


class Predictions(Service):
    """`skytells.predictions`."""

    async def create(
        self,
        model: str,
        input: Mapping[str, Any],
        *,
        wait: bool = False,
        webhook: str | Webhook | Mapping[str, Any] | None = None,
        stream: bool = False,
    ) -> Prediction:
        """Create a job and give its first state.

        `wait=True` lets the server answer only when the job has ended: a timeout then loses the id of a paid job, so
        prefer `follow` or `skytells.run`. `webhook` is an https URL, for all events, or `Webhook(url, events)`.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts)
        """
        return await self._order(_order(model, input, wait=wait, webhook=webhook, stream=stream))

    async def create_many(
        self, jobs: Iterable[Job | tuple[str, Mapping[str, Any]]]
    ) -> tuple[Prediction | KellyAPIError, ...]:
        """Create several jobs at once and give, in their order, the first state of each, or its error.

        Jobs are `Job(model, input, webhook=…, stream=…)` or `(model, input)`. A wrong one raises `ValueError` or
        `TypeError` before any is sent.

        Source: https://pypi.org/project/skytells/1.0.0/ (queue, dispatch)
        """

        async def one(order: dict[str, Any]) -> Prediction | KellyAPIError:
            try:
                return await self._order(order)
            except KellyAPIError as error:
                return error

        prepared = [job if isinstance(job, Job) else Job(*job) for job in jobs]
        orders = [_order(job.model, job.input, webhook=job.webhook, stream=job.stream) for job in prepared]
        dumps(orders)  # what has no JSON form is found before the first is sent and paid for
        return tuple(await asyncio.gather(*map(one, orders)))

    async def _order(self, order: dict[str, Any]) -> Prediction:
        return await self._post_json("/predict", order, into=read_prediction)

    async def get(self, prediction: str | Prediction) -> Prediction:
        """Look at a job, by its id or an earlier state.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts)
        """
        return await self._fetch(_path(prediction), into=read_prediction)

    async def stream_info(self, prediction: str | Prediction) -> Prediction:
        """Look at a job that streams: `urls["stream"]` is where.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts, streamPrediction)
        """
        return await self._fetch(f"{_path(prediction)}/stream", into=read_prediction)

    async def list(
        self,
        *,
        page: int = 1,
        since: str | date | None = None,
        until: str | date | None = None,
        model: str | None = None,
        status: str | None = None,
        per_page: int | None = None,
    ) -> PredictionPage:
        """Give one page of jobs, the newest first; `since` and `until` are days (`date` or "YYYY-MM-DD"), `per_page` is
        1 to 50.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts), https://github.com/Skytells/cli (per_page, status)
        """
        days = {"from": _day(since), "to": _day(until)}
        asked = given(page=page, **days, model=model, status=status, per_page=per_page)
        query = {name: str(value) for name, value in asked.items()}
        return await self._fetch("/predictions", query, into=read_page)

    async def pages(self, **filters: Any) -> AsyncIterator[PredictionPage]:
        """Give every page of jobs; `filters` are those of `list`.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts)
        """
        for number in count(filters.pop("page", 1)):
            page = await self.list(page=number, **filters)
            yield page
            if not page.items or number >= page.pagination.last_page:
                return

    async def iterate(self, **filters: Any) -> AsyncIterator[Prediction]:
        """Give every job, page after page; `filters` are those of `list`.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts)
        """
        async for page in self.pages(**filters):
            for prediction in page.items:
                yield prediction

    async def cancel(self, prediction: str | Prediction) -> Prediction | None:
        """Stop a job, and give its last state if the system sends it.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts)
        """
        return await self._post_json(f"{_path(prediction)}/cancel", None, into=read_changed, repeatable=True)

    async def delete(self, prediction: str | Prediction) -> Prediction | None:
        """Delete a job and what it made, and give its last state if the system sends it.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts); without `/delete` in https://github.com/Skytells/cli
        """
        try:
            return await self._delete(f"{_path(prediction)}/delete", into=read_changed)
        except StatusError as error:
            if not is_missing_route(error):
                raise
            return await self._delete(_path(prediction), into=read_changed)

    async def download(self, prediction: str | Prediction, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Save the outputs of a job in a folder, which is made if it is missing, and give their paths.

        The links expire about five minutes after completion. No key goes to them.

        Source: https://github.com/Skytells/cli (docs/predictions.md)
        """
        state = prediction if isinstance(prediction, Prediction) and prediction.outputs else await self.get(prediction)
        place = Path(folder)
        await asyncio.to_thread(place.mkdir, parents=True, exist_ok=True)
        links = [url for url in state.outputs if url.startswith(("https://", "http://"))]
        saved: list[Path] = []
        for number, url in enumerate(links):
            path = place / safe_name(url, f"output-{number}")
            if path in saved:  # two links may end in the same name
                path = place / f"{number}-{path.name}"
            async with self._stream_link(url) as pieces:
                saved.append(await save_stream(path, pieces))
        return tuple(saved)

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


def _order(
    model: str,
    input: Mapping[str, Any],
    *,
    wait: bool = False,
    webhook: str | Webhook | Mapping[str, Any] | None = None,
    stream: bool = False,
) -> dict[str, Any]:
    data = {"model": not_blank(model, "model"), "input": dict(input), "await": wait}
    if webhook is not None:
        data["webhook"] = read_webhook(webhook).on_the_wire()
    if stream:
        data["stream"] = True
    return data


def _day(day: str | date | None) -> str | None:
    return day.isoformat()[:10] if isinstance(day, date) else day  # a datetime is a date too


def _path(prediction: str | Prediction) -> str:
    return encode_path("/predictions/{}", id_of(prediction))
