"""The released `khaya` 0.3.0, unchanged, against the sandbox. Stand-ins speak and listen in place of the engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from khaya import KhayaClient
from khaya.config import API_ENDPOINTS, Settings
from khaya.exceptions import APIError, AuthenticationError
from khaya.models import SegmentTiming, WordTiming

from kellyapi import Sandbox


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "sandbox")
    async with Sandbox(keys=["right"], engines="stand_in") as sandbox:
        yield sandbox


def khaya(sandbox: Sandbox, key: str = "right", **settings: Any) -> KhayaClient:
    config = Settings(api_key=key, retry_attempts=1, **settings)
    config.base_url = sandbox.urls["khaya"]  # the validator, which asks for https, looks at construction alone
    return KhayaClient(key, config)


@pytest.fixture
def wav(tmp_path: Path) -> str:
    file = tmp_path / "speech.wav"
    file.write_bytes(b"RIFF")
    return str(file)


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_it_translates(sandbox: Sandbox, version: str) -> None:
    async with khaya(sandbox, translation_version=version) as client:
        done = await client.atranslate("Good morning", "en-tw")
    assert (done.text, done.source_language, done.target_language) == ("Maakye", "en", "tw")


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
async def test_it_transcribes(sandbox: Sandbox, wav: str, version: str) -> None:
    async with khaya(sandbox, asr_version=version) as client:
        heard = await client.atranscribe(wav, "en")
    assert (heard.text, heard.timings) == ("a quick fox", None)
    assert ["legacy code" in warning for warning in heard.warnings] == ([] if version == "v1" else [True])


@pytest.mark.parametrize("version", ["v2", "v3"])
async def test_it_reads_the_times(sandbox: Sandbox, wav: str, version: str) -> None:
    async with khaya(sandbox, asr_version=version) as client:
        words = (await client.atranscribe(wav, "eng", timestamps="word")).timings
        segments = (await client.atranscribe(wav, "eng", timestamps="segment")).timings
    assert words.words[0] == WordTiming(word="a", start=0.1, end=0.2)
    assert (words.unit, words.granularity, words.segments) == ("seconds", "word", [])
    assert segments.segments[1] == SegmentTiming(text="fox", start=1.2, end=1.5)
    assert (segments.granularity, segments.words) == ("segment", [])


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_it_synthesizes_and_saves(sandbox: Sandbox, tmp_path: Path, version: str) -> None:
    async with khaya(sandbox, tts_version=version) as client:
        speech = await client.asynthesize("Maakye", "twi", speaker="female")
    speech.save(str(tmp_path / "speech.wav"))
    assert (tmp_path / "speech.wav").read_bytes() == b"RIFF twi female Maakye"


async def test_its_synchronous_calls_work_too(sandbox: Sandbox, wav: str) -> None:
    def work() -> tuple[str, str, bytes]:
        with khaya(sandbox) as client:
            text = client.translate("Good morning", "en-tw").text
            return text, client.transcribe(wav, "eng").text, client.synthesize(text, "twi").audio[:4]

    assert await asyncio.to_thread(work) == ("Maakye", "a quick fox", b"RIFF")


async def test_a_wrong_key_is_its_authentication_error(sandbox: Sandbox) -> None:
    async with khaya(sandbox, "wrong") as client:
        with pytest.raises(AuthenticationError, match="invalid subscription key") as raised:
            await client.atranslate("Good morning", "en-tw")
    assert raised.value.status_code == 401


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("atranslate", ("hello", "en-zz"), "UNSUPPORTED_LANGUAGE_PAIR"),
        ("asynthesize", ("hello", "zzz"), "UNSUPPORTED_LANGUAGE"),
        ("atranscribe", (..., "twi"), "UNSUPPORTED_LANGUAGE"),
        ("atranscribe", (__file__, "eng"), "INVALID_AUDIO_FORMAT"),
    ],
)
async def test_a_refusal_is_its_api_error_with_code_and_details(
    sandbox: Sandbox, wav: str, method: str, arguments: tuple[Any, ...], code: str
) -> None:
    async with khaya(sandbox) as client:
        with pytest.raises(APIError) as raised:
            await getattr(client, method)(*(wav if each is ... else each for each in arguments))
    assert (type(raised.value), raised.value.status_code, raised.value.code) == (APIError, 400, "VALIDATION_FAILED")
    assert [detail["code"] for detail in raised.value.details] == [code]


async def test_every_route_that_it_knows_is_there(sandbox: Sandbox) -> None:
    async with khaya(sandbox) as client:
        for path in API_ENDPOINTS.values():
            with pytest.raises(APIError) as raised:
                await client.http_client.arequest("POST", sandbox.urls["khaya"] + path)
            assert raised.value.status_code == 400, path
