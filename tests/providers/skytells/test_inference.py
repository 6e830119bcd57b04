"""Chats and responses at Skytells: what is sent and read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import ChatCompletion, FilterResult, Message, Skytells, Usage
from kellyapi.providers.skytells.inference.response_types import (
    OutputContent,
    OutputMessage,
    ReasoningItem,
    ResponseFilter,
    ResponseUsage,
)
from kellyapi.services.openai_completions import Choice, CompletionMessage, FunctionCall, PromptFilter, ToolCall

from .messages import BASE, HELLO, JSON

# Chat and responses: arguments are sent under their own names


COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "deepbrain-router",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!", "refusal": None, "annotations": []},
            "finish_reason": "stop",
            "logprobs": None,
            "content_filter_results": {
                "hate": {"filtered": False, "severity": "safe"},
                "protected_material_code": {"filtered": False, "detected": False},
            },
        }
    ],
    "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "completion_tokens_details": {"reasoning_tokens": 0},
    },
    "system_fingerprint": "f",
    "prompt_filter_results": [
        {"prompt_index": 0, "content_filter_results": {"jailbreak": {"filtered": True, "detected": True}}}
    ],
}
A_COMPLETION = ChatCompletion(
    id="c1",
    model="deepbrain-router",
    created=1.0,
    choices=(
        Choice(
            CompletionMessage(content="Hello!"),
            finish_reason="stop",
            content_filter_results={
                "hate": FilterResult(False, severity="safe"),
                "protected_material_code": FilterResult(False, detected=False),
            },
        ),
    ),
    usage=Usage(3, 2, 5, completion_tokens_details={"reasoning_tokens": 0}),
    system_fingerprint="f",
    prompt_filter_results=(PromptFilter(0, {"jailbreak": FilterResult(filtered=True, detected=True)}),),
)
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CHAT_OPTIONS: dict[str, Any] = {
    "max_tokens": 9,
    "temperature": 0.0,
    "top_p": 0.5,
    "n": 2,
    "stop": ["."],
    "presence_penalty": 0.1,
    "frequency_penalty": 0.2,
    "logprobs": False,
    "top_logprobs": 0,
    "user": "u",
    "tools": [TOOL],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_object"},
}
RESPONSE_OPTIONS: dict[str, Any] = {
    "instructions": "be kind",
    "temperature": 0.0,
    "top_p": 0.5,
    "max_output_tokens": 9,
    "max_tool_calls": 1,
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "parallel_tool_calls": False,
    "reasoning": {"effort": "low"},
    "text": {"verbosity": "low"},
    "store": False,
    "metadata": {"x": "1"},
    "user": "u",
    "previous_response_id": "r0",
    "service_tier": "auto",
    "truncation": "auto",
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "top_logprobs": 0,
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
}


@pytest.mark.parametrize("options", [{}, CHAT_OPTIONS, *({name: value} for name, value in CHAT_OPTIONS.items())])
async def test_chat_posts_only_the_given_arguments(wire: Responses, skytells: Skytells, options: Any) -> None:
    sent = respond(wire, "POST", f"{BASE}/chat/completions", json=COMPLETION)
    completion = await skytells.chat.create("deepbrain-router", [Message("system", "be kind"), HELLO], **options)
    assert completion == A_COMPLETION
    assert completion.text == "Hello!"
    messages = [{"role": "system", "content": "be kind"}, HELLO]
    asked = {"model": "deepbrain-router", "messages": messages, **options}
    assert [(one.headers, one.json) for one in sent] == [(JSON, asked)]


async def test_a_tool_call_of_a_model_is_in_the_result(wire: Responses, skytells: Skytells) -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    respond(wire, "POST", f"{BASE}/chat/completions", json={"choices": [{"message": message}]})
    completion = await skytells.chat.create("m", "hi")
    assert completion.text == ""
    assert completion.choices[0].message.tool_calls == (ToolCall("t1", FunctionCall("look", '{"at": 1}')),)


RESPONSE = {
    "id": "r1",
    "object": "response",
    "created_at": 2,
    "status": "completed",
    "model": "m",
    "output": [
        {"id": "o0", "type": "reasoning", "summary": []},
        {
            "id": "o1",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Hel", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "no"},
                {"type": "output_text", "text": "lo!"},
            ],
            "phase": "final",
        },
    ],
    "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    "content_filters": [{"blocked": False, "source_type": "prompt"}],
    "error": None,
    "incomplete_details": None,
}


@pytest.mark.parametrize(
    "options", [{}, RESPONSE_OPTIONS, *({name: value} for name, value in RESPONSE_OPTIONS.items())]
)
@pytest.mark.parametrize(
    ("input", "asked"), [("hi", "hi"), ([Message("user", "hi")], [HELLO]), ([{"role": "user", "content": []}],) * 2]
)
async def test_responses_posts_only_the_given_arguments(
    wire: Responses, skytells: Skytells, input: Any, asked: Any, options: Any
) -> None:
    sent = respond(wire, "POST", f"{BASE}/responses", json=RESPONSE)
    response = await skytells.responses.create("m", input, **options)
    assert (response.id, response.status, response.text, response.created_at) == ("r1", "completed", "Hello!", 2.0)
    assert response.output[0] == ReasoningItem(id="o0")
    parts = (OutputContent(text="Hel"), OutputContent("refusal", refusal="no"), OutputContent(text="lo!"))
    assert response.output[1] == OutputMessage(id="o1", status="completed", phase="final", content=parts)
    assert response.usage == ResponseUsage(3, 2, 5)
    assert response.content_filters == (ResponseFilter(source_type="prompt"),)
    assert [(one.headers, one.json) for one in sent] == [(JSON, {"model": "m", "input": asked, **options})]


# What is refused before anything is sent


@pytest.mark.parametrize(
    "call",
    [
        lambda it: it.chat.create("", "hi"),
        lambda it: it.chat.create("m", " "),
        lambda it: it.chat.create("m", []),
        lambda it: it.chat.create("m", "hi", temperature=float("inf")),
        lambda it: it.responses.create(" ", "hi"),
        lambda it: it.responses.create("m", ""),
        lambda it: it.responses.create("m", []),
        lambda it: it.embeddings.create("", "hi"),
        lambda it: it.embeddings.create("m", " "),
        lambda it: it.embeddings.create("m", ["a", ""]),
        lambda it: it.safety.check_text("\n"),
        lambda it: it.safety.check_image(b""),
        lambda it: it.models.get(""),
    ],
)
async def test_a_wrong_argument_is_refused_before_anything_is_sent(
    wire: Responses, skytells: Skytells, call: Callable[[Skytells], Awaitable[Any]]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  each says what is wrong in its own words
        await call(skytells)
    assert not wire.requests
