"""The parts that handwriting and pictures of code share: fonts, cleaning of text, PNG encoding."""

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
"""A code point that no font has: a font draws its sign for missing letters."""
VARIATION_SELECTORS = {chr(point) for point in range(0xFE00, 0xFE10)}


def clean_text(text: str, most: int) -> str:
    """Return a text with composed letters, plain newlines and spaces, and without invisible characters.

    Raises:
        BadInput: If the text is longer than `most` or nothing of it is visible.
    """
    if len(text) > most:
        raise BadInput("text", f"the sandbox writes at most {most:,} characters, not {len(text):,}")
    text = _remove_invisible(text)
    if not text.strip():
        raise BadInput("text", "there is no text to write")
    return text


def check_line_count(lines: Sized, most: int) -> None:
    """Raise `BadInput` if there are more than `most` lines."""
    if len(lines) > most:
        raise BadInput("text", f"the sandbox writes at most {most} lines on a page, not {len(lines)}")


@cache
def load_font(name: str, size: int) -> Font:
    """Return one of the fonts in the folder `fonts`."""
    return ImageFont.truetype(str(FONTS / name), size)


def font_runs(text: str, fonts: list[Font]) -> list[tuple[Font, str]]:
    """Split a text into runs, each with the first font that has its letters. A letter that no font has becomes "?"."""
    letters: list[tuple[Font, str]] = []
    for letter in text:
        font = next((font for font in fonts if _has_letter(font, letter)), None)
        if unicodedata.combining(letter) and letters and _has_letter(letters[-1][0], letter):
            font = letters[-1][0]
        letters.append((font or fonts[0], letter if font else "?"))
    return [(font, "".join(letter for _, letter in run)) for font, run in groupby(letters, key=lambda pair: pair[0])]


def to_png(picture: Image.Image) -> bytes:
    """Return a picture as PNG."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=6)
    return file.getvalue()


def _remove_invisible(text: str) -> str:
    text = unicodedata.normalize("NFC", "\n".join(text.expandtabs(4).splitlines()))
    spaced = (" " if letter.isspace() and letter != "\n" else letter for letter in text)
    return "".join(letter for letter in spaced if letter == "\n" or not _is_invisible(letter))


def _is_invisible(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs") or letter in VARIATION_SELECTORS


@cache
def _has_letter(font: Font, letter: str) -> bool:
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask(UNASSIGNED))
