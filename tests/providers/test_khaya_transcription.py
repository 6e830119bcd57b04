"""Khaya's speech recognition: requests and the shapes of responses."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import Base64, DecodingError, Khaya, Segment, Transcript, Word

from .khaya_messages import BASE, HEARD, KEY, WAV


@pytest.mark.parametrize(
    ("version", "reply"), [("v1", "Me ho yɛ."), ("v2", HEARD), ("v3", HEARD), ("v3", {**HEARD, "warnings": None})]
)
async def test_transcribe_posts_the_audio_to_its_version(wire: Responses, version: Any, reply: Any) -> None:
    sent = respond(wire, "POST", f"{BASE}/asr/{version}/transcribe?language=twi", json=reply)
    async with Khaya("key", asr_version=version) as khaya:
        result = await khaya.transcribe(WAV, "twi")
    assert result == Transcript(text="Me ho yɛ.", language="twi", provider="khaya")
    length = {"Content-Length": str(len(WAV))}
    assert [(one.headers, one.body) for one in sent] == [({**KEY, "Content-Type": "audio/wav", **length}, WAV)]


@pytest.mark.parametrize(
    ("timestamps", "timings", "words", "segments"),
    [
        ("word", {"words": [{"word": "Me", "start": 0, "end": 0.12}], "segments": []}, (Word("Me", 0.0, 0.12),), ()),
        (
            "segment",
            {"words": [], "segments": [{"text": "Me ho yɛ.", "start": 0.5, "end": "1.5"}]},
            (),
            (Segment("Me ho yɛ.", 0.5, 1.5),),
        ),
    ],
)
async def test_timestamps_fill_words_or_segments(
    wire: Responses, khaya: Khaya, timestamps: Any, timings: Any, words: Any, segments: Any
) -> None:
    timings = {"unit": "seconds", "granularity": timestamps, **timings}
    url = f"{BASE}/asr/v3/transcribe?language=twi&timestamps={timestamps}"
    respond(wire, "POST", url, json={**HEARD, "timings": timings})
    result = await khaya.transcribe(WAV, "twi", timestamps=timestamps)
    assert (result.words, result.segments) == (words, segments)


async def test_a_warning_of_the_provider_is_kept_and_logged(
    wire: Responses, khaya: Khaya, caplog: pytest.LogCaptureFixture
) -> None:
    advice = "Language code 'tw' is a legacy code."
    respond(wire, "POST", f"{BASE}/asr/v3/transcribe?language=tw", json={**HEARD, "warnings": [advice]})
    result = await khaya.transcribe(WAV, "tw")
    assert result.warnings == (advice,)
    assert caplog.record_tuples == [("kellyapi.khaya", logging.WARNING, advice)]


async def _pieces() -> AsyncIterator[bytes]:
    yield WAV[:5]
    yield WAV[5:]


@pytest.mark.parametrize("kind", ["path", "str", "file", "iterator"])
async def test_a_file_is_streamed_with_the_type_of_its_content(
    wire: Responses, khaya: Khaya, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "sound.bin"
    path.write_bytes(WAV)
    source: Any = {"path": path, "str": str(path), "file": io.BytesIO(WAV), "iterator": _pieces()}[kind]
    sent = respond(wire, "POST", f"{BASE}/asr/v3/transcribe?language=twi", json=HEARD)
    await khaya.transcribe(source, "twi")
    length = {"Content-Length": str(len(WAV))} if kind in ("path", "str") else {}
    assert [(one.headers, one.body) for one in sent] == [({**KEY, "Content-Type": "audio/wav", **length}, WAV)]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"audio": b"", "language": "twi"}, "audio is empty"),
        ({"audio": WAV, "language": " "}, "language is empty"),
        ({"audio": WAV, "language": "twi", "timestamps": "letter"}, "timestamps"),
        ({"audio": Base64("?"), "language": "twi"}, "base64"),
    ],
)
async def test_wrong_arguments_are_refused_before_anything_is_sent(
    wire: Responses, khaya: Khaya, arguments: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        await khaya.transcribe(**arguments)
    assert not wire.requests


async def test_recognition_v1_has_no_timestamps(wire: Responses) -> None:
    async with Khaya("key", asr_version="v1") as khaya:
        with pytest.raises(ValueError, match="v2 or v3"):
            await khaya.transcribe(WAV, "twi", timestamps="word")
    assert not wire.requests


async def test_a_missing_file_and_a_directory_raise_the_errors_of_open(
    wire: Responses, khaya: Khaya, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await khaya.transcribe(tmp_path / "none.wav", "twi")
    with pytest.raises(IsADirectoryError):
        await khaya.transcribe(tmp_path, "twi")
    assert not wire.requests


@pytest.mark.parametrize(
    ("reply", "where"),
    [
        ({"text": None}, r"\$\.text"),
        ({}, r"\$\.text: missing"),
    ],
)
async def test_the_error_of_a_malformed_transcript_names_the_path(
    wire: Responses, khaya: Khaya, reply: Any, where: str
) -> None:
    respond(wire, "POST", f"{BASE}/asr/v3/transcribe?language=twi", json=reply)
    with pytest.raises(DecodingError, match=where):
        await khaya.transcribe(WAV, "twi")


@pytest.mark.parametrize("error", [{}, {"message": None, "code": None}])
async def test_an_empty_error_beside_a_text_is_none(wire: Responses, error: Any) -> None:
    respond(wire, "POST", f"{BASE}/asr/v3/transcribe?language=twi", json={"text": "Akwaaba", "error": error})
    async with Khaya("key") as khaya:
        assert (await khaya.transcribe(WAV, "twi")).text == "Akwaaba"
