"""Aerostack as the sandbox plays it: chat."""

from __future__ import annotations

import time
import uuid
from typing import Any

from aiohttp import web

from .face import Face, Refused, read_object, run_engine

DEFAULT_MODEL = "@cf/meta/llama-3-8b-instruct"


def _refuse(refusal: Refused) -> web.Response:
    body: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.details:
        body["details"] = refusal.details
    return web.json_response(body, status=refusal.status)


def _bad_key(wrong: bool) -> Refused:
    return Refused(401, "AUTH_INVALID_KEY", "Invalid API key" if wrong else "The X-Aerostack-Key header is missing")


async def _chat(request: web.Request) -> web.Response:
    body = await read_object(request)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise Refused(400, "VALIDATION_ERROR", "messages must be an array of objects", field="messages")
    turns = [{"role": str(each.get("role") or "user"), "content": str(each.get("content") or "")} for each in messages]
    model = str(body.get("model") or DEFAULT_MODEL)
    reply = await run_engine(request, "chat.reply", messages=turns, model=model)
    usage = {"prompt_tokens": sum(_tokens(turn["content"]) for turn in turns), "completion_tokens": _tokens(reply)}
    completion = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}],
        "usage": {**usage, "total_tokens": sum(usage.values())},
    }
    return web.json_response({"response": reply, **completion})  # what each of the two generations of clients reads


def _tokens(text: str) -> int:
    return len(text.split())


FACE = Face(
    key_header="X-Aerostack-Key",
    refuse=_refuse,
    bad_input=lambda error: Refused(400, "VALIDATION_ERROR", error.message),
    bad_key=_bad_key,
    routes=(("POST", "/v1/ai/chat", _chat),),
)
