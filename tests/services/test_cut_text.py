"""Long texts are cut between letters, whatever their script, and what is blank is not sent."""

from __future__ import annotations

import json

import pytest
import regex
from hypothesis import assume, given
from hypothesis import strategies as st

from kellyapi import Khaya
from kellyapi.services.translate import cut_text
from tests.servers import Exchange, Server, make_response

FAMILY = "👩‍👩‍👧"
LETTERS = (
    "ẹ̀",
    "e\u0329\u0301",
    "हि",
    "क्‍ष",
    FAMILY,
    "🇬🇭",
    "👍🏾",
    "한",
    "\u0600",
    "\u0301",
    "a",
    ".",
    " ",
    "\n",
    "\r\n",
    "\u200d",
)
texts = st.lists(st.sampled_from(LETTERS) | st.characters()).map("".join)


def letters(text: str) -> list[str]:
    found: list[str] = regex.findall(r"\X", text)
    return found


@given(texts, st.integers(2, 30))
def test_no_part_begins_or_ends_inside_a_letter(text: str, size: int) -> None:
    assume(max(map(len, letters(text)), default=0) <= size)
    parts = list(cut_text(text, size))
    assert "".join(parts) == text
    assert all(0 < len(part) <= size for part in parts) or parts == [""]
    assert [letter for part in parts for letter in letters(part)] == letters(text)


@pytest.mark.parametrize(
    ("text", "size", "parts"),
    [
        (FAMILY * 3, 7, [FAMILY, FAMILY, FAMILY]),
        ("🇬🇭🇳🇬🇹🇬", 3, ["🇬🇭", "🇳🇬", "🇹🇬"]),
        ("e\u0329\u0301" * 3, 5, ["e\u0329\u0301"] * 3),
        ("One. \u0301Two", 5, ["One.", " \u0301Two"]),  # the mark belongs to the space
        ("One\r\nTwo", 4, ["One", "\r\n", "Two"]),
    ],
)
def test_a_letter_of_several_characters_stays_whole(text: str, size: int, parts: list[str]) -> None:
    assert list(cut_text(text, size)) == parts


async def test_a_letter_over_the_limit_is_refused_before_anything_is_sent() -> None:
    khaya = Khaya("key", base_url="http://127.0.0.1:9")
    with pytest.raises(ValueError, match="cannot be split: a letter with its marks has more than 1000 characters"):
        await khaya.translate("Good morning. " * 100 + "a" + "\u0301" * 1000, "en-tw", split=True)


async def test_a_part_that_shows_nothing_is_not_sent() -> None:
    sent: list[str] = []

    async def shout(exchange: Exchange) -> None:
        await exchange.read()
        sent.append(json.loads(exchange.seen.body)["in"])
        await exchange.write(make_response(body=json.dumps(sent[-1].upper()).encode()))

    text = "a" * 1000 + "\u200b" * 1000 + " b"
    async with Server(shout) as server, Khaya("key", base_url=server.url) as khaya:
        translated = await khaya.translate(text, "en-tw", split=True)
    assert translated.text == text.upper()
    assert sorted(sent) == ["a" * 1000, "b"]
