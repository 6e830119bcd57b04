"""Skytells' models and inference: catalogue, chat, responses, embeddings, content filter."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import (
    NO_RETRY,
    Base64,
    ChatCompletion,
    DecodingError,
    Embeddings,
    FilterResult,
    Message,
    Pricing,
    SafetyCheck,
    Skytells,
    SkytellsModel,
    Usage,
)
from kellyapi.providers.skytells.inference.embeddings import EmbeddingUsage
from kellyapi.providers.skytells.inference.responses_api import OutputContent, OutputItem, ResponseUsage
from kellyapi.providers.skytells.models import PriceRule, Vendor
from kellyapi.services.openai_completions import Choice, CompletionMessage, FunctionCall, PromptFilter, ToolCall

BASE = "https://api.skytells.ai/v1"
KEY = {"x-api-key": "key"}
JSON = {**KEY, "Content-Type": "application/json"}
HELLO = {"role": "user", "content": "hi"}
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 9
PNG64 = base64.b64encode(PNG).decode()


@pytest.fixture
async def skytells() -> AsyncIterator[Skytells]:
    async with Skytells("key", retry=NO_RETRY) as client:
        yield client


# Models


MODEL = {
    "name": "TrueFusion Pro",
    "description": "draws",
    "namespace": "truefusion-pro",
    "type": "image",
    "privacy": "public",
    "img_url": "https://i.example/a.png",
    "vendor": {"name": "Skytells", "description": None, "verified": True, "slug": "skytells", "metadata": {"x": 1}},
    "billable": True,
    "pricing": {
        "amount": 0.03,
        "currency": "USD",
        "unit": "image_megapixel",
        "criterias": [{"field": "hd", "operator": "==", "value": True, "billable_price": "0.06", "unit": "image"}],
        "formula": {"type": "megapixels", "terms": []},
    },
    "capabilities": ["text-to-image"],
    "metadata": {"edge_compatible": False},
    "status": "operational",
    "service": {"type": "inference"},
    "input_schema": {"type": "object", "properties": {"prompt": {"type": "string", "x-order": 0}}},
}
A_MODEL = SkytellsModel(
    name="TrueFusion Pro",
    description="draws",
    namespace="truefusion-pro",
    type="image",
    privacy="public",
    img_url="https://i.example/a.png",
    vendor=Vendor(name="Skytells", verified=True, slug="skytells"),
    billable=True,
    pricing=Pricing(
        amount=0.03,
        currency="USD",
        unit="image_megapixel",
        criterias=(PriceRule(field="hd", operator="==", value=True, billable_price=0.06, unit="image"),),
        formula={"type": "megapixels", "terms": []},
    ),
    capabilities=("text-to-image",),
    metadata={"edge_compatible": False},
    status="operational",
    service={"type": "inference"},
    input_schema={"type": "object", "properties": {"prompt": {"type": "string", "x-order": 0}}},
)
FIELDS = [
    ((), ""),
    ([], ""),
    ("input_schema", "?fields=input_schema"),
    (["input_schema", "output_schema"], "?fields=input_schema%2Coutput_schema"),
]


async def test_a_model_is_read_whole_with_its_price(wire: Responses, skytells: Skytells) -> None:
    sent = respond(wire, "GET", f"{BASE}/models", json=[MODEL, {"name": "Lumo", "namespace": "lumo"}])
    assert await skytells.models.list() == (A_MODEL, SkytellsModel(name="Lumo", namespace="lumo"))
    assert [(one.headers, one.body) for one in sent] == [(KEY, b"")]


@pytest.mark.parametrize(("fields", "query"), FIELDS)
async def test_schemas_are_asked_for_by_their_names(
    wire: Responses, skytells: Skytells, fields: Any, query: str
) -> None:
    listed = respond(wire, "GET", f"{BASE}/models{query}", json=[])
    got = respond(wire, "GET", f"{BASE}/model/truefusion-pro{query}", json=MODEL)
    assert await skytells.models.list(fields=fields) == ()
    assert await skytells.models.get("truefusion-pro", fields=fields) == A_MODEL
    assert [one.headers for one in [*listed, *got]] == [KEY, KEY]


# Chat and responses: what was asked goes out under its own name


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
async def test_chat_posts_what_was_asked_and_no_more(wire: Responses, skytells: Skytells, options: Any) -> None:
    sent = respond(wire, "POST", f"{BASE}/chat/completions", json=COMPLETION)
    completion = await skytells.chat.create("deepbrain-router", [Message("system", "be kind"), HELLO], **options)
    assert completion == A_COMPLETION
    assert completion.text == "Hello!"
    messages = [{"role": "system", "content": "be kind"}, HELLO]
    asked = {"model": "deepbrain-router", "messages": messages, **options}
    assert [(one.headers, one.json) for one in sent] == [(JSON, asked)]


async def test_a_model_that_wants_a_tool_called_says_so(wire: Responses, skytells: Skytells) -> None:
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
async def test_responses_posts_what_was_asked_and_no_more(
    wire: Responses, skytells: Skytells, input: Any, asked: Any, options: Any
) -> None:
    sent = respond(wire, "POST", f"{BASE}/responses", json=RESPONSE)
    response = await skytells.responses.create("m", input, **options)
    assert (response.id, response.status, response.text, response.created_at) == ("r1", "completed", "Hello!", 2.0)
    assert response.output[0] == OutputItem(id="o0", type="reasoning")
    assert response.output[1].content[0] == OutputContent(type="output_text", text="Hel")
    assert response.usage == ResponseUsage(3, 2, 5)
    assert response.content_filters == ({"blocked": False, "source_type": "prompt"},)
    assert [(one.headers, one.json) for one in sent] == [(JSON, {"model": "m", "input": asked, **options})]


# Embeddings


def packed(*numbers: float) -> str:
    """Write numbers as base64 of 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


