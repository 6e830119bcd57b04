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
    """Stand in for the `apertium` command: absent, until a test says how it answers."""

    def answer(run: Run) -> None:
        translation._modes.cache_clear()
        monkeypatch.setattr(subprocess, "run", run)

    answer(missing)
    yield answer
    translation._modes.cache_clear()


def text(given: str, source: str, target: str) -> str | None:
    return translate(given, source, target)["text"]


def test_every_phrase_has_a_source_and_no_closing_punctuation() -> None:
    for language, source, phrases in PHRASES:
        assert language in languages()
        assert source.startswith(("https://", "http://"))
        assert all(phrase == phrase.strip(" .,;:!?…") != "" for pair in phrases.items() for phrase in pair), source


@pytest.mark.parametrize("language", ["twi", "ewe", "gaa", "yor", "swa"])
def test_each_language_has_a_dozen_phrases_and_the_commonest(language: str) -> None:
    known = [english for code, _, phrases in PHRASES if code == language for english in phrases]
    assert len(known) == len(set(known)) >= 12
    assert {"Good morning", "Good evening", "Welcome", "Thank you", "Yes", "No", "What is your name"} <= set(known)


@pytest.mark.parametrize(
    ("language", "english", "local"),
    [(code, english, local) for code, _, phrases in PHRASES for english, local in phrases.items()],
)
def test_a_phrase_goes_into_its_language_and_comes_back_as_a_phrase_that_means_the_same(
    language: str, english: str, local: str
) -> None:
    assert translate(english, "eng", language) == {"text": local, "note": None}
    back = text(local, language, "eng")
    assert back is not None
    assert text(back, "eng", language) == local
    # Of several English phrases for one of the language, the first listed comes back.
    if [phrases[key] for code, _, phrases in PHRASES for key in phrases if code == language].count(local) == 1:
        assert back == english


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Good morning", "Maakye"),
        ("  good   MORNING!! ", "Maakye!!"),
        ("Good morning. How are you?", "Maakye. Wo ho te sɛn?"),
        ("Hello, how are you?", "Ɛte sɛn, Wo ho te sɛn?"),
        ("Yes, thank you.\nGoodbye!", "Aane, Medaase.\nNante yie!"),
    ],
)
def test_case_spaces_and_punctuation_do_not_hide_a_phrase(given: str, expected: str) -> None:
    assert translate(given, "en", "tw") == {"text": expected, "note": None}


def test_accents_match_however_they_are_composed_and_apostrophes_however_they_are_typed() -> None:
    assert text("E\u0323 ku\u0301 a\u0300a\u0301ro\u0323\u0300", "yo", "en") == "Good morning"
    assert text("I don\u2019t understand.", "en", "sw") == "Sielewi."


@pytest.mark.parametrize(
    ("given", "source", "target"),
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
def test_what_is_not_known_as_a_whole_is_marked_with_the_target_as_asked(given: str, source: str, target: str) -> None:
    done = translate(given, source, target)
    assert done["text"] == f"⟦{target}⟧ {given}"
    assert done["note"] is not None
    assert done["note"].startswith("not translated")


def test_every_direction_of_the_platform_is_supported_in_both_forms_and_mixed() -> None:
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
def test_only_english_and_a_listed_language_are_a_pair(source: str, target: str, expected: bool) -> None:
    assert supported(source, target) is expected


def test_the_languages_are_the_platforms_twelve_and_swahili() -> None:
    listed = languages()
    assert list(listed)[:2] == ["eng", "twi"]
    assert len(listed) == 13
    assert (listed["eng"], listed["twi"], listed["swa"]) == ("English", "Twi", "Swahili")


def test_apertium_is_asked_for_its_modes_once_and_translates_the_pairs_that_it_has(
    apertium: Callable[[Run], None],
) -> None:
    asked = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(
            command, 0, "  eng-spa\n  gl-en\n  spa-eng_US\n" if command[1] == "-l" else "Hola.\n"
        )

    apertium(run)
    assert translate("Hello.", "en", "es") == {"text": "Hola.", "note": None}
    assert text("Hello.", "glg", "eng") == "Hola."
    assert text("Hello.", "es", "en") == "⟦en⟧ Hello."
    assert text("Hello.", "en", "tw") == "Ɛte sɛn."
    assert asked == [["apertium", "-l"], ["apertium", "eng-spa"], ["apertium", "gl-en"]]
    assert installed("eng", "spa")
    assert not installed("en", "tw")


@pytest.mark.parametrize(
    "failure",
    [subprocess.CalledProcessError(1, "apertium"), subprocess.TimeoutExpired("apertium", 20), PermissionError()],
)
def test_an_apertium_that_fails_leaves_the_text_to_the_phrasebook(
    failure: Exception, apertium: Callable[[Run], None]
) -> None:
    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        if command[1] == "-l":
            return subprocess.CompletedProcess(command, 0, "  eng-swa\n")
        raise failure

    apertium(run)
    assert text("Thank you!", "en", "sw") == "Asante!"
    assert text("Where is my hat?", "en", "sw") == "⟦sw⟧ Where is my hat?"
