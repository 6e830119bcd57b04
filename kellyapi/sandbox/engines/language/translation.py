"""Translation without a network: by Apertium if it is installed, else by a phrasebook; an unknown text is marked.

This module also knows the language pairs of Khaya. The phrases and their sources are in `phrasebook`, the language
codes in `kellyapi.languages`.
"""

from __future__ import annotations

import re
import subprocess
import unicodedata
from functools import cache

from ....languages import TRANSLATION, find
from .phrasebook import PHRASES

_APERTIUM_TIMEOUT = 20
_PUNCTUATION = re.compile(r"(?<!\s)(\s*+(?:[.,;:!?…]++\s*+)++)")
# Two-letter codes that are not in Khaya's table, of the languages for which Debian has Apertium packages.
_APERTIUM_CODES = dict(
    re.findall(
        r"(\w\w):(\w{3})",
        "af:afr an:arg be:bel bg:bul br:bre ca:cat cy:cym da:dan eo:epo es:spa eu:eus gl:glg hi:hin id:ind is:isl"
        " it:ita mk:mkd ms:zlm nb:nob nl:nld nn:nno oc:oci pl:pol pt:por ro:ron ru:rus sv:swe",
    )
)


def _three_letter_code(code: str) -> str:
    language = find(code)
    lower = code.strip().lower()
    return language.code if language else _APERTIUM_CODES.get(lower, lower)


def _normalize(phrase: str) -> str:
    return " ".join(unicodedata.normalize("NFC", phrase.replace("\u2019", "'")).casefold().split())


_TRANSLATIONS: dict[tuple[str, str, str], str] = {}
"""Translation of each phrase by source language, target language and normalized phrase."""
for _language, _, _phrases in PHRASES:
    for _english, _local in _phrases.items():
        _TRANSLATIONS.setdefault(("eng", _language, _normalize(_english)), _local)
        _TRANSLATIONS.setdefault((_language, "eng", _normalize(_local)), _english)


def languages() -> dict[str, str]:
    """Return the name of each language by code: Khaya's languages first, then those that only the phrasebook has."""
    added = (language for code, _, _ in PHRASES if (language := find(code)))
    return {language.code: language.name for language in (*TRANSLATION, *added)}


def supported(source: str, target: str) -> bool:
    """Return whether a pair is English and one of `languages`, in either direction. Codes have two or three letters."""
    pair = {_three_letter_code(source), _three_letter_code(target)}
    return len(pair) == 2 and "eng" in pair and pair <= languages().keys()


def installed(source: str, target: str) -> bool:
    """Return whether Apertium and its package for the pair are installed. The first call starts a process."""
    return (_three_letter_code(source), _three_letter_code(target)) in _apertium_modes()


def translate(text: str, source: str, target: str) -> dict[str, str | None]:
    """Translate `text`.

    The phrasebook can translate a text only if it has every phrase between the punctuation marks, which are kept.
    Apertium puts `*` before a word that it does not know.

    Returns:
        "text" and "note". A text that cannot be translated is marked as `⟦tw⟧ text`, and the note says why.
    """
    pair = _three_letter_code(source), _three_letter_code(target)
    mode = _apertium_modes().get(pair)
    translation = (_run_apertium(mode, text=text) if mode else "").rstrip("\n") or _use_phrasebook(text, *pair)
    if translation:
        return {"text": translation, "note": None}
    return {"text": f"⟦{target}⟧ {text}", "note": f"not translated: unknown from {source} to {target}"}


@cache
def _apertium_modes() -> dict[tuple[str, str], str]:
    # The pattern leaves out variants such as spa-eng_US.
    modes = [mode for mode in _run_apertium("-l").split() if re.fullmatch("[a-z]{2,3}-[a-z]{2,3}", mode)]
    return {(_three_letter_code(mode.split("-")[0]), _three_letter_code(mode.split("-")[1])): mode for mode in modes}


def _run_apertium(*arguments: str, text: str = "") -> str:
    """Return the output of the `apertium` command, or an empty string if it fails."""
    try:
        return subprocess.run(
            ["apertium", *arguments],
            input=text,
            capture_output=True,
            check=True,
            encoding="utf-8",
            timeout=_APERTIUM_TIMEOUT,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _use_phrasebook(text: str, source: str, target: str) -> str:
    # split() puts phrases at the even places, punctuation at the odd ones, and "" after a closing mark.
    parts = _PUNCTUATION.split(text.strip())
    phrases = parts[::2]
    translations = [_TRANSLATIONS.get((source, target, _normalize(phrase)), "") for phrase in phrases]
    if any(phrase and not known for phrase, known in zip(phrases, translations, strict=True)) or not any(translations):
        return ""
    parts[::2] = translations
    return "".join(parts)
