"""`Sandbox(hear="marked")`: recordings in languages that the recogniser lacks."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest

from kellyapi import BadRequestError, KellyAPI, Khaya, Sandbox

RATE = 8000


def recording(*parts: tuple[float, bool]) -> bytes:
    """Return a WAV of tones and silences, each with its seconds."""
    samples = b"".join(
        (b"\x00\x20" * 4 + b"\x00\xe0" * 4 if sounds else bytes(16)) * round(seconds * RATE / 8)
        for seconds, sounds in parts
    )
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples)
    return file.getvalue()


SPOKEN = recording((0.5, False), (0.4, True), (0.2, False), (0.3, True), (1.0, False), (0.6, True), (0.5, False))


async def transcribe(language: str, audio: bytes, **options: Any) -> Any:
    async with Sandbox(hear="marked", keep_engines=True) as sandbox, sandbox.api() as api:
        return await api.transcribe(audio, language, **options)


@pytest.mark.parametrize("language", ["twi", "ewe", "xon_likpakpaanl"])
async def test_each_sound_is_a_marked_word_with_its_times(language: str) -> None:
    heard = await transcribe(language, SPOKEN, timestamps="word")
    assert heard.text == f"⟦{language}-1⟧ ⟦{language}-2⟧ ⟦{language}-3⟧"
    assert [(word.word, word.start, word.end) for word in heard.words] == [
        (f"⟦{language}-1⟧", 0.5, 0.9), (f"⟦{language}-2⟧", 1.1, 1.4), (f"⟦{language}-3⟧", 2.4, 3.0),
    ]  # fmt: skip
    assert heard.warnings == ("marked, not recognised: the sandbox understands English only",)


async def test_a_long_pause_separates_segments() -> None:
    heard = await transcribe("tw", SPOKEN, timestamps="segment")
    assert [(each.text, each.start, each.end) for each in heard.segments] == [
        ("⟦twi-1⟧ ⟦twi-2⟧", 0.5, 1.4), ("⟦twi-3⟧", 2.4, 3.0),
    ]  # fmt: skip
    assert [warning.split()[0] for warning in heard.warnings] == ["Language", "marked,"]


@pytest.mark.parametrize(
    ("parts", "text"), [([(1.0, False)], ""), ([(1.0, True)], "⟦twi-1⟧"), ([(0.001, True)], "⟦twi-1⟧")]
)
async def test_silence_has_no_text_and_one_sound_has_one_word(parts: list[tuple[float, bool]], text: str) -> None:
    assert (await transcribe("twi", recording(*parts))).text == text


async def test_what_is_no_audio_is_refused() -> None:
    with pytest.raises(BadRequestError, match="not audio"):
        await transcribe("twi", b"no audio")


async def test_version_1_responds_with_the_text_alone() -> None:
    async with (
        Sandbox(hear="marked", keep_engines=True) as sandbox,
        Khaya("key", base_url=sandbox.urls["khaya"], asr_version="v1") as khaya,
    ):
        assert (await khaya.transcribe(SPOKEN, "twi")).text == "⟦twi-1⟧ ⟦twi-2⟧ ⟦twi-3⟧"


async def test_other_languages_are_refused_by_default(api: KellyAPI) -> None:
    with pytest.raises(BadRequestError, match="only English"):
        await api.transcribe(SPOKEN, "twi")


def test_hear_is_one_of_two_words() -> None:
    with pytest.raises(ValueError, match="hear"):
        Sandbox(hear="twi")  # type: ignore[arg-type]  # the wrong value is the point
