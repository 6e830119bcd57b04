"""Skytells' responses in the sandbox: POST /responses, complete or as a stream of events."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from ...frontend import CONTEXT, read_json_object
from ...response_format import ResponseFormat, read_response_format
from ...sse import send_events, split_pieces
from ...tool_calls import Turn, check_count, check_results, read_call
from . import content_filter
from .conversation import (
    Reply,
    check_parameters,
    count_turn_tokens,
    find_usable_model,
    is_streamed,
    joined_text,
    make_logprobs,
    make_reply,
    parameter_error,
    read_turn,
)

_RESPONSES = "response"
_LIMITS = ("max_output_tokens",)
_SUMMARY = "[sandbox] There is no model that reasons here."
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""The reason of a response that is incomplete, by the finish reason of a chat."""


async def create(request: web.Request) -> web.StreamResponse:
    """Handle POST /responses. With `store`, the conversation is kept for a later `previous_response_id`."""
    body = await read_json_object(request)
    model = find_usable_model("chat", body)
    check_parameters(body, *_LIMITS)
    store, previous_id = request.app[CONTEXT].store, body.get("previous_response_id")
    earlier_turns = await store.get(_RESPONSES, str(previous_id)) if previous_id is not None else []
    if earlier_turns is None:
        raise parameter_error("previous_response_id", f"{previous_id!r} is not of a response that was stored.")
    if not isinstance(body.get("metadata") or {}, dict):
        raise parameter_error("metadata", "must be an object.")
    turns = [*earlier_turns, *await _read_input(request, body.get("input"))]
    check_results(turns, "input", parameter_error)
    instructions = body.get("instructions")
    prompt = [{"role": "system", "content": instructions}, *turns] if isinstance(instructions, str) else turns
    prompt_filter = content_filter.check_prompt(joined_text(prompt))
    reply = await make_reply(request, model, prompt, prompt_filter, body, _LIMITS, _read_format(body))
    text = reply.text or ""
    incomplete_reason = _INCOMPLETE.get(reply.finish_reason)
    status = "completed" if incomplete_reason is None else "incomplete"
    tokens = {"input_tokens": count_turn_tokens(prompt), "output_tokens": reply.tokens}
    id = f"resp_{uuid.uuid4().hex}"
    if body.get("store"):
        turn: Turn = {"role": "assistant", "content": text}
        await store.put(_RESPONSES, id, [*turns, {**turn, "tool_calls": list(reply.calls)} if reply.calls else turn])
    output = [] if reply.finish_reason == "content_filter" else _make_output(reply, status, body)
    response = {
        "id": id,
        "object": "response",
        "created_at": int(store.clock()),
        "status": status,
        "model": model,
        "output": output,
        "usage": {
            **tokens,
            "total_tokens": sum(tokens.values()),
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
        "content_filters": [
            _filter_result("prompt", prompt_filter, joined_text(prompt)),
            _filter_result("completion", content_filter.check_reply(text), text),
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
        yield "output_item.added", {"output_index": index, "item": {**item, **_BEGUN[item["type"]]}}
        yield from _ITEM_EVENTS[item["type"]](item, {"item_id": item["id"], "output_index": index})
        yield "output_item.done", {"output_index": index, "item": item}
    yield response["status"], {"response": response}


def _message_events(item: dict[str, Any], place: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    (part,) = item["content"]
    place = {**place, "content_index": 0}
    yield "content_part.added", {**place, "part": {**part, "text": "", "logprobs": []}}
    for number, piece in enumerate(split_pieces(part["text"])):
        yield "output_text.delta", {**place, "delta": piece, "logprobs": part["logprobs"][number : number + 1]}
    yield "output_text.done", {**place, "text": part["text"], "logprobs": part["logprobs"]}
    yield "content_part.done", {**place, "part": part}


def _call_events(item: dict[str, Any], place: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for piece in split_pieces(item["arguments"]):
        yield "function_call_arguments.delta", {**place, "delta": piece}
    yield "function_call_arguments.done", {**place, "name": item["name"], "arguments": item["arguments"]}


def _reasoning_events(item: dict[str, Any], place: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, part in enumerate(item["summary"]):
        place = {**place, "summary_index": index}
        yield "reasoning_summary_part.added", {**place, "part": {**part, "text": ""}}
        for piece in split_pieces(part["text"]):
            yield "reasoning_summary_text.delta", {**place, "delta": piece}
        yield "reasoning_summary_text.done", {**place, "text": part["text"]}
        yield "reasoning_summary_part.done", {**place, "part": part}


_BEGUN: dict[str, dict[str, Any]] = {
    "message": {"status": "in_progress", "content": []},
    "function_call": {"status": "in_progress", "arguments": ""},
    "reasoning": {"summary": []},
}
"""What differs in an item when it begins, by its type."""
_ITEM_EVENTS = {"message": _message_events, "function_call": _call_events, "reasoning": _reasoning_events}


async def _read_input(request: web.Request, given: Any) -> list[Turn]:
    """Read the messages, tool calls and results of tools of a request."""
    if isinstance(given, str) and given:
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise parameter_error("input", "is required and must not be empty.")
    check_count(given, "input", parameter_error)
    turns: list[Turn] = []
    for place, item in enumerate(given):
        param = f"input[{place}]"
        match item.get("type", "message") if isinstance(item, dict) else "message":
            case "message":
                turns.append(await read_turn(request, item, param))
            case "function_call":
                call = read_call(item, param, parameter_error, "call_id")
                if not (turns and turns[-1].get("tool_calls")):  # the calls of one response are one message
                    turns.append({"role": "assistant", "content": "", "tool_calls": []})
                turns[-1]["tool_calls"].append(call)
            case "function_call_output":
                output = {"role": "tool", "content": item.get("output"), "tool_call_id": item.get("call_id")}
                turns.append(await read_turn(request, output, param))
            case "reasoning":
                pass
            case _:
                types = "message, function_call, function_call_output or reasoning"
                raise parameter_error(f"{param}.type", f"must be {types}.")
    return turns


def _read_format(body: dict[str, Any]) -> ResponseFormat:
    text = body.get("text")
    if not (text is None or isinstance(text, dict)):
        raise parameter_error("text", "must be an object.")
    return read_response_format((text or {}).get("format"), "text.format", parameter_error)


def _make_output(reply: Reply, status: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items of a response: a summary of the reasoning if it is asked for, and a text or tool calls."""
    items: list[dict[str, Any]] = []
    reasoning = body.get("reasoning")
    if isinstance(reasoning, dict) and reasoning.get("summary"):
        summary = [{"type": "summary_text", "text": _SUMMARY}]
        items.append({"id": f"rs_{uuid.uuid4().hex}", "type": "reasoning", "summary": summary})
    for call in reply.calls:
        item = {"id": f"fc_{uuid.uuid4().hex}", "type": "function_call", "status": status, "call_id": call["id"]}
        items.append({**item, "name": call["name"], "arguments": call["arguments"]})
    if reply.text is not None:
        top = body.get("top_logprobs")
        logprobs = make_logprobs(reply.text, top) if top else []
        content = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": logprobs}
        message = {"id": f"msg_{uuid.uuid4().hex}", "type": "message", "status": status, "role": "assistant"}
        items.append({**message, "content": [content]})
    return items


def _filter_result(source: str, results: dict[str, Any], text: str) -> dict[str, Any]:
    return {
        "blocked": content_filter.is_blocked(results),
        "source_type": source,
        "content_filter_raw": [],
        "content_filter_results": results,
        "content_filter_offsets": {"start_offset": 0, "end_offset": len(text), "check_offset": 0},
    }
