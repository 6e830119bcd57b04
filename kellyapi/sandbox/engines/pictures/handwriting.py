"""Pictures of handwritten notes, on ruled paper."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from PIL import Image, ImageDraw

from ...._data.text import letter_ends
from .typesetting import HAND, MONO, Font, check_line_count, clean_text, font_runs, load_font, to_png

MAX_NOTES_LENGTH, MAX_NOTES_LINES = 4_000, 150
PAGE_WIDTH, MARGIN, RULE_HEIGHT, INK = 1240, 170, 62, "#22357a"


def write_notes(text: str) -> bytes:
    """Return a PNG of a text in handwriting. Long lines are wrapped, and the page grows with the text.

    Raises:
        BadInput: If the text is empty or too long.
    """
    text = clean_text(text, MAX_NOTES_LENGTH)
    fonts = [load_font(HAND, 40), load_font(MONO, 42)]
    lines = [line for part in text.split("\n") for line in _wrap(part, fonts, PAGE_WIDTH - MARGIN - 70)]
    check_line_count(lines, MAX_NOTES_LINES)
    page = _draw_paper(RULE_HEIGHT * (max(len(lines), 10) + 4))
    draw = ImageDraw.Draw(page)
    rng = random.Random(text)  # each word is a little off the line, as in real handwriting
    for row, line in enumerate(lines):
        x = MARGIN + rng.uniform(-3, 5)
        for word in line.split(" "):
            y = RULE_HEIGHT * (row + 3) - 6 + rng.uniform(-2.5, 2.5)
            for font, run in font_runs(word, fonts):
                draw.text((x, y), run, INK, font, anchor="ls")
                x += font.getlength(run)
            x += fonts[0].getlength(" ") + rng.uniform(-1, 2)
    return to_png(page)


def _draw_paper(height: int) -> Image.Image:
    page = Image.new("RGB", (PAGE_WIDTH, height), "#fdfbf3")
    draw = ImageDraw.Draw(page)
    for y in range(RULE_HEIGHT * 3, height - RULE_HEIGHT // 2, RULE_HEIGHT):
        draw.line([(0, y), (PAGE_WIDTH, y)], fill="#c3d6ea", width=2)
    draw.line([(MARGIN - 34, 0), (MARGIN - 34, height)], fill="#eba5a5", width=3)
    for hole in (RULE_HEIGHT * 2, height // 2, height - RULE_HEIGHT * 2):
        draw.ellipse([44, hole - 17, 78, hole + 17], fill="#e4e1d6", outline="#d3cfc2", width=2)
    return page


def _wrap(text: str, fonts: list[Font], max_width: float) -> Iterator[str]:
    line = ""
    for word in re.findall(r"\S+|\s+", text):
        while _width(line + word, fonts) > max_width:
            if line.strip():
                yield line
                line, word = "", word.lstrip()
            else:  # one word longer than the line
                cut = 0
                for end in letter_ends(word):
                    if cut and _width(word[:end], fonts) > max_width:
                        break
                    cut = end
                yield word[:cut]
                word = word[cut:]
        line += word
    yield line


def _width(text: str, fonts: list[Font]) -> float:
    return sum(font.getlength(run) for font, run in font_runs(text, fonts))
