"""Skytells' responses in the sandbox: POST /responses, complete or as a stream of events."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from ...frontend import CONTEXT, read_json_object
from ...sse import send_events, split_words
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

_RESPONSES = "response"


async def create(request: web.Request) -> web.StreamResponse:
    """Handle POST /responses. With `store`, the conversation is kept for a later `previous_response_id`."""
    body = await read_json_object(request)
    model = find_usable_model("chat", body)
    check_parameters(body, "max_output_tokens")
    store, previous_id = request.app[CONTEXT].store, body.get("previous_response_id")
    earlier_turns = await store.get(_RESPONSES, str(previous_id)) if previous_id is not None else []
    if earlier_turns is None:
        raise parameter_error("previous_response_id", f"{previous_id!r} is not of a response that was stored.")
    if not isinstance(body.get("metadata") or {}, dict):
        raise parameter_error("metadata", "must be an object.")
    messages = body.get("input")
    if isinstance(messages, str) and messages:
        messages = [{"role": "user", "content": messages}]
    turns = [*earlier_turns, *await read_turns(request, messages, "input")]
    instructions = body.get("instructions")
    prompt = [{"role": "system", "content": instructions}, *turns] if isinstance(instructions, str) else turns
    prompt_filter = content_filter.check_prompt(joined_text(prompt))
    text, finish_reason = await make_reply(request, model, prompt, prompt_filter, None, body.get("max_output_tokens"))
    reply = text or ""
    status = "completed" if finish_reason == "stop" else "incomplete"
    incomplete_reason = {"stop": None, "length": "max_output_tokens", "content_filter": "content_filter"}[finish_reason]
    tokens = {"input_tokens": count_turn_tokens(prompt), "output_tokens": count_tokens(reply)}
    id = f"resp_{uuid.uuid4().hex}"
    if body.get("store"):
        await store.put(_RESPONSES, id, [*turns, {"role": "assistant", "content": reply}])
    content = {"type": "output_text", "text": reply, "annotations": [], "logprobs": []}
    message = {"id": f"msg_{uuid.uuid4().hex}", "type": "message", "status": status, "role": "assistant"}
    response = {
        "id": id,
        "object": "response",
        "created_at": int(store.clock()),
        "status": status,
        "model": model,
        "output": [] if text is None else [{**message, "content": [content]}],
        "usage": {
            **tokens,
            "total_tokens": sum(tokens.values()),
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
        "content_filters": [
            _filter_result("prompt", prompt_filter, joined_text(prompt)),
            _filter_result("completion", content_filter.check_reply(reply), reply),
        ],
        "error": None,
        "incomplete_details": None if incomplete_reason is None else {"reason": incomplete_reason},
        "instructions": instructions,
        "metadata": body.get("metadata") or {},
        "previous_response_id": previous_id,
        "store": bool(body.get("store")),
    }
    if is_streamed(request, body):
        return await send_events(request, _events(response))
    return web.json_response(response)


def _events(response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the numbered events of a stream that ends with this response."""
    for number, (type, event) in enumerate(_unnumbered_events(response)):
        yield {"type": f"response.{type}", "sequence_number": number, **event}


def _unnumbered_events(response: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    empty = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    empty["content_filters"] = []
    yield "created", {"response": empty}
    yield "in_progress", {"response": empty}
    for index, item in enumerate(response["output"]):
        (part,) = item["content"]
        place = {"item_id": item["id"], "output_index": index, "content_index": 0}
        yield "output_item.added", {"output_index": index, "item": {**item, "status": "in_progress", "content": []}}
        yield "content_part.added", {**place, "part": {**part, "text": ""}}
        for word in split_words(part["text"]):
            yield "output_text.delta", {**place, "delta": word, "logprobs": []}
        yield "output_text.done", {**place, "text": part["text"], "logprobs": []}
        yield "content_part.done", {**place, "part": part}
        yield "output_item.done", {"output_index": index, "item": item}
    yield response["status"], {"response": response}


def _filter_result(source: str, results: dict[str, Any], text: str) -> dict[str, Any]:
    return {
        "blocked": content_filter.is_blocked(results),
        "source_type": source,
        "content_filter_raw": [],
        "content_filter_results": results,
        "content_filter_offsets": {"start_offset": 0, "end_offset": len(text), "check_offset": 0},
    }
