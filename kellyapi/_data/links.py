"""Links: what people and servers write for a URL, made into a URL that can be sent."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from .text import clip, excerpt, without_credentials

_PARTS = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(?:([^/?#]*)@)?(\[[^]/?#]*\]|[^/?#:@]*)(:[0-9]*)?([/?#].*)?", re.DOTALL
)
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+(%25[\w.~-]+)?\]", re.ASCII)
_LOOSE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SAFE = "%!#$&'()*+,/:;=?@[]~"
"""What stays as it is: the characters with a meaning in URLs, and escapes."""


def encode_url(text: str, what: str = "URL") -> str:
    """Return the URL that a text stands for, in ASCII; `what` names it in errors.

    Spaces, letters that are not ASCII, and a `%` that begins no escape are percent-encoded. A host with letters that
    are not ASCII becomes its DNS name. What is encoded already stays as it is, to the byte: it may be signed.

    Raises:
        ValueError: The text has no scheme and host, or the host is not a valid name.

    Source: https://url.spec.whatwg.org/#url-parsing, https://www.rfc-editor.org/rfc/rfc3987#section-3.1
    """
    found = _PARTS.fullmatch(re.sub(r"[\t\r\n]", "", text.strip()))
    if found is None:
        raise ValueError(f"the {what} {_shown(text)!r} has no scheme and host, as https://example.com/a has")
    scheme, login, host, port, rest = found.groups(default="")
    try:
        login, rest = percent_encode(login), percent_encode(rest)
    except UnicodeEncodeError:
        raise ValueError(f"the {what} {_shown(text)!r} has a character that cannot be encoded") from None
    name = _encode_host(host)
    if not name:
        raise ValueError(f"the {what} has the host {_shown(host)!r}, which is not a valid host name")
    return f"{scheme}://{login and login + '@'}{name}{port}{rest}"


def percent_encode(text: str) -> str:
    """Return a text of a URL in ASCII; the characters with a meaning in URLs, and escapes, stay as they are."""
    # A header's bytes that are not UTF-8 come as surrogates.
    return quote(_LOOSE_PERCENT.sub("%25", text), safe=_SAFE, errors="surrogateescape")


def _encode_host(host: str) -> str:
    """Return a host as DNS knows it; empty if it is not a valid name."""
    name = host
    try:
        if not host.startswith("["):
            name = unquote(host, errors="strict")
        if not name.isascii():
            from yarl import URL  # it has the tables of Unicode; most hosts need none

            name = URL.build(scheme="http", host=name).raw_host or ""
    except ValueError:
        return ""
    relative = name.removesuffix(".")
    # 63 and 253 characters are the most: https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
    usable = _HOST.fullmatch(name) and all(0 < len(each) < 64 for each in relative.split(".")) and len(relative) < 254
    return name if usable else ""


def _shown(text: str) -> str:
    """Return the beginning of a text for an error message."""
    return clip(excerpt(without_credentials(text)), 80)
