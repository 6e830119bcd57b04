"""Translation: the result, the service, the routes to the providers, and the splitting of long texts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import filterfalse
from typing import Any, ClassVar, Protocol

from attrs import evolve, frozen

from .._core.run_many import DEFAULT_WINDOW, ManyResults, OnCount, run_many
from .._data.arguments import Count, NotBlank
from .._data.language_codes import LanguagePairs, same_language
from .._data.quick_maker import quick_maker
from .._data.result import Origin, stamp, with_origin_of
from .._data.text import is_blank, letter_ends
from .._data.threads import run_off_loop
from ..errors import ConfigurationError, DecodingError, KellyAPIError
from .routing import Fallback, ProviderChoice, Route, RoutedService, Service
from .service_result import ServiceResult, provider_fields_last

MAX_CHARACTERS = 1000
"""The longest text that the provider accepts. Source: https://github.com/Khaya-AI/khaya-claude-skills (translation)"""
_CUT_PATTERNS = (
    re.compile(r"(?<=[.!?…])[\"'”’»)\]]*(?=\s)|(?<=\n)"),  # the end of a sentence, with its closing quotes and brackets
    re.compile(r"(?<=\S)(?=\s)"),  # the end of a word
    re.compile(r"(?<=\s)(?=\S)"),  # the beginning of the first word
)


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Translation(ServiceResult):
    """A translated text."""

    text: str
    source_language: str
    """The code as you passed it, such as "en" or "eng"."""
    target_language: str
    """The code as you passed it, such as "tw" or "twi"."""
    warnings: tuple[str, ...] = ()
    """Why the text may not be a translation. Only the sandbox has such warnings."""
    intermediate: Translation | None = None
    """The first of two translations, into the language of `via=`; `None` if there was only one."""

    def __str__(self) -> str:
        return self.text


make_translation = quick_maker(Translation)


@frozen(kw_only=True)
class TranslateArguments:
    """The arguments of `translate`; `None` means that it was not passed."""

    STAND_INS: ClassVar[Mapping[str, Sequence[str]]] = {"pair": ("source", "target")}
    """A provider of the user's own may take the languages as a pair."""

    text: str
    source: str
    target: str
    split: bool | None = None

    @property
    def as_pair(self) -> str:
        """The languages as a pair, such as "en-tw"."""
        return f"{self.source}-{self.target}"

    def without_split(
        self, translate: Callable[[TranslateArguments], Awaitable[Translation]]
    ) -> Awaitable[Translation]:
        """Split the text for a provider of the user's own that does not."""
        return translate_in_parts(self.text, lambda part: translate(evolve(self, text=part, split=None)))


class Translator(Protocol):
    """A client that translates."""

    def translate(
        self, text: str, *, source: str | None = None, target: str | None = None, split: bool
    ) -> Awaitable[Translation]:
        """Translate a text."""


def _call_khaya(client: Translator, given: TranslateArguments) -> Awaitable[Translation]:
    return client.translate(given.text, source=given.source, target=given.target, split=bool(given.split))


_KHAYA_PAIRS = LanguagePairs(
    tuple(
        pair
        for code in ("tw", "ee", "gaa", "fat", "yo", "dag", "ki", "gur", "luo", "mer", "kus")
        for pair in (("en", code), (code, "en"))
    ),
    complete=False,  # Khaya may add languages
)
"""The pairs of `kellyapi.languages.SHORT_PAIRS`."""

TRANSLATE = Service(
    name="translate",
    arguments=TranslateArguments,
    result=Translation,
    routes=(
        Route(
            provider="khaya",
            call=_call_khaya,
            accepts=("text", "pair", "source", "target", "split"),
            pairs=_KHAYA_PAIRS,
        ),
    ),
)


