import pytest

from kellyapi.languages import PAIRS, SHORT_PAIRS, SYNTHESIS, TRANSCRIPTION, TRANSLATION, VOICES, Language, find


def test_the_catalogues_are_as_large_as_khaya_says() -> None:
    assert (len(PAIRS), len(SHORT_PAIRS), len(TRANSCRIPTION), len(SYNTHESIS), len(VOICES)) == (22, 22, 34, 32, 3)


@pytest.mark.parametrize(
    "catalogue", [TRANSLATION, TRANSCRIPTION, SYNTHESIS], ids=["translation", "transcription", "synthesis"]
)
def test_no_code_and_no_name_is_listed_twice(catalogue: tuple[Language, ...]) -> None:
    assert (
        len({language.code for language in catalogue})
        == len(catalogue)
        == len({language.name for language in catalogue})
    )


def test_synthesis_and_transcription_differ_where_khaya_says() -> None:
    heard, spoken = ({language.code for language in catalogue} for catalogue in (TRANSCRIPTION, SYNTHESIS))
    assert heard - spoken == {"bwu", "kin", "xon_likoonli", "xon_likpakpaanl"}
    assert spoken - heard == {"lxn", "xon"}


def test_the_two_forms_of_the_pairs_name_the_same_directions_in_the_same_order() -> None:
    def directions(pairs: tuple[str, ...]) -> list[list[Language | None]]:
        return [[find(code) for code in pair.split("-")] for pair in pairs]

    assert directions(SHORT_PAIRS) == directions(PAIRS)
    assert {"en-tw", "tw-en", "en-gaa", "ki-en"} <= set(SHORT_PAIRS)
    assert {"eng-twi", "twi-eng", "eng-gaa", "kik-eng"} <= set(PAIRS)
    assert len(set(PAIRS)) == len(set(SHORT_PAIRS)) == 22


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("tw", "twi"),
        ("twi", "twi"),
        ("EN", "eng"),
        (" yo ", "yor"),
        ("gaa", "gaa"),
        ("xon_likoonli", "xon_likoonli"),
        ("sw", "swa"),
    ],
)
def test_a_language_is_found_by_either_form_of_its_code(given: str, code: str) -> None:
    found = find(given)
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize("given", ["", "zz", "english", "en-tw"])
def test_an_unknown_code_finds_nothing(given: str) -> None:
    assert find(given) is None


def test_each_catalogue_names_twi_as_khaya_does_there() -> None:
    assert [
        {language.code: language.name for language in catalogue}["twi"] for catalogue in (TRANSLATION, SYNTHESIS)
    ] == [
        "Twi",
        "Asante Twi",
    ]
