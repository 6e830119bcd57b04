"""URLs: ids in paths, and origins."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import quote, urlsplit


def check_id(id: str, name: str = "an id") -> None:
    """Refuse what no path can name: an empty id, `.`, `..` and control characters raise `ValueError`."""
    if not isinstance(id, str):
        raise TypeError(f"{name} must be a string, not {type(id).__name__}")
    if id in ("", ".", ".."):
        raise ValueError(f"{name} must not be empty, '.' or '..': {id!r}")
    if not id.isprintable():
        raise ValueError(f"{name} must not contain control characters: {id!r}")


Id = Annotated[str, check_id]
"""The annotation of an argument that is a segment of a path."""


def encode_path(template: str, *ids: str) -> str:
    """Put ids into a path, each as one percent-encoded segment.

    Those that `check_id` refuses are refused: servers read `%2E%2E` as a step up.
    """
    return template.format(*map(_encode_segment, ids))


_UNRESERVED = re.compile(r"[\w.~-]+", re.ASCII)


def _encode_segment(id: str) -> str:
    check_id(id)
    return id if _UNRESERVED.fullmatch(id) else quote(id, safe="")


def origin(url: str) -> str:
    """Return scheme, host and port of a URL; empty if it has none or is malformed."""
    try:
        parts = urlsplit(url)
        usable = parts.netloc and parts.port != 0  # a port that is none is a `ValueError`
    except ValueError:
        return ""
    if not usable:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()
