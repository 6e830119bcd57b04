"""Server-sent events of the sandbox: a complete response, sent in pieces like those of the real providers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from aiohttp import web

DONE = "[DONE]"
SINGLE_WORDS = 1000
"""Words of a text that are sent one by one. The event of a word takes a hundred times its space."""
_MOST_LONG_PIECES = 1000
"""Pieces of the words after those."""
_WORD = re.compile(r"\s*+\S++|\s++")


async def send_events(request: web.Request, events: Iterable[dict[str, Any] | str]) -> web.StreamResponse:
    """Send an event stream. The name of an event is its "type", if it has one."""
    headers = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    for event in events:
        name_line = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
        data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        await response.write(f"{name_line}data: {data}\n\n".encode())
        await asyncio.sleep(0)  # a write to a fast client never waits, and others want their responses too
    await response.write_eof()
    return response


def split_words(text: str) -> list[str]:
    """Split a text into words, each with the white space before it. Joined, they are the text again."""
    return _WORD.findall(text)


def split_pieces(text: str) -> list[str]:
    """Split a text into the pieces of a stream: the first words, and the rest in pieces of as many words each."""
    words = split_words(text)
    size = max(1, -(-(len(words) - SINGLE_WORDS) // _MOST_LONG_PIECES))
    rest = range(SINGLE_WORDS, len(words), size)
    return words[:SINGLE_WORDS] + ["".join(words[start : start + size]) for start in rest]


def completion_chunks(completion: dict[str, Any], stream_options: Any) -> Iterator[dict[str, Any] | str]:
    """Split a chat completion into chunks like OpenAI's.

    Per choice there is a chunk with the role, one for each piece of the text, several for each tool call, and one with
    the finish reason. If `stream_options` has `include_usage`, a chunk with the usage follows. The last is `DONE`.
    """
    with_usage = bool(stream_options and stream_options.get("include_usage"))
    not_repeated = {"choices", "usage", "prompt_filter_results"}
    common = {name: value for name, value in completion.items() if name not in not_repeated}
    common |= {"object": "chat.completion.chunk", **({"usage": None} if with_usage else {})}

    def chunk(choice: dict[str, Any], delta: dict[str, Any], **fields: Any) -> dict[str, Any]:
        part = {"index": choice["index"], "delta": delta, "logprobs": None, "finish_reason": None, **fields}
        return {**common, "choices": [part]}

    if "prompt_filter_results" in completion:
        yield {**common, "choices": [], "prompt_filter_results": completion["prompt_filter_results"]}
    for choice in completion["choices"]:
        text = choice["message"]["content"]
        yield chunk(choice, {"role": "assistant", "content": None if text is None else ""})
        tokens = (choice.get("logprobs") or {}).get("content")
        for place, piece in enumerate(split_pieces(text or "")):
            logprobs = {"logprobs": {"content": tokens[place : place + 1], "refusal": None}} if tokens else {}
            yield chunk(choice, {"content": piece}, **logprobs)
        for place, call in enumerate(choice["message"].get("tool_calls", ())):
            function = call["function"]
            begun = {"index": place, **call, "function": {**function, "arguments": ""}}
            yield chunk(choice, {"tool_calls": [begun]})
            for piece in split_pieces(function["arguments"]):
                yield chunk(choice, {"tool_calls": [{"index": place, "function": {"arguments": piece}}]})
        filter_results = {name: value for name, value in choice.items() if name == "content_filter_results"}
        yield chunk(choice, {}, finish_reason=choice["finish_reason"], **filter_results)
    if with_usage:
        yield {**common, "choices": [], "usage": completion["usage"]}
    yield DONE
