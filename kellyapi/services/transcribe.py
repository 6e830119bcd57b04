"""Speech recognition: its result, who can answer, the routed call."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Literal

from attrs import frozen

from .._data.media import MediaSource, read_media
from .result import ServiceResult, provider_fields_last
from .routing import ENGLISH, Fallback, ProviderName, Route, RoutedService, accepts

Timestamps = Literal["word", "segment"]

TRANSCRIBE = (
    Route(provider="khaya", method="transcribe", arguments=accepts("audio", "language", "timestamps")),
    Route(provider="kelly", method="transcribe", arguments=accepts("audio"), languages=ENGLISH),
)


@frozen
class Word:
    """A word that was heard."""

    word: str
    start: float
    """Seconds from the beginning of the audio."""
    end: float


@frozen
class Segment:
    """A stretch of speech between two pauses."""

    text: str
    start: float
    """Seconds from the beginning of the audio."""
    end: float


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Transcript(ServiceResult):
    """What was said."""

    text: str
    language: str
    """What was listened for: the code that was asked for, or "eng" of a provider that knows only that."""
    warnings: tuple[str, ...] = ()
    """Advice of the provider, for example that a language code is outdated."""
    words: tuple[Word, ...] = ()
    """Filled when `timestamps="word"` was asked for."""
    segments: tuple[Segment, ...] = ()
    """Filled when `timestamps="segment"` was asked for."""

    def __str__(self) -> str:
        return self.text


class Transcribe(RoutedService):
    """The service as `KellyAPI` offers it.

    Source: https://github.com/Khaya-AI/khaya-claude-skills
    """

    async def transcribe(
        self,
        audio: MediaSource,
        language: str = "eng",
        *,
        timestamps: Timestamps | None = None,
        provider: ProviderName | None = None,
        fallback: Fallback = False,
    ) -> Transcript:
        """Write down what is said.

        `audio` is a path (streamed, not read whole), bytes, a binary file, an async iterator of bytes, a `data:` URL or
        `Base64(text)`: WAV, MP3, FLAC or Ogg; 16 kHz mono is heard best. A missing file raises `FileNotFoundError`, an
        empty one `ValueError`, what is no audio `BadRequestError`.
        """
        if fallback and (hasattr(audio, "read") or isinstance(audio, AsyncIterable)):
            audio = await read_media(audio, "audio")  # whole for whoever is asked next
        return await self._route(
            TRANSCRIBE, Transcript, provider, fallback, audio=audio, language=language, timestamps=timestamps
        )
