"""Text: checks of arguments, and excerpts that are safe to show."""

from __future__ import annotations

import re


def without_credentials(text: str) -> str:
    """Remove user names and passwords from the URLs in a text."""
    # A match starts where a word does: from everywhere in it, 250 KiB of a server's zeros would take an hour.
    return re.sub(r"(?<![^\s/'\"])[^\s/'\"]*@", "***@", text)


def excerpt(text: str) -> str:
    """Return the first 200 characters on one line, for error messages."""
    return printable(" ".join(text[:1000].split()))[:200]


def printable(text: str) -> str:
    """Remove what would control a terminal or has no UTF-8."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in text)


def not_blank(text: str, what: str) -> str:
    """Return a text unchanged; raise `ValueError` if it is blank."""
    if not isinstance(text, str):
        raise TypeError(f"the {what} must be a string, not {type(text).__name__}")
    if not text.strip():
        raise ValueError(f"the {what} is empty")
    return text
