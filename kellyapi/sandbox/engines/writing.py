"""Written pages of the sandbox: handwriting on ruled paper, and source code in a window. Pictures are images.py."""

import io
import random
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sized
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from .failures import BadInput, EngineMissing

try:
    from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps
    from pygments.lexer import Lexer
    from pygments.lexers import get_lexer_by_name
    from pygments.styles import get_style_by_name
    from pygments.util import ClassNotFound
except ImportError as error:
    raise EngineMissing(f'written pages need Pillow and Pygments: pip install "kellyapi[sandbox]" ({error})') from error

Font = ImageFont.FreeTypeFont

FONTS = Path(__file__).parent / "fonts"
HAND = "PlaypenSans-Regular.ttf"  # Latin letters and marks only: https://fonts.google.com/specimen/Playpen+Sans
MONO = "Agave-Regular.ttf"  # as in Debian's fonts-agave: https://github.com/blobject/agave
NOBODYS = "\U0010ffff"
"""A code point that no font has, so that it draws what a font draws for missing letters."""
SELECTORS = {chr(point) for point in range(0xFE00, 0xFE10)}

LONGEST_NOTES, MOST_NOTE_LINES = 4_000, 150
PAGE, MARGIN, RULE, INK = 1240, 170, 62, "#22357a"
LONGEST_CODE, MOST_CODE_LINES, COLUMNS = 20_000, 300, 100
STYLE = get_style_by_name("one-dark")
HINTS = {
    "php": r"<\?php",
    "html": r"\A\s*<(!doctype|\w+[\s>])",
    "c": r"^\s*#include\b",
    "bash": r"\A#!.*sh$|^\s*(\$ |sudo |pip |npm |curl |echo |export |cd )",
    "python": r"^\s*(async )?(def|class|with|for|while|if|try)\b.*:$|^(from \S+ )?import \w+|\bprint\(|\bawait .*\)$",
    "go": r"^package \w+$|^func \w",
    "rust": r"\bfn \w+.*\{|\blet mut\b",
    "java": r"\bpublic (static|class|interface)\b",
    "javascript": r"\b(const|let|var) [\w{\[]+.*=|=>|\bfunction\b|\bconsole\.",
    "sql": r"^\s*(select .* from|insert into|create table|update .* set|delete from)\b",
    "json": r"\A\s*[\[{]\s*[\"\d\[{]",
}
"""What tells a language at a glance, in this order; Pygments' own guess was right for 5 of 16 short samples."""


def notes(text: str) -> bytes:
    """Handwriting on ruled paper, wrapped; the page grows with the text."""
    text = _legible(text, LONGEST_NOTES)
    fonts = [_font(HAND, 40), _font(MONO, 42)]
    lines = [line for part in text.split("\n") for line in _wrapped(part, fonts, PAGE - MARGIN - 70)]
    _check_lines(lines, MOST_NOTE_LINES)
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
            for font, run in _runs(word, fonts):
                pen.text((x, y), run, INK, font, anchor="ls")
                x += font.getlength(run)
            x += fonts[0].getlength(" ") + hand.uniform(-1, 2)
    return _png(sheet)


