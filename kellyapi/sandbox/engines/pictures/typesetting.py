"""What handwriting and pictures of code share: fonts, legible text, PNG bytes."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sized
from functools import cache
from itertools import groupby
from pathlib import Path

from ..errors import BadInput, EngineMissing

try:
    from PIL import Image, ImageFont
except ImportError as error:
    raise EngineMissing(f'written pages need Pillow and Pygments: pip install "kellyapi[sandbox]" ({error})') from error

Font = ImageFont.FreeTypeFont

FONTS = Path(__file__).parent / "fonts"
HAND = "PlaypenSans-Regular.ttf"  # Latin letters and marks only: https://fonts.google.com/specimen/Playpen+Sans
MONO = "Agave-Regular.ttf"  # as in Debian's fonts-agave: https://github.com/blobject/agave
UNASSIGNED = "\U0010ffff"
"""A code point that no font has, so that it draws what a font draws for missing letters."""
SELECTORS = {chr(point) for point in range(0xFE00, 0xFE10)}


def font_runs(text: str, fonts: list[Font]) -> list[tuple[Font, str]]:
    """The text in pieces, each with the first font that has its letters; what no font has becomes a question mark."""
    chosen: list[tuple[Font, str]] = []
    for letter in text:
        font = next((font for font in fonts if _has(font, letter)), None)
        if unicodedata.combining(letter) and chosen and _has(chosen[-1][0], letter):
            font = chosen[-1][0]
        chosen.append((font or fonts[0], letter if font else "?"))
    return [(font, "".join(letter for _, letter in run)) for font, run in groupby(chosen, key=lambda pair: pair[0])]


@cache
def load_font(name: str, size: int) -> Font:
    return ImageFont.truetype(str(FONTS / name), size)


@cache
def _has(font: Font, letter: str) -> bool:
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask(UNASSIGNED))


def _clean(text: str) -> str:
    """Composed letters, plain newlines and spaces, and nothing that is never visible."""
    text = unicodedata.normalize("NFC", "\n".join(text.expandtabs(4).splitlines()))
    spaced = (" " if letter.isspace() and letter != "\n" else letter for letter in text)
    return "".join(letter for letter in spaced if letter == "\n" or not _invisible(letter))


def _invisible(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs") or letter in SELECTORS


def legible(text: str, most: int) -> str:
    if len(text) > most:
        raise BadInput("text", f"the sandbox writes at most {most:,} characters, not {len(text):,}")
    text = _clean(text)
    if not text.strip():
        raise BadInput("text", "there is no text to write")
    return text


def check_line_count(lines: Sized, most: int) -> None:
    if len(lines) > most:
        raise BadInput("text", f"the sandbox writes at most {most} lines on a page, not {len(lines)}")


def to_png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=6)
    return file.getvalue()
