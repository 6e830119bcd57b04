"""The main operations with the real client, real HTTP and the real engines: synthesize, transcribe, translate, draw."""

from __future__ import annotations

import asyncio
import base64
import inspect
from collections.abc import AsyncIterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from khaya import KhayaClient
from khaya.config import Settings

from kellyapi import NO_RETRY, BadRequestError, KellyAPI, Sandbox, run_sync

SENTENCE = "The quick brown fox jumps over the lazy dog"
SAID = "one two three"
"""What is quickly recognised, and without an error."""
HEADS = {"wav": b"RIFF", "mp3": (b"ID3", b"\xff"), "ogg": b"OggS"}


@pytest.fixture
async def api() -> AsyncIterator[KellyAPI]:
    async with Sandbox(keep_engines=True) as sandbox, sandbox.api() as api:
        yield api


async def test_synthesized_speech_is_transcribed_with_ascending_times(api: KellyAPI) -> None:
    speech = await api.synthesize(SENTENCE)
    assert (speech.mime, speech.sample_rate, speech.language) == ("audio/wav", 22_050, "eng")
    assert speech.duration is not None
    assert 2 < speech.duration < 5
    transcript = await api.transcribe(speech.audio, timestamps="word")
    assert len(set(SENTENCE.lower().split()) & set(transcript.text.split())) >= 6, transcript.text
    assert transcript.text == " ".join(word.word for word in transcript.words)
    assert not transcript.segments
    assert all(0 <= word.start < word.end <= speech.duration for word in transcript.words)
    assert all(before.end <= after.start for before, after in pairwise(transcript.words))


async def test_segments_cover_the_words(api: KellyAPI) -> None:
    audio = (await api.synthesize(SAID)).audio
    by_word = await api.transcribe(audio, timestamps="word")
    by_segment = await api.transcribe(audio, timestamps="segment")
    assert not by_segment.words
    assert " ".join(segment.text for segment in by_segment.segments) == by_segment.text == by_word.text
    assert by_segment.segments[0].start == by_word.words[0].start
    assert by_segment.segments[-1].end == by_word.words[-1].end


@pytest.mark.parametrize("format", ["mp3", "ogg"])
async def test_compressed_speech_is_saved_and_transcribed(
    api: KellyAPI, tmp_path: Path, format: Literal["mp3", "ogg"]
) -> None:
    speech = await api.synthesize(SAID, format=format)
    assert speech.audio.startswith(HEADS[format])
    assert speech.mime == {"mp3": "audio/mpeg"}.get(format, f"audio/{format}")
    path = await speech.save(tmp_path / f"fox.{format}")
    assert (await api.transcribe(path)).text == SAID


@pytest.mark.parametrize("format", ["wav", "mp3"])
async def test_a_stream_is_one_whole_file(api: KellyAPI, format: Literal["wav", "mp3"]) -> None:
    async with api.khaya.synthesize_stream(SAID, "eng", format=format) as stream:
        streamed = b"".join([piece async for piece in stream])
    assert streamed.startswith(HEADS[format])
    assert (await api.transcribe(streamed)).text == SAID


async def test_every_voice_sounds_different(api: KellyAPI) -> None:
    spoken = [(await api.synthesize(SAID, voice=voice)).audio for voice in await api.khaya.voices()]
    assert len(set(spoken)) == len(spoken) == 3


async def test_a_language_without_a_voice_uses_another_voice_and_a_note_says_so() -> None:
    notes: list[str | None] = []
    async with (
        Sandbox(keep_engines=True) as sandbox,
        sandbox.api(on_response=lambda _, response: notes.append(response.headers.get("X-Sandbox-Note"))) as api,
    ):
        for language in ("swa", "twi"):
            assert (await api.synthesize("Akwaaba", language)).duration
    assert notes[0] is None
    assert "Twi" in (notes[1] or "")


@pytest.mark.parametrize("language", ["twi", "yor", "fra"])
async def test_an_unsupported_language_is_a_400_in_the_form_of_the_provider(api: KellyAPI, language: str) -> None:
    audio = (await api.synthesize("hello")).audio
    with pytest.raises(BadRequestError) as raised:
        await api.transcribe(audio, language)
    assert raised.value.code == "VALIDATION_FAILED"
    assert raised.value.details[0]["code"] == "UNSUPPORTED_LANGUAGE"


