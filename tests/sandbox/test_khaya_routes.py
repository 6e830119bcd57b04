"""Khaya's routes in the sandbox, H1 to H8: the forms of each version, and the two forms of error bodies."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from fake_engines.voice import recognition
from http_client import Response, Send

from kellyapi import NO_RETRY, BadRequestError, Khaya, Sandbox, Segment, ServerError, Word
from kellyapi.languages import SYNTHESIS, TRANSCRIPTION

KEY = {"Ocp-Apim-Subscription-Key": "key"}
WAV = b"RIFF"


@pytest.fixture
def khaya(send: Send) -> Send:
    return partial(send, headers=KEY)


def error_body(code: str, target: str, message: str) -> dict[str, Any]:
    return {
        "error": {
            "code": "VALIDATION_FAILED",
            "message": "The request payload contains invalid parameters.",
            "details": [{"code": code, "message": message, "target": target}],
        }
    }


def error_code(response: Response) -> tuple[str, str | None]:
    """Check the form of the error body; return the code and the target of its only detail."""
    assert response.status == 400
    [detail] = response.json["error"]["details"]
    assert response.json == error_body(detail["code"], "", detail["message"]) | {
        "error": {**error_body("", "", "")["error"], "details": [detail]}
    }
    return detail["code"], detail.get("target")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Ocp-Apim-Subscription-Key": ""}, {"Ocp-Apim-Subscription-Key": " "}, {"Authorization": "Bearer k"}],
)
async def test_a_missing_key_is_a_401_from_the_gateway(send: Send, headers: dict[str, str]) -> None:
    response = await send("GET", "/v1/languages", headers=headers)
    message = "Access denied due to missing subscription key."
    assert (response.status, response.json) == (401, {"statusCode": 401, "message": message})


async def test_a_wrong_key_is_a_401_and_a_right_key_is_accepted(send: Send) -> None:
    async with Sandbox(keys=["right"], keep_engines=True) as restricted:
        refused = await send("GET", "/v1/languages", url=restricted.url, headers=KEY)
        message = "Access denied due to invalid subscription key."
        assert (refused.status, refused.json) == (401, {"statusCode": 401, "message": message})
        right = await send("GET", "/v1/languages", url=restricted.url, headers={"Ocp-Apim-Subscription-Key": "right"})
        assert right.status == 200


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("pair", ["en-tw", "eng-twi", "en-twi"])
async def test_a_translation_is_a_bare_json_string(khaya: Send, version: str, pair: str) -> None:
    response = await khaya("POST", f"/{version}/translate", json={"in": "Good morning", "lang": pair})
    assert (response.status, response.json) == (200, "Maakye")
    assert "X-Sandbox-Note" not in response.headers


async def test_an_untranslated_text_is_marked_and_has_a_note(khaya: Send) -> None:
    response = await khaya("POST", "/v1/translate", json={"in": "The zebra sleeps", "lang": "en-tw"})
    assert response.json == "⟦tw⟧ The zebra sleeps"
    assert response.headers["X-Sandbox-Note"] == "not translated: unknown from en to tw"


async def test_a_line_break_in_a_pair_does_not_reach_a_header(khaya: Send) -> None:
    response = await khaya("POST", "/v1/translate", json={"in": "The zebra sleeps", "lang": "en-tw\r\nX-Evil: 1"})
    assert error_code(response) == ("UNSUPPORTED_LANGUAGE_PAIR", "language_pair")
    response = await khaya("POST", "/v1/translate", json={"in": "The zebra sleeps", "lang": "en-tw\r\n"})
    assert response.headers["X-Sandbox-Note"] == "not translated: unknown from en to tw"


async def test_apertium_translates_its_pairs(khaya: Send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "apertium"
    command.write_text('#!/bin/sh\nif [ "$1" = -l ]; then echo eng-spa; else read text; echo "$1: $text"; fi\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    response = await khaya("POST", "/v1/translate", json={"in": "A zebra", "lang": "en-es"})
    assert (response.status, response.json) == (200, "eng-spa: A zebra")
    assert error_code(await khaya("POST", "/v1/translate", json={"in": "A zebra", "lang": "es-en"}))


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_languages_of_translation_are_names_by_code(khaya: Send, version: str) -> None:
    response = await khaya("GET", f"/{version}/languages")
    assert list(response.json) == ["languages"]
    assert response.json["languages"].items() >= {"eng": "English", "twi": "Twi", "gaa": "Ga"}.items()


async def test_an_unknown_pair_is_a_400_in_the_form_of_the_provider(khaya: Send) -> None:
    response = await khaya("POST", "/v1/translate", json={"in": "hello", "lang": "en-zz"})
    assert response.status == 400
    assert response.json == error_body(
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
    khaya: Send, path: str, body: dict[str, Any], code: str, target: str
) -> None:
    assert error_code(await khaya("POST", path, json=body)) == (code, target)


@pytest.mark.parametrize("path", ["/v1/translate", "/v2/translate", "/tts/v1/tts", "/tts/v2/synthesize"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[1]", b'"text"'])
async def test_a_body_that_is_not_a_json_object_is_a_400(khaya: Send, path: str, body: bytes) -> None:
    assert error_code(await khaya("POST", path, data=body)) == ("INVALID_REQUEST", "body")


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_text_has_at_most_1000_characters(khaya: Send, version: str) -> None:
    whole = await khaya("POST", f"/{version}/translate", json={"in": "ɛ" * 1000, "lang": "en-tw"})
    assert whole.status == 200
    refused = await khaya("POST", f"/{version}/translate", json={"in": "a" * 1001, "lang": "en-tw"})
    message = "The text is longer than 1000 characters"
    assert (refused.status, refused.json) == (400, error_body("INVALID_REQUEST", "in", message))


@pytest.mark.usefixtures("fake_engines")
class TestTranscription:
    async def test_version_1_responds_with_a_bare_string(self, khaya: Send) -> None:
        assert (await khaya("POST", "/asr/v1/transcribe?language=eng", data=WAV)).json == recognition.TEXT

    @pytest.mark.parametrize("version", ["v2", "v3"])
    async def test_later_versions_respond_with_an_object_without_times_by_default(
        self, khaya: Send, version: str
    ) -> None:
        response = await khaya("POST", f"/asr/{version}/transcribe?language=eng", data=WAV)
        assert response.json == {"text": recognition.TEXT}

    @pytest.mark.parametrize("version", ["v2", "v3"])
    @pytest.mark.parametrize(
        ("timestamps", "words", "segments"),
        [("word", recognition.WORDS, []), ("segment", [], recognition.SEGMENTS)],
    )
    async def test_only_the_requested_kind_of_timestamps_is_filled(
        self, khaya: Send, version: str, timestamps: str, words: list[Any], segments: list[Any]
    ) -> None:
        response = await khaya("POST", f"/asr/{version}/transcribe?language=eng&timestamps={timestamps}", data=WAV)
        timings = {"unit": "seconds", "granularity": timestamps, "words": words, "segments": segments}
        assert response.json == {"text": recognition.TEXT, "timings": timings}

    async def test_a_two_letter_code_works_with_a_warning(self, khaya: Send) -> None:
        response = await khaya("POST", "/asr/v3/transcribe?language=en", data=WAV)
        advice = "Language code 'en' is a legacy code. Please update to 'eng' (ISO 639-3)."
        assert response.json == {"text": recognition.TEXT, "warnings": [advice]}
        assert (await khaya("POST", "/asr/v1/transcribe?language=en", data=WAV)).json == recognition.TEXT

    @pytest.mark.parametrize("kind", ["application/json", "audio/wav", "application/octet-stream"])
    async def test_the_content_type_of_the_audio_does_not_matter(self, send: Send, kind: str) -> None:
        response = await send(
            "POST", "/asr/v3/transcribe?language=eng", data=WAV, headers={**KEY, "Content-Type": kind}
        )
        assert response.status == 200

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
    async def test_an_unusable_language_audio_or_timestamp_is_a_400(
        self, khaya: Send, path: str, audio: bytes, code: str, target: str
    ) -> None:
        assert error_code(await khaya("POST", path, data=audio)) == (code, target)

    async def test_the_client_reads_every_version(self, sandbox: Sandbox) -> None:
        words = tuple(Word(**each) for each in recognition.WORDS)
        segments = tuple(Segment(**each) for each in recognition.SEGMENTS)
        async with sandbox.api() as api:
            transcript = await api.transcribe(WAV, "eng", timestamps="word")
            assert (transcript.text, transcript.words, transcript.segments) == (recognition.TEXT, words, ())
            transcript = await api.transcribe(WAV, "eng", timestamps="segment")
            assert (transcript.words, transcript.segments) == ((), segments)
            with pytest.raises(BadRequestError, match="twi"):
                await api.transcribe(WAV, "twi")
        async with Khaya("key", base_url=sandbox.url, asr_version="v1") as khaya:
            assert (await khaya.transcribe(WAV, "eng")).text == recognition.TEXT


async def test_only_the_third_version_lists_the_transcription_languages(khaya: Send) -> None:
    response = await khaya("GET", "/asr/v3/languages")
    assert response.json == {"languages": [{"code": each.code, "name": each.name} for each in TRANSCRIPTION]}
    missing = await khaya("GET", "/asr/v1/languages")
    assert (missing.status, missing.json) == (404, {"statusCode": 404, "message": "Not Found"})


@pytest.mark.usefixtures("fake_engines")
class TestSynthesis:
    @pytest.mark.parametrize("path", ["/tts/v1/tts", "/tts/v2/synthesize"])
    async def test_speech_is_the_bytes_of_a_wav(self, khaya: Send, path: str) -> None:
        response = await khaya("POST", path, json={"text": "hello", "language": "eng", "speaker_id": "male_low"})
        assert (response.headers["Content-Type"], response.body) == ("audio/wav", b"RIFF eng male_low hello")
        assert "X-Sandbox-Note" not in response.headers

    @pytest.mark.parametrize("format", ["wav", "mp3", "ogg"])
    async def test_the_second_version_has_formats_and_the_first_ignores_them(self, khaya: Send, format: str) -> None:
        body = {"text": "hello", "language": "eng", "format": format}
        assert (await khaya("POST", "/tts/v2/synthesize", json=body)).headers["Content-Type"] == f"audio/{format}"
        assert (await khaya("POST", "/tts/v1/tts", json=body)).headers["Content-Type"] == "audio/wav"

    async def test_a_stream_is_the_same_file_in_pieces(self, khaya: Send) -> None:
        body = {"text": "hello " * 10_000, "language": "ewe", "stream": True}
        streamed = await khaya("POST", "/tts/v2/synthesize", json=body)
        whole = await khaya("POST", "/tts/v2/synthesize", json={**body, "stream": False})
        assert streamed.body == whole.body
        assert (streamed.headers["Transfer-Encoding"], "Content-Length" in streamed.headers) == ("chunked", False)
        assert "Content-Length" in whole.headers
        assert streamed.headers["X-Sandbox-Note"] == whole.headers["X-Sandbox-Note"]

    async def test_every_language_that_is_listed_is_spoken(self, khaya: Send) -> None:
        listed = (await khaya("GET", "/tts/v1/languages")).json["languages"]
        for code in (*listed.values(), "tw"):
            response = await khaya("POST", "/tts/v1/tts", json={"text": "hello", "language": code})
            assert response.body == f"RIFF {code} None hello".encode()

    async def test_a_note_is_one_line_of_ascii(self, khaya: Send) -> None:
        response = await khaya("POST", "/tts/v1/tts", json={"text": "hello", "language": "ewe"})
        assert response.headers["X-Sandbox-Note"] == "spoken by the Swahili voice, not by an ?wegbe one"

    async def test_the_field_speaker_is_ignored(self, khaya: Send) -> None:
        response = await khaya("POST", "/tts/v1/tts", json={"text": "hello", "language": "eng", "speaker": "male_low"})
        assert response.body == b"RIFF eng None hello"

    async def test_the_client_streams(self, sandbox: Sandbox) -> None:
        async with sandbox.api() as api, api.khaya.synthesize_stream("hello " * 500_000, "eng", format="mp3") as stream:
            pieces = [piece async for piece in stream]
        assert len(pieces) > 1
        assert b"".join(pieces).startswith(b"ID3 eng None hello hello")


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_languages_of_synthesis_are_codes_by_name(khaya: Send, version: str) -> None:
    response = await khaya("GET", f"/tts/{version}/languages")
    assert response.json == {"languages": {each.name: each.code for each in SYNTHESIS}}
    assert response.json["languages"]["Asante Twi"] == "twi"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_all_languages_have_the_same_three_voices(khaya: Send, version: str) -> None:
    response = await khaya("GET", f"/tts/{version}/speakers")
    assert response.json == {"speakers": {"Multilingual": ["male_low", "male_high", "female"]}}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/tts/v2/tts", 404),
        ("POST", "/v3/translate", 404),
        ("POST", "/asr/v4/transcribe", 404),
        ("GET", "/v1/translate", 405),
    ],
)
async def test_an_unknown_route_is_an_error_in_the_gateways_form(
    khaya: Send, method: str, path: str, status: int
) -> None:
    response = await khaya(method, path)
    assert response.status == response.json["statusCode"] == status
    assert set(response.json) == {"statusCode", "message"}


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
    khaya: Send, path: str, body: dict[str, Any]
) -> None:
    response = await khaya("POST", path, **body)
    assert response.status == response.json["statusCode"] == 503
    assert UUID(response.json["activityId"])
    assert 'pip install "kellyapi[sandbox]"' in response.json["message"]


@pytest.mark.usefixtures("no_packages")
async def test_the_client_error_says_what_to_install(sandbox: Sandbox) -> None:
    async with Khaya("key", base_url=sandbox.urls["khaya"], retry=NO_RETRY) as khaya:
        with pytest.raises(ServerError, match=r'pip install "kellyapi\[sandbox\]"') as raised:
            await khaya.synthesize("hello", "eng")
    assert raised.value.status == 503
    assert UUID(raised.value.request_id)


async def test_an_upload_in_pieces_is_transcribed_complete(
    fake_engines: None, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    async def pieces() -> Any:
        for piece in (b"RI", b"FF", bytes(100_000)):
            yield piece
            await asyncio.sleep(0)

    async with aiohttp.ClientSession(headers=KEY) as session:
        response = await session.post(f"{sandbox.url}/asr/v3/transcribe?language=eng", data=pieces())
        assert await response.json() == {"text": recognition.TEXT}
    assert not caplog.records


@pytest.mark.parametrize("language", ["deu", "pt-br", "kin", "nonsense"])
@pytest.mark.parametrize("path", ["/tts/v1/tts", "/tts/v2/synthesize"])
async def test_a_language_that_the_provider_does_not_list_is_refused(khaya: Send, path: str, language: str) -> None:
    refused = await khaya("POST", path, json={"text": "hello", "language": language})
    assert error_code(refused) == ("UNSUPPORTED_LANGUAGE", "language")


async def test_only_wav_and_mp3_are_streamed(khaya: Send) -> None:
    body = {"text": "hello", "language": "eng", "format": "ogg", "stream": True}
    refused = await khaya("POST", "/tts/v2/synthesize", json=body)
    assert error_code(refused) == ("INVALID_REQUEST", "format")
    assert "wav or mp3" in refused.json["error"]["details"][0]["message"]


@pytest.mark.usefixtures("fake_engines")
async def test_speech_by_the_voice_of_another_language_says_so_in_the_result(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        assert (await api.synthesize("hello", "eng")).warnings == ()
        warning = "spoken by the Swahili voice, not by an ?wegbe one"
        for format in (None, "ogg"):
            assert (await api.synthesize("hello", "ewe", format=format)).warnings == (warning,)


@pytest.mark.parametrize(
    ("field", "value"),
    [("format", ""), ("format", None), ("format", 3), ("format", "flac"), ("format", "WAV"), ("stream", "yes"),
     ("stream", 1), ("stream", None)],
)  # fmt: skip
async def test_a_wrong_format_or_stream_is_refused(khaya: Send, field: str, value: object) -> None:
    body = {"text": "hello", "language": "eng", field: value}
    refused = await khaya("POST", "/tts/v2/synthesize", json=body)
    assert (refused.status, error_code(refused)) == (400, ("INVALID_REQUEST", field))
