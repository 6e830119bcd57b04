"""Text: checks of arguments, cutting between letters, and excerpts that are safe to show."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate

_VISIBLE = re.compile(
    "[^"
    r"\s\x00-\x1f\x7f-\x9f"
    # Format characters and fillers: https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\u2800\U0001d159"  # the blank of Braille and that of music
    "]"
)
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\ud800-\udfff"
    # They hide text, or change its order. The joiners U+200C and U+200D are part of letters and stay.
    "\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f"
    "]"
)
_WINDOW = 10_000
"""Characters in which an excerpt is looked for."""


def without_credentials(text: str) -> str:
    """Remove user names and passwords from the URLs in a text."""
    # A match starts where a word does: from everywhere in it, 250 KiB of a server's zeros would take an hour.
    return re.sub(r"(?<![^\s/'\"])[^\s/'\"]*@", "***@", text)


def excerpt(text: str | bytes) -> str:
    """Return the first 200 characters on one line, for error messages. Bytes are read as UTF-8."""
    if isinstance(text, bytes):
        text = text[: 4 * _WINDOW + 4].decode(errors="replace")  # a character has at most 4 bytes
    line = printable(" ".join(text[:_WINDOW].split()))
    # The end of the window may be inside a letter, so its last letter is left out.
    return clip(line, 200 if len(text) <= _WINDOW else min(200, len(line) - 1))


def printable(text: str) -> str:
    """Replace what would control a terminal, hide or reorder text, or has no UTF-8."""
    return text if text.isprintable() else _UNSAFE.sub("\ufffd", text)


def whole_letters(text: str) -> str:
    """Replace lone surrogates, which have no UTF-8. Two surrogates that fit are one letter."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def letter_ends(text: str) -> Iterable[int]:
    """Return where the letters of a text end. A letter is what people see as one, with its marks: a grapheme cluster.

    Source: https://www.unicode.org/reports/tr29/#Grapheme_Cluster_Boundaries
    """
    if text.isascii() and "\r" not in text:
        return range(1, len(text) + 1)
    import regex  # takes 20 ms, and few programs cut a text

    return accumulate(map(len, regex.findall(r"\X", text)))


def clip(text: str, size: int) -> str:
    """Return the beginning of a text, at most `size` characters, without cutting a letter."""
    if len(text) <= size:
        return text
    # One character more shows whether the last letter is whole.
    return text[: max((end for end in letter_ends(text[: size + 1]) if end <= size), default=0)]


def is_blank(text: str) -> bool:
    """Return whether a text shows nothing: it is empty, or has only spaces and invisible characters."""
    return _VISIBLE.search(text) is None


def not_blank(text: str, what: str) -> str:
    """Return a text unchanged; raise `ValueError` if it is blank."""
    if isinstance(text, str) and _VISIBLE.search(text):
        return text
    is_bare = what.startswith("each ") or (" " not in what and what.endswith("]"))  # such as texts[1]
    named = what if is_bare else f"the {what}"
    if not isinstance(text, str):
        raise TypeError(f"{named} must be a string, not {type(text).__name__}")
    raise ValueError(f"{named} is empty" + (": all its characters are invisible" if text.strip() else ""))