async def test_a_text_file_named_wav_is_refused(api: KellyAPI, tmp_path: Path) -> None:
    (tmp_path / "speech.wav").write_text("not a sound")
    with pytest.raises(BadRequestError) as raised:
        await api.transcribe(tmp_path / "speech.wav")
    assert raised.value.details[0]["code"] == "INVALID_AUDIO_FORMAT"


async def test_every_listed_language_can_be_synthesized(api: KellyAPI) -> None:
    for language in await api.khaya.languages("synthesis"):
        assert (await api.synthesize("Akwaaba", language)).audio.startswith(b"RIFF"), language


async def test_kelly_ai_synthesizes_and_transcribes(api: KellyAPI) -> None:
    speech = await api.kelly.synthesize(SAID)
    assert (await api.kelly.transcribe(speech.audio)).text == SAID
    assert await api.voice2text(base64.b64encode(speech.audio).decode()) == SAID


async def test_one_client_translates_synthesizes_transcribes_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Sandbox(keep_engines=True) as sandbox, sandbox.api() as api:
        hello = await api.translate("Good morning", "en-tw")
        assert (hello.text, hello.source_language, hello.provider, hello.tried) == (
            "Maakye", "en", "khaya", ("khaya",)
        )  # fmt: skip
        speech = await api.synthesize(hello.text, "twi")
        assert speech.mime == "audio/wav"
        await speech.save("hello.wav")
        await (await api.synthesize(SAID)).save("said.wav")
        transcript = await api.transcribe("said.wav", "eng", timestamps="word")
        assert transcript.words
        assert (tmp_path / "hello.wav").read_bytes() == speech.audio
        fox = await api.generate_image("A red fox in snow")
        assert (fox.mime, fox.width, fox.height) == ("image/png", 1024, 1024)
        wolf = await api.skytells.predictions.create("truefusion-pro", {"prompt": "a wolf"})
        states = [state async for state in api.skytells.predictions.follow(wolf)]
        assert (states[-1].status, states[-1].progress) == ("succeeded", 100)
        quick = api.khaya.with_options(timeout=5, retry=NO_RETRY)
        assert (await quick.translate("Good morning", "en-tw")).text == hello.text


def test_run_sync_synthesizes_and_transcribes() -> None:
    async def transcribe_once() -> str:
        async with Sandbox(keep_engines=True) as sandbox, sandbox.api() as api:
            return (await api.transcribe((await api.synthesize(SAID)).audio)).text

    assert run_sync(transcribe_once()) == SAID


async def test_the_released_khaya_package_synthesizes_and_transcribes(tmp_path: Path) -> None:
    async with Sandbox(keep_engines=True) as sandbox:
        config = Settings(api_key="key", retry_attempts=1)
        config.base_url = sandbox.urls["khaya"]
        async with KhayaClient("key", config) as khaya:
            (await khaya.asynthesize(SAID, "eng")).save(str(tmp_path / "said.wav"))
            transcript = await khaya.atranscribe(str(tmp_path / "said.wav"), "eng", timestamps="word")
    assert transcript.text == SAID
    assert transcript.timings.words


async def test_three_clients_can_synthesize_and_transcribe_at_once(api: KellyAPI) -> None:
    async def one(said: str) -> str:
        return (await api.transcribe((await api.synthesize(said)).audio)).text

    said = [SAID, "two three", "read it"]
    assert await asyncio.gather(*map(one, said)) == said


@pytest.mark.parametrize("function", ["voice.synthesis.synthesize", "voice.recognition.transcribe"])
def test_the_fake_engines_have_the_signatures_of_the_real_ones(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "sandbox")
    module, _, name = function.rpartition(".")
    names = [
        list(inspect.signature(getattr(import_module(f"{package}.{module}"), name)).parameters)
        for package in ("fake_engines", "kellyapi.sandbox.engines")
    ]
    assert names[0] == names[1]
