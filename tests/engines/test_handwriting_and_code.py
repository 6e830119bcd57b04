"""The sandbox's handwriting and pictures of code: pixels, letters and errors."""

import io

import numpy as np
import pytest
from PIL import Image
from pygments.token import String

from kellyapi.sandbox.engines.errors import BadInput
from kellyapi.sandbox.engines.pictures import code_image, handwriting, typesetting


def opened(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png), formats=["PNG"])
    picture.load()
    return picture


# -- notes -------------------------------------------------------------------------------------------------------------


def ink(png: bytes) -> np.ndarray:
    """Return the pixels that have ink."""
    return np.asarray(opened(png).convert("L")) < 110


def test_the_page_grows_with_the_text_and_no_ink_reaches_its_edge() -> None:
    short, long = ink(handwriting.write_notes("Medaase")), ink(handwriting.write_notes("word " * 200))
    assert long.shape[0] > short.shape[0]
    assert long.shape[1] == short.shape[1]
    for page in (short, long):
        assert page.any()
        assert not np.concatenate([page[:20].ravel(), page[-20:].ravel(), page[:, -20:].ravel()]).any()


def test_long_words_are_wrapped_and_keep_all_letters() -> None:
    fonts = [typesetting.load_font(typesetting.HAND, 40)]
    lines = list(handwriting._wrap("W" * 300 + " end", fonts, 500))
    assert "".join(lines).replace(" ", "") == "W" * 300 + "end"
    assert all(fonts[0].getlength(line) <= 500 for line in lines)


@pytest.mark.parametrize("text", ["ɛƐɔƆŋŊẹẸọỌṣṢɖƉƒƑɣƔʋƲɓƁɗƊƙƘãõñéèẽ", "ɛ̃ ɔ́ ọ̀ àárọ̀", "“Hello”… 5€ £3"])
def test_the_handwriting_font_has_west_african_letters(text: str) -> None:
    hand = typesetting.load_font(typesetting.HAND, 40)
    assert all(typesetting._has_letter(hand, letter) for letter in typesetting._remove_invisible(text))


def test_missing_letters_come_from_another_font_or_become_question_marks() -> None:
    hand, mono = typesetting.load_font(typesetting.HAND, 40), typesetting.load_font(typesetting.MONO, 40)
    assert typesetting.font_runs("Ɛte → привет 漢😀!", [hand, mono]) == [
        (hand, "Ɛte "), (mono, "→"), (hand, " "), (mono, "привет"), (hand, " ??!"),
    ]  # fmt: skip
    assert typesetting.font_runs("п\u0301", [hand, mono]) == [(mono, "п\u0301")]  # a mark stays with its letter
    assert typesetting.font_runs("", [hand]) == []


def test_invisible_characters_are_removed() -> None:
    assert typesetting._remove_invisible("e\u0301\u200b a\ufe0f\u00a0b\r\nc\td\x07\ud83e") == "é a b\nc   d"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no text"),
        (" \n\t", "no text"),
        ("\u200b", "no text"),
        ("x" * 4001, "at most 4,000 characters"),
        ("x\n" * 160, "at most 150 lines"),
    ],
)
def test_notes_without_text_or_with_too_much_are_refused(text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        handwriting.write_notes(text)
    assert caught.value.kind == "text"


# -- code --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("print('hi')", "Python"), ("async def f():\n    await g()", "Python"), ("import os", "Python"),
        ("const x = () => 1", "JavaScript"), ("function f(a) { return a }", "JavaScript"), ("SELECT a FROM t", "SQL"),
        ('{"a": [1, 2]}', "JSON"), ("#include <stdio.h>\nint main() {}", "C"), ("fn main() { }", "Rust"),
        ("package main\nfunc main() {}", "Go"), ("public class A {}", "Java"), ("<?php echo 1;", "PHP"),
        ("<!DOCTYPE html><p>", "HTML"), ("pip install kellyapi", "Bash"), ("#!/bin/sh\nls", "Bash"),
        ("Medaase", "Text only"),
    ],
)  # fmt: skip
def test_the_language_of_code_is_guessed(code: str, name: str) -> None:
    assert code_image._find_lexer(code, None).name == name


def test_code_is_coloured_and_wrapped_without_losing_a_letter() -> None:
    code = "def f(x):\n\n    return '" + "a" * 230 + "'"
    lines = code_image._colour_lines(code_image._find_lexer(code, "python").get_tokens(code))
    assert [len("".join(part for _, part in line)) for line in lines] == [9, 0, 100, 100, 43]
    assert "".join(part for line in lines for _, part in line) == code.replace("\n", "")
    assert len({colour for line in lines for colour, _ in line}) >= 4


def test_a_token_without_a_colour_has_that_of_its_parent() -> None:
    [[(odd, _), (usual, _)]] = code_image._colour_lines([(String.Odd.Odder, "a"), (String, "b")])
    assert odd == usual


def test_a_named_language_is_used_and_an_unknown_one_is_refused() -> None:
    assert (
        code_image.render_code("print(1)", "python")
        == code_image.render_code("print(1)")
        != code_image.render_code("print(1)", "text")
    )
    with pytest.raises(BadInput, match="'klingon'") as caught:
        code_image.render_code("print(1)", "klingon")
    assert caught.value.kind == "language"


def test_the_window_grows_with_the_code() -> None:
    small, tall, wide = (opened(code_image.render_code(code)).size for code in ("x", "x\n" * 40, "x" * 99))
    assert tall[1] > small[1]
    assert tall[0] == small[0]
    assert wide[0] > small[0]
    assert wide[1] == small[1]


@pytest.mark.parametrize(
    ("code", "why"),
    [("\n", "no text"), ("x" * 20_001, "at most 20,000 characters"), ("x\n" * 301, "at most 300 lines")],
)
def test_code_that_is_empty_or_too_long_is_refused(code: str, why: str) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        code_image.render_code(code)
    assert caught.value.kind == "text"
