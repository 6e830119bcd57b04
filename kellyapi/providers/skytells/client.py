"""Skytells: predictions that generate images, video, audio, music and text, and OpenAI-style inference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Unpack

from ..._core.downloads import OnBytes
from ..._core.extra_fields import ExtraFields, hide_extra
from ..._core.provider import Provider
from ..._core.provider_client import ProviderClient
from ..._data.arguments import FilePath, NotBlank
from ..._data.links import encode_url
from ..._data.media_types import sniff
from ..._data.result import with_origin_of
from ..._data.text import clip
from ...errors import DecodingError, KellyAPIError
from ...services.images import GENERATE_IMAGE, Image
from ...services.routing import default_of
from .error_bodies import read_error
from .inference.chat import ChatResource
from .inference.embeddings import EmbeddingsResource
from .inference.responses_api import ResponsesResource
from .inference.safety import SafetyResource
from .models import ModelsResource
from .predictions.outputs import is_link
from .predictions.requests import RunOptions
from .predictions.resource import PredictionsResource
from .predictions.types import Prediction
from .ratelimit_headers import read_rate_limit


class Skytells(ProviderClient):
    """Client of Skytells.

    Creating a prediction is billed. It is not sent again if the first attempt may have been carried out.

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
    """An address closer to its users, with models of its own. It accepts keys of the Business and Enterprise plans."""

    @property
    def predictions(self) -> PredictionsResource:
        """Predictions: create, follow, wait for, list, cancel, delete and download them."""
        return PredictionsResource(self._connection)

    @property
    def models(self) -> ModelsResource:
        """The catalogue of models."""
        return ModelsResource(self._connection)

    @property
    def chat(self) -> ChatResource:
        """Language models, as chat completions."""
        return ChatResource(self._connection)

    @property
    def responses(self) -> ResponsesResource:
        """Language models, by the newer Responses API."""
        return ResponsesResource(self._connection)

    @property
    def embeddings(self) -> EmbeddingsResource:
        """Embeddings: texts as vectors."""
        return EmbeddingsResource(self._connection)

    @property
    def safety(self) -> SafetyResource:
        """The content filter."""
        return SafetyResource(self._connection)

    async def run(self, model: NotBlank, input: Mapping[str, Any], **options: Unpack[RunOptions]) -> Prediction:
        """Create a prediction, wait for its end, and return its last state.

        Args:
            model: The slug of a model, such as "truefusion-pro".
            input: The input of the model.
            **options: See `predictions.run`.

        Raises:
            PredictionFailedError: The prediction failed or was cancelled.
            WaitTimeoutError: The prediction has not ended in time.

        Example::

            fox = await skytells.run("truefusion-pro", {"prompt": "A red fox in snow"})
            paths = await skytells.predictions.download(fox, "pictures")
        """
        hide_extra(options)
        return await self.predictions.run(model, input, **options)

    async def download(self, url: NotBlank, path: FilePath, *, on_progress: OnBytes | None = None) -> Path:
        """Stream a link, such as one of `prediction.outputs`, to a file. No key is sent.

        The file appears when it is complete, and replaces a file of the same name. If a download fails, its `.part`
        file is kept, and the next download to the same path resumes from it if the server allows.

        Args:
            url: An http or https URL.
            path: Where to save the file.
            on_progress: A function, plain or async, that is called with the bytes received and the size of the file in
                bytes, or `None` if the server does not send the size.

        Returns:
            The path.
        """
        if not is_link(url):
            raise ValueError(f"url must be a link such as https://example.com/a.png, not {clip(url, 40)!r}")
        return await self._save_link(encode_url(url, "url"), path, on_progress)

    async def generate_image(
        self,
        prompt: NotBlank,
        *,
        model: NotBlank | None = None,
        input: Mapping[str, Any] | None = None,
        **extra: Unpack[ExtraFields],
    ) -> Image:
        """Generate an image from a prompt, and download it.

        Args:
            prompt: What the image should show.
            model: The slug of a model; by default "truefusion-pro".
            input: More inputs of the model, such as `{"aspect_ratio": "16:9"}`.
            **extra: For the request that creates the prediction; see `ExtraFields`.

        Raises:
            PredictionFailedError: The prediction failed. All errors that are raised after the prediction was created
                have it as `.prediction`.
        """
        hide_extra(extra)
        model = default_of(GENERATE_IMAGE, "skytells", "model") if model is None else model
        done = await self.run(model, {"prompt": prompt, **(input or {})}, **extra)
        url = done.outputs[0] if done.outputs else ""
        try:
            if not is_link(url):
                raise DecodingError(f"prediction {done.id} succeeded without a link to its output", provider="skytells")
            response = await self._download(url)
            mime = sniff(response.body) or response.content_type
            if not mime.startswith("image/") or not response.body:
                raise DecodingError(f"the output of prediction {done.id} is not an image", provider="skytells")
        except KellyAPIError as error:
            error.prediction = done
            raise
        return with_origin_of(done, Image(data=response.body, mime=mime, provider="skytells"))
