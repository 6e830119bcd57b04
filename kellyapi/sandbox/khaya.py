"""Khaya in the sandbox: routes and error bodies, in the shape of each version."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from .._data.text import is_blank
from ..languages import SYNTHESIS, TRANSCRIPTION, VOICES, Language, find
from .engines.errors import BadInput
from .engines.language import translation
from .frontend import CONTEXT, ApiError, Frontend, Handler, Route, note_header, read_json_object, run_engine

MAX_CHARACTERS = 1000
_FORMATS = ("wav", "mp3", "ogg")
_STREAMED_FORMATS = ("wav", "mp3")
_STREAM_PIECE = 16 * 2**10


def _invalid_field(code: str, message: str, target: str) -> ApiError:
    return ApiError(400, code, message, target=target)


def _error_response(error: ApiError) -> web.Response:
    if error.status != 400:  # these come from the gateway in front of the application
        body: dict[str, Any] = {"statusCode": error.status, "message": error.message}
        if error.status >= 500:
            body["activityId"] = str(uuid.uuid4())
        return web.json_response(body, status=error.status)
    validation_error = {
        "code": "VALIDATION_FAILED",
        "message": "The request payload contains invalid parameters.",
        "details": [{"code": error.code, "message": error.message, **error.details}],
    }
    return web.json_response({"error": validation_error}, status=error.status)


def _input_error(error: BadInput) -> ApiError:
    codes = {
        "audio": ("INVALID_AUDIO_FORMAT", "audio"),
        "language": ("UNSUPPORTED_LANGUAGE", "language"),
        "text": ("EMPTY_TEXT", "text"),
        "voice": ("INVALID_SPEAKER", "speaker_id"),
    }
    code, target = codes.get(error.kind, ("INVALID_REQUEST", error.kind))
    return _invalid_field(code, error.message, target)


def _key_error(wrong: bool) -> ApiError:
    reason = "invalid" if wrong else "missing"
    return ApiError(401, "", f"Access denied due to {reason} subscription key.")


def _find_language(code: str, languages: Iterable[Language]) -> Language:
    """Return the language with this code if it is one of `languages`. They may have another name for it."""
    language = find(code)
    if language is None or language.code not in {each.code for each in languages}:
        raise _invalid_field("UNSUPPORTED_LANGUAGE", f"Language {code!r} is not supported", "language")
    return language


async def _translate(request: web.Request) -> web.Response:
    body = await read_json_object(request)
    text, pair = body.get("in"), body.get("lang")
    if not isinstance(text, str) or is_blank(text):
        raise _invalid_field("MISSING_TEXT", "The text to translate is missing", "in")
    if len(text) > MAX_CHARACTERS:
        raise _invalid_field("INVALID_REQUEST", f"The text is longer than {MAX_CHARACTERS} characters", "in")
    if not isinstance(pair, str) or not pair:
        raise _invalid_field("MISSING_LANGUAGE_PAIR", "The language pair is missing", "lang")
    source, _, target = pair.partition("-")
    codes = {"source": source, "target": target}
    if not (translation.supported(**codes) or await run_engine(request, "language.translation.installed", **codes)):
        raise _invalid_field(
            "UNSUPPORTED_LANGUAGE_PAIR", f"Language combination {pair} cannot be used", "language_pair"
        )
    result = await run_engine(request, "language.translation.translate", text=text, **codes)
    return web.json_response(result["text"], headers=note_header(result["note"]))


async def _list_translation_languages(request: web.Request) -> web.Response:
    return web.json_response({"languages": translation.languages()})


def _transcriber(version: str) -> Handler:
    async def transcribe(request: web.Request) -> web.Response:
        requested_code = request.query.get("language", "")
        timestamps = request.query.get("timestamps")
        language = _find_language(requested_code, TRANSCRIPTION)
        if timestamps not in (None, "word", "segment"):
            raise _invalid_field("INVALID_TIMESTAMPS", "timestamps must be 'word' or 'segment'", "timestamps")
        if timestamps is not None and version == "v1":
            raise _invalid_field("UNSUPPORTED_TIMESTAMPS", "This version gives no timestamps", "timestamps")
        audio = await request.read()
        if not audio:
            raise _invalid_field("EMPTY_AUDIO", "The audio is empty", "audio")
        is_marked = request.app[CONTEXT].hear == "marked" and language.code != "eng"
        function = "voice.recognition.mark" if is_marked else "voice.recognition.transcribe"
        transcript = await run_engine(request, function, audio=audio, language=language.code)
        if version == "v1":
            return web.json_response(transcript["text"])
        response: dict[str, Any] = {"text": transcript["text"]}
        warnings = []
        if requested_code != language.code:
            update = f"Please update to '{language.code}' (ISO 639-3)."
            warnings.append(f"Language code '{requested_code}' is a legacy code. {update}")
        if is_marked:
            warnings.append("marked, not recognised: the sandbox understands English only")
        if warnings:
            response["warnings"] = warnings
        if timestamps is not None:
            spans = {"words": [], "segments": [], f"{timestamps}s": transcript[f"{timestamps}s"]}
            response["timings"] = {"unit": "seconds", "granularity": timestamps, **spans}
        return web.json_response(response)

    return transcribe


async def _list_transcription_languages(request: web.Request) -> web.Response:
    return web.json_response({"languages": [{"code": each.code, "name": each.name} for each in TRANSCRIPTION]})


async def _synthesize(request: web.Request, *, version: int) -> web.StreamResponse:
    body = await read_json_object(request)
    text, language, voice = body.get("text"), body.get("language"), body.get("speaker_id")
    format, stream = (body.get("format", "wav"), body.get("stream", False)) if version > 1 else ("wav", False)
    if not isinstance(text, str) or not text:
        raise _invalid_field("EMPTY_TEXT", "The text to speak is empty", "text")
    if not isinstance(language, str) or not language:
        raise _invalid_field("MISSING_LANGUAGE", "The language is missing", "language")
    _find_language(language, SYNTHESIS)  # the engine has more of them
    if voice is not None and voice not in VOICES:
        raise _invalid_field("INVALID_SPEAKER", f"speaker_id must be one of {', '.join(VOICES)}", "speaker_id")
    if format not in _FORMATS:
        raise _invalid_field("INVALID_REQUEST", f"format must be one of {', '.join(_FORMATS)}", "format")
    if not isinstance(stream, bool):
        raise _invalid_field("INVALID_REQUEST", "stream must be true or false", "stream")
    if stream and format not in _STREAMED_FORMATS:
        only = " or ".join(_STREAMED_FORMATS)
        raise _invalid_field("INVALID_REQUEST", f"format must be {only} if stream is true, not {format}", "format")
    speech = await run_engine(
        request, "voice.synthesis.synthesize", text=text, language=language, voice=voice, format=format
    )
    headers = {"Content-Type": f"audio/{format}", **note_header(speech["note"])}
    if not stream:
        return web.Response(body=speech["audio"], headers=headers)
    response = web.StreamResponse(headers=headers)
    response.enable_chunked_encoding()
    await response.prepare(request)
    for start in range(0, len(speech["audio"]), _STREAM_PIECE):
        await response.write(speech["audio"][start : start + _STREAM_PIECE])
    await response.write_eof()
    return response


async def _synthesize_v1(request: web.Request) -> web.StreamResponse:
    return await _synthesize(request, version=1)


async def _synthesize_v2(request: web.Request) -> web.StreamResponse:
    return await _synthesize(request, version=2)


async def _list_synthesis_languages(request: web.Request) -> web.Response:
    return web.json_response({"languages": {each.name: each.code for each in SYNTHESIS}})


async def _list_speakers(request: web.Request) -> web.Response:
    return web.json_response({"speakers": {"Multilingual": list(VOICES)}})


FRONTEND = Frontend(
    provider="khaya",
    key_header="Ocp-Apim-Subscription-Key",
    error_response=_error_response,
    input_error=_input_error,
    key_error=_key_error,
)
ROUTES = (
    Route("H1", FRONTEND, web.post("/v1/translate", _translate)),
    Route("H1", FRONTEND, web.post("/v2/translate", _translate)),
    Route("H2", FRONTEND, web.get("/v1/languages", _list_translation_languages)),
    Route("H2", FRONTEND, web.get("/v2/languages", _list_translation_languages)),
    Route("H3", FRONTEND, web.post("/asr/v1/transcribe", _transcriber("v1"))),
    Route("H3", FRONTEND, web.post("/asr/v2/transcribe", _transcriber("v2"))),
    Route("H3", FRONTEND, web.post("/asr/v3/transcribe", _transcriber("v3"))),
    Route("H4", FRONTEND, web.get("/asr/v3/languages", _list_transcription_languages)),
    Route("H5", FRONTEND, web.post("/tts/v1/tts", _synthesize_v1)),
    Route("H5 H6", FRONTEND, web.post("/tts/v2/synthesize", _synthesize_v2)),
    Route("H7", FRONTEND, web.get("/tts/v1/languages", _list_synthesis_languages)),
    Route("H7", FRONTEND, web.get("/tts/v2/languages", _list_synthesis_languages)),
    Route("H8", FRONTEND, web.get("/tts/v1/speakers", _list_speakers)),
    Route("H8", FRONTEND, web.get("/tts/v2/speakers", _list_speakers)),
)
