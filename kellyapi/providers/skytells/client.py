"""Skytells: predictions that make images, video, audio, music and text."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any, ClassVar

from ..._core.downloads import OnBytes
from ..._core.provider import Provider
from ..._core.provider_client import ProviderClient
from ..._data.media import sniff
from ..._data.text import not_blank
from ...errors import DecodingError, KellyAPIError
from ...services.images import Image
from .error_bodies import read_error
from .inference.chat import ChatResource
from .inference.embeddings import EmbeddingsResource
from .inference.responses_api import ResponsesResource
from .inference.safety import SafetyResource
from .models import ModelsResource
from .predictions.outputs import is_link
from .predictions.polling import OnState, PredictionPoller, read_pace
from .predictions.requests import Webhook, creation_body
from .predictions.resource import PredictionsResource
from .predictions.types import Prediction
from .ratelimit_headers import read_rate_limit


class Skytells(ProviderClient):
    """Skytells. Creating a prediction is billed, and is not repeated once it may have been carried out.

    Source: https://github.com/Skytells/ts-sdk (src/client.ts), https://github.com/Skytells/cli (docs/predictions.md)
    """

    PROVIDER = Provider(
        name="skytells",
        title="Skytells",
        base_url="https://api.skytells.ai/v1",
        variables="SKYTELLS",
        key_header="x-api-key",
        read_error=read_error,
        read_rate_limit=read_rate_limit,
    )

    PRODUCTION: ClassVar = PROVIDER.base_url
    EDGE: ClassVar = "https://edge.skytells.ai/v1"
    """Nearer to its users; for Business and Enterprise keys, with models of its own."""

    @property
    def predictions(self) -> PredictionsResource:
        """Jobs: create, look at, list, follow, cancel, delete, download."""
        return PredictionsResource(self._connection)

    @property
    def models(self) -> ModelsResource:
        """The catalogue of models."""
        return ModelsResource(self._connection)

    @property
    def chat(self) -> ChatResource:
        """Language models, by conversation."""
        return ChatResource(self._connection)

    @property
    def responses(self) -> ResponsesResource:
        """Language models, by the newer interface."""
        return ResponsesResource(self._connection)

    @property
    def embeddings(self) -> EmbeddingsResource:
        """Texts as vectors."""
        return EmbeddingsResource(self._connection)

    @property
    def safety(self) -> SafetyResource:
        """The content filter."""
        return SafetyResource(self._connection)

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
        (`None`: never), creating it included, `WaitTimeoutError`, or `RequestTimeoutError` if the provider had not even
        created it; errors after that carry the job as `error.prediction`.
        `on_progress(prediction)`, plain or async, is called with each new state, the first before the job is looked at.
        With `cancel_on_exit` the job is cancelled when waiting for it ends before it does, by an error, the timeout, or
        cancelling the task. For the rest see `predictions.wait`.
        """
        pace = read_pace(interval, timeout, on_progress)
        predictions = self.predictions
        order = creation_body(model, input, webhook=webhook, stream=stream)
        creating = predictions._within(pace.timeout or inf)._order(order)
        started = asyncio.get_running_loop().time()
        job = await (predictions._create_or_cancel(creating) if cancel_on_exit else creating)
        watch = PredictionPoller(predictions, job, pace, cancel_on_exit, started=started, last=job)
        return await predictions._wait(watch, on_progress)

    async def download(self, url: str, path: str | os.PathLike[str], *, on_progress: OnBytes | None = None) -> Path:
        """Stream a link, such as one of `prediction.outputs`, to a file and give its path; no key goes to it.

        The file is there only when it is whole, and takes the place of one that was there. A download that breaks off
        is gone on with if the server can, and so is one that an earlier program left as a `.part` beside the path.
        `on_progress(received, total)`, plain or async, counts bytes; `total` is `None` when the server does not tell.
        """
        if not is_link(not_blank(url, "url")):
            raise ValueError(f"url must be a link such as https://example.com/a.png, not {url[:40]!r}")
        return await self._save_link(url, path, on_progress)

    async def generate_image(
        self, prompt: str, *, model: str = "truefusion-pro", input: Mapping[str, Any] | None = None
    ) -> Image:
        """Draw a picture and fetch it, before its link expires; `input` holds what else the model takes."""
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
