"""`skytells.embeddings`: texts as vectors."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable
from typing import Any, Literal, Unpack

from attrs import frozen

from ...._core.extra_fields import ExtraFields
from ...._core.resource import Resource, drop_none
from ...._data.arguments import Count, NotBlank
from ...._data.decoding import Shape
from ....errors import DecodingError
from ....services.embed import Embeddings, EmbeddingUsage, check_vectors


class EmbeddingsResource(Resource):
    """Embeddings: texts as vectors.

    Source: https://github.com/Skytells/ts-sdk (src/embeddings.ts)
    """

    async def create(
        self,
        model: NotBlank,
        input: NotBlank | Iterable[NotBlank],
        *,
        encoding_format: Literal["float", "base64"] = "float",
        dimensions: Count | None = None,
        user: NotBlank | None = None,
        **extra: Unpack[ExtraFields],
    ) -> Embeddings:
        """Turn texts into vectors.

        Args:
            model: The slug of an embedding model.
            input: One text, or several.
            encoding_format: "float" or "base64". The vectors are the same; a "base64" response is smaller.
            dimensions: The length of each vector, if the model can vary it.
            user: An id of your user, which helps the provider to detect abuse.
            **extra: See `ExtraFields`.
        """
        asked = input if isinstance(input, str) else list(input)
        data = {"model": model, "input": asked, "encoding_format": encoding_format}
        data |= drop_none(dimensions=dimensions, user=user)
        count = 1 if isinstance(asked, str) else len(asked)
        shape = Shape(_Vectors, lambda found: check_vectors(_in_order(found), count))
        return await self._post_json("/embeddings", data, into=shape, extra=extra)


@frozen
class _Vector:
    embedding: tuple[float, ...]
    index: int = 0


@frozen
class _Vectors:
    data: tuple[_Vector, ...]
    model: str | None = None
    usage: EmbeddingUsage | None = None

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Decode the vectors that were sent as base64."""
        if isinstance(value, dict) and isinstance(value.get("data"), list):
            return {**value, "data": [_decode_vector(item, at) for at, item in enumerate(value["data"])]}
        return value


def _in_order(found: _Vectors) -> Embeddings:
    ordered = sorted(found.data, key=lambda vector: vector.index)
    return Embeddings(tuple(vector.embedding for vector in ordered), found.model, found.usage)


def _decode_vector(item: Any, at: int) -> Any:
    """Turn a vector that is base64 of 32-bit little-endian floats into an array of numbers."""
    if not isinstance(item, dict) or not isinstance(item.get("embedding"), str):
        return item
    try:
        numbers = struct.iter_unpack("<f", base64.b64decode(item["embedding"], validate=True))
        return {**item, "embedding": [number for (number,) in numbers]}
    except (ValueError, struct.error):
        raise DecodingError(f"$.data[{at}].embedding is not base64 of 32-bit floats") from None
