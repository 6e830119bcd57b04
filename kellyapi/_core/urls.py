"""URLs: ids in paths, and origins."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from .._data.links import percent_encode
from .._data.text import clip, not_blank, without_credentials


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


_DOT_SEGMENTS = frozenset({".", ".."})


def check_relative_path(path: str, name: str = "path") -> None:
    """Refuse a path that could lead to another address than the provider's.

    Refused are a URL, `//host`, the segments `.` and `..`, also percent-encoded, a fragment, and control characters.
    """
    plain = _decode_fully(path.partition("?")[0])
    if not path.isprintable() or path != path.strip() or "#" in path:
        raise ValueError(f"{name} must not contain control characters, '#', or spaces around it: {clip(path, 80)!r}")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\]{2}", plain):
        shown = clip(without_credentials(path), 80)
        raise ValueError(f"{name} must be relative to the provider's address, such as '/models', not {shown!r}")
    if _DOT_SEGMENTS & set(re.split(r"[/\\;]", plain)):
        raise ValueError(f"{name} must not contain the segments '.' and '..': {clip(path, 80)!r}")


RelativePath = Annotated[str, not_blank, check_relative_path]
"""The annotation of a path below the address of a provider, such as "/models"."""


def split_path(path: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a relative path as it is sent, and the query after it."""
    path, _, query = path.partition("?")
    return "/" + percent_encode(path.removeprefix("/")), parse_qsl(query, keep_blank_values=True)


def _decode_fully(text: str) -> str:
    """Decode a text until nothing is left to decode: some servers decode twice."""
    while (plain := unquote(text)) != text:
        text = plain
    return text


_UNRESERVED = re.compile(r"[\w.~-]+", re.ASCII)


def _encode_segment(id: str) -> str:
    check_id(id)
    return id if _UNRESERVED.fullmatch(id) else quote(id, safe="")


def origin(url: str) -> str:
    """Return scheme, host and port of a URL; empty if it has none or is malformed."""
    try:
        parts = urlsplit(url)
        usable = parts.netloc and parts.port != 0  # a port that is not a number is a `ValueError`
    except ValueError:
        return ""
    if not usable:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def is_link(text: str) -> bool:
    """Return whether a text is an HTTP URL."""
    return origin(text).startswith(("https://", "http://"))
