"""Codes of the same language, and pairs of languages."""

import pytest

from kellyapi._data.language_codes import LanguagePairs, find_code, normal_code, same_language


@pytest.mark.parametrize(
    ("code", "normal"),
    [
        ("en", "eng"),
        ("EN", "eng"),
        (" tw ", "twi"),
        ("twi", "twi"),
        ("gaa", "gaa"),
        ("pt-BR", "por-br"),
        ("xon_likoonli", "xon_likoonli"),
        ("zz", "zz"),
        ("", ""),
    ],
)
def test_codes_of_a_language_share_a_normal_form(code: str, normal: str) -> None:
    assert normal_code(code) == normal


@pytest.mark.parametrize(
    ("code", "found"),
    [("eng", "en"), ("en-US", "en"), ("pt-br", "pt-BR"), ("pt", None), ("pt-PT", None), ("twi", None), ("TWX", "twx")],
)
def test_a_code_is_found_in_the_form_of_the_list(code: str, found: str | None) -> None:
    assert find_code(code, frozenset({"en", "pt-BR", "twx"})) == found


@pytest.mark.parametrize(("one", "other", "same"), [("en", "eng", True), ("en-US", "EN-gb", True), ("tw", "ee", False)])
def test_regions_are_the_same_language(one: str, other: str, same: bool) -> None:
    assert same_language(one, other) is same


PAIRS = (("en", "tw"), ("tw", "en"), ("en", "pt-BR"))


@pytest.mark.parametrize(
    ("source", "target", "pair"),
    [
        ("en", "tw", ("en", "tw")),
        ("eng", "twi", ("en", "tw")),
        ("en-US", "TW", ("en", "tw")),
        ("eng", "por-br", ("en", "pt-BR")),
        ("en", "pt", None),
        ("tw", "tw", None),
    ],
)
def test_a_pair_is_found_in_the_codes_of_the_provider(source: str, target: str, pair: tuple[str, str] | None) -> None:
    assert LanguagePairs(PAIRS).find(source, target) == pair
    assert LanguagePairs(PAIRS).exclude(source, target) is (pair is None)


@pytest.mark.parametrize(
    ("source", "target", "excluded"),
    [("tw", "pt-BR", True), ("twi", "twi", True), ("tw", "en", False), ("tw", "fr", False), ("de", "fr", False)],
)
def test_an_incomplete_list_excludes_only_pairs_of_its_own_languages(source: str, target: str, excluded: bool) -> None:
    assert LanguagePairs(PAIRS, complete=False).exclude(source, target) is excluded
