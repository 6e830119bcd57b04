"""Videos: the result, the service, and the routes to the providers."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from attrs import frozen

from .._data.arguments import Count, NotBlank, Positive
from .._data.media import MediaSource
from .generated import MediaFile, OnState, WaitArguments
from .notebook import media_html
from .routing import Fallback, ProviderChoice, Route, RoutedService, Service
from .service_result import provider_fields_last


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Video(MediaFile):
    """A video. Its bytes are in memory."""

    def _repr_html_(self) -> str:
        return media_html(self.mime, self.data)


@frozen(kw_only=True)
class GenerateVideoArguments(WaitArguments):
    """The arguments of `generate_video`; `None` means that it was not passed."""

    prompt: str
    image: MediaSource | None = None
    negative_prompt: str | None = None
    duration: float | None = None
    width: int | None = None
    height: int | None = None
    model: str | None = None
    input: Mapping[str, Any] | None = None


class VideoGenerator(Protocol):
    """A client that generates videos with predictions."""

    def generate_video(
        self,
        prompt: str,
        *,
        image: MediaSource | None = None,
        negative_prompt: str | None = None,
        duration: float | None = None,
        width: int | None = None,
        height: int | None = None,
        model: str | None = None,
        input: Mapping[str, Any] | None = None,
        timeout: float | None = ...,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
    ) -> Awaitable[Video]:
        """Generate a video from a prompt."""


def _call_skytells(client: VideoGenerator, given: GenerateVideoArguments) -> Awaitable[Video]:
    return client.generate_video(
        given.prompt,
        image=given.image,
        negative_prompt=given.negative_prompt,
        duration=given.duration,
        width=given.width,
        height=given.height,
        model=given.model,
        input=given.input,
        **given.wait_options,
    )


GENERATE_VIDEO: Service[GenerateVideoArguments, Awaitable[Video]] = Service(
    name="generate_video",
    arguments=GenerateVideoArguments,
    result=Video,
    routes=(
        Route(
            provider="skytells",
            call=_call_skytells,
            accepts=("prompt", "image", "negative_prompt", "duration", "width", "height", "model", "input"),
            defaults={"model": "truefusion-video-pro"},
        ),
    ),
)


class Videos(RoutedService):
    """The video service of `KellyAPI`.

    Source: https://learn.skytells.ai/courses/video-audio/02-create-videos
    """

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
        timeout: Positive | None = None,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> Video:
        """Generate a video from a prompt.

        The arguments are sent under the names that the input schema of the model has, which is requested once per
        model. A video of more than 64 MiB is refused: create it with `skytells.run`, and stream it to a file with
        `skytells.predictions.download`.

        Args:
            prompt: What the video should show.
            image: The picture to start from, if the model takes one: as for `edit_image`, or an http(s) URL, which the
                provider fetches.
            negative_prompt: What the video should not show.
            duration: The length in seconds.
            width: Width in pixels. A model that knows only aspect ratios gets exactly the ratio of this size.
            height: Height in pixels.
            model: A model of the provider; by default "truefusion-video-pro" of Skytells.
            input: More inputs of the model by their own names, such as `{"fps": 30}`. They replace the others.
            timeout: Seconds for the whole call; by default 900 s.
            on_progress: A function, plain or async, that is called with each new state of the `Prediction`.
            cancel_on_exit: Cancel the prediction if the call ends before it does; see `generate_image`.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or a list of providers to try.

        Raises:
            ValueError: The prompt is blank, or the model has no input for an argument, or does not take its value.
                Nothing is paid for.
            KellyAPIError: If the prediction has succeeded and its video cannot be downloaded, `prediction` is set.

        Example::

            fox = await api.generate_video("A red fox runs through snow", duration=5)
            await fox.save("fox.mp4")
        """
        arguments = GenerateVideoArguments(
            prompt=prompt,
            image=image,
            negative_prompt=negative_prompt,
            duration=duration,
            width=width,
            height=height,
            model=model,
            input=input,
            timeout=timeout,
            on_progress=on_progress,
            cancel_on_exit=cancel_on_exit,
        )
        return await self._route(GENERATE_VIDEO, arguments, provider, fallback)
