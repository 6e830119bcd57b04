"""Speech recognition: the result, the service, and the routes to the providers."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from itertools import chain
from typing import Literal, Protocol

from attrs import frozen

from .._core.messages import TRANSCRIPTION_TIMEOUT
from .._core.run_many import DEFAULT_WINDOW, OnCount, run_many
from .._data.arguments import Count, NotBlank
from .._data.media import MediaSource, check_media, open_reusable_media
from ..errors import KellyAPIError
from .notebook import table_html
from .routing import ENGLISH, Fallback, ProviderChoice, Route, RoutedService, Service
from .service_result import ServiceResult, provider_fields_last

Timestamps = Literal["word", "segment"]


@frozen
class Word:
    """A word of a transcript."""

    word: str
    start: float
    """Seconds from the beginning of the audio."""
    end: float
    """Seconds from the beginning of the audio."""


@frozen
class Segment:
    """A segment of a transcript: the speech between two pauses."""

    text: str
    start: float
    """Seconds from the beginning of the audio."""
    end: float
    """Seconds from the beginning of the audio."""


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Transcript(ServiceResult):
    """The text of recorded speech."""

    text: str
    language: str
    """The language code as you passed it, or "eng" if the provider understands only English."""
    warnings: tuple[str, ...] = ()
    """Messages of the provider, for example that a language code is outdated."""
    words: tuple[Word, ...] = ()
    """The words with their times, if you passed `timestamps="word"`."""
    segments: tuple[Segment, ...] = ()
    """The segments with their times, if you passed `timestamps="segment"`."""

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        words = ((word.start, word.end, word.word) for word in self.words)
        segments = ((segment.start, segment.end, segment.text) for segment in self.segments)
        return table_html(self.text, chain(words, segments))


@frozen(kw_only=True)
class TranscribeArguments:
    """The arguments of `transcribe`; `None` means that it was not passed."""

    audio: MediaSource
    language: str
    timestamps: Timestamps | None = None


class KhayaTranscriber(Protocol):
    """A client that recognises many languages."""

    def transcribe(
        self, audio: MediaSource, language: str, *, timestamps: Timestamps | None = None
    ) -> Awaitable[Transcript]:
        """Recognise speech."""


class EnglishTranscriber(Protocol):
    """A client that recognises English."""

    def transcribe(self, audio: MediaSource) -> Awaitable[Transcript]:
        """Recognise English speech."""


def _call_khaya(client: KhayaTranscriber, given: TranscribeArguments) -> Awaitable[Transcript]:
    return client.transcribe(given.audio, given.language, timestamps=given.timestamps)


def _call_kelly(client: EnglishTranscriber, given: TranscribeArguments) -> Awaitable[Transcript]:
    return client.transcribe(given.audio)


TRANSCRIBE = Service(
    name="transcribe",
    arguments=TranscribeArguments,
    result=Transcript,
    timeout=TRANSCRIPTION_TIMEOUT,
    routes=(
        Route(provider="khaya", call=_call_khaya, accepts=("audio", "language", "timestamps")),
        Route(provider="kelly", call=_call_kelly, accepts=("audio",), languages=ENGLISH),
    ),
)


class Transcribe(RoutedService):
    """The speech recognition service of `KellyAPI`.

    Source: https://github.com/Khaya-AI/khaya-claude-skills
    """

    async def transcribe(
        self,
        audio: MediaSource,
        language: NotBlank = "eng",
        *,
        timestamps: Timestamps | None = None,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> Transcript:
        """Recognise the speech in an audio file.

        Args:
            audio: WAV, MP3, FLAC or Ogg, best at 16 kHz mono. A path (streamed, not read into memory), bytes, a binary
                file, an upload of a web framework, an iterator of bytes, a `Speech`, a `data:` URL or `Base64(text)`.
            language: The code of the spoken language, such as "twi"; by default "eng". Kelly AI understands only
                English.
            timestamps: "word" fills `words` of the transcript, "segment" fills `segments`. Only Khaya supports it.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or a list of providers to try.

        By default the whole call has no limit. It waits up to 600 s for the response after the upload, and ends after
        60 s in which nothing moves. The option `timeout` replaces these limits.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The audio is empty, or no provider supports the arguments.
            BadRequestError: The provider cannot read the audio or does not support the language.

        Example::

            transcript = await api.transcribe("hello.wav", "twi", timestamps="word")
            for word in transcript.words:
                print(word.start, word.word)
        """
        arguments = TranscribeArguments(audio=audio, language=language, timestamps=timestamps)
        return await self._route(TRANSCRIBE, arguments, provider, fallback)

    async def transcribe_many(
        self,
        audios: Iterable[MediaSource],
        language: NotBlank = "eng",
        *,
        timestamps: Timestamps | None = None,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
        window: Count = DEFAULT_WINDOW,
        on_progress: OnCount | None = None,
    ) -> tuple[Transcript | KellyAPIError, ...]:
        """Recognise the speech in several audio files at the same time.

        Args:
            audios: Whatever `transcribe` accepts. Each path is checked first, and opened again when its turn comes.
            language: The other arguments are those of `transcribe`.
            window: The most files at once; see `run_many`.
            on_progress: A function, plain or async, that is called with the number of files that are done, and the
                number of all.

        Returns:
            For each file, in the same order, its transcript or its error.

        Raises:
            FileNotFoundError: There is no such file. Nothing was sent.
            ValueError: An audio is empty, or no provider supports the arguments. Nothing was sent.
            AuthenticationError: The key is refused, or another error that ends the run; see `run_many`.

        Example::

            for transcript in await api.transcribe_many(["hello.wav", "hello.wav"], "twi"):
                print(transcript)
        """
        sources = [await check_media(audio, f"audio audios[{place}]") for place, audio in enumerate(audios)]

        async def one(place: int) -> Transcript:
            sources[place] = await open_reusable_media(
                sources[place], f"audio audios[{place}]"
            )  # once: 429 repeats the call
            transcript = await self.transcribe(
                sources[place], language, timestamps=timestamps, provider=provider, fallback=fallback
            )
            sources[place] = b""
            return transcript

        return await run_many(one, range(len(sources)), window=window, on_progress=on_progress)
