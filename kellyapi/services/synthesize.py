"""Speech synthesis: the result, the service, and the routes to the providers."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Literal, Protocol

from attrs import field, frozen

from .._core.run_many import DEFAULT_WINDOW, OnCount, run_many
from .._data.arguments import Count, FilePath, NotBlank, checked
from .._data.files import save
from .._data.media_types import wav_shape
from ..errors import KellyAPIError
from .notebook import media_html
from .routing import ENGLISH, Fallback, ProviderChoice, Route, RoutedService, Service
from .service_result import ServiceResult, provider_fields_last

Format = Literal["wav", "mp3", "ogg"]


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Speech(ServiceResult):
    """A spoken text."""

    audio: bytes = field(repr=lambda audio: f"<{len(audio)} bytes>")
    """One complete audio file with its own header. Two files cannot be joined byte by byte."""
    mime: str
    """The MIME type, such as "audio/wav"."""
    language: str
    """The language code as you passed it, or "eng" if the provider speaks only English."""
    warnings: tuple[str, ...] = ()
    """Why the speech may not sound like this language. Only the sandbox has such warnings."""

    @property
    def sample_rate(self) -> int | None:
        """Samples per second; `None` if the audio is not WAV."""
        shape = wav_shape(self.audio)
        return shape and shape[0]

    @property
    def duration(self) -> float | None:
        """The length in seconds; `None` if the audio is not WAV."""
        shape = wav_shape(self.audio)
        return shape and shape[1]

    @checked
    async def save(self, path: FilePath) -> Path:
        """Write the audio to a file, atomically and without blocking the event loop, and return the path."""
        return await save(path, self.audio)

    def _repr_html_(self) -> str:
        duration = "" if self.duration is None else f" · {self.duration:.1f} s"
        return media_html(self.mime, self.audio, self.language + duration)


@frozen(kw_only=True)
class SynthesizeArguments:
    """The arguments of `synthesize`; `None` means that it was not passed."""

    text: str
    language: str
    voice: str | None = None
    format: Format | None = None


class KhayaSpeaker(Protocol):
    """A client that speaks many languages."""

    def synthesize(
        self, text: str, language: str, *, voice: str | None = None, format: Format | None = None
    ) -> Awaitable[Speech]:
        """Turn a text into speech."""


class EnglishSpeaker(Protocol):
    """A client that speaks English."""

    def synthesize(self, text: str, *, voice: str | None = None) -> Awaitable[Speech]:
        """Turn an English text into speech."""


def _call_khaya(client: KhayaSpeaker, given: SynthesizeArguments) -> Awaitable[Speech]:
    return client.synthesize(given.text, given.language, voice=given.voice, format=given.format)


def _call_kelly(client: EnglishSpeaker, given: SynthesizeArguments) -> Awaitable[Speech]:
    return client.synthesize(given.text, voice=given.voice)


SYNTHESIZE = Service(
    name="synthesize",
    arguments=SynthesizeArguments,
    result=Speech,
    routes=(
        Route(provider="khaya", call=_call_khaya, accepts=("text", "language", "voice", "format")),
        Route(
            provider="kelly",
            call=_call_kelly,
            accepts=("text", "voice"),
            defaults={"voice": "en-US_LisaExpressive"},
            languages=ENGLISH,
        ),
    ),
)


class Synthesize(RoutedService):
    """The speech synthesis service of `KellyAPI`.

    Source: https://github.com/Khaya-AI/khaya-claude-skills
    """

    async def synthesize(
        self,
        text: NotBlank,
        language: NotBlank = "eng",
        *,
        voice: NotBlank | None = None,
        format: Format | None = None,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> Speech:
        """Turn a text into speech.

        Args:
            text: The text to speak.
            language: The code of its language, such as "twi"; by default "eng". Kelly AI speaks only English.
            voice: A voice of the provider. If you pass none, the provider chooses one.
            format: "wav", "mp3" or "ogg". Only Khaya supports it; its default is WAV.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or a list of providers to try.

        Returns:
            One complete audio file.

        Raises:
            ValueError: The text is blank, or no provider supports the arguments.
            BadRequestError: The provider does not know the language or the voice.

        Example::

            speech = await api.synthesize("Maakye", "twi")
            await speech.save("maakye.wav")
        """
        arguments = SynthesizeArguments(text=text, language=language, voice=voice, format=format)
        return await self._route(SYNTHESIZE, arguments, provider, fallback)

    async def synthesize_many(
        self,
        texts: Iterable[NotBlank],
        language: NotBlank = "eng",
        *,
        voice: NotBlank | None = None,
        format: Format | None = None,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
        window: Count = DEFAULT_WINDOW,
        on_progress: OnCount | None = None,
    ) -> tuple[Speech | KellyAPIError, ...]:
        """Turn several texts into speech at the same time.

        Args:
            texts: The texts. One that occurs twice is sent twice.
            language: The other arguments are those of `synthesize`.
            window: The most texts at once; see `run_many`.
            on_progress: A function, plain or async, that is called with the number of texts that are done, and the
                number of all.

        Returns:
            For each text, in the same order, its audio file or its error.

        Raises:
            ValueError: A text is blank, or no provider supports the arguments. Nothing was sent.
            AuthenticationError: The key is refused, or another error that ends the run; see `run_many`.

        Example::

            for speech in await api.synthesize_many(["Maakye", "Medaase"], "twi"):
                print(type(speech).__name__)
        """

        def one(text: str) -> Awaitable[Speech]:
            return self.synthesize(text, language, voice=voice, format=format, provider=provider, fallback=fallback)

        return await run_many(one, texts, window=window, on_progress=on_progress)
