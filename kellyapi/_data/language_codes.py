"""Codes of languages: a code of two letters and one of three may mean the same language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from attrs import field, frozen

_THREE_LETTERS: dict[str, str] = dict(
    re.findall(
        r"(\w+):(\w+)",
        "aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel bg:bul"
        " bi:bis bm:bam bn:ben bo:bod br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces cu:chu cv:chv cy:cym"
        " da:dan de:deu dv:div dz:dzo ee:ewe el:ell en:eng eo:epo es:spa et:est eu:eus fa:fas ff:ful fi:fin fj:fij"
        " fo:fao fr:fra fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo hr:hrv ht:hat"
        " hu:hun hy:hye hz:her ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido is:isl it:ita iu:iku ja:jpn jv:jav"
        " ka:kat kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir"
        " la:lat lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub lv:lav mg:mlg mh:mah mi:mri mk:mkd ml:mal mn:mon"
        " mr:mar ms:msa mt:mlt my:mya na:nau nb:nob nd:nde ne:nep ng:ndo nl:nld nn:nno no:nor nr:nbl nv:nav ny:nya"
        " oc:oci oj:oji om:orm or:ori os:oss pa:pan pi:pli pl:pol ps:pus pt:por qu:que rm:roh rn:run ro:ron ru:rus"
        " rw:kin sa:san sc:srd sd:snd se:sme sg:sag si:sin sk:slk sl:slv sm:smo sn:sna so:som sq:sqi sr:srp ss:ssw"
        " st:sot su:sun sv:swe sw:swa ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso"
        " tt:tat tw:twi ty:tah ug:uig uk:ukr ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor"
        " za:zha zh:zho zu:zul",
    )
)
"""The codes of ISO 639-1 and those of ISO 639-3. Source: https://iso639-3.sil.org/code_tables/download_tables"""


def normal_code(code: str) -> str:
    """Return the form of a code that all codes of the language share: lower case, and three letters in place of two."""
    base, dash, region = code.strip().lower().partition("-")
    return _THREE_LETTERS.get(base, base) + dash + region


def find_code(code: str, codes: frozenset[str]) -> str | None:
    """Return the item of `codes` that stands for the same language as `code`; `None` if there is none.

    "en-US" is found as "en" if there is no "en-US".
    """
    known = _by_normal_code(codes)
    return next((known[form] for form in _forms(code) if form in known), None)


@lru_cache(64)
def _by_normal_code(codes: frozenset[str]) -> Mapping[str, str]:
    return {normal_code(each): each for each in sorted(codes)}


@lru_cache(1024)
def _forms(code: str) -> tuple[str, str]:
    """Return the normal form of a code, with its region and without."""
    normal = normal_code(code)
    return normal, normal.partition("-")[0]


@frozen
class LanguagePairs:
    """The pairs of languages that a provider translates."""

    pairs: tuple[tuple[str, str], ...]
    complete: bool = True
    """Whether there are no others. Otherwise only the provider knows about languages that are in none of the pairs."""
    _by_code: Mapping[tuple[str, str], tuple[str, str]] = field(init=False, eq=False, repr=False)
    _languages: frozenset[str] = field(init=False, eq=False, repr=False)

    @_by_code.default
    def _index(self) -> Mapping[tuple[str, str], tuple[str, str]]:
        normal = {(normal_code(source), normal_code(target)): (source, target) for source, target in self.pairs}
        return normal | {pair: pair for pair in self.pairs}

    @_languages.default
    def _list_languages(self) -> frozenset[str]:
        return frozenset(code for pair in self._by_code for code in pair)

    def find(self, source: str, target: str) -> tuple[str, str] | None:
        """Return the pair of these two languages in the codes of the provider; `None` if it is not listed."""
        if (listed := self._by_code.get((source, target))) is not None:
            return listed
        forms = ((one, other) for one in _forms(source) for other in _forms(target))
        return next((self._by_code[form] for form in forms if form in self._by_code), None)

    def exclude(self, source: str, target: str) -> bool:
        """Return whether the provider is known not to translate this pair."""
        if self.find(source, target) is not None:
            return False
        return self.complete or all(self._languages.intersection(_forms(code)) for code in (source, target))

    def __str__(self) -> str:
        return ", ".join("-".join(pair) for pair in self.pairs)


def same_language(one: str, other: str) -> bool:
    """Return whether two codes stand for the same language, whatever its region."""
    return _forms(one)[1] == _forms(other)[1]
