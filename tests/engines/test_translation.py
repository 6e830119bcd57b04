"""Translation by the phrasebook and by Apertium, which is replaced by a fake command."""

import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from kellyapi.languages import PAIRS, SHORT_PAIRS
from kellyapi.sandbox.engines.language import translation
from kellyapi.sandbox.engines.language.phrasebook import PHRASES
from kellyapi.sandbox.engines.language.translation import installed, languages, supported, translate

Run = Callable[..., subprocess.CompletedProcess[str]]


def missing(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    raise FileNotFoundError(command[0])


@pytest.fixture(autouse=True)
def apertium(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Run], None]]:
    """Replace the `apertium` command: it is missing unless a test passes a function that runs instead."""

    def replace(run: Run) -> None:
        translation._apertium_modes.cache_clear()
        monkeypatch.setattr(subprocess, "run", run)

    replace(missing)
    yield replace
    translation._apertium_modes.cache_clear()


def translated_text(source_text: str, source: str, target: str) -> str | None:
    return translate(source_text, source, target)["text"]


def test_every_phrase_has_a_source_and_no_closing_punctuation() -> None:
    for language, source, phrases in PHRASES:
        assert language in languages()
        assert source.startswith(("https://", "http://"))
        assert all(phrase == phrase.strip(" .,;:!?…") != "" for pair in phrases.items() for phrase in pair), source


@pytest.mark.parametrize("language", ["twi", "ewe", "gaa", "yor", "swa"])
def test_each_language_has_a_dozen_phrases_and_the_commonest(language: str) -> None:
    english_phrases = [english for code, _, phrases in PHRASES if code == language for english in phrases]
    assert len(english_phrases) == len(set(english_phrases)) >= 12
    assert {"Good morning", "Good evening", "Welcome", "Thank you", "Yes", "No", "What is your name"} <= set(
        english_phrases
    )


@pytest.mark.parametrize(
    ("language", "english", "local"),
    [(code, english, local) for code, _, phrases in PHRASES for english, local in phrases.items()],
)
def test_a_phrase_translated_there_and_back_keeps_its_meaning(language: str, english: str, local: str) -> None:
    assert translate(english, "eng", language) == {"text": local, "note": None}
    back = translated_text(local, language, "eng")
    assert back is not None
    assert translated_text(back, "eng", language) == local
    # If several English phrases have one translation, the first of them is its translation back.
    if [phrases[key] for code, _, phrases in PHRASES for key in phrases if code == language].count(local) == 1:
        assert back == english


@pytest.mark.parametrize(
    ("source_text", "expected"),
    [
        ("Good morning", "Maakye"),
        ("  good   MORNING!! ", "Maakye!!"),
        ("Good morning. How are you?", "Maakye. Wo ho te sɛn?"),
        ("Hello, how are you?", "Ɛte sɛn, Wo ho te sɛn?"),
        ("Yes, thank you.\nGoodbye!", "Aane, Medaase.\nNante yie!"),
    ],
)
def test_case_spaces_and_punctuation_do_not_matter(source_text: str, expected: str) -> None:
    assert translate(source_text, "en", "tw") == {"text": expected, "note": None}


def test_accents_and_apostrophes_match_in_every_unicode_form() -> None:
    assert translated_text("E\u0323 ku\u0301 a\u0300a\u0301ro\u0323\u0300", "yo", "en") == "Good morning"
    assert translated_text("I don\u2019t understand.", "en", "sw") == "Sielewi."


@pytest.mark.parametrize(
    ("source_text", "source", "target"),
    [
        ("Where is my hat?", "en", "tw"),
        ("Good morning. Where is my hat?", "en", "tw"),
        ("Where is my hat? Good morning.", "eng", "twi"),
        ("Good morning", "en", "luo"),
        ("Good morning", "tw", "ee"),
        ("Good morning", "zz", "qq"),
        ("?", "en", "tw"),
        ("", "en", "tw"),
    ],
)
def test_a_text_with_an_unknown_phrase_is_marked_with_the_target(source_text: str, source: str, target: str) -> None:
    result = translate(source_text, source, target)
    assert result["text"] == f"⟦{target}⟧ {source_text}"
    assert result["note"] is not None
    assert result["note"].startswith("not translated")


def test_every_direction_of_khaya_is_supported_in_all_code_forms() -> None:
    for iso, short in zip(PAIRS, SHORT_PAIRS, strict=True):
        for source, target in product(*zip(iso.split("-"), short.split("-"), strict=True)):
            assert supported(source, target)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("en", "sw", True),
        ("swa", "eng", True),
        ("EN", "TW", True),
        ("en", "en", False),
        ("en", "eng", False),
        ("tw", "ee", False),
        ("en", "zz", False),
        ("en", "hau", False),
        ("en", "", False),
        ("en", "es", False),
    ],
)
def test_a_supported_pair_is_english_and_a_listed_language(source: str, target: str, expected: bool) -> None:
    assert supported(source, target) is expected


def test_the_languages_are_khayas_twelve_and_swahili() -> None:
    listed = languages()
    assert list(listed)[:2] == ["eng", "twi"]
    assert len(listed) == 13
    assert (listed["eng"], listed["twi"], listed["swa"]) == ("English", "Twi", "Swahili")


def test_apertium_lists_its_modes_once_and_translates_its_pairs(
    apertium: Callable[[Run], None],
) -> None:
    commands = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(
            command, 0, "  eng-spa\n  gl-en\n  spa-eng_US\n" if command[1] == "-l" else "Hola.\n"
        )

    apertium(run)
    assert translate("Hello.", "en", "es") == {"text": "Hola.", "note": None}
    assert translated_text("Hello.", "glg", "eng") == "Hola."
    assert translated_text("Hello.", "es", "en") == "⟦en⟧ Hello."
    assert translated_text("Hello.", "en", "tw") == "Ɛte sɛn."
    assert commands == [["apertium", "-l"], ["apertium", "eng-spa"], ["apertium", "gl-en"]]
    assert installed("eng", "spa")
    assert not installed("en", "tw")


@pytest.mark.parametrize(
    "failure",
    [subprocess.CalledProcessError(1, "apertium"), subprocess.TimeoutExpired("apertium", 20), PermissionError()],
)
def test_the_phrasebook_is_used_when_apertium_fails(failure: Exception, apertium: Callable[[Run], None]) -> None:
    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if command[1] == "-l":
            return subprocess.CompletedProcess(command, 0, "  eng-swa\n")
        raise failure

    apertium(run)
    assert translated_text("Thank you!", "en", "sw") == "Asante!"
    assert translated_text("Where is my hat?", "en", "sw") == "⟦sw⟧ Where is my hat?"
