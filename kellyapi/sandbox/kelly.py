"""Kelly AI in the sandbox: its routes and error bodies."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from aiohttp import web

from .frontend import ApiError, Frontend, Handler, Route, read_json_object, run_engine

_MODELS = {
    "sd": ["PhotoPerfect"],
    "sdxl": ["PhotoPerfectXL"],
    "chat": ["chatgpt", "gemini", "gemma", "roastai", "kellyai"],
    "voice": ["en-US_LisaExpressive"],
}
_SIDES = range(64, 2049)
"""Width and height of a picture in pixels."""


def _error_response(error: ApiError) -> web.Response:
    field = error.details.get("field")
    if field is None:
        return web.json_response({"detail": error.message}, status=error.status)
    problem = {"loc": [error.details.get("part", "body"), field], "msg": error.message, "type": error.code}
    return web.json_response({"detail": [problem]}, status=error.status)


def _key_error(wrong: bool) -> ApiError:
    return ApiError(401 if wrong else 403, "", "Invalid API key" if wrong else "Not authenticated")


def _read_text(body: dict[str, Any], name: str, default: str | None = None) -> str:
    if default is None and name not in body:
        raise ApiError(422, "missing", "Field required", field=name)
    text = body.get(name, default)
    if not isinstance(text, str):
        raise ApiError(422, "string_type", "Input should be a valid string", field=name)
    return text


def _read_size(body: dict[str, Any], name: str) -> int:
    size = body.get(name, 1024)
    if type(size) is not int:  # isinstance would accept True
        raise ApiError(422, "int_type", "Input should be a valid integer", field=name)
    if size not in _SIDES:
        bound = f"{_SIDES[0]} to {_SIDES[-1]}"
        raise ApiError(422, "value_error", f"Input should be {bound} pixels", field=name)
    return size


def _check_model(name: str, *kinds: str, part: str = "body") -> str:
    known = [model for kind in kinds for model in _MODELS[kind]]
    if name not in known:
        raise ApiError(422, "enum", f"Input should be {', '.join(map(repr, known))}", field="model", part=part)
    return name


def _read_base64(body: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(_read_text(body, name), validate=True)
    except ValueError:  # binascii.Error, or a character outside ASCII
        raise ApiError(422, "base64", "Input should be base64", field=name) from None


def _media_response(body: dict[str, Any], data: bytes, name: str, mime: str) -> web.Response:
    """Respond with base64 if the request asks for it, else with the bytes, like the older generation of the API."""
    if body.get("responseType") == "base64data":
        return web.json_response({name: base64.b64encode(data).decode()})
    return web.Response(body=data, content_type=mime)


def _list_models(kind: str) -> Handler:
    async def list_models(request: web.Request) -> web.Response:
        return web.json_response(_MODELS[kind])

    return list_models


async def _generate_image(request: web.Request) -> web.Response:
    body = await read_json_object(request)
    size = {name: _read_size(body, name) for name in ("width", "height")}
    prompt, negative = _read_text(body, "prompt"), _read_text(body, "negative_prompt", "")
    _check_model(_read_text(body, "model", _MODELS["sd"][0]), "sd", "sdxl")
    picture = await run_engine(
        request, "pictures.image_operations.draw", prompt=prompt, negative_prompt=negative, **size
    )
    return _media_response(body, picture, "image", "image/png")


async def _edit_image(request: web.Request) -> web.Response:
    body = await read_json_object(request)
    size = {name: _read_size(body, name) for name in ("width", "height")}
    image, prompt = _read_base64(body, "image_data"), _read_text(body, "prompt")
    picture = await run_engine(request, "pictures.image_operations.edit", image=image, prompt=prompt, **size)
    return _media_response(body, picture, "image", "image/png")


async def _describe_image(request: web.Request) -> web.Response:
    body = await read_json_object(request)
    image, prompt = _read_base64(body, "image_data"), _read_text(body, "prompt")
    description = await run_engine(request, "pictures.image_operations.describe", image=image, prompt=prompt)
    return web.json_response({"content": description})


def _picture_route(function: str, argument: str, read: Callable[[dict[str, Any], str], Any], field: str) -> Handler:
    """Return a handler that passes one field of the body to an engine and responds with a picture."""

    async def handler(request: web.Request) -> web.Response:
        body = await read_json_object(request)
        picture = await run_engine(request, function, **{argument: read(body, field)})
        return _media_response(body, picture, "image", "image/png")

    return handler


async def _chat(request: web.Request) -> web.Response:
    body = await read_json_object(request)
    messages = [{"role": "user", "content": _read_text(body, "prompt")}]
    model, character = _check_model(request.match_info["model"], "chat", part="path"), _read_text(body, "character", "")
    reply = await run_engine(request, "language.chat_rules.reply", messages=messages, character=character, model=model)
    return web.json_response({"message": reply})


async def _synthesize(request: web.Request) -> web.Response:
    body = await read_json_object(request)
    text, voice = _read_text(body, "text"), _check_model(_read_text(body, "model", _MODELS["voice"][0]), "voice")
    speech = await run_engine(request, "voice.synthesis.synthesize", text=text, language="eng", voice=voice)
    return _media_response(body, speech["audio"], "voice", "audio/wav")


async def _transcribe(request: web.Request) -> web.Response:
    body = await read_json_object(request)
    audio = _read_base64(body, "audio")
    transcript = await run_engine(request, "voice.recognition.transcribe", audio=audio, language="eng")
    return web.json_response({"result": transcript["text"]})


_upscale = _picture_route("pictures.image_operations.upscale", "image", _read_base64, "image_data")
_remove_background = _picture_route("pictures.image_operations.remove_background", "image", _read_base64, "image_data")
_write_notes = _picture_route("pictures.handwriting.write_notes", "text", _read_text, "code")
_render_code = _picture_route("pictures.code_image.render_code", "code", _read_text, "code")

FRONTEND = Frontend(
    provider="kelly",
    key_header="Authorization",
    error_response=_error_response,
    input_error=lambda error: ApiError(400, "", error.message),
    key_error=_key_error,
)
ROUTES = (
    Route("K1", FRONTEND, web.get("/sd/models", _list_models("sd"))),
    Route("K2", FRONTEND, web.get("/sdxl/models", _list_models("sdxl"))),
    Route("K3", FRONTEND, web.post("/image/generate", _generate_image)),
    Route("K4", FRONTEND, web.post("/image/edit", _edit_image)),
    Route("K5", FRONTEND, web.post("/image/description", _describe_image)),
    Route("K6", FRONTEND, web.get("/chat/models", _list_models("chat"))),
    Route("K7", FRONTEND, web.post("/chat/{model}", _chat)),
    Route("K8", FRONTEND, web.post("/image/upscale", _upscale)),
    Route("K9", FRONTEND, web.post("/image/removebg", _remove_background)),
    Route("K10", FRONTEND, web.get("/voice/models", _list_models("voice"))),
    Route("K11", FRONTEND, web.post("/voice/generation", _synthesize)),
    Route("K12", FRONTEND, web.post("/voice/transcribe", _transcribe)),
    Route("K13", FRONTEND, web.post("/write/notes", _write_notes)),
    Route("K14", FRONTEND, web.post("/write/code", _render_code)),
)
