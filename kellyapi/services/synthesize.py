"""Speech synthesis: its result, who can answer, the routed call."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from attrs import field, frozen

from .._data.files import save
from .._data.media import wav_shape
from .result import ServiceResult, provider_fields_last
from .routing import ENGLISH, Fallback, ProviderName, Route, RoutedService, accepts

Format = Literal["wav", "mp3", "ogg"]

SYNTHESIZE = (
    Route(provider="khaya", method="synthesize", arguments=accepts("text", "language", "voice", "format")),
    Route(
        provider="kelly",
        method="synthesize",
        arguments=accepts("text", "voice"),
        model="en-US_LisaExpressive",
        languages=ENGLISH,
    ),
)


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Speech(ServiceResult):
    """A text, spoken."""

    audio: bytes = field(repr=lambda audio: f"<{len(audio)} bytes>")
    """A complete file with its own header: joining two of them gives no valid file."""
    mime: str
    """Such as "audio/wav"."""
    language: str
    """The code that was asked for, or "eng" of a provider that knows only that."""

    @property
    def sample_rate(self) -> int | None:
        """Samples per second; `None` when the audio is not WAV."""
        shape = wav_shape(self.audio)
        return shape and shape[0]

    @property
    def duration(self) -> float | None:
        """Seconds; `None` when the audio is not WAV."""
        shape = wav_shape(self.audio)
        return shape and shape[1]

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the audio to a file, atomically and off the loop; gives its path."""
        return await save(path, self.audio)


class Synthesize(RoutedService):
    """The service as `KellyAPI` offers it.

    Source: https://github.com/Khaya-AI/khaya-claude-skills
    """

    async def synthesize(
        self,
        text: str,
        language: str = "eng",
        *,
        voice: str | None = None,
        format: Format | None = None,
        provider: ProviderName | None = None,
        fallback: Fallback = False,
    ) -> Speech:
        """Speak a text.

        `voice` is one of the provider's own; without one it chooses. A blank text, which would be billed, raises
        `ValueError`, an unknown language or voice `BadRequestError`.
        """
        return await self._route(
            SYNTHESIZE, Speech, provider, fallback, text=text, language=language, voice=voice, format=format
        )
