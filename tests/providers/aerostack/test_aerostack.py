"""Aerostack's exact requests and the two generations of its responses."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import Aerostack, ChatReply, DecodingError, Message, Usage

URL = "https://api.aerostack.ai/v1/ai/chat"
JSON = {"X-Aerostack-Key": "key", "Content-Type": "application/json"}
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "@cf/meta/llama-3-8b-instruct",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}
HELLO = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("messages", "options", "data"),
    [
        ("hi", {}, {"messages": [HELLO]}),
        ([Message("system", "be kind"), HELLO], {}, {"messages": [{"role": "system", "content": "be kind"}, HELLO]}),
        (
            [HELLO],
            {"model": "m", "temperature": 0.0, "max_tokens": 9, "top_p": 0.5},
            {"messages": [HELLO], "model": "m", "temperature": 0.0, "max_tokens": 9, "top_p": 0.5},
        ),
    ],
)
async def test_chat_posts_the_messages_and_options(
    wire: Responses, aerostack: Aerostack, messages: Any, options: Any, data: Any
) -> None:
    sent = respond(wire, "POST", URL, json={"response": "Hello!"})
    reply = await aerostack.ai.chat(messages, **options)
    assert reply == ChatReply(text="Hello!", provider="aerostack")
    assert [(one.headers, one.json) for one in sent] == [(JSON, data)]


async def test_the_newer_generation_responds_with_a_completion(wire: Responses, aerostack: Aerostack) -> None:
    respond(wire, "POST", URL, json=COMPLETION)
    assert await aerostack.ai.chat("hi") == ChatReply(
        text="Hello!",
        model="@cf/meta/llama-3-8b-instruct",
        finish_reason="stop",
        usage=Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5),
        provider="aerostack",
    )


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"usage": None, "model": None}, {"usage": None, "model": None}),
        (
            {"choices": [{"message": {"content": None}, "finish_reason": "length"}]},
            {"text": "", "finish_reason": "length"},
        ),
        ({"choices": [{"message": {"content": "a"}, "finish_reason": "tired"}]}, {"finish_reason": "tired"}),
        ({"usage": {"prompt_tokens": "3"}}, {"usage": Usage(prompt_tokens=3)}),
    ],
)
async def test_fields_that_a_completion_leaves_out_have_their_defaults(
    wire: Responses, aerostack: Aerostack, changes: Any, seen: Any
) -> None:
    respond(wire, "POST", URL, json={**COMPLETION, **changes})
    reply = await aerostack.ai.chat("hi")
    assert {name: getattr(reply, name) for name in seen} == seen


@pytest.mark.parametrize(
    "body",
    [
        "null",
        "[]",
        "{}",
        '"Hello!"',
        '{"response": null}',
        '{"choices": []}',
        '{"choices": [{}]}',
        '{"choices": [{"message": {"content": 1}}]}',
        '{"choices": [{"message": {"content": [{"text": 1}]}}]}',
        "<html>",
    ],
)
async def test_a_response_of_neither_generation_is_a_decoding_error(
    wire: Responses, aerostack: Aerostack, body: str
) -> None:
    respond(wire, "POST", URL, body=body)
    with pytest.raises(DecodingError) as caught:
        await aerostack.ai.chat("hi")
    assert caught.value.provider == "aerostack"


@pytest.mark.parametrize("messages", [[], "", " \n"])
async def test_a_chat_without_text_is_refused_before_anything_is_sent(
    wire: Responses, aerostack: Aerostack, messages: Any
) -> None:
    with pytest.raises(ValueError, match="empty"):
        await aerostack.ai.chat(messages)
    assert not wire.requests


async def test_the_address_can_be_changed(wire: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEROSTACK_BASE_URL", "https://api.aerostack.dev/v1/")
    sent = respond(wire, "POST", "https://api.aerostack.dev/v1/ai/chat", json={"response": "Hello!"})
    async with Aerostack("key") as aerostack:
        await aerostack.ai.chat("hi")
    assert len(sent) == 1
