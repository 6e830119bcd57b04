"""Skytells' chat completions and responses in the sandbox, by the rules of its chat engine.

Tools, sampling and formats are accepted and do nothing. A stream is the whole answer in pieces, by words. A prompt that
the content filter blocks gets no content and the finish reason "content_filter". To a message with images the answer is
what is measured in them, if they are `data:` URLs; others are not fetched. What is measured goes through the content
filter too.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterator
from types import NoneType
from typing import Any

from aiohttp import web

from ..face import SHARED, Refused, read_object, run_engine
from ..streaming import chunks, send_events, words
from . import filters
from .models import find, kind_of

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MOST_CHOICES = 8
_RESPONSES = "response"
_NUMBERS = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}

Turn = dict[str, str]


def refuse_parameter(param: str, message: str) -> Refused:
    """Give the refusal of one parameter."""
    return Refused(400, "INVALID_PARAMETER", f"{param} {message}", param=param)


def find_for(use: str, body: dict[str, Any]) -> str:
    """Give the slug of the model that a request names, if it can be used so: "chat" or "embedding"."""
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise refuse_parameter("model", "is required and must be a string.")
    try:
        model = find(name)
    except Refused as refusal:
        raise Refused(refusal.status, refusal.code, refusal.message, param="model") from None
    if (kind_of(model) in ("text", "code")) != (use == "chat") or (use != "chat" and kind_of(model) != use):
        raise Refused(422, "MODEL_NOT_SUPPORTED", f"Model {name!r} cannot be used here.", param="model")
    return str(model["namespace"])


def count_tokens(text: str) -> int:
    """Count tokens as the sandbox does: words."""
    return len(text.split())


async def chat(request: web.Request) -> web.StreamResponse:
    """Answer POST /chat/completions."""
    body = await read_object(request)
    model = find_for("chat", body)
    _check(body, "max_tokens", "n")
    turns = await _read_turns(request, body.get("messages"), "messages")
    choices = body.get("n") or 1
    if choices > MOST_CHOICES:
        raise refuse_parameter("n", f"must be at most {MOST_CHOICES}.")
    found = filters.check_prompt(_told(turns))
    text, reason = await _reply(request, model, turns, found, body.get("stop"), body.get("max_tokens"))
    prompt_tokens, reply_tokens = _count(turns), choices * count_tokens(text or "")
    choice: dict[str, Any] = {
        "message": {"role": "assistant", "content": text, "refusal": None, "annotations": []},
        "finish_reason": reason,
        "logprobs": None,
        "content_filter_results": filters.check_reply(text or ""),
    }
    completion = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(request.app[SHARED].store.clock()),
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
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": found}],
    }
    if _is_streamed(request, body):
        return await send_events(request, chunks(completion, body.get("stream_options")))
    return web.json_response(completion)


async def respond(request: web.Request) -> web.StreamResponse:
    """Answer POST /responses. With `store` the conversation is kept, for `previous_response_id`."""
    body = await read_object(request)
    model = find_for("chat", body)
    _check(body, "max_output_tokens")
    store, earlier = request.app[SHARED].store, body.get("previous_response_id")
    before = await store.get(_RESPONSES, str(earlier)) if earlier is not None else []
    if before is None:
        raise refuse_parameter("previous_response_id", f"{earlier!r} is not of a response that was stored.")
    if not isinstance(body.get("metadata") or {}, dict):
        raise refuse_parameter("metadata", "must be an object.")
    given = body.get("input")
    asked = [{"role": "user", "content": given}] if isinstance(given, str) and given else given
    turns = [*before, *await _read_turns(request, asked, "input")]
    instructions = body.get("instructions")
    told = [{"role": "system", "content": instructions}, *turns] if isinstance(instructions, str) else turns
    found = filters.check_prompt(_told(told))
    text, reason = await _reply(request, model, told, found, None, body.get("max_output_tokens"))
    id, said, finished = f"resp_{uuid.uuid4().hex}", text or "", reason == "stop"
    state = "completed" if finished else "incomplete"
    why = {"stop": None, "length": "max_output_tokens", "content_filter": "content_filter"}[reason]
    tokens = {"input_tokens": _count(told), "output_tokens": count_tokens(said)}
    if body.get("store"):
        await store.put(_RESPONSES, id, [*turns, {"role": "assistant", "content": said}])
    content = {"type": "output_text", "text": said, "annotations": [], "logprobs": []}
    message = {"id": f"msg_{uuid.uuid4().hex}", "type": "message", "status": state, "role": "assistant"}
    response = {
        "id": id,
        "object": "response",
        "created_at": int(store.clock()),
        "status": state,
        "model": model,
        "output": [] if text is None else [{**message, "content": [content]}],
        "usage": {
            **tokens,
            "total_tokens": sum(tokens.values()),
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
        "content_filters": [
            _filtered("prompt", found, _told(told)),
            _filtered("completion", filters.check_reply(said), said),
        ],
        "error": None,
        "incomplete_details": None if why is None else {"reason": why},
        "instructions": instructions,
        "metadata": body.get("metadata") or {},
        "previous_response_id": earlier,
        "store": bool(body.get("store")),
    }
    if _is_streamed(request, body):
        return await send_events(request, _happenings(response))
    return web.json_response(response)


def _happenings(response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Tell how a response came about, in numbered events."""
    for number, (type, event) in enumerate(_unnumbered(response)):
        yield {"type": f"response.{type}", "sequence_number": number, **event}


