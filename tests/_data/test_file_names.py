"""Names of files out of links: safe on every system, and with the letters of every script."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from urllib.parse import quote

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from kellyapi import run_sync
from kellyapi._data.files import safe_file_name, save

LETTERS = (
    "ẹ̀kọ́",  # Yoruba
    "e\u0329\u0301",  # the same kind of letter, decomposed
    "हिन्दी",  # Hindi
    "क्‍ष",  # Hindi, with a joiner
    "தமிழ்",  # Tamil
    "ภาษาไทย",  # Thai
    "العَرَبِيَّة",  # Arabic, with its marks
    "አማርኛ",  # Amharic
    "ߒߞߏ߫",  # N'Ko
    "\U0001e900\U0001e946",  # Adlam
    "\U00010d61\U00010d69",  # Garay, newer than the Unicode of Python 3.11
    "한국어",
    "👩🏾‍⚕️",
    "🇬🇭",
)
names = st.lists(st.sampled_from(LETTERS) | st.characters()).map("".join)


def named(name: str) -> str:
    return safe_file_name("https://d.example/" + quote(name, errors="surrogatepass"), "otherwise")


@pytest.mark.parametrize("word", LETTERS)
def test_letters_keep_their_marks(word: str) -> None:
    assert named(f"{word}.png") == f"{word}.png"


def test_names_that_differ_in_a_mark_do_not_collide() -> None:
    words = ["ọkọ", "ọkọ̀", "ọkọ́", "oko", "कि", "की", "क", "का", "🦊", "🦁", "👍🏾", "👍🏻", "क्ष", "क्‍ष"]
    assert len({named(f"{word}.png") for word in words}) == len(words)


@pytest.mark.parametrize("letter", ["ẹ̀", "e\u0329\u0301", "हि", "👩🏾‍⚕️", "🇬🇭", "a"])
def test_a_long_name_is_cut_between_letters_and_keeps_its_ending(letter: str) -> None:
    name = named(letter * 200 + ".tar.gz")
    stem = name.removesuffix(".tar.gz")
    assert stem == letter * (len(stem) // len(letter))
    assert 120 - len(letter.encode()) < len(name.encode()) <= 120


@pytest.mark.parametrize("name", ["\u200d", "\u200b\ufeff.", "\u3164", "\ufe0f"])
def test_a_name_that_shows_nothing_is_replaced(name: str) -> None:
    assert named(name) in ("otherwise", "_")


@pytest.mark.parametrize(
    "name", ["con", "PRN.txt", "aux.tar.gz", "NUL", "com1", "COM¹.png", "lpt9.txt", "Con.", "nul.", "-con", "..nul"]
)
def test_a_name_that_windows_reserves_is_changed(name: str) -> None:
    assert re.match(r"(?i)_(con|prn|aux|nul|com.|lpt.)(\.|$)", named(name))


@given(names | st.text())
def test_every_name_is_safe(name: str) -> None:
    safe = named(name)
    assert safe
    assert len(safe.encode()) <= 121  # with the _ before a reserved name
    assert not safe.startswith((".", "-"))
    assert not safe.endswith((".", " "))
    assert not set(safe) & set("/\\:*?\"<>|~$`'&;()[]{}!#%^= \x7f\u202e\u200b\ufeff\ufffd")
    assert not regex.search(r"[\p{C}--[\u200c\u200d]--\p{Cn}]|\p{Z}", safe, regex.V1)
    with tempfile.TemporaryDirectory() as folder:
        run_sync(save(Path(folder, safe), b"new"))
        assert [left.name for left in Path(folder).iterdir()] == [safe]