@pytest.mark.parametrize(
    ("input", "options", "asked"),
    [
        ("hi", {}, {"input": "hi", "encoding_format": "float"}),
        (
            ["a", "b"],
            {"dimensions": 2, "user": "u"},
            {"input": ["a", "b"], "encoding_format": "float", "dimensions": 2, "user": "u"},
        ),
        (("a",), {"encoding_format": "base64"}, {"input": ["a"], "encoding_format": "base64"}),
    ],
)
@pytest.mark.parametrize("form", [lambda *numbers: list(numbers), packed], ids=["numbers", "base64"])
async def test_vectors_come_in_the_order_of_the_texts_in_either_form(
    wire: Responses, skytells: Skytells, input: Any, options: Any, asked: Any, form: Callable[..., Any]
) -> None:
    data = [
        {"object": "embedding", "embedding": form(-2, 0.25), "index": 1},
        {"object": "embedding", "embedding": form(0.5, 1), "index": 0},
    ]
    reply = {"object": "list", "data": data, "model": "e", "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    sent = respond(wire, "POST", f"{BASE}/embeddings", json=reply)
    found = await skytells.embeddings.create("e", input, **options)
    assert found == Embeddings(((0.5, 1.0), (-2.0, 0.25)), "e", EmbeddingUsage(2, 2))
    assert [(one.headers, one.json) for one in sent] == [(JSON, {"model": "e", **asked})]


@pytest.mark.parametrize("vector", ["no base64!", base64.b64encode(b"12345").decode(), "ɛ"])
async def test_a_vector_that_is_no_base64_of_floats_is_a_decoding_error(
    wire: Responses, skytells: Skytells, vector: str
) -> None:
    data = [{"embedding": [1]}, {"embedding": vector, "index": 1}]
    respond(wire, "POST", f"{BASE}/embeddings", json={"data": data})
    with pytest.raises(DecodingError, match=r"\$\.data\[1\]\.embedding"):
        await skytells.embeddings.create("e", "hi")


# The content filter


CHECKED = {"model": "deepbrain-router", "max_tokens": 16}


def seen(prompt: Any, reply: Any) -> dict[str, Any]:
    """Make a completion with what the filter found in prompt and reply."""
    return {
        "choices": [{"message": {"content": ""}, "finish_reason": "length", "content_filter_results": reply}],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": prompt}],
    }


SAFE, BAD = {"filtered": False, "severity": "safe"}, {"filtered": True, "severity": "high"}


@pytest.mark.parametrize(
    ("reply", "failed"),
    [
        (seen({"hate": SAFE}, {"hate": SAFE}), ()),
        (seen({"hate": BAD}, {"hate": SAFE}), ("hate",)),
        (seen({"hate": SAFE}, {"hate": BAD, "violence": SAFE}), ("hate",)),
        (seen({"jailbreak": {"filtered": True, "detected": True}}, {"sexual": BAD}), ("jailbreak", "sexual")),
        ({"choices": []}, ()),
    ],
)
async def test_a_text_is_checked_by_a_short_chat_and_the_worse_result_counts(
    wire: Responses, skytells: Skytells, reply: Any, failed: tuple[str, ...]
) -> None:
    sent = respond(wire, "POST", f"{BASE}/chat/completions", json=reply)
    check = await skytells.safety.check_text("hi")
    assert (check.passed, check.failed) == (not failed, failed)
    assert [(one.headers, one.json) for one in sent] == [(JSON, {**CHECKED, "messages": [HELLO]})]


async def test_a_check_shows_each_category(wire: Responses, skytells: Skytells) -> None:
    respond(wire, "POST", f"{BASE}/chat/completions", json=seen({"hate": BAD}, {"violence": SAFE}))
    results = {"hate": FilterResult(filtered=True, severity="high"), "violence": FilterResult(False, severity="safe")}
    assert await skytells.safety.check_text("hi") == SafetyCheck(results)


@pytest.mark.parametrize(
    ("make", "url"),
    [
        (lambda folder: "https://i.example/a.png", "https://i.example/a.png"),
        (lambda folder: f"data:image/png;base64,{PNG64}", f"data:image/png;base64,{PNG64}"),
        (lambda folder: PNG, f"data:image/png;base64,{PNG64}"),
        (lambda folder: io.BytesIO(PNG), f"data:image/png;base64,{PNG64}"),
        (lambda folder: Base64(PNG64), f"data:image/png;base64,{PNG64}"),
        (lambda folder: folder / "a.png", f"data:image/png;base64,{PNG64}"),
        (lambda folder: str(folder / "a.png"), f"data:image/png;base64,{PNG64}"),
    ],
)
async def test_an_image_is_checked_from_wherever_it_is(
    wire: Responses, skytells: Skytells, tmp_path: Path, make: Any, url: str
) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    sent = respond(wire, "POST", f"{BASE}/chat/completions", json=seen({"violence": BAD}, {}))
    assert (await skytells.safety.check_image(make(tmp_path))).failed == ("violence",)
    content = sent[0].json["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert content[1]["image_url"] == {"url": url}
    assert {name: sent[0].json[name] for name in CHECKED} == CHECKED


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
