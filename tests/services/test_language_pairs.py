"""Which provider has a pair of languages, and translations through a third language."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from servers import Server, make_response

from kellyapi import (
    BadRequestError,
    ConfigurationError,
    DecodingError,
    KellyAPI,
    KellyAPIError,
    Khaya,
    ServerError,
    Translation,
    TransportError,
)
from kellyapi.languages import SHORT_PAIRS
from kellyapi.services.translate import TRANSLATE

from .own_providers import answering

BUILT_IN: list[Any] = ["kelly", "khaya", "skytells", "aerostack"]
GOOD_MORNING, MAAKYE = make_response(body=b'"Good morning"'), make_response(body='"Ŋdi"'.encode())


class Translator:
    """A provider that translates some pairs, and remembers what it got."""

    def __init__(self, name: str, pairs: Any = None, answer: Any = None) -> None:
        self.name, self.pairs, self._answer = name, pairs, answer
        self.got: list[str] = []

    async def translate(self, text: str, pair: str) -> Any:
        self.got.append(f"{text} {pair}")
        if isinstance(self._answer, BaseException):
            raise self._answer
        return f"<{text}>" if self._answer is None else self._answer


def sent(server: Server) -> list[tuple[str, str]]:
    bodies = [json.loads(bytes(each.body)) for each in server.requests]
    return [(body["in"], body["lang"]) for body in bodies]


def khaya(server: Server) -> Khaya:
    return Khaya("key", base_url=server.url)


# Pairs


def test_khayas_pairs_are_those_of_the_catalogue() -> None:
    (route,) = TRANSLATE.routes
    assert route.pairs is not None
    assert tuple("-".join(pair) for pair in route.pairs.pairs) == SHORT_PAIRS


@pytest.mark.parametrize("pair", ["tw-ee", "twi-ewe", "gaa-dag", "fat-FAT"])
async def test_a_pair_that_khaya_lacks_is_refused_with_what_it_has(pair: str) -> None:
    async with Server(GOOD_MORNING) as server, KellyAPI(khaya=khaya(server)) as api:
        with pytest.raises(
            ValueError, match=f"khaya does not translate {pair}, only en-tw, tw-en, en-ee, ee-en, "
        ) as caught:
            await api.translate("a", pair)
        assert ('via="en"' in str(caught.value)) is (pair != "fat-FAT")
        assert server.requests == []


async def test_the_error_of_a_pair_needs_no_key() -> None:
    async with KellyAPI() as api:
        with pytest.raises(ValueError, match=r'only en-tw, .*; with via="en" it is translated through English'):
            await api.translate("a", "tw-ee")
        for via in (None, "en"):
            with pytest.raises(ConfigurationError):
                await api.translate("a", "en-tw", via=via)


@pytest.mark.parametrize("pair", ["en-tw", "eng-twi", "EN-TW", "kus-en", "en-fr", "ha-en", "ha-tw", "fr-de", "xx-tw"])
async def test_khaya_gets_each_pair_that_it_may_have(pair: str) -> None:
    async with Server(GOOD_MORNING) as server, KellyAPI(khaya=khaya(server)) as api:
        await api.translate("a", pair)
        assert sent(server) == [("a", pair)]


async def test_the_client_of_khaya_sends_every_pair() -> None:
    async with Server(make_response(400)) as server, khaya(server) as client:
        with pytest.raises(BadRequestError):
            await client.translate("a", "tw-ee")


@pytest.mark.parametrize(
    ("pairs", "asked", "got"),
    [
        (["en-es"], "en-es", "a en-es"),
        (["eng-spa"], "en-es", "a eng-spa"),
        ([("en", "pt-BR")], "eng-pt-br", "a en-pt-BR"),
        (["en-es"], "en-US-es", None),
        (["en-es"], "es-en", None),
        ([], "en-es", None),
        (None, "en-es", "a en-es"),
    ],
)
async def test_a_provider_gets_its_own_pairs_in_its_own_codes(pairs: Any, asked: str, got: str | None) -> None:
    mine = Translator("mine", pairs)
    async with Server(GOOD_MORNING) as server, KellyAPI(khaya=khaya(server), providers=[mine]) as api:
        found = await api.translate("a", asked)
        source, _, target = asked.partition("-")
        assert (found.source_language, found.target_language) == (source, target)
        assert mine.got == ([got] if got else [])
        assert found.provider == ("mine" if got else "khaya")


async def test_a_provider_that_lists_the_pair_comes_before_one_that_does_not() -> None:
    mine = Translator("mine", ["en-fr"])
    async with Server(make_response(503)) as server, KellyAPI(khaya=khaya(server), providers=[*BUILT_IN, mine]) as api:
        assert (await api.translate("a", "en-fr")).provider == "mine"
        mine._answer = ServerError("down")
        with pytest.raises(ServerError) as caught:
            await api.translate("a", "en-fr", fallback=True)
        assert caught.value.provider == "khaya"
        mine._answer = "b"
        assert (await api.translate("a", "en-fr", fallback=["khaya", mine])).tried == ("khaya", "mine")


async def test_if_no_provider_has_a_pair_the_error_says_who_has_what() -> None:
    async with KellyAPI(khaya="key", providers=[Translator("mine", ["en-es", ("fr", "en")])]) as api:
        with pytest.raises(
            ValueError, match="mine does not translate tw-ee, only en-es, fr-en; khaya does not translate"
        ) as caught:
            await api.translate("a", "tw-ee")
    assert str(caught.value).endswith('; with via="en" it is translated through English, in two calls')


@pytest.mark.parametrize(
    ("language", "got"), [("en", "en"), ("eng", "en"), ("en-GB", "en"), ("twi", "tw"), ("ewe", None)]
)
async def test_a_provider_with_languages_gets_only_those_in_its_own_codes(language: str, got: str | None) -> None:
    heard = []

    class Ear:
        name = "ear"
        languages = ("en", "tw")

        async def transcribe(self, audio: Any, language: str) -> str:
            heard.append(language)
            return "heard"

    async with KellyAPI(providers=[Ear()]) as api:
        if got is None:
            with pytest.raises(ValueError, match="ear knows only the language en or tw"):
                await api.transcribe(b"a", language, provider="ear")  # type: ignore[arg-type]  # no literal
        else:
            assert (await api.transcribe(b"a", language)).language == language
    assert heard == [got] * (got is not None)


# Through a third language


async def test_via_translates_twice_and_keeps_the_text_between() -> None:
    async with Server(GOOD_MORNING, MAAKYE) as server, KellyAPI(khaya=khaya(server)) as api:
        found = await api.translate("Maakye", "tw-ee", via="en")
        assert sent(server) == [("Maakye", "tw-en"), ("Good morning", "en-ee")]
    between = Translation(text="Good morning", source_language="tw", target_language="en", provider="khaya")
    assert found == Translation(
        text="Ŋdi",
        source_language="tw",
        target_language="ee",
        intermediate=between,
        provider="khaya",
        tried=("khaya", "khaya"),
    )
    assert (found.raw, found.intermediate and found.intermediate.raw) == ("Ŋdi", "Good morning")


@pytest.mark.parametrize("pair", ["en-tw", "twi-eng", "en-fr"])
async def test_via_is_one_call_if_a_provider_has_the_pair_or_english_is_in_it(pair: str) -> None:
    async with Server(GOOD_MORNING) as server, KellyAPI(khaya=khaya(server)) as api:
        found = await api.translate("a", pair, via="en")
        assert (len(server.requests), found.intermediate) == (1, None)


async def test_a_provider_without_a_list_of_pairs_has_them_all() -> None:
    async with KellyAPI(khaya="key", providers=[Translator("mine")]) as api:
        found = await api.translate("a", "tw-ee", via="en")
    assert (found.text, found.provider, found.intermediate) == ("<a>", "mine", None)


async def test_each_half_goes_to_the_provider_that_has_it() -> None:
    mine = Translator("mine", ["fr-en"])
    async with Server(MAAKYE) as server, KellyAPI(khaya=khaya(server), providers=[*BUILT_IN, mine]) as api:
        found = await api.translate("Bonjour", "fra-ewe", via="eng")
        assert (sent(server), mine.got) == ([("<Bonjour>", "eng-ewe")], ["Bonjour fr-en"])
    assert (found.provider, found.tried, found.source_language) == ("khaya", ("mine", "khaya"), "fra")
    assert found.intermediate is not None
    assert (found.intermediate.text, found.intermediate.provider) == ("<Bonjour>", "mine")


async def test_via_works_with_split_fallback_and_provider() -> None:
    broken = Translator("broken", answer=TransportError("down"), pairs=["tw-en", "en-ee"])
    text = "Maakye. " * 200
    async with Server(GOOD_MORNING) as server, KellyAPI(khaya=khaya(server), providers=[broken]) as api:
        found = await api.translate(text, "tw-ee", via="en", split=True, provider="khaya")
        assert [lang for _, lang in sent(server)] == ["tw-en", "tw-en", "en-ee"]
        assert found.text == "Good morning"
        found = await api.translate("a", "tw-ee", via="en", fallback=True)
        assert found.tried == ("broken", "khaya", "broken", "khaya")
        with pytest.raises(TransportError):
            await api.translate("a", "tw-ee", via="en", provider=broken)


async def test_a_long_text_is_split_for_a_provider_that_does_not_split() -> None:
    text = "Bonjour. " * 150
    mine = Translator("mine", ["fr-en"])
    async with Server(MAAKYE) as server, KellyAPI(khaya=khaya(server), providers=[*BUILT_IN, mine]) as api:
        whole = await api.translate(text, "fr-en", split=True)
        assert [len(each) for each in mine.got] == [999 - 1 + len(" fr-en"), 351 - 1 + len(" fr-en")]
        assert whole.text == f"<{text[:998]}> <{text[999:-1]}> "
        found = await api.translate(text, "fr-tw", split=True, via="en")
        assert (found.provider, found.tried) == ("khaya", ("mine", "khaya"))


async def test_a_provider_that_splits_gets_the_whole_text() -> None:
    got = []

    async def translate(text: str, pair: str, split: bool = False) -> str:
        got.append((len(text), split))
        return text

    async with KellyAPI(providers=[answering("translate", translate)]) as api:
        await api.translate("a. " * 500, "fr-en", split=True)
        await api.translate("a", "fr-en")
    assert got == [(1500, True), (1, False)]


async def test_warnings_of_both_are_kept_once() -> None:
    def warned(text: str, *warnings: str) -> Translation:
        return Translation(text=text, source_language="a", target_language="b", warnings=warnings)

    first = Translator("first", ["a-b"], warned("1", "odd", "old"))
    second = Translator("second", ["b-c"], warned("2", "old", "new"))
    async with KellyAPI(providers=[first, second]) as api:
        found = await api.translate("x", "a-c", via="b")
    assert (found.text, found.warnings) == ("2", ("odd", "old", "new"))


@pytest.mark.parametrize(
    ("second", "error"),
    [
        (make_response(500), ServerError),
        (make_response(400), BadRequestError),
        (make_response(body=b"[]"), DecodingError),
    ],
)
async def test_if_the_second_call_fails_the_error_has_the_first_translation(
    second: bytes, error: type[KellyAPIError]
) -> None:
    async with Server(GOOD_MORNING, second) as server, KellyAPI(khaya=khaya(server)) as api:
        with pytest.raises(error) as caught:
            await api.translate("Maakye", "tw-ee", via="en")
        assert len(server.requests) == 2
    assert (caught.value.partial.text, caught.value.partial.target_language) == ("Good morning", "en")


async def test_the_parts_of_a_second_translation_that_fails_are_kept_with_the_first() -> None:
    texts = [make_response(body=json.dumps("Good morning. " * 80).encode()), MAAKYE, make_response(500)]
    async with Server(*texts) as server, KellyAPI(khaya=khaya(server)) as api:
        with pytest.raises(ServerError) as caught:
            await api.translate("Maakye", "tw-ee", via="en", split=True)
    between, *parts = caught.value.partial
    assert between.target_language == "en"
    assert [each.text for each in parts if isinstance(each, Translation)] == ["Ŋdi"]


@pytest.mark.parametrize("failure", [KeyError("text"), asyncio.CancelledError()])
async def test_an_error_of_the_users_own_and_a_cancellation_have_the_first_translation_too(
    failure: BaseException,
) -> None:
    broken = Translator("broken", ["en-ee"], failure)
    async with Server(GOOD_MORNING) as server, KellyAPI(khaya=khaya(server), providers=[broken]) as api:
        with pytest.raises(type(failure)) as caught:
            await api.translate("Maakye", "tw-ee", via="en")
    error: Any = caught.value
    assert error.partial.text == "Good morning"
    assert error.__notes__ == ["the first translation is paid for: it is in .partial"]


async def test_a_blank_translation_is_not_translated_again() -> None:
    async with Server(make_response(body=b'" "')) as server, KellyAPI(khaya=khaya(server)) as api:
        with pytest.raises(DecodingError, match="khaya: the translation into en is blank") as caught:
            await api.translate("Maakye", "tw-ee", via="en")
        assert len(server.requests) == 1
    assert caught.value.partial.text == " "


@pytest.mark.parametrize(
    ("providers", "pair", "error", "message"),
    [
        ([Translator("mine", ["fr-en"])], "fr-es", ValueError, "mine does not translate en-es, only fr-en"),
        ([Translator("mine", ["en-es"])], "fr-es", ValueError, "mine does not translate fr-en, only en-es"),
        ([], "tw-ee", ConfigurationError, "has an API key"),
    ],
)
async def test_nothing_is_sent_if_one_half_is_impossible(
    providers: list[Translator], pair: str, error: type[Exception], message: str
) -> None:
    async with KellyAPI(providers=providers) as api:
        chosen: Any = providers[0] if providers else None
        with pytest.raises(error, match=message):
            await api.translate("a", pair, via="en", provider=chosen)
    assert [each.got for each in providers] == [[]] * len(providers)


async def test_the_error_of_a_missing_key_says_why_the_provider_with_a_key_cannot_do_it() -> None:
    async with KellyAPI("key", providers=[Translator("mine", ["en-tw"])]) as api:
        with pytest.raises(
            ConfigurationError,
            match="that can do this has an API key: mine does not translate en-ee, only en-tw; set",
        ):
            await api.translate("a", "en-ee")
        with pytest.raises(
            ConfigurationError,
            match="that can do this has an API key: kelly has no temperature; set AEROSTACK_API",
        ):
            await api.chat("a", temperature=0.5)
        with pytest.raises(
            ConfigurationError, match="no provider that can do this has an API key; set SKYTELLS_API_KEY"
        ):
            await api.embed("a")
