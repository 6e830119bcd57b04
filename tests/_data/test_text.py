"""Text: which text is blank, where it may be cut, and what of it is shown in errors."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from kellyapi._data.text import clip, excerpt, is_blank, letter_ends, not_blank, printable, without_credentials

LETTERS = (
    "ẹ̀",  # Yoruba, with two marks
    "e\u0329\u0301",  # the same kind, decomposed
    "ɔ̃",  # Ewe
    "हि",  # Hindi
    "क्‍ष",  # Hindi, with a joiner
    "நி",  # Tamil
    "👩🏾‍⚕️",  # a person of several characters
    "🇬🇭",  # a flag of two characters
    "한",
    "\r\n",
    "a",
)
texts = st.lists(st.sampled_from((*LETTERS, " ", ". ", "\u0301", "\u200d")) | st.characters()).map("".join)


def is_letter_end(text: str, place: int) -> bool:
    return place in {0, *(found.end() for found in regex.finditer(r"\X", text))}


# Blank


@pytest.mark.parametrize(
    "text",
    [
        "",
        *"\n \u00a0\u3000\x1b\u00ad\u034f\u115f\u200b\u200d\u202e\u2060\u2800\u3164\ufe0f\ufeff\U000e0041\U0001d159",
        "\u200b\ufeff \u2060",
        "\u200c",
    ],
)
def test_text_that_shows_nothing_is_blank(text: str) -> None:
    assert is_blank(text)
    with pytest.raises(ValueError, match="the prompt is empty"):
        not_blank(text, "prompt")


@pytest.mark.parametrize("text", [*LETTERS[:9], "\u200ba", "\ufeff.", "\u0301", "0", "\u0600", "\ufffd", "\U0001f98a"])
def test_text_that_shows_something_is_not_blank_and_is_unchanged(text: str) -> None:
    assert not_blank(text, "prompt") == text


@pytest.mark.parametrize("text", [None, 1, b"a", ["a"]])
def test_a_text_that_is_no_string_is_a_type_error(text: Any) -> None:
    with pytest.raises(TypeError, match="the prompt must be a string, not"):
        not_blank(text, "prompt")


def test_a_character_is_blank_as_unicode_says() -> None:
    shows_nothing = r"[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\u2800\U0001D159]"
    pattern = regex.compile(rf"(?!\p{{Prepended_Concatenation_Mark}}){shows_nothing}")
    assigned = [one for one in map(chr, range(0x110000)) if unicodedata.category(one) not in ("Cn", "Cs")]
    assert [one for one in assigned if is_blank(one) != bool(pattern.match(one))] == []


@given(st.text(), st.text("\u200b\ufeff \u2060"))
def test_invisible_characters_around_a_text_change_nothing(text: str, invisible: str) -> None:
    assert is_blank(invisible + text + invisible) == is_blank(text)


# Cutting


@given(texts)
def test_letters_end_where_unicode_says(text: str) -> None:
    assert list(letter_ends(text)) == [found.end() for found in regex.finditer(r"\X", text)]


@given(texts, st.integers(0, 50))
def test_a_clipped_text_is_as_much_as_fits_without_cutting_a_letter(text: str, size: int) -> None:
    clipped = clip(text, size)
    assert text.startswith(clipped)
    assert len(clipped) <= size
    assert is_letter_end(text, len(clipped))
    assert not any(is_letter_end(text, place) for place in range(len(clipped) + 1, min(size, len(text)) + 1))


# Excerpts


@pytest.mark.parametrize(
    ("text", "short"),
    [("", ""), (" a \r\n\t b ", "a b"), ("x" * 300, "x" * 200), ("x" * 10_001, "x" * 200), ("a " * 300, ("a " * 100))],
)
def test_an_excerpt_is_one_line_of_at_most_200_characters(text: str, short: str) -> None:
    assert excerpt(text) == short


@given(texts, st.integers(1, 400))
def test_an_excerpt_ends_with_a_whole_letter(text: str, times: int) -> None:
    shown = excerpt(text * times)
    line = printable(" ".join((text * times).split()))
    assert line.startswith(shown)
    assert len(shown) <= 200
    assert is_letter_end(line, len(shown))
    assert shown == line or len(shown) > 150 or max(map(len, regex.findall(r"\X", line))) > 50


@pytest.mark.parametrize("letter", LETTERS[:9])
def test_a_letter_at_the_limit_of_an_excerpt_is_left_out_and_not_cut(letter: str) -> None:
    for spaces in range(9_990, 10_001):
        shown = excerpt(" " * spaces + letter * 20)
        assert shown == letter * (len(shown) // len(letter))
        assert excerpt(" " * spaces + letter) in ("", letter)


def test_an_excerpt_is_looked_for_in_the_first_10000_characters() -> None:
    assert excerpt(" " * 9_999 + "a") == "a"
    assert excerpt(" " * 9_998 + "ab" + " " * 99) == "a"  # a mark of the last letter may follow
    assert excerpt(" " * 10_000 + "a") == ""
    for letter in ("a", "ɛ", "€", "🦊"):
        assert excerpt((" " * 9_998 + letter * 3).encode()) == letter


def test_bytes_are_read_as_utf8_and_no_character_is_halved() -> None:
    assert excerpt("ẹ kú".encode()) == "ẹ kú"
    assert excerpt(b"\xff<html>") == "\ufffd<html>"
    for spaces in range(39_990, 40_010):
        assert excerpt(b" " * spaces + "👩🏾‍⚕️".encode()) in ("", "👩🏾‍⚕️")
    assert set(excerpt("👩🏾‍⚕️".encode() * 5_000)) == set("👩🏾‍⚕️")


@pytest.mark.parametrize("text", [*LETTERS[:9], "می\u200cخواهم", "5 000\u00a0€", "\u0600", "᠊ᠠ\u180eᠠ", "\ue000"])
def test_joiners_and_letters_of_every_script_are_shown(text: str) -> None:
    assert printable(text) == text


@given(st.text(st.characters(categories=["Cc", "Cs", "Zl", "Zp"]) | st.sampled_from("\u061c\u200e\u200f\u202a\u202e")))
def test_what_controls_a_terminal_reorders_text_or_has_no_utf8_is_replaced(text: str) -> None:
    assert printable(f"a{text}b") == "a" + "\ufffd" * len(text) + "b"


@given(st.text())
def test_shown_text_is_on_one_line_and_can_be_written(text: str) -> None:
    shown = excerpt(text)
    shown.encode()
    assert len(shown.splitlines()) <= 1


# Credentials


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("http://user:word@a.example/b", "http://***@a.example/b"),
        ("at http://u:w@a.example and 'v@b.example'", "at http://***@a.example and '***@b.example'"),
        ("http://u@v@a.example", "http://***@a.example"),
        ("http://a.example/b", "http://a.example/b"),
        ("@", "***@"),
        ("x" * 2**18, "x" * 2**18),  # a search from each letter to the end would take half an hour
        ("\0@" * 2**17, "***@"),
    ],
    ids=lambda text: text[:20],
)
def test_credentials_before_an_at_sign_are_removed_in_one_pass(text: str, left: str) -> None:
    assert without_credentials(text) == left
