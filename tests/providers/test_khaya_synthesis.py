"""Khaya's speech synthesis: requests and the shapes of responses."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import AS_IT_IS, respond

from kellyapi import DecodingError, Khaya, Speech

from .khaya_messages import BASE, JSON, WAV


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
async def test_synthesize_posts_the_text_the_language_and_the_options(
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
async def test_the_format_of_audio_is_known_by_its_type_or_its_first_bytes(
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
        (b' {"error": {"message": "busy"}}', "audio/wav"),
        (b"<html>Down</html>", "audio/mpeg"),
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
async def test_wrong_arguments_are_refused_before_anything_is_sent(
    wire: Responses, khaya: Khaya, arguments: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        await khaya.synthesize(**arguments)
    with pytest.raises(ValueError, match=problem):
        khaya.synthesize_stream(**arguments)
    assert not wire.requests


async def test_a_stream_uses_v2_and_yields_the_audio_in_pieces(wire: Responses, khaya: Khaya) -> None:
    sent = respond(wire, "POST", f"{BASE}/tts/v2/synthesize", body=WAV, content_type="audio/wav")
    stream = khaya.synthesize_stream("Akwaaba", "twi", voice="female", format="wav")
    assert not sent
    async with stream:
        assert b"".join([piece async for piece in stream]) == WAV
    asked = {"text": "Akwaaba", "language": "twi", "speaker_id": "female", "format": "wav", "stream": True}
    assert [(one.headers, one.json) for one in sent] == [({**JSON, **AS_IT_IS}, asked)]


async def test_a_stream_that_is_not_audio_is_a_decoding_error(wire: Responses, khaya: Khaya) -> None:
    respond(wire, "POST", f"{BASE}/tts/v2/synthesize", body="<html>", content_type="text/html")
    with pytest.raises(DecodingError, match="text/html"):
        async with khaya.synthesize_stream("Akwaaba", "twi"):
            pass


async def test_a_stream_of_ogg_is_refused(khaya: Khaya) -> None:
    with pytest.raises(ValueError, match="format"):
        khaya.synthesize_stream("Akwaaba", "twi", format="ogg")  # type: ignore[arg-type]  # the wrong value is the point
