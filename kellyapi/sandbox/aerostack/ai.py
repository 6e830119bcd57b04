"""Aerostack's chat. Both generations of clients can read the response; the second can also read a stream."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from ..frontend import CONTEXT, ApiError, read_json_object, run_engine
from ..sse import completion_chunks, send_events
from ..tool_calls import (
    Turn,
    check_count,
    check_results,
    choose_calls,
    read_calls,
    read_tool_options,
    reply_to_results,
    write_calls,
)
from .body_fields import invalid_field, optional_field, optional_number, required_text

DEFAULT_MODEL = "@cf/meta/llama-3-8b-instruct"
_MAX_MODEL = 200
"""Characters of the name of a model, which is in every chunk of a stream."""


async def complete_chat(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """Return a completion in OpenAI's form for the messages of a request."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise ApiError(400, "VALIDATION_ERROR", "messages must be an array of objects", field="messages")
    check_count(messages, "messages", invalid_field)
    optional_number(body, "temperature", least=0, most=2)
    optional_number(body, "max_tokens", least=1, whole=True)
    optional_number(body, "top_p", least=0, most=1)
    optional_field(body, "stream", bool)
    optional_field(body, "stream_options", dict)
    turns = [_read_turn(each, f"messages[{place}]") for place, each in enumerate(messages)]
    check_results(turns, "messages", invalid_field)
    model = optional_field(body, "model", str) or DEFAULT_MODEL
    if len(model) > _MAX_MODEL:
        raise invalid_field("model", f"must have at most {_MAX_MODEL} characters")
    message: dict[str, Any] = {"role": "assistant", "content": None}
    calls = choose_calls(turns, read_tool_options(body, invalid_field))
    if calls:
        message["tool_calls"] = write_calls(calls)
    else:
        message["content"] = reply_to_results(turns) or await run_engine(
            request, "language.chat_rules.reply", messages=turns, model=model
        )
    usage = {
        "prompt_tokens": sum(_count_tokens(turn["content"]) for turn in turns),
        "completion_tokens": _count_tokens(message["content"] or " ".join(call["arguments"] for call in calls)),
    }
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(request.app[CONTEXT].store.clock()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}],
        "usage": {**usage, "total_tokens": sum(usage.values())},
    }


def _read_turn(message: dict[str, Any], param: str) -> Turn:
    turn: Turn = {"role": str(message.get("role") or "user"), "content": str(message.get("content") or "")}
    if "tool_calls" in message:
        turn["tool_calls"] = read_calls(message["tool_calls"], f"{param}.tool_calls", invalid_field)
    if turn["role"] == "tool":
        turn["tool_call_id"] = required_text(message, "tool_call_id", at=f"{param}.")
    return turn


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
