"""Names and codes of the languages and voices of Khaya, for menus and documentation.

The library does not check codes against these lists, because Khaya may add languages at any time. A code is sent as you
pass it, and the provider decides.
"""

from __future__ import annotations

from attrs import evolve, frozen

from ._data.arguments import checked


@frozen
class Language:
    """A language, as the catalogues of Khaya list it."""

    code: str
    """The code: ISO 639-3, or a code of the provider's own, such as "xon_likoonli"."""
    name: str
    """The English name, as the provider writes it."""
    short: str | None = None
    """The two-letter code of ISO 639-1, if there is one. Not every service accepts it."""


_LANGUAGES = {
    language.code: language
    for language in (
        Language("ada", "Dangme"),
        Language("atw", "Akuapem Twi"),
        Language("bwu", "Buli"),
        Language("dag", "Dagbani"),
        Language("dga", "Dagaare"),
        Language("eng", "English", "en"),
        Language("ewe", "Ewe", "ee"),
        Language("fat", "Fante"),
        Language("fra", "French", "fr"),
        Language("gaa", "Ga"),
        Language("gjn", "Gonja"),
        Language("gur", "Gurene"),
        Language("hau", "Hausa", "ha"),
        Language("ibo", "Igbo", "ig"),
        Language("kik", "Kikuyu", "ki"),
        Language("kin", "Kinyarwanda", "rw"),
        Language("kri", "Krio"),
        Language("kus", "Kusaal"),
        Language("luo", "Luo"),
        Language("lxn", "Konkomba (Likoonli)"),
        Language("maw", "Mampruli"),
        Language("men", "Mende"),
        Language("mer", "Kimeru"),
        Language("nzi", "Nzema"),
        Language("pcm", "Pidgin"),
        Language("sna", "Shona", "sn"),
        Language("swa", "Swahili", "sw"),
        Language("tem", "Temne"),
        Language("twi", "Twi", "tw"),
        Language("wlx", "Wali"),
        Language("wol", "Wolof", "wo"),
        Language("xon", "Konkomba (Likpakpaanl)"),
        Language("xon_likoonli", "Konkomba-Likoonli"),
        Language("xon_likpakpaanl", "Konkomba-Likpakpaanl"),
        Language("xsm", "Kasem"),
        Language("yor", "Yoruba", "yo"),
    )
}
_BY_EITHER_FORM = _LANGUAGES | {language.short: language for language in _LANGUAGES.values() if language.short}


@checked
def find(code: str) -> Language | None:
    """Return the language with this code or two-letter code, in upper or lower case; `None` if it is not known."""
    return _BY_EITHER_FORM.get(code.strip().lower())


def _named(codes: str) -> tuple[Language, ...]:
    return tuple(_LANGUAGES[code] for code in codes.split())


TRANSLATION = _named("eng twi ewe gaa fat yor dag kik gur luo mer kus")
"""English, and the languages that can be translated from and into English.

Source: https://github.com/Khaya-AI/khaya-claude-skills (khaya-translate)"""

PAIRS = tuple(pair for other in TRANSLATION[1:] for pair in (f"eng-{other.code}", f"{other.code}-eng"))
"""The 22 pairs of translation, with codes of ISO 639-3.

Source: https://github.com/Khaya-AI/khaya-claude-skills (khaya-translate)"""

SHORT_PAIRS = tuple(
    pair for other in TRANSLATION[1:] for code in (other.short or other.code,) for pair in (f"en-{code}", f"{code}-en")
)
"""The same 22 pairs, with the codes that Khaya's own client lists.

Source: khaya 0.3.0, khaya/constants.py; https://github.com/Khaya-AI/khaya-sdk"""

TRANSCRIPTION = _named(
    "eng fra atw bwu dga dag ada ewe fat gaa gjn gur hau ibo xsm kik kin xon_likoonli xon_likpakpaanl kri kus luo"
    " maw men mer pcm nzi sna swa tem twi wlx wol yor"
)
"""The 34 languages of speech recognition.

Source: khaya 0.3.0, khaya/constants.py; https://github.com/Khaya-AI/khaya-sdk"""

SYNTHESIS = tuple(
    # This catalogue also lists Akuapem Twi, so its name for "twi" is "Asante Twi".
    evolve(language, name="Asante Twi") if language.code == "twi" else language
    for language in _named(
        "atw twi dga dag ada eng ewe fat fra gaa gjn gur hau ibo xsm kik lxn xon kri kus luo maw men mer nzi pcm sna"
        " swa tem wlx wol yor"
    )
)
"""The 32 languages of speech synthesis. The codes of Konkomba differ from those in `TRANSCRIPTION`.

Source: khaya 0.3.0, khaya/constants.py; https://github.com/Khaya-AI/khaya-claude-skills (khaya-tts)"""

VOICES = ("male_low", "male_high", "female")
"""The voices of speech synthesis, the same for every language.

Source: khaya 0.3.0, khaya/constants.py; https://github.com/Khaya-AI/khaya-claude-skills (khaya-tts)"""
