"""Chat, in one answer for both generations of clients, or in a stream for the second."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from ..face import SHARED, Refused, read_object, run_engine
from ..streaming import chunks, send_events
from .fields import maybe, number

DEFAULT_MODEL = "@cf/meta/llama-3-8b-instruct"


async def complete(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """Answer the request's messages with an OpenAI-shaped completion."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise Refused(400, "VALIDATION_ERROR", "messages must be an array of objects", field="messages")
    number(body, "temperature", least=0, most=2)
    number(body, "max_tokens", least=1, whole=True)
    number(body, "top_p", least=0, most=1)
    maybe(body, "stream", bool)
    maybe(body, "stream_options", dict)
    turns = [{"role": str(each.get("role") or "user"), "content": str(each.get("content") or "")} for each in messages]
    model = str(body.get("model") or DEFAULT_MODEL)
    reply = await run_engine(request, "chat.reply", messages=turns, model=model)
    usage = {"prompt_tokens": sum(_tokens(turn["content"]) for turn in turns), "completion_tokens": _tokens(reply)}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(request.app[SHARED].store.clock()),
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}],
        "usage": {**usage, "total_tokens": sum(usage.values())},
    }


async def send(request: web.Request, body: dict[str, Any], completion: dict[str, Any]) -> web.StreamResponse:
    """Answer with a completion, in the form that the request asks for."""
    if body.get("stream"):
        return await send_events(request, chunks(completion, body.get("stream_options")))
    return web.json_response(completion)


async def _chat(request: web.Request) -> web.StreamResponse:
    body = await read_object(request)
    completion = await complete(request, body)
    first = {} if body.get("stream") else {"response": completion["choices"][0]["message"]["content"]}
    return await send(request, body, {**first, **completion})


def _tokens(text: str) -> int:
    return len(text.split())


ROUTES = (("POST", "/ai/chat", _chat),)
