"""Khaya's exact requests and the shapes of its answers."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import AS_IT_IS, respond

from kellyapi import (
    NO_RETRY,
    NO_TIMEOUT,
    Base64,
    ConfigurationError,
    DecodingError,
    Khaya,
    RetryPolicy,
    Segment,
    Speech,
    Transcript,
    Translation,
    Word,
)

BASE = "https://translation-api.ghananlp.org"
KEY = {"Ocp-Apim-Subscription-Key": "key"}
JSON = {**KEY, "Content-Type": "application/json"}
WAV = (
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x22\x56\x00\x00\x44\xac\x00\x00\x02\x00\x10\x00data"
)
HEARD = {"text": "Me ho yɛ."}


@pytest.fixture
async def khaya() -> AsyncIterator[Khaya]:
    async with Khaya("key", retry=NO_RETRY) as client:
        yield client


# Translation


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_translate_posts_text_and_pair_to_its_version(wire: Responses, version: Any) -> None:
    sent = respond(wire, "POST", f"{BASE}/{version}/translate", json="Ɛte sɛn?")
    async with Khaya("key", translation_version=version) as khaya:
        result = await khaya.translate("How are you?", "en-tw")
    assert result == Translation(text="Ɛte sɛn?", source_language="en", target_language="tw", provider="khaya")
    assert str(result) == "Ɛte sɛn?"
    assert [(one.headers, one.json) for one in sent] == [(JSON, {"in": "How are you?", "lang": "en-tw"})]


async def test_source_and_target_make_the_pair(wire: Responses, khaya: Khaya) -> None:
    sent = respond(wire, "POST", f"{BASE}/v1/translate", json="x")
    result = await khaya.translate("x", source="eng", target="twi")
    assert (result.source_language, result.target_language, sent[0].json["lang"]) == ("eng", "twi", "eng-twi")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"text": "", "pair": "en-tw"}, "text is empty"),
        ({"text": " \n", "pair": "en-tw"}, "text is empty"),
        ({"text": "x", "pair": ""}, "pair is empty"),
        ({"text": "x", "pair": "en"}, "pair"),
        ({"text": "x", "pair": "-tw"}, "pair"),
        ({"text": "x"}, "pair"),
        ({"text": "x", "source": "en"}, "pair"),
        ({"text": "x", "pair": "en-tw", "target": "tw"}, "not both"),
    ],
)
async def test_a_wrong_translation_is_refused_before_anything_is_sent(
    wire: Responses, khaya: Khaya, arguments: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        await khaya.translate(**arguments)
    assert not wire.requests


async def test_a_text_that_is_no_string_is_a_type_error(wire: Responses, khaya: Khaya) -> None:
    with pytest.raises(TypeError, match="text"):
        await khaya.translate(b"x", "en-tw")  # type: ignore[arg-type]  # the wrong type is the point
    assert not wire.requests


@pytest.mark.parametrize("body", ["null", "1", "true", "[]", '{"text": "x"}', "", "Ɛte sɛn?", "[" * 1000 + "]" * 1000])
async def test_a_translation_that_is_no_json_string_is_a_decoding_error(
    wire: Responses, khaya: Khaya, body: str
) -> None:
    respond(wire, "POST", f"{BASE}/v1/translate", body=body)
    with pytest.raises(DecodingError) as caught:
        await khaya.translate("x", "en-tw")
    assert caught.value.code == "INVALID_JSON"
    assert caught.value.provider == "khaya"
    assert caught.value.outcome_unknown


# Recognition


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


async def test_advice_of_the_system_is_kept_and_logged(
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
async def test_a_file_is_streamed_and_named_by_its_content(
    wire: Responses, khaya: Khaya, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "sound.bin"
    path.write_bytes(WAV)
    source: Any = {"path": path, "str": str(path), "file": io.BytesIO(WAV), "iterator": _pieces()}[kind]
    sent = respond(wire, "POST", f"{BASE}/asr/v3/transcribe?language=twi", json=HEARD)
    await khaya.transcribe(source, "twi")
    length = {"Content-Length": str(len(WAV))} if kind in ("path", "str") else {}
    mime = "application/octet-stream" if kind == "iterator" else "audio/wav"  # its first piece says too little
    assert [(one.headers, one.body) for one in sent] == [({**KEY, "Content-Type": mime, **length}, WAV)]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"audio": b"", "language": "twi"}, "audio is empty"),
        ({"audio": WAV, "language": " "}, "language is empty"),
        ({"audio": WAV, "language": "twi", "timestamps": "letter"}, "timestamps"),
        ({"audio": Base64("?"), "language": "twi"}, "base64"),
    ],
)
async def test_a_wrong_transcription_is_refused_before_anything_is_sent(
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


async def test_a_missing_file_and_a_directory_are_the_errors_of_opening_them(
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
async def test_a_transcript_of_wrong_shape_names_the_place(
    wire: Responses, khaya: Khaya, reply: Any, where: str
) -> None:
    respond(wire, "POST", f"{BASE}/asr/v3/transcribe?language=twi", json=reply)
    with pytest.raises(DecodingError, match=where):
        await khaya.transcribe(WAV, "twi")


# Synthesis


@pytest.mark.parametrize(
    ("version", "arguments", "path", "data"),
    [
        ("v1", {}, "/tts/v1/tts", {}),
        ("v2", {}, "/tts/v2/synthesize", {}),
        ("v1", {"voice": "female"}, "/tts/v1/tts", {"speaker_id": "female"}),
        ("v1", {"format": "mp3"}, "/tts/v2/synthesize", {"format": "mp3"}),
        (
            "v2",
            {"voice": "male_low", "format": "ogg"},
            "/tts/v2/synthesize",
            {"speaker_id": "male_low", "format": "ogg"},
        ),
    ],
)
async def test_synthesize_posts_text_language_and_what_was_asked(
    wire: Responses, version: Any, arguments: Any, path: str, data: Any
) -> None:
    sent = respond(wire, "POST", BASE + path, body=WAV, content_type="audio/wav")
    async with Khaya("key", tts_version=version) as khaya:
        result = await khaya.synthesize("Akwaaba", "twi", **arguments)
    assert result == Speech(audio=WAV, mime="audio/wav", language="twi", provider="khaya")
    assert [(one.headers, one.json) for one in sent] == [
        ({**JSON, **AS_IT_IS}, {"text": "Akwaaba", "language": "twi", **data})
    ]


@pytest.mark.parametrize(
    ("body", "content_type", "mime"),
    [
        (WAV, "audio/x-wav", "audio/wav"),
        (WAV, "application/octet-stream", "audio/wav"),
        (b"ID3\x04rest", "application/octet-stream", "audio/mpeg"),
        (b"\xff\xfb\x90rest", "binary/octet-stream", "audio/mpeg"),
        (b"OggS rest", "text/plain", "audio/ogg"),
        (b"of a new kind", "audio/new; rate=1", "audio/new"),
    ],
)
async def test_audio_is_known_by_its_type_or_its_first_bytes(
    wire: Responses, khaya: Khaya, body: bytes, content_type: str, mime: str
) -> None:
    respond(wire, "POST", f"{BASE}/tts/v1/tts", body=body, content_type=content_type)
    result = await khaya.synthesize("Akwaaba", "twi")
    assert (result.audio, result.mime) == (body, mime)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html><title>Down</title></html>", "text/html"),
        (b"", "audio/wav"),
        (b"", "application/octet-stream"),
        (b'"Akwaaba"', "application/json"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
    ],
)
async def test_a_success_without_audio_is_a_decoding_error(
    wire: Responses, khaya: Khaya, body: bytes, content_type: str
) -> None:
    respond(wire, "POST", f"{BASE}/tts/v1/tts", body=body, content_type=content_type)
    with pytest.raises(DecodingError):
        await khaya.synthesize("Akwaaba", "twi")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"text": " ", "language": "twi"}, "text is empty"),
        ({"text": "x", "language": ""}, "language is empty"),
        ({"text": "x", "language": "twi", "format": "flac"}, "format"),
    ],
)
async def test_wrong_speech_is_refused_before_anything_is_sent(
    wire: Responses, khaya: Khaya, arguments: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        await khaya.synthesize(**arguments)
    with pytest.raises(ValueError, match=problem):
        khaya.synthesize_stream(**arguments)
    assert not wire.requests


async def test_a_stream_is_asked_of_v2_and_gives_the_audio_in_pieces(wire: Responses, khaya: Khaya) -> None:
    sent = respond(wire, "POST", f"{BASE}/tts/v2/synthesize", body=WAV, content_type="audio/wav")
    stream = khaya.synthesize_stream("Akwaaba", "twi", voice="female", format="wav")
    assert not sent
    async with stream:
        assert b"".join([piece async for piece in stream]) == WAV
    asked = {"text": "Akwaaba", "language": "twi", "speaker_id": "female", "format": "wav", "stream": True}
    assert [(one.headers, one.json) for one in sent] == [({**JSON, **AS_IT_IS}, asked)]


async def test_a_stream_that_is_no_audio_is_a_decoding_error(wire: Responses, khaya: Khaya) -> None:
    respond(wire, "POST", f"{BASE}/tts/v2/synthesize", body="<html>", content_type="text/html")
    with pytest.raises(DecodingError, match="text/html"):
        async with khaya.synthesize_stream("Akwaaba", "twi"):
            pass


async def test_a_stream_of_ogg_is_refused(khaya: Khaya) -> None:
    with pytest.raises(ValueError, match="format"):
        khaya.synthesize_stream("Akwaaba", "twi", format="ogg")  # type: ignore[arg-type]  # the wrong value is the point


# Lists


@pytest.mark.parametrize(
    ("service", "options", "path", "reply"),
    [
        ("translation", {}, "/v1/languages", {"twi": "Twi", "ewe": "Ewe"}),
        ("translation", {"translation_version": "v2"}, "/v2/languages", {"twi": "Twi", "ewe": "Ewe"}),
        (
            "transcription",
            {"asr_version": "v1"},  # the only list is v3's
            "/asr/v3/languages",
            [{"code": "twi", "name": "Twi"}, {"code": "ewe", "name": "Ewe"}],
        ),
        ("synthesis", {}, "/tts/v1/languages", {"Twi": "twi", "Ewe": "ewe"}),
        ("synthesis", {"tts_version": "v2"}, "/tts/v2/languages", {"Twi": "twi", "Ewe": "ewe"}),
    ],
)
async def test_each_list_of_languages_reads_code_to_name(
    wire: Responses, service: Any, options: Any, path: str, reply: Any
) -> None:
    sent = respond(wire, "GET", BASE + path, json={"languages": reply})
    async with Khaya("key", **options) as khaya:
        assert await khaya.languages(service) == {"twi": "Twi", "ewe": "Ewe"}
    assert [(one.headers, one.body) for one in sent] == [(KEY, b"")]


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_voices_are_the_names_of_all_groups_without_repetition(wire: Responses, version: Any) -> None:
    groups = {"Multilingual": ["male_low", "male_high", "female"], "Twi": ["female", "elder"]}
    respond(wire, "GET", f"{BASE}/tts/{version}/speakers", json={"speakers": groups})
    async with Khaya("key", tts_version=version) as khaya:
        assert await khaya.voices() == ("male_low", "male_high", "female", "elder")


async def test_languages_of_an_unknown_service_is_a_value_error(wire: Responses, khaya: Khaya) -> None:
    with pytest.raises(ValueError, match="translation"):
        await khaya.languages("poetry")  # type: ignore[arg-type]  # the wrong value is the point
    assert not wire.requests


# Settings


async def test_the_environment_chooses_the_versions(wire: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    for service, version in {"TRANSLATION": "v2", "ASR": "v1", "TTS": "v2"}.items():
        monkeypatch.setenv(f"KHAYA_{service}_VERSION", version)
    respond(wire, "POST", f"{BASE}/v2/translate", json="x")
    respond(wire, "POST", f"{BASE}/asr/v1/transcribe?language=twi", json="x")
    respond(wire, "POST", f"{BASE}/tts/v2/synthesize", body=WAV, content_type="audio/wav")
    async with Khaya("key") as khaya:
        await khaya.translate("x", "en-tw")
        await khaya.transcribe(WAV, "twi")
        await khaya.synthesize("x", "twi")


async def test_an_argument_beats_the_environment(wire: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KHAYA_TRANSLATION_VERSION", "v2")
    monkeypatch.setenv("KHAYA_TIMEOUT", "5")
    respond(wire, "POST", f"{BASE}/v1/translate", json="x")
    async with Khaya("key", translation_version="v1", timeout=NO_TIMEOUT) as khaya:
        await khaya.translate("x", "en-tw")
        assert khaya._connection.timeout is NO_TIMEOUT


def test_the_environment_sets_timeout_and_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KHAYA_TIMEOUT", "12.5")
    monkeypatch.setenv("KHAYA_RETRY_ATTEMPTS", "5")
    connection = Khaya("key")._connection
    assert connection.timeout is not None
    assert (connection.timeout.total, connection.retry) == (12.5, RetryPolicy(attempts=5))


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIMEOUT", "RETRY_ATTEMPTS", "ASR_VERSION", "API_KEY", "BASE_URL"):
        monkeypatch.setenv(f"KHAYA_{name}", "")
    khaya = Khaya()
    assert (khaya.configured, khaya.base_url, khaya._connection.problem) == (False, BASE, None)
    assert khaya._connection.retry == RetryPolicy()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIMEOUT", "soon"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "-1"),
        ("TIMEOUT", "nan"),
        ("RETRY_ATTEMPTS", "0"),
        ("RETRY_ATTEMPTS", "2.5"),
        ("RETRY_ATTEMPTS", "many"),
        ("TRANSLATION_VERSION", "v3"),
        ("ASR_VERSION", "3"),
        ("TTS_VERSION", "V1"),
    ],
)
async def test_a_bad_variable_is_named_at_the_first_call(
    wire: Responses, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"KHAYA_{name}", value)
    khaya = Khaya("key")
    for client in (khaya, khaya.with_options(allow_http=True)):
        calls: list[tuple[Any, ...]] = [
            (client.translate, "x", "en-tw"),
            (client.transcribe, WAV, "twi"),
            (client.synthesize, "x", "twi"),
            (client.languages, "synthesis"),
        ]
        for method, *arguments in calls:
            with pytest.raises(ConfigurationError, match=f"KHAYA_{name}"):
                await method(*arguments)
    assert not wire.requests


@pytest.mark.parametrize("option", ["translation_version", "asr_version", "tts_version"])
def test_an_unknown_version_is_a_value_error(option: str) -> None:
    with pytest.raises(ValueError, match=option):
        Khaya("key", **{option: "v9"})  # type: ignore[arg-type]  # the wrong value is the point
