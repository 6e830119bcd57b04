"""Streams of chats and responses: servers that send them, and the calls that read them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from servers import AT_ONCE, Script, Server, make_response

from kellyapi import Aerostack, KellyAPIError, Skytells

HI = [{"role": "user", "content": "hi"}]
COUNTED = {"stream": True, "stream_options": {"include_usage": True}}
DONE = b"data: [DONE]\n\n"
MAKERS: dict[str, tuple[type[Any], Callable[[Any], Any]]] = {
    "skytells chat": (Skytells, lambda it: it.chat.stream("gpt-5", "hi")),
    "aerostack chat": (Aerostack, lambda it: it.ai.chat_stream("hi")),
    "aerostack gateway": (Aerostack, lambda it: it.gateway.chat_stream("my-api", "hi", consumer="ask_live_1")),
    "skytells responses": (Skytells, lambda it: it.responses.stream("gpt-5", "hi")),
}
CHATS = [name for name in MAKERS if "responses" not in name]


def events(*values: Any) -> bytes:
    """Make the events of a stream from values."""
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def streamed(*parts: bytes, **headers: str) -> bytes:
    """Make a response that is an event stream."""
    return make_response(body=b"".join(parts), kind="text/event-stream; charset=utf-8", **headers)


def chunk(content: Any = None, **fields: Any) -> dict[str, Any]:
    """Make a chunk with one choice; `fields` other than the delta belong to the choice."""
    delta = {"content": content} | fields.pop("delta", {})
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, **fields}]}


STOP = chunk(finish_reason="stop")
HELLO = streamed(events(chunk("Hel"), chunk("lo"), STOP), DONE)
CREATED = {"type": "response.created", "response": {"id": "r1", "status": "in_progress", "output": []}}
COMPLETED = {
    "type": "response.completed",
    "response": {
        "id": "r1",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}],
        "usage": {"total_tokens": 3},
    },
}


def added(delta: Any, **fields: Any) -> dict[str, Any]:
    """Make the event of a text of a response."""
    return {"type": "response.output_text.delta", "delta": delta, **fields}


BEGUN = {
    "skytells responses": events(CREATED, added("Hel"), added("lo")),
    **dict.fromkeys(CHATS, events(chunk("Hel"), chunk("lo"))),
}
"""The first half of each stream, with a text."""
WHOLE = {
    "skytells responses": BEGUN["skytells responses"] + events(COMPLETED),
    **dict.fromkeys(CHATS, BEGUN[CHATS[0]] + events(STOP) + DONE),
}


@asynccontextmanager
async def asked(name: str, *scripts: Script, **options: Any) -> AsyncIterator[tuple[Any, Server]]:
    """Yield a function that makes a stream, and its server."""
    kind, make = MAKERS[name]
    async with Server(*scripts) as server, kind("key", base_url=server.url, **{"retry": AT_ONCE, **options}) as client:
        yield lambda: make(client), server


async def read(make: Callable[[], Any]) -> list[Any]:
    """Read a stream to its end."""
    async with make() as stream:
        return [item async for item in stream]


each = pytest.mark.parametrize("name", MAKERS)
each_chat = pytest.mark.parametrize("name", CHATS)
KEY_HEADERS = ("x-api-key", "x-aerostack-key", "authorization")


def said(error: KellyAPIError) -> str:
    """Return the text that the error of a broken stream has."""
    text: str = error.partial.text
    return text
