"""Khaya's routes, H1 to H8: the shapes of each version, and the two envelopes of its errors."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from fake_engines.voice import recognition
from http_client import Answer, Ask

from kellyapi import NO_RETRY, BadRequestError, Khaya, Sandbox, Segment, ServerError, Word
from kellyapi.languages import SYNTHESIS, TRANSCRIPTION

KEY = {"Ocp-Apim-Subscription-Key": "key"}
WAV = b"RIFF"


@pytest.fixture
def khaya(ask: Ask) -> Ask:
    return partial(ask, headers=KEY)


def invalid(code: str, target: str, message: str) -> dict[str, Any]:
    return {
        "error": {
            "code": "VALIDATION_FAILED",
            "message": "The request payload contains invalid parameters.",
            "details": [{"code": code, "message": message, "target": target}],
        }
    }


def reason(answer: Answer) -> tuple[str, str | None]:
    """Give code and target of the one detail in the application's envelope."""
    assert answer.status == 400
    [detail] = answer.json["error"]["details"]
    assert answer.json == invalid(detail["code"], "", detail["message"]) | {
        "error": {**invalid("", "", "")["error"], "details": [detail]}
    }
    return detail["code"], detail.get("target")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Ocp-Apim-Subscription-Key": ""}, {"Ocp-Apim-Subscription-Key": " "}, {"Authorization": "Bearer k"}],
)
async def test_without_a_key_the_gateway_answers_401(ask: Ask, headers: dict[str, str]) -> None:
    answer = await ask("GET", "/v1/languages", headers=headers)
    message = "Access denied due to missing subscription key."
    assert (answer.status, answer.json) == (401, {"statusCode": 401, "message": message})


async def test_a_wrong_key_is_401_and_a_right_one_is_let_in(ask: Ask) -> None:
    async with Sandbox(keys=["right"]) as narrow:
        refused = await ask("GET", "/v1/languages", url=narrow.url, headers=KEY)
        message = "Access denied due to invalid subscription key."
        assert (refused.status, refused.json) == (401, {"statusCode": 401, "message": message})
        right = await ask("GET", "/v1/languages", url=narrow.url, headers={"Ocp-Apim-Subscription-Key": "right"})
        assert right.status == 200


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("pair", ["en-tw", "eng-twi", "en-twi"])
async def test_a_translation_is_a_bare_json_string(khaya: Ask, version: str, pair: str) -> None:
    answer = await khaya("POST", f"/{version}/translate", json={"in": "Good morning", "lang": pair})
    assert (answer.status, answer.json) == (200, "Maakye")
    assert "X-Sandbox-Note" not in answer.headers


async def test_what_is_not_translated_shows_it_in_the_text_and_says_it_in_a_note(khaya: Ask) -> None:
    answer = await khaya("POST", "/v1/translate", json={"in": "The zebra sleeps", "lang": "en-tw"})
    assert answer.json == "⟦tw⟧ The zebra sleeps"
    assert answer.headers["X-Sandbox-Note"] == "not translated: unknown from en to tw"


async def test_a_pair_with_a_line_break_cannot_put_one_into_a_header(khaya: Ask) -> None:
    answer = await khaya("POST", "/v1/translate", json={"in": "The zebra sleeps", "lang": "en-tw\r\nX-Evil: 1"})
    assert reason(answer) == ("UNSUPPORTED_LANGUAGE_PAIR", "language_pair")
    answer = await khaya("POST", "/v1/translate", json={"in": "The zebra sleeps", "lang": "en-tw\r\n"})
    assert answer.headers["X-Sandbox-Note"] == "not translated: unknown from en to tw"


