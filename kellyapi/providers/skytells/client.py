"""Skytells: predictions that generate images, video, audio, music and text, and OpenAI-style inference."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Unpack, overload

from ..._core.extra_fields import ExtraFields, hide_extra
from ..._core.messages import OnBytes
from ..._core.options import Options, hide_secrets
from ..._core.provider import Provider
from ..._core.provider_client import ProviderClient
from ..._core.secrets import Key, as_secret
from ..._core.urls import is_link
from ..._data.arguments import Count, FilePath, NotBlank, Positive, unchecked
from ..._data.links import encode_url
from ..._data.media import MediaSource, open_media
from ..._data.text import clip
from ..._data.writables import Writable, WritableTarget
from ...services.generated import OnState
from ...services.images import GENERATE_IMAGE, GENERATE_IMAGES, Image, ImageCount
from ...services.music import GENERATE_MUSIC, Music
from ...services.routing import default_of
from ...services.video import GENERATE_VIDEO, Video
from .error_bodies import read_error
from .generation import Generation, GenerationResource
from .inference.chat import ChatResource
from .inference.embeddings import EmbeddingsResource
from .inference.responses_api import ResponsesResource
from .inference.safety import SafetyResource
from .input_schemas import InputSchemas
from .models import ModelsResource
from .predictions.requests import RunOptions
from .predictions.resource import PredictionsResource
from .predictions.types import Prediction
from .ratelimit_headers import read_rate_limit

if TYPE_CHECKING:
    from ..._core.transport import SessionSource


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

    def __init__(
        self,
        api_key: Key | None = None,
        *,
        base_url: str | None = None,
        session: SessionSource | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Create a client. Nothing is opened or sent.

        Args:
            api_key: The key, or a function that returns it; by default `SKYTELLS_API_KEY` from the environment.
            base_url: The address; by default `SKYTELLS_BASE_URL`, otherwise the provider's own.
            session: An `aiohttp.ClientSession`, which is never closed here, or a function that creates one.
            **options: See `kellyapi.Options`.
        """
        api_key = as_secret(api_key)
        hide_secrets(options)
        self._input_schemas = InputSchemas()
        super().__init__(api_key, base_url=base_url, session=session, **options)

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
        return await unchecked(PredictionsResource.run)(self.predictions, model, input, **options)

    @overload
    async def download(self, url: NotBlank, path: FilePath, *, on_progress: OnBytes | None = None) -> Path: ...
    @overload
    async def download(self, url: NotBlank, path: Writable, *, on_progress: OnBytes | None = None) -> int: ...
    async def download(
        self, url: NotBlank, path: FilePath | Writable, *, on_progress: OnBytes | None = None
    ) -> Path | int:
        """Stream a link, such as one of `prediction.outputs`, to a file or an object of yours. No key is sent.

        A file appears when it is complete, and replaces a file of the same name. If a download fails, its `.part`
        file is kept, and the next download to the same path resumes from it if the server allows.

        Args:
            url: An http or https URL.
            path: Where to save the file; or an object with `write`, plain or async, such as an open binary file or a
                response of a server. The object is never closed or emptied. If a download to it breaks off, the
                download is resumed if the server allows; otherwise `error.partial` is the number of bytes written.
            on_progress: A function, plain or async, that is called with the bytes received and the size of the file in
                bytes, or `None` if the server does not send the size.

        Returns:
            The path, or the number of bytes that an object got.
        """
        if not is_link(url):
            raise ValueError(f"url must be a link such as https://example.com/a.png, not {clip(url, 40)!r}")
        link = encode_url(url, "url")
        if not isinstance(path, (str, os.PathLike)):
            return await self._write_link(link, await WritableTarget.open(path, "path"), on_progress)
        return await self._save_link(link, path, on_progress)

    async def generate_image(
        self,
        prompt: NotBlank,
        *,
        negative_prompt: str | None = None,
        model: NotBlank | None = None,
        width: Count | None = None,
        height: Count | None = None,
        input: Mapping[str, Any] | None = None,
        timeout: Positive | None = 900.0,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
        **extra: Unpack[ExtraFields],
    ) -> Image:
        """Generate an image from a prompt, and download it.

        `width`, `height` and `negative_prompt` are sent under the names that the input schema of the model has. The
        schema is requested once per model, and only if one of them is passed. Depending on the model, a size is sent as
        two numbers, as "768x512", or as exactly its aspect ratio.

        Args:
            prompt: What the image should show.
            negative_prompt: What the image should not show.
            model: The slug of a model; by default "truefusion-pro".
            width: Width in pixels; by default the model's.
            height: Height in pixels; by default the model's.
            input: More inputs of the model by their own names, such as `{"seed": 7}`. They replace the others.
            timeout: Seconds for the whole call. `None` waits without an end.
            on_progress: A function, plain or async, that is called with each new state of the prediction. If it raises
                an exception, the call ends.
            cancel_on_exit: Cancel the prediction if the call ends before it does: by an error, the timeout, or a
                cancelled task, also while it is being created.
            **extra: For the request that creates the prediction; see `ExtraFields`.

        Raises:
            ValueError: The model has no input for an argument, or does not take its value. No prediction was created.
            PredictionFailedError: The prediction failed. All errors that are raised after the prediction was created
                have it as `.prediction`.
            WaitTimeoutError: The prediction has not ended in time.
        """
        hide_extra(extra)
        wanted = Generation(
            model=default_of(GENERATE_IMAGE, "skytells", "model") if model is None else model,
            prompt=prompt,
            arguments={"negative_prompt": negative_prompt, "width": width, "height": height},
            input=input,
            timeout=timeout,
            on_progress=on_progress,
            cancel_on_exit=cancel_on_exit,
            extra=extra,
        )
        return await self._generation.generate_one(wanted, Image, "image")

    async def generate_images(
        self,
        prompt: NotBlank,
        n: ImageCount,
        *,
        negative_prompt: str | None = None,
        model: NotBlank | None = None,
        width: Count | None = None,
        height: Count | None = None,
        input: Mapping[str, Any] | None = None,
        timeout: Positive | None = 900.0,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
        **extra: Unpack[ExtraFields],
    ) -> tuple[Image, ...]:
        """Generate several images from a prompt, and download them.

        They are made in one prediction if the model has an input for their number, up to its maximum. Otherwise several
        predictions are created at the same time.

        Args:
            prompt: What the images should show.
            n: How many images, up to 1,000. If a prediction has more outputs, all of them are returned.
            negative_prompt: See `generate_image`.
            model: See `generate_image`.
            width: See `generate_image`.
            height: See `generate_image`.
            input: See `generate_image`.
            timeout: See `generate_image`.
            on_progress: See `generate_image`. Several predictions differ by the `id` of their states.
            cancel_on_exit: See `generate_image`.
            **extra: See `generate_image`.

        Raises:
            ValueError: See `generate_image`.
            KellyAPIError: The first error, when all predictions have ended. `partial` is a tuple of the images that
                came, if any.
        """
        hide_extra(extra)
        wanted = Generation(
            model=default_of(GENERATE_IMAGES, "skytells", "model") if model is None else model,
            prompt=prompt,
            arguments={"negative_prompt": negative_prompt, "width": width, "height": height},
            input=input,
            timeout=timeout,
            on_progress=on_progress,
            cancel_on_exit=cancel_on_exit,
            extra=extra,
        )
        return await self._generation.generate_several(wanted, Image, "image", n)

    async def generate_video(
        self,
        prompt: NotBlank,
        *,
        image: MediaSource | None = None,
        negative_prompt: str | None = None,
        duration: Positive | None = None,
        width: Count | None = None,
        height: Count | None = None,
        model: NotBlank | None = None,
        input: Mapping[str, Any] | None = None,
        timeout: Positive | None = 900.0,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
        **extra: Unpack[ExtraFields],
    ) -> Video:
        """Generate a video from a prompt, and download it.

        The arguments are sent under the names of the model, as by `generate_image`. For a video of more than 64 MiB use
        `run` and `predictions.download`, which streams it to a file.

        Args:
            prompt: What the video should show.
            image: The picture to start from, if the model takes one: a path, bytes, a binary file, an image of Pillow,
                an `Image`, a `data:` URL, or an http(s) URL, which the provider fetches.
            negative_prompt: What the video should not show.
            duration: The length in seconds.
            width: See `generate_image`.
            height: See `generate_image`.
            model: The slug of a model; by default "truefusion-video-pro".
            input: See `generate_image`.
            timeout: See `generate_image`.
            on_progress: See `generate_image`.
            cancel_on_exit: See `generate_image`.
            **extra: See `generate_image`.

        Raises:
            ValueError: See `generate_image`.
            PredictionFailedError: See `generate_image`.

        Example::

            fox = await skytells.generate_video("A red fox runs through snow", duration=5)
            await fox.save("fox.mp4")
        """
        hide_extra(extra)
        source = (
            image if image is None or (isinstance(image, str) and is_link(image)) else await open_media(image, "image")
        )
        wanted = Generation(
            model=default_of(GENERATE_VIDEO, "skytells", "model") if model is None else model,
            prompt=prompt,
            arguments={
                "image": source,
                "negative_prompt": negative_prompt,
                "duration": duration,
                "width": width,
                "height": height,
            },
            input=input,
            timeout=timeout,
            on_progress=on_progress,
            cancel_on_exit=cancel_on_exit,
            extra=extra,
        )
        return await self._generation.generate_one(wanted, Video, "video")

    async def generate_music(
        self,
        prompt: NotBlank,
        *,
        lyrics: str | None = None,
        duration: Positive | None = None,
        model: NotBlank | None = None,
        input: Mapping[str, Any] | None = None,
        timeout: Positive | None = 900.0,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
        **extra: Unpack[ExtraFields],
    ) -> Music:
        """Generate a piece of music from a prompt, and download it.

        The arguments are sent under the names of the model, as by `generate_image`.

        Args:
            prompt: How the music should sound.
            lyrics: The words to sing, if the model sings.
            duration: The length in seconds.
            model: The slug of a model; by default "beatfusion-2.0".
            input: See `generate_image`.
            timeout: See `generate_image`.
            on_progress: See `generate_image`.
            cancel_on_exit: See `generate_image`.
            **extra: See `generate_image`.

        Raises:
            ValueError: See `generate_image`.
            PredictionFailedError: See `generate_image`.

        Example::

            rain = await skytells.generate_music("Slow highlife with guitars", duration=20)
            await rain.save("rain.wav")
        """
        hide_extra(extra)
        wanted = Generation(
            model=default_of(GENERATE_MUSIC, "skytells", "model") if model is None else model,
            prompt=prompt,
            arguments={"lyrics": lyrics, "duration": duration},
            input=input,
            timeout=timeout,
            on_progress=on_progress,
            cancel_on_exit=cancel_on_exit,
            extra=extra,
        )
        return await self._generation.generate_one(wanted, Music, "audio")

    @property
    def _generation(self) -> GenerationResource:
        return GenerationResource(self._connection, self._input_schemas)