class Translate(RoutedService):
    """The translation service of `KellyAPI`.

    Source: https://github.com/Khaya-AI/khaya-sdk
    """

    async def translate(
        self,
        text: NotBlank,
        pair: NotBlank | None = None,
        *,
        source: NotBlank | None = None,
        target: NotBlank | None = None,
        via: NotBlank | None = None,
        split: bool = False,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> Translation:
        """Translate a text.

        Args:
            text: Up to 1,000 characters, or any length with `split=True`.
            pair: The languages, such as "en-tw", with codes of two letters or of ISO 639-3.
            source: The language of the text, if you pass no pair.
            target: The language to translate into, if you pass no pair.
            via: A language, such as "en", to translate through if no provider has the pair. These are two calls, and
                each is billed. If a provider has the pair, there is one.
            split: Cut a longer text at sentences and translate its parts concurrently, up to 8 at once. Each part is
                billed. If one fails, its error has the translations of the others in `.partial`.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or a list of providers to try.

        Raises:
            ValueError: The text is blank, the languages are incomplete, or no provider has the pair.
            BadRequestError: The provider does not support this pair of languages.
            KellyAPIError: If the second of two calls fails, `partial` is the first `Translation`, which is paid for.
                With `split=True` it is a tuple of this translation and the parts of the second one.

        Example::

            hello = await api.translate("Good morning", "en-tw")
            print(hello.text)

            ewe = await api.translate("Maakye", "tw-ee", via="en")
            print(ewe.text, ewe.intermediate.text)
        """
        source, target = read_pair(pair, source, target)
        arguments = TranslateArguments(text=text, source=source, target=target, split=split or None)
        legs = None if via is None else self._legs(via, arguments, provider, fallback)
        if legs is not None:
            return await self._translate_twice(*legs, provider, fallback)
        try:
            return await self._route(TRANSLATE, arguments, provider, fallback)
        except ValueError as error:
            possible = via is None and not same_language(source, target)
            legs = self._legs("en", arguments, provider, fallback) if possible else None
            if legs is not None and all(self._has_pair(leg, provider, fallback, without_key=True) for leg in legs):
                raise ValueError(f'{error}; with via="en" it is translated through English, in two calls') from None
            raise

    def _legs(
        self, via: str, arguments: TranslateArguments, provider: ProviderChoice | None, fallback: Fallback
    ) -> tuple[TranslateArguments, TranslateArguments] | None:
        """Return the arguments of two translations through a language; `None` if there must be one translation."""
        if same_language(via, arguments.source) or same_language(via, arguments.target):
            return None
        if self._has_pair(arguments, provider, fallback):
            return None
        return evolve(arguments, target=via), evolve(arguments, source=via)

    def _has_pair(
        self,
        arguments: TranslateArguments,
        provider: ProviderChoice | None,
        fallback: Fallback,
        *,
        without_key: bool = False,
    ) -> bool:
        """Return whether the provider that would be called has a pair of languages, as far as it says so.

        `without_key` is returned if only the keys are missing.
        """
        try:
            routes = self._choose_routes(TRANSLATE, arguments, provider, fallback)
        except ValueError:
            return False
        except ConfigurationError:
            return without_key
        return not routes[0].is_unsure(arguments)

    async def _translate_twice(
        self, first: TranslateArguments, second: TranslateArguments, provider: ProviderChoice | None, fallback: Fallback
    ) -> Translation:
        """Translate a text, and its translation."""
        self._choose_routes(TRANSLATE, second, provider, fallback)  # raises before the first call is paid for
        between = await self._route(TRANSLATE, first, provider, fallback)
        try:
            if is_blank(between.text):
                raise DecodingError(f"the translation into {first.target} is blank", provider=between.provider)
            result = await self._route(TRANSLATE, evolve(second, text=between.text), provider, fallback)
        except (Exception, asyncio.CancelledError) as error:  # any: a provider of the user's own may raise it
            failure: Any = error
            parts = getattr(error, "partial", None)  # of a long text that was split
            failure.partial = (between, *parts) if isinstance(parts, tuple) else between
            if not isinstance(error, KellyAPIError):
                error.add_note("the first translation is paid for: it is in .partial")
            raise
        warnings = tuple(dict.fromkeys((*between.warnings, *result.warnings)))
        tried = (*between.tried, *result.tried)
        whole = evolve(result, source_language=first.source, intermediate=between, warnings=warnings, tried=tried)
        return with_origin_of(result, whole)

    async def translate_many(
        self,
        texts: Iterable[NotBlank],
        pair: NotBlank | None = None,
        *,
        source: NotBlank | None = None,
        target: NotBlank | None = None,
        via: NotBlank | None = None,
        split: bool = False,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
        window: Count = DEFAULT_WINDOW,
        on_progress: OnCount | None = None,
    ) -> tuple[Translation | KellyAPIError, ...]:
        """Translate several texts at the same time.

        Args:
            texts: The texts. One that occurs twice is sent twice.
            pair: The other arguments are those of `translate`.
            window: The most texts at once; see `run_many`. With `split=True` each text sends several parts at once.
            on_progress: A function, plain or async, that is called with the number of texts that are done, and the
                number of all.

        Returns:
            For each text, in the same order, its translation or its error.

        Raises:
            ValueError: A text is blank, or the languages are incomplete. Nothing was sent.
            AuthenticationError: The key is refused, or another error that ends the run; see `run_many`.

        Example::

            for result in await api.translate_many(["Good morning", "Thank you"], "en-tw"):
                print(result)
        """

        def one(text: str) -> Awaitable[Translation]:
            return self.translate(
                text, pair, source=source, target=target, via=via, split=split, provider=provider, fallback=fallback
            )

        return await run_many(one, texts, window=window, on_progress=on_progress)


def read_pair(pair: str | None, source: str | None, target: str | None) -> tuple[str, str]:
    """Return the source and the target language, given as a pair or one by one."""
    if pair is not None and (source is not None or target is not None):
        raise ValueError("give the languages as a pair or as source and target, not both")
    if pair is not None:
        source, _, target = pair.partition("-")
    if not source or not target:
        raise ValueError(
            f"give the languages as a pair ('en-tw'), or source='en' and target='tw', not {pair or (source, target)!r}"
        )
    return source, target


def cut_text(text: str, size: int = MAX_CHARACTERS) -> Iterator[str]:
    """Yield a text in parts of at most `size` characters. Joined, the parts are the text.

    Each part ends at the last end of a sentence (. ! ? … or a new line) that fits. If there is none, the part ends at
    the last space, and if there is no space, at the last letter that fits with all its marks.
    """
    start = 0
    while len(text) - start > size:
        window = text[start : start + size + 1]  # one more character, which may be a space
        ends = {end for end in letter_ends(window) if end <= size}
        if not ends:
            raise ValueError(f"the text cannot be split: a letter with its marks has more than {size} characters")
        places = (
            max((cut.end() for cut in kind.finditer(window) if cut.end() in ends), default=0) for kind in _CUT_PATTERNS
        )
        length = next(filter(None, places), max(ends))
        yield text[start : start + length]
        start += length
    yield text[start:]


async def translate_in_parts(text: str, translate: Callable[[str], Awaitable[Translation]]) -> Translation:
    """Translate the parts of a text concurrently, and join them with the white space that was around them.

    The first part that fails ends the call: the parts that run are cancelled, and the others are not sent. The error
    has the translations so far in `.partial`. The `raw` of the result is a list with one item per part.
    """
    parts = await run_off_loop(lambda: list(cut_text(text)), size=10 * len(text))  # up to 0.7 us a character
    if len(parts) == 1:
        return await translate(text)
    cores = [part.strip() for part in parts]
    billed = filterfalse(is_blank, cores)
    many = ManyResults(translate, billed, window=DEFAULT_WINDOW, is_fatal=lambda _: True, finish=False)
    done = [each for each in await many if isinstance(each, Translation)]  # all of them: an error is raised
    left = iter(done)
    pairs = zip(parts, cores, strict=True)
    texts = [part if is_blank(core) else part.replace(core, next(left).text, 1) for part, core in pairs]
    warnings = tuple(dict.fromkeys(warning for each in done for warning in each.warnings))
    joined = evolve(done[0], text="".join(texts), warnings=warnings)
    return stamp(joined, Origin([each.raw for each in done], done[0].request_id))
