"""How Jupyter shows results: as a picture, a player or a table. All texts are escaped, and sizes are limited.

Source: https://ipython.readthedocs.io/en/stable/config/integrating.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from html import escape
from itertools import islice

MAX_MEDIA = 8 * 2**20
"""Bytes of an image, of audio or of a video that are put into a notebook, which keeps them in its file."""
MAX_ROWS = 500
MAX_TEXT = 100_000
"""Characters."""
_MEDIA_TYPE = re.compile(r"(?:audio|image|video)/[\w.+-]+", re.ASCII)


def fits(media: bytes) -> bool:
    """Return whether an image, audio or a video is small enough for a notebook."""
    return len(media) <= MAX_MEDIA


def media_html(mime: str, media: bytes, caption: str = "") -> str:
    """Return an element that shows or plays a file; a line about it if it is too large, or of another type."""
    if not fits(media) or not _MEDIA_TYPE.fullmatch(mime):
        return f"<p>{escape(mime[:100])}, {len(media):,} bytes: <code>await result.save(path)</code> writes it.</p>"
    link = f"data:{mime};base64,{base64.b64encode(media).decode()}"
    kind = mime.partition("/")[0]
    element = f'<img src="{link}" alt="">' if kind == "image" else f'<{kind} controls src="{link}"></{kind}>'
    return element + _paragraph(caption)


def table_html(text: str, rows: Iterable[tuple[float, float, str]]) -> str:
    """Return a text, and a table of its parts with their times."""
    shown = list(islice(rows, MAX_ROWS + 1))
    cells = "".join(
        f"<tr><td>{start:.2f}</td><td>{end:.2f}</td><td>{_text(part, 1000)}</td></tr>"
        for start, end, part in shown[:MAX_ROWS]
    )
    more = "<tr><td>…</td><td></td><td></td></tr>" if len(shown) > MAX_ROWS else ""
    table = f"<table><tr><th>start</th><th>end</th><th>text</th></tr>{cells}{more}</table>" if cells else ""
    return _paragraph(text) + table


def _paragraph(text: str) -> str:
    return f'<p dir="auto">{_text(text, MAX_TEXT)}</p>' if text else ""


def _text(text: str, most: int) -> str:
    return escape(text if len(text) <= most else text[:most] + "…")
