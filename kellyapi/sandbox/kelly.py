"""Kelly AI as the sandbox plays it: rows K1 to K14."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from aiohttp import web

from .face import Face, Handler, Refused, read_object, run_engine

_MODELS = {
    "sd": ["PhotoPerfect"],
    "sdxl": ["PhotoPerfectXL"],
    "chat": ["chatgpt", "gemini", "gemma", "kellyai"],
    "voice": ["en-US_LisaExpressive"],
}


def _refuse(refusal: Refused) -> web.Response:
    field = refusal.details.get("field")
    if field is None:
        return web.json_response({"detail": refusal.message}, status=refusal.status)
    problem = {"loc": ["body", field], "msg": refusal.message, "type": refusal.code}
    return web.json_response({"detail": [problem]}, status=refusal.status)


def _bad_key(wrong: bool) -> Refused:
    return Refused(401 if wrong else 403, "", "Invalid API key" if wrong else "Not authenticated")


def _text(body: dict[str, Any], name: str, default: str | None = None) -> str:
    if default is None and name not in body:
        raise Refused(422, "missing", "Field required", field=name)
    text = body.get(name, default)
    if not isinstance(text, str):
        raise Refused(422, "string_type", "Input should be a valid string", field=name)
    return text


def _size(body: dict[str, Any], name: str) -> int:
    size = body.get(name, 1024)
    if type(size) is not int:  # True is an int too
        raise Refused(422, "int_type", "Input should be a valid integer", field=name)
    return size


def _bytes(body: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(_text(body, name), validate=True)
    except ValueError:  # binascii.Error is one; so is what letters outside ASCII raise
        raise Refused(422, "base64", "Input should be base64", field=name) from None


def _media(body: dict[str, Any], data: bytes, name: str, mime: str) -> web.Response:
    """Answer with base64 when it is asked for, else with the bytes, as the older generation did."""
    if body.get("responseType") == "base64data":
        return web.json_response({name: base64.b64encode(data).decode()})
    return web.Response(body=data, content_type=mime)


def _models(kind: str) -> Handler:
    async def models(request: web.Request) -> web.Response:
        return web.json_response(_MODELS[kind])

    return models


async def _generate(request: web.Request) -> web.Response:
    body = await read_object(request)
    size = {name: _size(body, name) for name in ("width", "height")}
    prompt, negative = _text(body, "prompt"), _text(body, "negative_prompt", "")
    picture = await run_engine(request, "images.draw", prompt=prompt, negative_prompt=negative, **size)
    return _media(body, picture, "image", "image/png")


async def _edit(request: web.Request) -> web.Response:
    body = await read_object(request)
    size = {name: _size(body, name) for name in ("width", "height")}
    image, prompt = _bytes(body, "image_data"), _text(body, "prompt")
    picture = await run_engine(request, "images.edit", image=image, prompt=prompt, **size)
    return _media(body, picture, "image", "image/png")


async def _describe(request: web.Request) -> web.Response:
    body = await read_object(request)
    image, prompt = _bytes(body, "image_data"), _text(body, "prompt")
    return web.json_response({"content": await run_engine(request, "images.describe", image=image, prompt=prompt)})


def _picture(function: str, argument: str, read: Callable[[dict[str, Any], str], Any], field: str) -> Handler:
    """Make a handler that turns one field of the body into a picture."""

    async def handler(request: web.Request) -> web.Response:
        body = await read_object(request)
        picture = await run_engine(request, function, **{argument: read(body, field)})
        return _media(body, picture, "image", "image/png")

    return handler


async def _chat(request: web.Request) -> web.Response:
    body = await read_object(request)
    messages = [{"role": "user", "content": _text(body, "prompt")}]
    model, character = request.match_info["model"], _text(body, "character", "")
    reply = await run_engine(request, "chat.reply", messages=messages, character=character, model=model)
    return web.json_response({"message": reply})


async def _speak(request: web.Request) -> web.Response:
    body = await read_object(request)
    text, voice = _text(body, "text"), _text(body, "model", _MODELS["voice"][0])
    spoken = await run_engine(request, "speech.synthesize", text=text, language="eng", voice=voice)
    return _media(body, spoken["audio"], "voice", "audio/wav")


async def _hear(request: web.Request) -> web.Response:
    body = await read_object(request)
    heard = await run_engine(request, "recognition.transcribe", audio=_bytes(body, "audio"), language="eng")
    return web.json_response({"result": heard["text"]})


FACE = Face(
    key_header="Authorization",
    key_prefix="Bearer ",
    refuse=_refuse,
    bad_input=lambda error: Refused(400, "", error.message),
    bad_key=_bad_key,
    routes=(
        *(("GET", f"/{kind}/models", _models(kind)) for kind in _MODELS),
        ("POST", "/image/generate", _generate),
        ("POST", "/image/edit", _edit),
        ("POST", "/image/description", _describe),
        ("POST", "/image/upscale", _picture("images.upscale", "image", _bytes, "image_data")),
        ("POST", "/image/removebg", _picture("images.remove_background", "image", _bytes, "image_data")),
        ("POST", "/write/notes", _picture("writing.notes", "text", _text, "code")),
        ("POST", "/write/code", _picture("writing.code", "code", _text, "code")),
        ("POST", "/chat/{model}", _chat),
        ("POST", "/voice/generation", _speak),
        ("POST", "/voice/transcribe", _hear),
    ),
)
