"""Bodies of requests and responses in the form of the debug log: without keys and media."""

from __future__ import annotations

import re
from typing import Any

from .._data.base64_text import b64decode
from .._data.json_text import dumps, loads
from .._data.media_types import sniff
from .._data.secret_names import is_secret_field
from .._data.text import clip, printable
from .._data.threads import OFF_LOOP_SIZE
from .messages import FormField, Headers, media_type
from .secrets import redact_text

LONGEST = 10_000
"""Characters of a body that are logged."""
_DATA_URL = re.compile(r"data:[\w/+.-]*(?:;[\w=.-]+)*,")
_BASE64 = re.compile(r"[A-Za-z0-9+/_\r\n-]{12,}={0,2}\s*")
_SHORTEST_MEDIA = 100
"""Characters. A shorter word may be one of a language, or an id."""


def describe_body(body: Any, headers: Headers, sent: Headers) -> str:
    """Return a body on one line for the log, without the key that was sent, other secrets and media.

    `headers` are those of the body, `sent` those of the request.
    """
    if isinstance(body, tuple):
        return f"a form with {', '.join(_describe_field(each, sent) for each in body)}"
    if callable(body):
        return "a stream"
    if not body:
        return "nothing"
    return _describe_bytes(body, media_type(headers), sent)


def _describe_field(part: FormField, sent: Headers) -> str:
    if callable(part.body):
        return f"{part.name}=<a stream>"
    if part.filename is not None:
        return f"{part.name}=<{len(part.body)} bytes of {part.content_type or 'a file'}>"
    text = "***" if is_secret_field(part.name) else _describe_bytes(part.body, "text/plain", sent)
    return f"{part.name}={text}"


def _describe_bytes(body: bytes, kind: str, sent: Headers) -> str:
    hidden = f"<{len(body)} bytes of {kind or 'an unknown type'}>"
    if len(body) > OFF_LOOP_SIZE:  # reading them would hold the loop
        return hidden
    try:
        text = dumps(_without_secrets(loads(body))).decode()
    except (ValueError, RecursionError):
        if not kind.startswith("text/"):
            return hidden
        text = _without_media(body.decode(errors="replace"))
    shown = printable(" ".join(redact_text(text, sent).split()))
    return shown if len(shown) <= LONGEST else f"{clip(shown, LONGEST)}… ({len(shown)} characters)"


def _without_secrets(value: Any) -> Any:
    """Return parsed JSON without the values of secret fields, and without media."""
    if isinstance(value, dict):
        return {name: "***" if _is_secret(name, value) else _without_secrets(value[name]) for name in value}
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    return _without_media(value) if isinstance(value, str) else value


def _is_secret(name: str, value: dict[str, Any]) -> bool:
    return value[name] is not None and not isinstance(value[name], bool) and is_secret_field(name, value)


def _without_media(text: str) -> str:
    if found := _DATA_URL.match(text):
        return f"{found[0]}<{len(text) - found.end()} characters>"
    if _BASE64.fullmatch(text) and (len(text) >= _SHORTEST_MEDIA or _is_media(text)):
        return f"<{len(text)} characters of base64>"
    return text


def _is_media(text: str) -> bool:
    try:
        return sniff(b64decode(text[: len(text) // 4 * 4].encode())) is not None
    except ValueError:
        return False