async def test_apertium_answers_for_the_pairs_that_it_has(
    khaya: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "apertium"
    command.write_text('#!/bin/sh\nif [ "$1" = -l ]; then echo eng-spa; else read text; echo "$1: $text"; fi\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = await khaya("POST", "/v1/translate", json={"in": "A zebra", "lang": "en-es"})
    assert (answer.status, answer.json) == (200, "eng-spa: A zebra")
    assert reason(await khaya("POST", "/v1/translate", json={"in": "A zebra", "lang": "es-en"}))


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_languages_of_translation_are_names_by_code(khaya: Ask, version: str) -> None:
    answer = await khaya("GET", f"/{version}/languages")
    assert list(answer.json) == ["languages"]
    assert answer.json["languages"].items() >= {"eng": "English", "twi": "Twi", "gaa": "Ga"}.items()


async def test_an_unknown_pair_is_the_systems_own_400(khaya: Ask) -> None:
    answer = await khaya("POST", "/v1/translate", json={"in": "hello", "lang": "en-zz"})
    assert answer.status == 400
    assert answer.json == invalid(
        "UNSUPPORTED_LANGUAGE_PAIR", "language_pair", "Language combination en-zz cannot be used"
    )


@pytest.mark.parametrize(
    ("path", "body", "code", "target"),
    [
        ("/v1/translate", {}, "MISSING_TEXT", "in"),
        ("/v1/translate", {"in": " ", "lang": "en-tw"}, "MISSING_TEXT", "in"),
        ("/v1/translate", {"in": ["hello"], "lang": "en-tw"}, "MISSING_TEXT", "in"),
        ("/v2/translate", {"in": "hello"}, "MISSING_LANGUAGE_PAIR", "lang"),
        ("/v2/translate", {"in": "hello", "lang": {}}, "MISSING_LANGUAGE_PAIR", "lang"),
        ("/v2/translate", {"in": "hello", "lang": "tw"}, "UNSUPPORTED_LANGUAGE_PAIR", "language_pair"),
        ("/v2/translate", {"in": "hello", "lang": "tw-ee"}, "UNSUPPORTED_LANGUAGE_PAIR", "language_pair"),
        ("/v2/translate", {"in": "a" * 1001, "lang": "en-tw"}, "INVALID_REQUEST", "in"),
        ("/tts/v1/tts", {"language": "eng"}, "EMPTY_TEXT", "text"),
        ("/tts/v1/tts", {"text": 5, "language": "eng"}, "EMPTY_TEXT", "text"),
        ("/tts/v2/synthesize", {"text": "   ", "language": "eng"}, "EMPTY_TEXT", "text"),
        ("/tts/v2/synthesize", {"text": "hello"}, "MISSING_LANGUAGE", "language"),
        ("/tts/v2/synthesize", {"text": "hello", "language": ["eng"]}, "MISSING_LANGUAGE", "language"),
        ("/tts/v2/synthesize", {"text": "hello", "language": "zzz"}, "UNSUPPORTED_LANGUAGE", "language"),
        ("/tts/v1/tts", {"text": "hello", "language": "eng", "speaker_id": "bob"}, "INVALID_SPEAKER", "speaker_id"),
        ("/tts/v1/tts", {"text": "hello", "language": "eng", "speaker_id": [1]}, "INVALID_SPEAKER", "speaker_id"),
        ("/tts/v2/synthesize", {"text": "hello", "language": "eng", "format": "aac"}, "INVALID_REQUEST", "format"),
        ("/tts/v2/synthesize", {"text": "hello", "language": "eng", "format": ["wav"]}, "INVALID_REQUEST", "format"),
    ],
)
@pytest.mark.usefixtures("fake_engines")
async def test_an_invalid_body_is_a_400_that_names_the_field(
    khaya: Ask, path: str, body: dict[str, Any], code: str, target: str
) -> None:
    assert reason(await khaya("POST", path, json=body)) == (code, target)


@pytest.mark.parametrize("path", ["/v1/translate", "/v2/translate", "/tts/v1/tts", "/tts/v2/synthesize"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[1]", b'"text"'])
async def test_a_body_that_is_no_json_object_is_a_400(khaya: Ask, path: str, body: bytes) -> None:
    assert reason(await khaya("POST", path, data=body)) == ("INVALID_REQUEST", "body")


async def test_a_thousand_characters_are_the_limit_of_the_second_version_alone(khaya: Ask) -> None:
    for version, text in (("v2", "a" * 1000), ("v1", "a" * 1001)):
        assert (await khaya("POST", f"/{version}/translate", json={"in": text, "lang": "en-tw"})).status == 200


@pytest.mark.usefixtures("fake_engines")
class TestTranscription:
    async def test_version_1_answers_with_a_bare_string(self, khaya: Ask) -> None:
        assert (await khaya("POST", "/asr/v1/transcribe?language=eng", data=WAV)).json == recognition.TEXT

    @pytest.mark.parametrize("version", ["v2", "v3"])
    async def test_later_versions_answer_with_an_object_without_times_unless_they_are_asked_for(
        self, khaya: Ask, version: str
    ) -> None:
        answer = await khaya("POST", f"/asr/{version}/transcribe?language=eng", data=WAV)
        assert answer.json == {"text": recognition.TEXT}

    @pytest.mark.parametrize("version", ["v2", "v3"])
    @pytest.mark.parametrize(
        ("timestamps", "words", "segments"),
        [("word", recognition.WORDS, []), ("segment", [], recognition.SEGMENTS)],
    )
    async def test_of_words_and_segments_only_what_was_asked_for_is_filled(
        self, khaya: Ask, version: str, timestamps: str, words: list[Any], segments: list[Any]
    ) -> None:
        answer = await khaya("POST", f"/asr/{version}/transcribe?language=eng&timestamps={timestamps}", data=WAV)
        timings = {"unit": "seconds", "granularity": timestamps, "words": words, "segments": segments}
        assert answer.json == {"text": recognition.TEXT, "timings": timings}

    async def test_a_two_letter_code_is_understood_and_advised_against(self, khaya: Ask) -> None:
        answer = await khaya("POST", "/asr/v3/transcribe?language=en", data=WAV)
        advice = "Language code 'en' is a legacy code. Please update to 'eng' (ISO 639-3)."
        assert answer.json == {"text": recognition.TEXT, "warnings": [advice]}
        assert (await khaya("POST", "/asr/v1/transcribe?language=en", data=WAV)).json == recognition.TEXT

    @pytest.mark.parametrize("kind", ["application/json", "audio/wav", "application/octet-stream"])
    async def test_the_content_type_of_the_audio_does_not_matter(self, ask: Ask, kind: str) -> None:
        answer = await ask("POST", "/asr/v3/transcribe?language=eng", data=WAV, headers={**KEY, "Content-Type": kind})
        assert answer.status == 200

    @pytest.mark.parametrize(
        ("path", "audio", "code", "target"),
        [
            ("/asr/v3/transcribe", WAV, "UNSUPPORTED_LANGUAGE", "language"),
            ("/asr/v3/transcribe?language=zzz", WAV, "UNSUPPORTED_LANGUAGE", "language"),
            ("/asr/v3/transcribe?language=gas", WAV, "UNSUPPORTED_LANGUAGE", "language"),
            ("/asr/v3/transcribe?language=lxn", WAV, "UNSUPPORTED_LANGUAGE", "language"),
            ("/asr/v3/transcribe?language=twi", WAV, "UNSUPPORTED_LANGUAGE", "language"),
            ("/asr/v2/transcribe?language=eng", b"", "EMPTY_AUDIO", "audio"),
            ("/asr/v1/transcribe?language=eng", b"a text", "INVALID_AUDIO_FORMAT", "audio"),
            ("/asr/v3/transcribe?language=eng&timestamps=", WAV, "INVALID_TIMESTAMPS", "timestamps"),
            ("/asr/v1/transcribe?language=eng&timestamps=letter", WAV, "INVALID_TIMESTAMPS", "timestamps"),
            ("/asr/v1/transcribe?language=eng&timestamps=word", WAV, "UNSUPPORTED_TIMESTAMPS", "timestamps"),
        ],
    )
    async def test_what_cannot_be_heard_is_a_400(
        self, khaya: Ask, path: str, audio: bytes, code: str, target: str
    ) -> None:
        assert reason(await khaya("POST", path, data=audio)) == (code, target)

    async def test_the_client_reads_every_version(self, sandbox: Sandbox) -> None:
        words = tuple(Word(**each) for each in recognition.WORDS)
        segments = tuple(Segment(**each) for each in recognition.SEGMENTS)
        async with sandbox.api() as api:
            heard = await api.transcribe(WAV, "eng", timestamps="word")
            assert (heard.text, heard.words, heard.segments) == (recognition.TEXT, words, ())
            heard = await api.transcribe(WAV, "eng", timestamps="segment")
            assert (heard.words, heard.segments) == ((), segments)
            with pytest.raises(BadRequestError, match="twi"):
                await api.transcribe(WAV, "twi")
        async with Khaya("key", base_url=sandbox.url, asr_version="v1") as khaya:
            assert (await khaya.transcribe(WAV, "eng")).text == recognition.TEXT


async def test_languages_of_transcription_are_a_list_of_the_third_version_alone(khaya: Ask) -> None:
    answer = await khaya("GET", "/asr/v3/languages")
    assert answer.json == {"languages": [{"code": each.code, "name": each.name} for each in TRANSCRIPTION]}
    gone = await khaya("GET", "/asr/v1/languages")
    assert (gone.status, gone.json) == (404, {"statusCode": 404, "message": "Not Found"})


@pytest.mark.usefixtures("fake_engines")
class TestSynthesis:
    @pytest.mark.parametrize("path", ["/tts/v1/tts", "/tts/v2/synthesize"])
    async def test_speech_is_the_bytes_of_a_wav(self, khaya: Ask, path: str) -> None:
        answer = await khaya("POST", path, json={"text": "hello", "language": "eng", "speaker_id": "male_low"})
        assert (answer.headers["Content-Type"], answer.body) == ("audio/wav", b"RIFF eng male_low hello")
        assert "X-Sandbox-Note" not in answer.headers

    @pytest.mark.parametrize("format", ["wav", "mp3", "ogg"])
    async def test_the_second_version_has_formats_and_the_first_passes_them_over(self, khaya: Ask, format: str) -> None:
        body = {"text": "hello", "language": "eng", "format": format}
        assert (await khaya("POST", "/tts/v2/synthesize", json=body)).headers["Content-Type"] == f"audio/{format}"
        assert (await khaya("POST", "/tts/v1/tts", json=body)).headers["Content-Type"] == "audio/wav"

    async def test_a_stream_is_the_same_file_in_pieces(self, khaya: Ask) -> None:
        body = {"text": "hello " * 10_000, "language": "ewe", "stream": True}
        streamed = await khaya("POST", "/tts/v2/synthesize", json=body)
        whole = await khaya("POST", "/tts/v2/synthesize", json={**body, "stream": False})
        assert streamed.body == whole.body
        assert (streamed.headers["Transfer-Encoding"], "Content-Length" in streamed.headers) == ("chunked", False)
        assert "Content-Length" in whole.headers
        assert streamed.headers["X-Sandbox-Note"] == whole.headers["X-Sandbox-Note"]

    async def test_a_note_is_one_line_of_ascii(self, khaya: Ask) -> None:
        answer = await khaya("POST", "/tts/v1/tts", json={"text": "hello", "language": "ewe"})
        assert answer.headers["X-Sandbox-Note"] == "spoken by the Swahili voice, not by an ?wegbe one"

    async def test_the_field_speaker_is_dropped_without_a_word(self, khaya: Ask) -> None:
        answer = await khaya("POST", "/tts/v1/tts", json={"text": "hello", "language": "eng", "speaker": "male_low"})
        assert answer.body == b"RIFF eng None hello"

    async def test_the_client_streams(self, sandbox: Sandbox) -> None:
        async with sandbox.api() as api, api.khaya.synthesize_stream("hello " * 500_000, "eng", format="mp3") as stream:
            pieces = [piece async for piece in stream]
        assert len(pieces) > 1
        assert b"".join(pieces).startswith(b"ID3 eng None hello hello")


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_languages_of_synthesis_are_codes_by_name(khaya: Ask, version: str) -> None:
    answer = await khaya("GET", f"/tts/{version}/languages")
    assert answer.json == {"languages": {each.name: each.code for each in SYNTHESIS}}
    assert answer.json["languages"]["Asante Twi"] == "twi"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_there_are_three_voices_for_all_languages(khaya: Ask, version: str) -> None:
    answer = await khaya("GET", f"/tts/{version}/speakers")
    assert answer.json == {"speakers": {"Multilingual": ["male_low", "male_high", "female"]}}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/tts/v2/tts", 404),
        ("POST", "/v3/translate", 404),
        ("POST", "/asr/v4/transcribe", 404),
        ("GET", "/v1/translate", 405),
    ],
)
async def test_a_route_that_is_not_there_is_the_gateways_to_refuse(
    khaya: Ask, method: str, path: str, status: int
) -> None:
    answer = await khaya(method, path)
    assert answer.status == answer.json["statusCode"] == status
    assert set(answer.json) == {"statusCode", "message"}


@pytest.mark.usefixtures("no_packages")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tts/v1/tts", {"json": {"text": "hello", "language": "eng"}}),
        ("/tts/v2/synthesize", {"json": {"text": "hello", "language": "eng", "stream": True}}),
        ("/asr/v1/transcribe?language=eng", {"data": WAV}),
        ("/asr/v3/transcribe?language=eng", {"data": WAV}),
    ],
)
async def test_a_missing_package_is_a_503_that_says_what_to_install(
    khaya: Ask, path: str, body: dict[str, Any]
) -> None:
    answer = await khaya("POST", path, **body)
    assert answer.status == answer.json["statusCode"] == 503
    assert UUID(answer.json["activityId"])
    assert 'pip install "kellyapi[sandbox]"' in answer.json["message"]


@pytest.mark.usefixtures("no_packages")
async def test_the_client_passes_on_what_to_install(sandbox: Sandbox) -> None:
    async with Khaya("key", base_url=sandbox.urls["khaya"], retry=NO_RETRY) as khaya:
        with pytest.raises(ServerError, match=r'pip install "kellyapi\[sandbox\]"') as raised:
            await khaya.synthesize("hello", "eng")
    assert raised.value.status == 503
    assert UUID(raised.value.request_id)


async def test_an_upload_in_pieces_is_heard_whole(
    fake_engines: None, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    async def pieces() -> Any:
        for piece in (b"RI", b"FF", bytes(100_000)):
            yield piece
            await asyncio.sleep(0)

    async with aiohttp.ClientSession(headers=KEY) as session:
        answer = await session.post(f"{sandbox.url}/asr/v3/transcribe?language=eng", data=pieces())
        assert await answer.json() == {"text": recognition.TEXT}
    assert not caplog.records
