"""Music: the result, the service, and the routes to the providers."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Protocol

from attrs import frozen

from .._data.arguments import NotBlank, Positive
from .._data.media_types import wav_shape
from .generated import MediaFile, OnState, WaitArguments
from .notebook import media_html
from .routing import Fallback, ProviderChoice, Route, RoutedService, Service
from .service_result import provider_fields_last


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Music(MediaFile):
    """A piece of music."""

    @property
    def sample_rate(self) -> int | None:
        """Samples per second; `None` if the file is not WAV."""
        shape = wav_shape(self.data)
        return shape and shape[0]

    @property
    def duration(self) -> float | None:
        """The length in seconds; `None` if the file is not WAV."""
        shape = wav_shape(self.data)
        return shape and shape[1]

    def _repr_html_(self) -> str:
        return media_html(self.mime, self.data, "" if self.duration is None else f"{self.duration:.1f} s")


@frozen(kw_only=True)
class GenerateMusicArguments(WaitArguments):
    """The arguments of `generate_music`; `None` means that it was not passed."""

    prompt: str
    lyrics: str | None = None
    duration: float | None = None
    model: str | None = None
    input: Mapping[str, Any] | None = None


class MusicGenerator(Protocol):
    """A client that generates music with predictions."""

    def generate_music(
        self,
        prompt: str,
        *,
        lyrics: str | None = None,
        duration: float | None = None,
        model: str | None = None,
        input: Mapping[str, Any] | None = None,
        timeout: float | None = ...,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
    ) -> Awaitable[Music]:
        """Generate music from a prompt."""


def _call_skytells(client: MusicGenerator, given: GenerateMusicArguments) -> Awaitable[Music]:
    return client.generate_music(
        given.prompt,
        lyrics=given.lyrics,
        duration=given.duration,
        model=given.model,
        input=given.input,
        **given.wait_options,
    )


GENERATE_MUSIC: Service[GenerateMusicArguments, Awaitable[Music]] = Service(
    name="generate_music",
    arguments=GenerateMusicArguments,
    result=Music,
    routes=(
        Route(
            provider="skytells",
            call=_call_skytells,
            accepts=("prompt", "lyrics", "duration", "model", "input"),
            defaults={"model": "beatfusion-2.0"},
        ),
    ),
)


class MusicService(RoutedService):
    """The music service of `KellyAPI`.

    Source: https://learn.skytells.ai/courses/video-audio/03-audio-beatfusion
    """

    async def generate_music(
        self,
        prompt: NotBlank,
        *,
        lyrics: str | None = None,
        duration: Positive | None = None,
        model: NotBlank | None = None,
        input: Mapping[str, Any] | None = None,
        timeout: Positive | None = None,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> Music:
        """Generate a piece of music from a prompt.

        Args:
            prompt: How the music should sound.
            lyrics: The words to sing, if the model sings.
            duration: The length in seconds.
            model: A model of the provider; by default "beatfusion-2.0" of Skytells.
            input: More inputs of the model by their own names, such as `{"bpm": 90}`. They replace the others.
            timeout: Seconds for the whole call; by default 900 s.
            on_progress: A function, plain or async, that is called with each new state of the `Prediction`.
            cancel_on_exit: Cancel the prediction if the call ends before it does; see `generate_image`.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or a list of providers to try.

        Raises:
            ValueError: The prompt is blank, or the model has no input for an argument, or does not take its value.
                Nothing is paid for.
            KellyAPIError: If the prediction has succeeded and its music cannot be downloaded, `prediction` is set.

        Example::

            rain = await api.generate_music("Slow highlife with guitars, rain on a roof", duration=20)
            await rain.save("rain.wav")
        """
        arguments = GenerateMusicArguments(
            prompt=prompt,
            lyrics=lyrics,
            duration=duration,
            model=model,
            input=input,
            timeout=timeout,
            on_progress=on_progress,
            cancel_on_exit=cancel_on_exit,
        )
        return await self._route(GENERATE_MUSIC, arguments, provider, fallback)
