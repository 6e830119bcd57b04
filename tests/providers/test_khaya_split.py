"""Texts over 1,000 characters: where they are cut, and how their parts are translated over real connections."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from kellyapi import BadRequestError, KellyAPI, Khaya
from kellyapi.services.translate import cut_text
from tests.servers import Exchange, Server, make_response

PAIR = "en-tw"
SENTENCES = [letter * 597 + ".  " for letter in "abcde"]
LONG = "".join(SENTENCES)


@pytest.mark.parametrize(
    ("text", "size", "parts"),
    [
        ("", 5, [""]),
        ("short", 5, ["short"]),
        ("One. Two. Three.", 10, ["One. Two.", " Three."]),
        ("One! Two? Three.", 10, ["One! Two?", " Three."]),
        ("One… Two. Three.", 5, ["One…", " Two.", " ", "Three", "."]),
        ("One\nTwo\nThree", 8, ["One\nTwo\n", "Three"]),
        ('"One." Two words', 12, ['"One."', " Two words"]),
        ("(One.) Two words", 12, ["(One.)", " Two words"]),
        ("It is 3.500 or", 10, ["It is", " 3.500 or"]),
        ("One. two three four", 9, ["One.", " two", " three", " four"]),
        ("One. Two.", 8, ["One.", " Two."]),
        ("aaaa bbbb", 4, ["aaaa", " ", "bbbb"]),
        ("aaaa bbbb", 5, ["aaaa", " bbbb"]),
        ("aaaaaaaaaa", 4, ["aaaa", "aaaa", "aa"]),
        ("          ", 4, ["    ", "    ", "  "]),
        ("One. " + "a" * 8, 5, ["One.", " ", "aaaaa", "aaa"]),
        ("Ɛyɛ. Medaase.", 8, ["Ɛyɛ.", " ", "Medaase."]),
    ],
)
def test_a_text_is_cut_at_sentences_then_at_spaces_then_where_it_is_full(
    text: str, size: int, parts: list[str]
) -> None:
    assert list(cut_text(text, size)) == parts


def random_text(seed: int) -> str:
    dice = random.Random(seed)
    pieces = [
        "a",
        "ɛ",
        "word",
        "3.5",
        ".",
        ". ",
        "! ",
        "?",
        "…",
        "…\n",
        "\n\n",
        "\r\n",
        " ",
        "   ",
        "\t",
        '."',
        "\u00a0",
    ]
    return "".join(dice.choices(pieces, k=dice.randrange(80)))


@pytest.mark.parametrize("size", [2, 7, 40])
def test_parts_are_short_enough_not_empty_and_together_the_text(size: int) -> None:
    for seed in range(500):
        text = random_text(seed)
        parts = list(cut_text(text, size))
        assert "".join(parts) == text
        assert all(0 < len(part) <= size for part in parts) or parts == [""]


def test_a_text_of_200_000_characters_is_cut_in_linear_time() -> None:
    assert len(list(cut_text("a" * 200_000))) == 200
    assert len(list(cut_text("." * 200_000))) == 200
    assert len(list(cut_text(" " * 200_000))) == 200


class Translator:
    """Plays Khaya: returns each text in upper case, once the expected number of requests has arrived."""

    def __init__(self, awaited: int = 1) -> None:
        self.awaited = awaited
        self.asked: list[str] = []
        self.left = 0
        self.complete = asyncio.Event()

    async def shout(self, exchange: Exchange) -> None:
        text = await self.hear(exchange)
        await exchange.write(make_response(body=json.dumps(text.upper()).encode()))

    async def refuse_the_first(self, exchange: Exchange) -> None:
        if (await self.hear(exchange)).startswith("a"):
            await exchange.write(make_response(400, b'{"error": {"code": "VALIDATION_FAILED", "message": "No"}}'))
        await self.keep_waiting(exchange)

    async def keep_waiting(self, exchange: Exchange) -> None:
        await exchange.left()
        self.left += 1

    async def hear(self, exchange: Exchange) -> str:
        await exchange.read()
        body = json.loads(exchange.seen.body)
        assert body["lang"] == PAIR
        self.asked.append(body["in"])
        if len(self.asked) == self.awaited:
            self.complete.set()
        await self.complete.wait()
        text: str = body["in"]
        return text


async def test_the_parts_are_sent_at_once_and_joined_in_order_with_their_white_space() -> None:
    khaya_like = Translator(awaited=5)
    async with Server(khaya_like.shout) as server, Khaya("key", base_url=server.url) as khaya:
        result = await khaya.translate("\n " + LONG, PAIR, split=True)
    assert result.text == "\n " + LONG.upper()
    assert (result.source_language, result.target_language, result.provider) == ("en", "tw", "khaya")
    assert sorted(khaya_like.asked) == [sentence.strip() for sentence in SENTENCES]


@pytest.mark.parametrize("split", [False, True])
async def test_a_text_that_fits_is_sent_unchanged_in_one_request(split: bool) -> None:
    khaya_like = Translator()
    text = " " + "word " * 199 + "    "
    assert len(text) == 1000
    async with Server(khaya_like.shout) as server, Khaya("key", base_url=server.url) as khaya:
        await khaya.translate(text, PAIR, split=split)
    assert khaya_like.asked == [text]


async def test_without_split_a_long_text_is_sent_in_one_request() -> None:
    khaya_like = Translator()
    async with Server(khaya_like.shout) as server, Khaya("key", base_url=server.url) as khaya:
        await khaya.translate(LONG, PAIR)
    assert khaya_like.asked == [LONG]


async def test_white_space_alone_is_not_sent() -> None:
    khaya_like = Translator(awaited=2)
    text = "a" * 900 + "." + " " * 2500 + "b" * 900
    async with Server(khaya_like.shout) as server, Khaya("key", base_url=server.url) as khaya:
        assert (await khaya.translate(text, PAIR, split=True)).text == text.upper()
    assert sorted(khaya_like.asked) == ["a" * 900 + ".", "b" * 900]


async def test_an_empty_text_and_a_wrong_pair_raise_before_anything_is_sent() -> None:
    khaya = Khaya("key", base_url="http://127.0.0.1:9")
    with pytest.raises(ValueError, match="the text is empty"):
        await khaya.translate(" " * 1200, PAIR, split=True)
    with pytest.raises(ValueError, match="give the languages as a pair"):
        await khaya.translate(LONG, "en", split=True)


async def test_the_first_failure_is_raised_and_ends_the_other_requests() -> None:
    khaya_like = Translator(awaited=5)
    async with Server(khaya_like.refuse_the_first) as server, Khaya("key", base_url=server.url) as khaya:
        with pytest.raises(BadRequestError, match="No") as caught:
            await khaya.translate(LONG, PAIR, split=True)
        assert caught.value.code == "VALIDATION_FAILED"
        await server.until(lambda: khaya_like.left == 4)


async def test_cancelling_the_call_ends_all_its_requests() -> None:
    khaya_like = Translator()
    async with Server(khaya_like.keep_waiting) as server, Khaya("key", base_url=server.url) as khaya:
        call = asyncio.create_task(khaya.translate(LONG, PAIR, split=True))
        await server.until(lambda: len(server.requests) == 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.until(lambda: khaya_like.left == 5)


async def test_the_service_passes_on_split() -> None:
    khaya_like = Translator(awaited=5)
    async with Server(khaya_like.shout) as server, KellyAPI(khaya=Khaya("key", base_url=server.url)) as api:
        assert (await api.translate(LONG, PAIR, split=True)).text == LONG.upper()
