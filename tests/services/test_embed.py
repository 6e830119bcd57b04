"""`embed`: vectors of texts, and the files that they are saved to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import Server, make_response

from kellyapi import Embeddings, KellyAPI, Skytells
from kellyapi.services.embed import _to_npy

REPLY = {
    "data": [{"embedding": [0.5, -2], "index": 1}, {"embedding": [1, 0.25], "index": 0}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}
FOUND = Embeddings(((1.0, 0.25), (0.5, -2.0)))


async def test_texts_are_vectors_in_their_order() -> None:
    async with (
        Server(make_response(body=json.dumps(REPLY).encode())) as server,
        KellyAPI(skytells=Skytells("key", base_url=server.url)) as api,
    ):
        found = await api.embed(["a fox", "a wolf"], dimensions=2)
        sent = json.loads(server.requests[0].body)
    assert (found.vectors, found.model, found.provider) == (FOUND.vectors, "text-embedding-3-small", "skytells")
    assert found.usage is not None
    assert (found.usage.total_tokens, found.tried) == (4, ("skytells",))
    assert sent == {
        "model": "text-embedding-3-small",
        "input": ["a fox", "a wolf"],
        "encoding_format": "float",
        "dimensions": 2,
    }


async def test_no_text_is_refused() -> None:
    async with KellyAPI(skytells="key") as api:
        with pytest.raises(ValueError, match="texts is empty"):
            await api.embed([])


async def test_vectors_are_saved_as_json_lines(tmp_path: Path) -> None:
    path = await FOUND.save(tmp_path / "vectors.jsonl")
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == [[1.0, 0.25], [0.5, -2.0]]


async def test_vectors_are_saved_as_an_array_of_numpy(tmp_path: Path) -> None:
    path = await FOUND.save(tmp_path / "vectors.NPY")
    loaded = np.load(path)
    assert (loaded.dtype, loaded.tolist()) == ("float64", [[1.0, 0.25], [0.5, -2.0]])


@given(st.integers(0, 2000), st.integers(0, 30))
def test_the_header_of_an_array_ends_where_numpy_wants_it(length: int, count: int) -> None:
    data = _to_npy([[0.5] * length] * count)
    size = int.from_bytes(data[8:10], "little")
    assert (10 + size) % 64 == 0
    assert data[9 + size : 10 + size] == b"\n"
    assert f"'shape': ({count}, {length if count else 0})" in data[10 : 10 + size].decode()
    assert len(data) == 10 + size + 8 * length * count


async def test_vectors_of_different_lengths_are_no_array(tmp_path: Path) -> None:
    found = Embeddings(((1.0,), (0.5, 2.0)))
    with pytest.raises(ValueError, match="the vectors have different lengths"):
        await found.save(tmp_path / "vectors.npy")
    assert await found.save(tmp_path / "vectors") == tmp_path / "vectors"


def test_many_vectors_are_not_in_repr() -> None:
    assert "vectors=<2 vectors of 2 numbers>" in repr(FOUND)
    assert "vectors=<0 vectors of 0 numbers>" in repr(Embeddings(()))
