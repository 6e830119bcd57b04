"""Handwriting on ruled paper."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from PIL import Image, ImageDraw

from .typesetting import HAND, MONO, Font, check_line_count, font_runs, legible, load_font, to_png

MAX_NOTES_LENGTH, MAX_NOTES_LINES = 4_000, 150
PAGE, MARGIN, RULE, INK = 1240, 170, 62, "#22357a"


def write_notes(text: str) -> bytes:
    """Handwriting on ruled paper, wrapped; the page grows with the text."""
    text = legible(text, MAX_NOTES_LENGTH)
    fonts = [load_font(HAND, 40), load_font(MONO, 42)]
    lines = [line for part in text.split("\n") for line in _wrapped(part, fonts, PAGE - MARGIN - 70)]
    check_line_count(lines, MAX_NOTES_LINES)
    sheet = Image.new("RGB", (PAGE, RULE * (max(len(lines), 10) + 4)), "#fdfbf3")
    pen = ImageDraw.Draw(sheet)
    for rule in range(RULE * 3, sheet.height - RULE // 2, RULE):
        pen.line([(0, rule), (PAGE, rule)], fill="#c3d6ea", width=2)
    pen.line([(MARGIN - 34, 0), (MARGIN - 34, sheet.height)], fill="#eba5a5", width=3)
    for hole in (RULE * 2, sheet.height // 2, sheet.height - RULE * 2):
        pen.ellipse([44, hole - 17, 78, hole + 17], fill="#e4e1d6", outline="#d3cfc2", width=2)
    hand = random.Random(text)  # a hand is not a machine: each word sits a little off the rule
    for row, line in enumerate(lines):
        x = MARGIN + hand.uniform(-3, 5)
        for word in line.split(" "):
            y = RULE * (row + 3) - 6 + hand.uniform(-2.5, 2.5)
            for font, run in font_runs(word, fonts):
                pen.text((x, y), run, INK, font, anchor="ls")
                x += font.getlength(run)
            x += fonts[0].getlength(" ") + hand.uniform(-1, 2)
    return to_png(sheet)


def _wrapped(text: str, fonts: list[Font], room: float) -> Iterator[str]:
    line = ""
    for word in re.findall(r"\S+|\s+", text):
        while _width(line + word, fonts) > room:
            if line.strip():
                yield line
                line, word = "", word.lstrip()
            else:  # one word longer than the line
                cut = 1
                while _width(word[: cut + 1], fonts) <= room:
                    cut += 1
                yield word[:cut]
                word = word[cut:]
        line += word
    yield line


def _width(text: str, fonts: list[Font]) -> float:
    return sum(font.getlength(run) for font, run in font_runs(text, fonts))
