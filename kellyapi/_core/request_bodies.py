"""The fields of a `Call` that depend on its body: a file, or a multipart form."""

from __future__ import annotations

from typing import Any

from .._data.media import Media
from .messages import DEFAULT_TIMEOUT, TRANSFER_TIMEOUT, FormField


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
