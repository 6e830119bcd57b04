"""Skytells' embeddings in the sandbox: POST /embeddings, with unit vectors made from the hashes of words.

Texts with common words are near to each other; meanings play no part. The same text has the same vector on every
machine.
"""

from __future__ import annotations

import asyncio
import base64
import math
import re
import struct
from hashlib import blake2b
from typing import Any

from aiohttp import web

from ...frontend import ApiError, read_json_object
from .conversation import count_tokens, find_usable_model

DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072}
MAX_INPUTS = 2048


async def create(request: web.Request) -> web.Response:
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
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        message = "encoding_format must be 'float' or 'base64'."
        raise ApiError(400, "INVALID_PARAMETER", message, param="encoding_format")
    most = DIMENSIONS[model]
    dimensions = most if body.get("dimensions") is None else body["dimensions"]
    if not isinstance(dimensions, int) or isinstance(dimensions, bool) or not 1 <= dimensions <= most:
        message = f"dimensions must be a whole number between 1 and {most}."
        raise ApiError(400, "INVALID_PARAMETER", message, param="dimensions")
    vectors = await asyncio.to_thread(lambda: [embed(text, dimensions) for text in texts])
    tokens = sum(map(count_tokens, texts))
    data = [
        {"object": "embedding", "index": index, "embedding": _encode(vector, encoding)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return web.json_response({"object": "list", "data": data, "model": model, "usage": usage})


def embed(text: str, dimensions: int) -> bytes:
    """Return the vector of a text as 32-bit little-endian floats. Each word adds to sixteen places."""
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [text]:
        for number in struct.unpack("<16I", blake2b(word.encode("utf-8", "surrogatepass")).digest()):
            vector[(number >> 9) % dimensions] += (1 + (number & 0xFF) / 0xFF) * (1 if number & 0x100 else -1)
    length = math.hypot(*vector)
    if not length:  # the words cancel each other out
        vector[0] = length = 1.0
    return struct.pack(f"<{dimensions}f", *(value / length for value in vector))


def _encode(vector: bytes, encoding: str) -> Any:
    if encoding == "base64":
        return base64.b64encode(vector).decode()
    return [number for (number,) in struct.iter_unpack("<f", vector)]
