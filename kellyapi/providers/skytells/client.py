"""Skytells: predictions that make images, video, audio, music and text."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any, ClassVar

from ...core import Client, OnBytes
from ...errors import DecodingError, KellyAPIError
from ...media import sniff
from ...services.images import Image
from ...wire import System, not_blank
from .allowance import read_allowance
from .errors import read_error
from .following import OnState, Watch, read_pace
from .inference import ChatCompletions, EmbeddingVectors, Responses
from .models import Models
from .outputs import is_link
from .prediction import Prediction, Webhook
from .predictions import Predictions, write_order
from .safety import Safety


class Skytells(Client):
    """Skytells. Creating a prediction is billed, and is not repeated once it may have been carried out."""

    SYSTEM = System(
        name="skytells",
        title="Skytells",
        base_url="https://api.skytells.ai/v1",
        variables="SKYTELLS",
        key_header="x-api-key",
        read_error=read_error,
        read_allowance=read_allowance,
    )

    PRODUCTION: ClassVar = SYSTEM.base_url
    EDGE: ClassVar = "https://edge.skytells.ai/v1"
    """Nearer to its users; for Business and Enterprise keys, with models of its own."""

    @property
    def predictions(self) -> Predictions:
        """Jobs: create, look at, list, follow, cancel, delete, download."""
        return Predictions(self._connection)

    @property
    def models(self) -> Models:
        """The catalogue of models."""
        return Models(self._connection)

    @property
    def chat(self) -> ChatCompletions:
        """Language models, by conversation."""
        return ChatCompletions(self._connection)

    @property
    def responses(self) -> Responses:
        """Language models, by the newer interface."""
        return Responses(self._connection)

    @property
    def embeddings(self) -> EmbeddingVectors:
        """Texts as vectors."""
        return EmbeddingVectors(self._connection)

    @property
    def safety(self) -> Safety:
        """The content filter."""
        return Safety(self._connection)

    async def run(
        self,
        model: str,
        input: Mapping[str, Any],
        *,
        webhook: str | Webhook | Mapping[str, Any] | None = None,
        stream: bool = False,
        interval: float | None = None,
        timeout: float | None = 900.0,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = False,
    ) -> Prediction:
        """Create a job, follow it, and give its last state.

        One that fails or is cancelled raises `PredictionFailedError`, one that has not ended after `timeout` seconds
        (`None`: never), creating it included, `WaitTimeoutError`, or `RequestTimeoutError` if the system had not even
        created it; errors after that carry the job as `error.prediction`.
        `on_progress(prediction)`, plain or async, is called with each new state, the first before the job is looked at.
        With `cancel_on_exit` the job is cancelled when waiting for it ends before it does, by an error, the timeout, or
        cancelling the task. For the rest see `predictions.wait`.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts)
        """
        pace = read_pace(interval, timeout, on_progress)
        predictions = self.predictions
        order = write_order(model, input, webhook=webhook, stream=stream)
        creating = predictions._within(pace.timeout or inf)._order(order)
        started = asyncio.get_running_loop().time()
        job = await (predictions._create_or_cancel(creating) if cancel_on_exit else creating)
        watch = Watch(predictions, job, pace, cancel_on_exit, started=started, last=job)
        return await predictions._wait(watch, on_progress)

    async def download(self, url: str, path: str | os.PathLike[str], *, on_progress: OnBytes | None = None) -> Path:
        """Stream a link, such as one of `prediction.outputs`, to a file and give its path; no key goes to it.

        The file is there only when it is whole, and takes the place of one that was there. A download that breaks off
        is gone on with if the server can, and so is one that an earlier program left as a `.part` beside the path.
        `on_progress(received, total)`, plain or async, counts bytes; `total` is `None` when the server does not tell.

        Source: https://github.com/Skytells/cli (docs/predictions.md)
        """
        if not is_link(not_blank(url, "url")):
            raise ValueError(f"url must be a link such as https://example.com/a.png, not {url[:40]!r}")
        return await self._save_link(url, path, on_progress)

    async def generate_image(
        self, prompt: str, *, model: str = "truefusion-pro", input: Mapping[str, Any] | None = None
    ) -> Image:
        """Draw a picture and fetch it, before its link expires; `input` holds what else the model takes.

        Source: https://github.com/Skytells/ts-sdk (src/client.ts)
        """
        done = await self.run(model, {"prompt": not_blank(prompt, "prompt"), **(input or {})})
        url = done.outputs[0] if done.outputs else ""
        try:
            if not is_link(url):
                raise DecodingError(f"prediction {done.id} succeeded without a link to its output", provider="skytells")
            answer = await self._download(url)
            mime = sniff(answer.body) or answer.content_type
            if not mime.startswith("image/") or not answer.body:
                raise DecodingError(f"the output of prediction {done.id} is no picture", provider="skytells")
        except KellyAPIError as error:
            error.prediction = done
            raise
        return Image(data=answer.body, mime=mime, provider="skytells")
