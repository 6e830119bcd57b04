"""The fields of a `Call` that depend on its body: a file, a multipart form, or JSON with files in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from attrs import evolve

from .._data.embedded_files import data_url_length, data_url_pieces, split_at_files
from .._data.json_text import dumps
from .._data.media import Media
from .messages import DEFAULT_TIMEOUT, TRANSFER_TIMEOUT, Call, FormField


def media_fields(media: Media) -> dict[str, Any]:
    """Return the fields of a call that sends a file as it is, streamed unless it is in memory."""
    length = {} if media.size is None else {"Content-Length": str(media.size)}
    return {
        "headers": {"Content-Type": media.mime, **length},
        "body": media.body,
        "one_shot": media.one_shot,
        "timeout": TRANSFER_TIMEOUT if callable(media.body) else DEFAULT_TIMEOUT,
    }


def form_fields(parts: tuple[FormField, ...], *, one_shot: bool) -> dict[str, Any]:
    """Return the fields of a call that sends a multipart form; `one_shot` says that a part can be read only once."""
    streamed = any(callable(part.body) for part in parts)
    return {"body": parts, "one_shot": one_shot, "timeout": TRANSFER_TIMEOUT if streamed else DEFAULT_TIMEOUT}


def embed_files(call: Call, files: Mapping[str, Media]) -> Call:
    """Return a call whose JSON has files in place of their tokens. They are encoded while it is sent."""
    parts = split_at_files(dumps(call.json), files)
    size = sum(data_url_length(part) if isinstance(part, Media) else len(part) for part in parts)

    async def pieces() -> AsyncIterator[bytes]:
        for part in parts:
            if isinstance(part, Media):
                async for piece in data_url_pieces(part):
                    yield piece
            else:
                yield part

    headers = {"Content-Type": "application/json", **call.headers, "Content-Length": str(size)}
    return evolve(call, json=None, body=pieces, headers=headers)
