"""Skytells' embeddings in the sandbox, S15."""

from __future__ import annotations

import base64
import math
import struct
from functools import partial

import pytest
from http_client import Send

from kellyapi import KellyAPI

EMBEDDINGS = "/v1/embeddings"


async def test_embeddings_are_unit_vectors_in_the_order_of_their_texts(skytells: Send) -> None:
    body = {"model": "text-embedding-3-small", "input": ["a red fox", "!!", "plums"]}
    response = (await skytells("POST", EMBEDDINGS, json=body)).json
    assert list(response) == ["object", "data", "model", "usage"]
    assert (response["object"], response["model"]) == ("list", "text-embedding-3-small")
    assert response["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    assert [(each["object"], each["index"]) for each in response["data"]] == [
        ("embedding", place) for place in range(3)
    ]
    for each in response["data"]:
        assert len(each["embedding"]) == 1536
        assert math.hypot(*each["embedding"]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("model", "dimensions", "length"), [("small", None, 1536), ("large", None, 3072), ("small", 1, 1)]
)
async def test_floats_and_base64_are_the_same_vector(
    api: KellyAPI, skytells: Send, model: str, dimensions: int | None, length: int
) -> None:
    create = partial(api.skytells.embeddings.create, f"text-embedding-3-{model}", "Good morning", dimensions=dimensions)
    floats, packed = await create(), await create(encoding_format="base64")
    assert floats.vectors == packed.vectors
    assert len(floats.vectors[0]) == length
    body = {"model": f"text-embedding-3-{model}", "input": "Good morning", "encoding_format": "base64"}
    [raw] = (await skytells("POST", EMBEDDINGS, json=body | {"dimensions": dimensions})).json["data"]
    assert base64.b64decode(raw["embedding"]) == struct.pack(f"<{length}f", *floats.vectors[0])


async def test_texts_with_common_words_have_near_vectors(api: KellyAPI) -> None:
    texts = ["A red fox in the snow", "the FOX in deep snow", "Quarterly tax figures"]
    fox, other, tax = (await api.skytells.embeddings.create("text-embedding-3-small", texts)).vectors
    assert _product(fox, other) > 0.5 > abs(_product(fox, tax))


def _product(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
