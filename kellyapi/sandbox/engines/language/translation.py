"""Translation without a network: Apertium where it is installed, else a phrasebook, else the text, marked.

Owns the matching and what counts as a pair of the platform. The phrases and their sources are in `phrasebook.py`, the
codes in `kellyapi.languages`.
"""

from __future__ import annotations

import re
import subprocess
import unicodedata
from functools import cache

from ....languages import TRANSLATION, find
from .phrasebook import PHRASES

_SECONDS = 20
_BETWEEN = re.compile(r"(\s*[.,;:!?…]+\s*)")
# Two-letter codes that the platform's table lacks, of the languages that Debian has Apertium packages for.
_OTHERS = dict(
    re.findall(
        r"(\w\w):(\w{3})",
        "af:afr an:arg be:bel bg:bul br:bre ca:cat cy:cym da:dan eo:epo es:spa eu:eus gl:glg hi:hin id:ind is:isl"
        " it:ita mk:mkd ms:zlm nb:nob nl:nld nn:nno oc:oci pl:pol pt:por ro:ron ru:rus sv:swe",
    )
)


def _code(given: str) -> str:
    found = find(given)
    plain = given.strip().lower()
    return found.code if found else _OTHERS.get(plain, plain)


def _key(phrase: str) -> str:
    return " ".join(unicodedata.normalize("NFC", phrase.replace("\u2019", "'")).casefold().split())


_PHRASES: dict[tuple[str, str, str], str] = {}
for _language, _, _phrases in PHRASES:
    for _english, _local in _phrases.items():
        _PHRASES.setdefault(("eng", _language, _key(_english)), _local)
        _PHRASES.setdefault((_language, "eng", _key(_local)), _english)


def languages() -> dict[str, str]:
    """Return code to name as `GET /v1/languages` does: the platform's, then what only the phrasebook adds."""
    added = (language for code, _, _ in PHRASES if (language := find(code)))
    return {language.code: language.name for language in (*TRANSLATION, *added)}


def supported(source: str, target: str) -> bool:
    """Say whether the pair is the platform's or the phrasebook's: English and another, each code in either form."""
    pair = {_code(source), _code(target)}
    return len(pair) == 2 and "eng" in pair and pair <= languages().keys()


def installed(source: str, target: str) -> bool:
    """Say whether Apertium is on this machine with a package for the pair. The first call starts a process."""
    return (_code(source), _code(target)) in _modes()


def translate(text: str, source: str, target: str) -> dict[str, str | None]:
    """Translate `text`, or mark it as `⟦tw⟧ text` with a note that says why.

    The phrasebook knows a text only if it knows everything between its punctuation marks, which stay as they are.
    Apertium puts `*` before a word that it does not know.
    """
    pair = _code(source), _code(target)
    mode = _modes().get(pair)
    done = (_apertium(mode, text=text) if mode else "").rstrip("\n") or _from_phrasebook(text, *pair)
    if done:
        return {"text": done, "note": None}
    return {"text": f"⟦{target}⟧ {text}", "note": f"not translated: unknown from {source} to {target}"}


@cache
def _modes() -> dict[tuple[str, str], str]:
    # A variant such as spa-eng_US is not what a plain pair asks for.
    pairs = [mode.split("-") for mode in _apertium("-l").split() if re.fullmatch("[a-z]{2,3}-[a-z]{2,3}", mode)]
    return {(_code(source), _code(target)): f"{source}-{target}" for source, target in pairs}


def _apertium(*arguments: str, text: str = "") -> str:
    try:
        return subprocess.run(
            ["apertium", *arguments], input=text, capture_output=True, check=True, encoding="utf-8", timeout=_SECONDS
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _from_phrasebook(text: str, source: str, target: str) -> str:
    # split() leaves phrases at the even places, the marks between them at the odd ones, and "" after a closing mark.
    parts = _BETWEEN.split(text.strip())
    found = [_PHRASES.get((source, target, _key(part)), "") for part in parts[::2]]
    if any(part and not phrase for part, phrase in zip(parts[::2], found, strict=True)) or not any(found):
        return ""
    parts[::2] = found
    return "".join(parts)
