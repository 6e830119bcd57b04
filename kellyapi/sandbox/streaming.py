"""Event streams of the sandbox: answers that are known whole, given in pieces as the real systems give them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from aiohttp import web

DONE = "[DONE]"


async def send_events(request: web.Request, events: Iterable[dict[str, Any] | str]) -> web.StreamResponse:
    """Answer with an event stream; an event that has a type is named by it."""
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    for event in events:
        named = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
        data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        await response.write(f"{named}data: {data}\n\n".encode())
    await response.write_eof()
    return response


def words(text: str) -> list[str]:
    """Cut a text into words, each with the white space before it; joined they are the text."""
    return re.findall(r"\s*\S+|\s+\Z", text)


def chunks(completion: dict[str, Any], options: Any) -> Iterator[dict[str, Any] | str]:
    """Cut a chat completion as OpenAI does: roles, words, reasons, what it cost if `options` ask for it, the end."""
    counted = bool(options and options.get("include_usage"))
    whole = {"choices", "usage", "prompt_filter_results"}
    head = {name: value for name, value in completion.items() if name not in whole}
    head |= {"object": "chat.completion.chunk", **({"usage": None} if counted else {})}

    def chunk(choice: dict[str, Any], delta: dict[str, Any], **last: Any) -> dict[str, Any]:
        said = {"index": choice["index"], "delta": delta, "logprobs": None, "finish_reason": None, **last}
        return {**head, "choices": [said]}

    if "prompt_filter_results" in completion:
        yield {**head, "choices": [], "prompt_filter_results": completion["prompt_filter_results"]}
    for choice in completion["choices"]:
        text = choice["message"]["content"]
        yield chunk(choice, {"role": "assistant", "content": None if text is None else ""})
        for word in words(text or ""):
            yield chunk(choice, {"content": word})
        filtered = {name: value for name, value in choice.items() if name == "content_filter_results"}
        yield chunk(choice, {}, finish_reason=choice["finish_reason"], **filtered)
    if counted:
        yield {**head, "choices": [], "usage": completion["usage"]}
    yield DONE