def code(code: str, language: str | None = None) -> bytes:
    """Source code in colours, in a window; the language is guessed when it is not said."""
    code = _legible(code, LONGEST_CODE).rstrip()
    lexer = _lexer(code, language)
    font = _font(MONO, 30)
    fonts = [font, _font(HAND, 24)]
    lines = _coloured(lexer.get_tokens(code))
    _check_lines(lines, MOST_CODE_LINES)
    cell, step, pad, bar, desk = font.getlength("M"), 42, 36, 66, 56
    widest = max(36, *(sum(len(part) for _, part in line) for line in lines))
    wide, high = round(widest * cell) + 2 * pad, len(lines) * step + bar + pad
    sheet = Image.linear_gradient("L").rotate(90).resize((wide + 2 * desk, high + 2 * desk))
    sheet = ImageOps.colorize(sheet, "#5b6ee1", "#c86fb0")
    window = Image.new("L", (2 * sheet.width, 2 * sheet.height))  # twice the size, for smooth corners
    ImageDraw.Draw(window).rounded_rectangle([2 * desk, 2 * desk, 2 * (desk + wide), 2 * (desk + high)], 32, fill=255)
    window = window.reduce(2)
    sheet.paste("#14122b", (0, 12), window.point(lambda value: value * 0.55).filter(ImageFilter.GaussianBlur(18)))
    sheet.paste(STYLE.background_color, (0, 0), window)
    disc = Image.new("L", (72, 72))
    ImageDraw.Draw(disc).ellipse([0, 0, 71, 71], fill=255)
    for place, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        sheet.paste(colour, (desk + pad - 8 + 30 * place, desk + 24), disc.reduce(4))
    pen = ImageDraw.Draw(sheet)
    pen.text((sheet.width / 2, desk + 34), lexer.name, "#7f8592", _font(MONO, 24), anchor="mm")
    for row, line in enumerate(lines):
        column = 0
        for colour, part in line:
            for chosen, run in _runs(part, fonts):
                pen.text((desk + pad + column * cell, desk + bar + row * step + 30), run, colour, chosen, anchor="ls")
                column += len(run)
    return _png(sheet)


def _lexer(code: str, language: str | None) -> Lexer:
    hinted = (name for name, hint in HINTS.items() if re.search(hint, code, re.MULTILINE | re.IGNORECASE))
    try:
        return get_lexer_by_name(language or next(hinted, "text"), stripnl=False)
    except ClassNotFound as error:
        raise BadInput("language", f"the sandbox has no colours for code in {language!r}") from error


def _coloured(tokens: Iterable[tuple[Any, str]]) -> list[list[tuple[str, str]]]:
    """Lines of (colour, text), none longer than the window is wide."""
    colours = {token: f"#{entry['color'] or 'abb2bf'}" for token, entry in STYLE}
    lines: list[list[tuple[str, str]]] = [[]]
    for token, text in tokens:
        while token not in colours and token.parent:
            token = token.parent
        for newline, part in re.findall(r"(\n)|([^\n]+)", text):
            if newline:
                lines.append([])
            while part:
                room = COLUMNS - sum(len(piece) for _, piece in lines[-1])
                if not room:
                    lines.append([])
                    continue
                lines[-1].append((colours[token], part[:room]))
                part = part[room:]
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines  # lexers end every text with a newline


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
    return sum(font.getlength(run) for font, run in _runs(text, fonts))


def _runs(text: str, fonts: list[Font]) -> list[tuple[Font, str]]:
    """The text in pieces, each with the first font that has its letters; what no font has becomes a question mark."""
    chosen: list[tuple[Font, str]] = []
    for letter in text:
        font = next((font for font in fonts if _has(font, letter)), None)
        if unicodedata.combining(letter) and chosen and _has(chosen[-1][0], letter):
            font = chosen[-1][0]
        chosen.append((font or fonts[0], letter if font else "?"))
    return [(font, "".join(letter for _, letter in run)) for font, run in groupby(chosen, key=lambda pair: pair[0])]


@cache
def _font(name: str, size: int) -> Font:
    return ImageFont.truetype(str(FONTS / name), size)


@cache
def _has(font: Font, letter: str) -> bool:
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask(NOBODYS))


def _clean(text: str) -> str:
    """Composed letters, plain newlines and spaces, and nothing that is never visible."""
    text = unicodedata.normalize("NFC", "\n".join(text.expandtabs(4).splitlines()))
    spaced = (" " if letter.isspace() and letter != "\n" else letter for letter in text)
    return "".join(letter for letter in spaced if letter == "\n" or not _invisible(letter))


def _invisible(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs") or letter in SELECTORS


def _legible(text: str, most: int) -> str:
    if len(text) > most:
        raise BadInput("text", f"the sandbox writes at most {most:,} characters, not {len(text):,}")
    text = _clean(text)
    if not text.strip():
        raise BadInput("text", "there is no text to write")
    return text


def _check_lines(lines: Sized, most: int) -> None:
    if len(lines) > most:
        raise BadInput("text", f"the sandbox writes at most {most} lines on a page, not {len(lines)}")


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=6)
    return file.getvalue()
