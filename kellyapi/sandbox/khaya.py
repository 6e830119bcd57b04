"""Khaya as the sandbox plays it: rows H1 to H8, in the shapes of each version."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from kellyapi.languages import SYNTHESIS, TRANSCRIPTION, VOICES, find

from .engines import translation
from .engines.failures import BadInput
from .face import Face, Handler, Refused, noted, read_object, run_engine

MAX_CHARACTERS = 1000
_FORMATS = ("wav", "mp3", "ogg")
_PIECE = 16 * 2**10


def _invalid(code: str, message: str, target: str) -> Refused:
    return Refused(400, code, message, target=target)


def _refuse(refusal: Refused) -> web.Response:
    if refusal.status != 400:  # what the gateway in front of the application says
        body: dict[str, Any] = {"statusCode": refusal.status, "message": refusal.message}
        if refusal.status >= 500:
            body["activityId"] = str(uuid.uuid4())
        return web.json_response(body, status=refusal.status)
    error = {
        "code": "VALIDATION_FAILED",
        "message": "The request payload contains invalid parameters.",
        "details": [{"code": refusal.code, "message": refusal.message, **refusal.details}],
    }
    return web.json_response({"error": error}, status=refusal.status)


def _bad_input(error: BadInput) -> Refused:
    codes = {
        "audio": ("INVALID_AUDIO_FORMAT", "audio"),
        "language": ("UNSUPPORTED_LANGUAGE", "language"),
        "text": ("EMPTY_TEXT", "text"),
        "voice": ("INVALID_SPEAKER", "speaker_id"),
    }
    code, target = codes.get(error.kind, ("INVALID_REQUEST", error.kind))
    return _invalid(code, error.message, target)


def _bad_key(wrong: bool) -> Refused:
    reason = "invalid" if wrong else "missing"
    return Refused(401, "", f"Access denied due to {reason} subscription key.")


async def _translate(request: web.Request) -> web.Response:
    body = await read_object(request)
    text, pair = body.get("in"), body.get("lang")
    if not isinstance(text, str) or not text.strip():
        raise _invalid("MISSING_TEXT", "The text to translate is missing", "in")
    if not isinstance(pair, str) or not pair:
        raise _invalid("MISSING_LANGUAGE_PAIR", "The language pair is missing", "lang")
    source, _, target = pair.partition("-")
    codes = {"source": source, "target": target}
    if not (translation.supported(**codes) or await run_engine(request, "translation.installed", **codes)):
        raise _invalid("UNSUPPORTED_LANGUAGE_PAIR", f"Language combination {pair} cannot be used", "language_pair")
    if request.path.startswith("/v2") and len(text) > MAX_CHARACTERS:
        raise _invalid("INVALID_REQUEST", f"The text is longer than {MAX_CHARACTERS} characters", "in")
    done = await run_engine(request, "translation.translate", text=text, **codes)
    return web.json_response(done["text"], headers=noted(done["note"]))


async def _translation_languages(request: web.Request) -> web.Response:
    return web.json_response({"languages": translation.languages()})


def _transcriber(version: str) -> Handler:
    async def transcribe(request: web.Request) -> web.Response:
        given = request.query.get("language", "")
        timestamps = request.query.get("timestamps")
        language = find(given)
        if language not in TRANSCRIPTION:
            raise _invalid("UNSUPPORTED_LANGUAGE", f"Language {given!r} is not supported", "language")
        if timestamps not in (None, "word", "segment"):
            raise _invalid("INVALID_TIMESTAMPS", "timestamps must be 'word' or 'segment'", "timestamps")
        if timestamps is not None and version == "v1":
            raise _invalid("UNSUPPORTED_TIMESTAMPS", "This version gives no timestamps", "timestamps")
        audio = await request.read()
        if not audio:
            raise _invalid("EMPTY_AUDIO", "The audio is empty", "audio")
        heard = await run_engine(request, "recognition.transcribe", audio=audio, language=language.code)
        if version == "v1":
            return web.json_response(heard["text"])
        answer: dict[str, Any] = {"text": heard["text"]}
        if given != language.code:
            update = f"Please update to '{language.code}' (ISO 639-3)."
            answer["warnings"] = [f"Language code '{given}' is a legacy code. {update}"]
        if timestamps is not None:
            filled = {"words": [], "segments": [], f"{timestamps}s": heard[f"{timestamps}s"]}
            answer["timings"] = {"unit": "seconds", "granularity": timestamps, **filled}
        return web.json_response(answer)

    return transcribe


async def _transcription_languages(request: web.Request) -> web.Response:
    return web.json_response({"languages": [{"code": each.code, "name": each.name} for each in TRANSCRIPTION]})


async def _synthesize(request: web.Request, *, formats: bool) -> web.StreamResponse:
    body = await read_object(request)
    text, language, voice = body.get("text"), body.get("language"), body.get("speaker_id")
    format = body.get("format") or "wav" if formats else "wav"
    if not isinstance(text, str) or not text:
        raise _invalid("EMPTY_TEXT", "The text to speak is empty", "text")
    if not isinstance(language, str) or not language:
        raise _invalid("MISSING_LANGUAGE", "The language is missing", "language")
    if voice is not None and voice not in VOICES:
        raise _invalid("INVALID_SPEAKER", f"speaker_id must be one of {', '.join(VOICES)}", "speaker_id")
    if format not in _FORMATS:
        raise _invalid("INVALID_REQUEST", f"format must be one of {', '.join(_FORMATS)}", "format")
    spoken = await run_engine(request, "speech.synthesize", text=text, language=language, voice=voice, format=format)
    headers = {"Content-Type": f"audio/{format}", **noted(spoken["note"])}
    if not (formats and body.get("stream")):
        return web.Response(body=spoken["audio"], headers=headers)
    response = web.StreamResponse(headers=headers)
    response.enable_chunked_encoding()
    await response.prepare(request)
    for start in range(0, len(spoken["audio"]), _PIECE):
        await response.write(spoken["audio"][start : start + _PIECE])
    await response.write_eof()
    return response


async def _synthesize_v1(request: web.Request) -> web.StreamResponse:
    return await _synthesize(request, formats=False)


async def _synthesize_v2(request: web.Request) -> web.StreamResponse:
    return await _synthesize(request, formats=True)


async def _synthesis_languages(request: web.Request) -> web.Response:
    return web.json_response({"languages": {each.name: each.code for each in SYNTHESIS}})


async def _speakers(request: web.Request) -> web.Response:
    return web.json_response({"speakers": {"Multilingual": list(VOICES)}})


FACE = Face(
    key_header="Ocp-Apim-Subscription-Key",
    refuse=_refuse,
    bad_input=_bad_input,
    bad_key=_bad_key,
    routes=(
        *(("POST", f"/{version}/translate", _translate) for version in ("v1", "v2")),
        *(("GET", f"/{version}/languages", _translation_languages) for version in ("v1", "v2")),
        *(("POST", f"/asr/{version}/transcribe", _transcriber(version)) for version in ("v1", "v2", "v3")),
        ("GET", "/asr/v3/languages", _transcription_languages),
        ("POST", "/tts/v1/tts", _synthesize_v1),
        ("POST", "/tts/v2/synthesize", _synthesize_v2),
        *(("GET", f"/tts/{version}/languages", _synthesis_languages) for version in ("v1", "v2")),
        *(("GET", f"/tts/{version}/speakers", _speakers) for version in ("v1", "v2")),
    ),
)
