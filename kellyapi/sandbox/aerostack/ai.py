"""Aerostack's chat. Both generations of clients can read the response; the second can also read a stream."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from ..frontend import CONTEXT, ApiError, read_json_object, run_engine
from ..sse import completion_chunks, send_events
from .body_fields import optional_field, optional_number

DEFAULT_MODEL = "@cf/meta/llama-3-8b-instruct"


async def complete_chat(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """Return a completion in OpenAI's form for the messages of a request."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise ApiError(400, "VALIDATION_ERROR", "messages must be an array of objects", field="messages")
    optional_number(body, "temperature", least=0, most=2)
    optional_number(body, "max_tokens", least=1, whole=True)
    optional_number(body, "top_p", least=0, most=1)
    optional_field(body, "stream", bool)
    optional_field(body, "stream_options", dict)
    turns = [{"role": str(each.get("role") or "user"), "content": str(each.get("content") or "")} for each in messages]
    model = str(body.get("model") or DEFAULT_MODEL)
    reply = await run_engine(request, "language.chat_rules.reply", messages=turns, model=model)
    usage = {
        "prompt_tokens": sum(_count_tokens(turn["content"]) for turn in turns),
        "completion_tokens": _count_tokens(reply),
    }
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(request.app[CONTEXT].store.clock()),
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}],
        "usage": {**usage, "total_tokens": sum(usage.values())},
    }


async def send_completion(request: web.Request, body: dict[str, Any], completion: dict[str, Any]) -> web.StreamResponse:
    """Send a completion as JSON, or as a stream if the request asks for one."""
    if body.get("stream"):
        return await send_events(request, completion_chunks(completion, body.get("stream_options")))
    return web.json_response(completion)


async def chat(request: web.Request) -> web.StreamResponse:
    """Reply to a chat."""
    body = await read_json_object(request)
    completion = await complete_chat(request, body)
    # The first generation of clients reads "response", the second "choices".
    first_generation = {} if body.get("stream") else {"response": completion["choices"][0]["message"]["content"]}
    return await send_completion(request, body, {**first_generation, **completion})


def _count_tokens(text: str) -> int:
    return len(text.split())