def _unnumbered(response: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    begun["content_filters"] = []
    yield "created", {"response": begun}
    yield "in_progress", {"response": begun}
    for index, item in enumerate(response["output"]):
        (part,) = item["content"]
        place = {"item_id": item["id"], "output_index": index, "content_index": 0}
        yield "output_item.added", {"output_index": index, "item": {**item, "status": "in_progress", "content": []}}
        yield "content_part.added", {**place, "part": {**part, "text": ""}}
        for word in words(part["text"]):
            yield "output_text.delta", {**place, "delta": word, "logprobs": []}
        yield "output_text.done", {**place, "text": part["text"], "logprobs": []}
        yield "content_part.done", {**place, "part": part}
        yield "output_item.done", {"output_index": index, "item": item}
    yield response["status"], {"response": response}


def _filtered(source: str, results: dict[str, Any], text: str) -> dict[str, Any]:
    return {
        "blocked": filters.blocks(results),
        "source_type": source,
        "content_filter_raw": [],
        "content_filter_results": results,
        "content_filter_offsets": {"start_offset": 0, "end_offset": len(text), "check_offset": 0},
    }


def _is_streamed(request: web.Request, body: dict[str, Any]) -> bool:
    return bool(body.get("stream")) or request.query.get("stream") == "true"


def _check(body: dict[str, Any], *counts: str) -> None:
    if not isinstance(body.get("stream"), (bool, NoneType)):
        raise refuse_parameter("stream", "must be true or false.")
    if not isinstance(body.get("stream_options"), (dict, NoneType)):
        raise refuse_parameter("stream_options", "must be an object.")
    for name in counts:
        value = body.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise refuse_parameter(name, "must be a whole number from 1.")
    for name, (least, most) in _NUMBERS.items():
        value = body.get(name)
        if value is not None and not (
            isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
        ):
            raise refuse_parameter(name, f"must be a number between {least} and {most}.")


async def _read_turns(request: web.Request, messages: Any, param: str) -> list[Turn]:
    if not isinstance(messages, list) or not messages:
        raise refuse_parameter(param, "is required and must not be empty.")
    turns = []
    for place, message in enumerate(messages):
        if not isinstance(message, dict):
            raise refuse_parameter(f"{param}[{place}]", "must be an object.")
        if message.get("role") not in ROLES:
            raise refuse_parameter(f"{param}[{place}].role", f"must be one of {', '.join(ROLES)}.")
        content = message.get("content")
        parts = [{"text": content}] if isinstance(content, str) else content or []
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise refuse_parameter(f"{param}[{place}].content", "must be a text or parts.")
        texts = [str(part["text"]) for part in parts if isinstance(part.get("text"), str)]
        seen = [
            await _see(request, part["image_url"], f"{param}[{place}].content") for part in parts if "image_url" in part
        ]
        turns.append({"role": message["role"], "content": "\n".join(texts + seen), "seen": "\n".join(seen)})
    return turns


async def _see(request: web.Request, image: Any, param: str) -> str:
    url = image.get("url") if isinstance(image, dict) else image
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return f"There is an image at {url}, which the sandbox does not fetch."
    kind, comma, text = url.partition(",") if isinstance(url, str) else ("", "", "")
    try:
        if not (comma and kind.startswith("data:image/") and kind.endswith(";base64")):
            raise ValueError(kind)
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise refuse_parameter(param, "has an image that is neither a URL nor base64 in a data: URL.") from None
    return str(await run_engine(request, "images.describe", image=data))


async def _reply(
    request: web.Request, model: str, turns: list[Turn], found: dict[str, Any], stop: Any, most: int | None
) -> tuple[str | None, str]:
    """Give what the model says, and why it stopped."""
    if filters.blocks(found):
        return None, "content_filter"
    if seen := turns[-1].get("seen"):
        text = f"[sandbox] {seen}"
    else:
        text = await run_engine(request, "chat.reply", messages=turns, model=model)
    for end in [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []:
        if isinstance(end, str) and end:
            text = text.partition(end)[0]
    pieces = re.findall(r"\s*\S+", text)
    return (text, "stop") if most is None or len(pieces) <= most else ("".join(pieces[:most]), "length")


def _told(turns: list[Turn]) -> str:
    return "\n".join(turn["content"] for turn in turns)


def _count(turns: list[Turn]) -> int:
    return sum(count_tokens(turn["content"]) for turn in turns)
