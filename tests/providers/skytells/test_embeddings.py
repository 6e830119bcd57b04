"""Embeddings at Skytells."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import DecodingError, Embeddings, Skytells
from kellyapi.providers.skytells.inference.embeddings import EmbeddingUsage

from .messages import BASE, JSON


def packed(*numbers: float) -> str:
    """Write numbers as base64 of 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


@pytest.mark.parametrize(
    ("input", "options", "asked"),
    [
        (("a", "b"), {}, {"input": ["a", "b"], "encoding_format": "float"}),
        (
            ["a", "b"],
            {"dimensions": 2, "user": "u"},
            {"input": ["a", "b"], "encoding_format": "float", "dimensions": 2, "user": "u"},
        ),
        (("a", "b"), {"encoding_format": "base64"}, {"input": ["a", "b"], "encoding_format": "base64"}),
    ],
)
@pytest.mark.parametrize("form", [lambda *numbers: list(numbers), packed], ids=["numbers", "base64"])
async def test_vectors_are_in_the_order_of_the_texts_in_either_form(
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
async def test_a_vector_that_is_not_base64_of_floats_is_a_decoding_error(
    wire: Responses, skytells: Skytells, vector: str
) -> None:
    data = [{"embedding": [1]}, {"embedding": vector, "index": 1}]
    respond(wire, "POST", f"{BASE}/embeddings", json={"data": data})
    with pytest.raises(DecodingError, match=r"\$\.data\[1\]\.embedding"):
        await skytells.embeddings.create("e", "hi")


@pytest.mark.parametrize(("input", "wanted"), [("hi", 1), (["a", "b", "c"], 3)])
async def test_there_is_a_vector_for_each_text(
    wire: Responses, skytells: Skytells, input: str | list[str], wanted: int
) -> None:
    respond(wire, "POST", f"{BASE}/embeddings", json={"data": [{"embedding": [1]}, {"embedding": [2], "index": 1}]})
    with pytest.raises(DecodingError, match=f"{wanted} vectors were expected, one for each text, and 2 came") as caught:
        await skytells.embeddings.create("e", input)
    assert caught.value.outcome_unknown
    assert caught.value.partial == Embeddings(((1.0,), (2.0,)))
