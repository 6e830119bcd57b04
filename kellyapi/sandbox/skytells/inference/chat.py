"""Skytells' chat completions in the sandbox: POST /chat/completions, complete or as a stream of chunks."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from ...frontend import CONTEXT, read_json_object
from ...sse import completion_chunks, send_events
from . import content_filter
from .conversation import (
    check_parameters,
    count_tokens,
    count_turn_tokens,
    find_usable_model,
    is_streamed,
    joined_text,
    make_reply,
    parameter_error,
    read_turns,
)

MAX_CHOICES = 8


async def create(request: web.Request) -> web.StreamResponse:
    """Handle POST /chat/completions."""
    body = await read_json_object(request)
    model = find_usable_model("chat", body)
    check_parameters(body, "max_tokens", "max_completion_tokens", "n")
    turns = await read_turns(request, body.get("messages"), "messages")
    choices = body.get("n") or 1
    if choices > MAX_CHOICES:
        raise parameter_error("n", f"must be at most {MAX_CHOICES}.")
    prompt_filter = content_filter.check_prompt(joined_text(turns))
    limits = [body[name] for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    text, finish_reason = await make_reply(
        request, model, turns, prompt_filter, body.get("stop"), min(limits, default=None)
    )
    prompt_tokens, reply_tokens = count_turn_tokens(turns), choices * count_tokens(text or "")
    choice: dict[str, Any] = {
        "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
        "finish_reason": finish_reason,
        "logprobs": None,
        "content_filter_results": content_filter.check_choice(prompt_filter, text),
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
