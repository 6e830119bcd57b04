"""Skytells' embeddings in the sandbox: POST /embeddings, with vectors from the engines."""

from __future__ import annotations

import base64
import struct
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from ...frontend import ApiError, read_json_object, run_engine
from ...json_stream import send_json
from .conversation import count_tokens, find_usable_model

DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}
MAX_INPUTS, MAX_CHARACTERS = 2048, 1_000_000


async def create(request: web.Request) -> web.StreamResponse:
    """Handle POST /embeddings."""
    body = await read_json_object(request)
    model = find_usable_model("embedding", body)
    texts = body.get("input")
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise ApiError(400, "INVALID_PARAMETER", "input must be a text or texts, none of them empty.", param="input")
    if len(texts) > MAX_INPUTS:
        raise ApiError(400, "INVALID_PARAMETER", f"input must be at most {MAX_INPUTS} texts.", param="input")
    if sum(map(len, texts)) > MAX_CHARACTERS:
        message = f"input must have at most {MAX_CHARACTERS:,} characters."
        raise ApiError(400, "INVALID_PARAMETER", message, param="input")
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        message = "encoding_format must be 'float' or 'base64'."
        raise ApiError(400, "INVALID_PARAMETER", message, param="encoding_format")
    most = DIMENSIONS[model]
    dimensions = most if body.get("dimensions") is None else body["dimensions"]
    if not isinstance(dimensions, int) or isinstance(dimensions, bool) or not 1 <= dimensions <= most:
        message = f"dimensions must be a whole number between 1 and {most}."
        raise ApiError(400, "INVALID_PARAMETER", message, param="dimensions")
    vectors = await run_engine(request, "language.word_vectors.embed_all", texts=texts, dimensions=dimensions)
    tokens = sum(map(count_tokens, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return await send_json(
        request, {"object": "list", "data": _write_vectors(vectors, encoding), "model": model, "usage": usage}
    )


async def _write_vectors(vectors: list[bytes], encoding: str) -> AsyncIterator[dict[str, Any]]:
    for index, vector in enumerate(vectors):
        yield {"object": "embedding", "index": index, "embedding": _encode(vector, encoding)}


def _encode(vector: bytes, encoding: str) -> Any:
    if encoding == "base64":
        return base64.b64encode(vector).decode()
    return [number for (number,) in struct.iter_unpack("<f", vector)]
