"""Skytells' chat completions in the sandbox: POST /chat/completions, complete or as a stream of chunks."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from ...frontend import CONTEXT, read_json_object
from ...response_format import read_response_format
from ...sse import completion_chunks, send_events
from ...tool_calls import write_calls
from . import content_filter
from .conversation import (
    check_parameters,
    count_turn_tokens,
    find_usable_model,
    is_streamed,
    joined_text,
    make_logprobs,
    make_reply,
    parameter_error,
    read_turns,
)

MAX_CHOICES = 8
_LIMITS = ("max_tokens", "max_completion_tokens")


async def create(request: web.Request) -> web.StreamResponse:
    """Handle POST /chat/completions."""
    body = await read_json_object(request)
    model = find_usable_model("chat", body)
    check_parameters(body, *_LIMITS, "n")
    turns = await read_turns(request, body.get("messages"), "messages")
    format = read_response_format(body.get("response_format"), "response_format", parameter_error)
    choices = body.get("n") or 1
    if choices > MAX_CHOICES:
        raise parameter_error("n", f"must be at most {MAX_CHOICES}.")
    prompt_filter = content_filter.check_prompt(joined_text(turns))
    reply = await make_reply(request, model, turns, prompt_filter, body, _LIMITS, format)
    prompt_tokens, reply_tokens = count_turn_tokens(turns), choices * reply.tokens
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None, "annotations": []}
    if reply.calls:
        message["tool_calls"] = write_calls(reply.calls)
    logprobs = None
    if body.get("logprobs") and reply.text is not None:
        logprobs = {"content": make_logprobs(reply.text, body.get("top_logprobs") or 0), "refusal": None}
    choice: dict[str, Any] = {
        "message": message,
        "finish_reason": reply.finish_reason,
        "logprobs": logprobs,
        "content_filter_results": content_filter.check_choice(prompt_filter, reply.text),
    }
    completion = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(request.app[CONTEXT].store.clock()),
        "model": model,
        "choices": [{"index": index, **choice} for index in range(choices)],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": reply_tokens,
            "total_tokens": prompt_tokens + reply_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "system_fingerprint": "fp_sandbox",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": prompt_filter}],
    }
    if is_streamed(request, body):
        return await send_events(request, completion_chunks(completion, body.get("stream_options")))
    return web.json_response(completion)
