"""Skytells' predictions: create jobs, look at them, list them, fetch what they made.

Following one to its end is in `following`, saving its outputs in `outputs`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from ...._core.downloads import OnBytes
from ...._core.resource import drop_none
from ...._core.urls import encode_path
from ...._data.json_text import dumps
from ....errors import KellyAPIError, StatusError
from ..error_bodies import is_missing_route
from .outputs import save_outputs
from .polling import PredictionPolling
from .requests import PredictionRequest, Webhook, creation_body
from .types import Prediction, PredictionPage, prediction_id, read_page, read_prediction, read_prediction_if_sent


class PredictionsResource(PredictionPolling):
    """`skytells.predictions`.

    Source: https://github.com/Skytells/ts-sdk (src/client.ts, streamPrediction),
    https://pypi.org/project/skytells/1.0.0/ (queue, dispatch), https://github.com/Skytells/cli (per_page, status,
    docs/predictions.md)
    """

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
        """
        return await self._order(creation_body(model, input, wait=wait, webhook=webhook, stream=stream))

    async def create_many(
        self, jobs: Iterable[PredictionRequest | tuple[str, Mapping[str, Any]]]
    ) -> tuple[Prediction | KellyAPIError, ...]:
        """Create several jobs at once and give, in their order, the first state of each, or its error.

        Jobs are `Job(model, input, webhook=…, stream=…)` or `(model, input)`. A wrong one raises `ValueError` or
        `TypeError` before any is sent. What is no error of ours, but of a key function or `on_response`, is raised when
        all have ended, with a note of the jobs that were created.
        """

        prepared = [job if isinstance(job, PredictionRequest) else PredictionRequest(*job) for job in jobs]
        orders = [creation_body(job.model, job.input, webhook=job.webhook, stream=job.stream) for job in prepared]
        dumps(orders)  # what has no JSON form is found before the first is sent and paid for
        done = await asyncio.gather(*map(self._order, orders), return_exceptions=True)
        ours = tuple(each for each in done if isinstance(each, (Prediction, KellyAPIError)))
        if len(ours) == len(done):
            return ours
        foreign = next(each for each in done if not isinstance(each, (Prediction, KellyAPIError)))
        if created := [each.id for each in ours if isinstance(each, Prediction)]:
            foreign.add_note(f"predictions that were created: {', '.join(created)}")
        raise foreign

    def _order(self, order: dict[str, Any]) -> Coroutine[Any, Any, Prediction]:
        return self._post_json("/predict", order, into=read_prediction)

    async def stream_info(self, prediction: str | Prediction) -> Prediction:
        """Look at a job that streams: `urls["stream"]` is where."""
        return await self._fetch(encode_path("/predictions/{}/stream", prediction_id(prediction)), into=read_prediction)

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
        """
        days = {"from": _day(since), "to": _day(until)}
        asked = drop_none(page=page, **days, model=model, status=status, per_page=per_page)
        query = {name: str(value) for name, value in asked.items()}
        return await self._fetch("/predictions", query, into=read_page)

    async def pages(self, **filters: Any) -> AsyncIterator[PredictionPage]:
        """Give every page of jobs; `filters` are those of `list`."""
        for number in count(filters.pop("page", 1)):
            page = await self.list(page=number, **filters)
            yield page
            if not page.items or number >= page.pagination.last_page:
                return

    async def iterate(self, **filters: Any) -> AsyncIterator[Prediction]:
        """Give every job, page after page; `filters` are those of `list`."""
        async for page in self.pages(**filters):
            for prediction in page.items:
                yield prediction

    async def delete(self, prediction: str | Prediction) -> Prediction | None:
        """Delete a job and what it made, and give its last state if the provider sends it."""
        try:
            return await self._delete(
                encode_path("/predictions/{}/delete", prediction_id(prediction)), into=read_prediction_if_sent
            )
        except StatusError as error:
            if not is_missing_route(error):
                raise
            return await self._delete(
                encode_path("/predictions/{}", prediction_id(prediction)), into=read_prediction_if_sent
            )

    async def download(
        self, prediction: str | Prediction, folder: str | os.PathLike[str], *, on_progress: OnBytes | None = None
    ) -> tuple[Path, ...]:
        """Save the outputs of a job in a folder, which is made if it is missing, and give their paths.

        There are none while the job runs, and none for outputs that are text and not links. Four are fetched at once,
        and each is gone on with after a cut. A file of the same name is replaced. When some fail the others are
        finished before the first error is raised. `on_progress(received, total)`, plain or async, counts the bytes of
        all; `total` is `None` while a size is unknown. No key goes to the links, which expire about five minutes after
        completion: new ones are asked for once.
        """
        state = prediction if isinstance(prediction, Prediction) and prediction.outputs else await self.get(prediction)
        await asyncio.to_thread(Path(folder).mkdir, parents=True, exist_ok=True)
        return await save_outputs(state, Path(folder), on_progress, save=self._save_link, look=self.get)


def _day(day: str | date | None) -> str | None:
    return day.isoformat()[:10] if isinstance(day, date) else day  # a datetime is a date too
