"""Translation: the result, the service, the routes to the providers, and the splitting of long texts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from attrs import evolve, frozen

from .._data.arguments import NotBlank
from .._data.result import Origin, stamp
from .._data.text import is_blank, letter_ends
from .._data.threads import run_off_loop
from .routing import Fallback, ProviderName, Route, RoutedService, Service
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
    """Why the text may be no translation: the sandbox says here what it could not translate."""

    def __str__(self) -> str:
        return self.text


@frozen(kw_only=True)
class TranslateArguments:
    """The arguments of `translate`; `None` means that it was not passed."""

    text: str
    pair: str | None = None
    source: str | None = None
    target: str | None = None
    split: bool | None = None


class Translator(Protocol):
    """A client that translates."""

    def translate(
        self, text: str, pair: str | None = None, *, source: str | None = None, target: str | None = None, split: bool
    ) -> Awaitable[Translation]:
        """Translate a text."""


def _call_khaya(client: Translator, given: TranslateArguments) -> Awaitable[Translation]:
    return client.translate(given.text, given.pair, source=given.source, target=given.target, split=bool(given.split))


TRANSLATE = Service(
    name="translate",
    arguments=TranslateArguments,
    result=Translation,
    routes=(
        Route(
            provider="khaya",
            call=_call_khaya,
            accepts=("text", "pair", "source", "target", "split"),
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
        split: bool = False,
        provider: ProviderName | None = None,
        fallback: Fallback = False,
    ) -> Translation:
        """Translate a text.

        Args:
            text: Up to 1,000 characters, or any length with `split=True`.
            pair: The languages, such as "en-tw", with codes of two letters or of ISO 639-3.
            source: The language of the text, if you pass no pair.
            target: The language to translate into, if you pass no pair.
            split: Cut a longer text at sentences and translate its parts concurrently. Each part is billed.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or a list of providers to try.

        Raises:
            ValueError: The text is blank, or the languages are incomplete.
            BadRequestError: The provider does not support this pair of languages.

        Example::

            hello = await api.translate("Good morning", "en-tw")
            print(hello.text)
        """
        arguments = TranslateArguments(text=text, pair=pair, source=source, target=target, split=split or None)
        return await self._route(TRANSLATE, arguments, provider, fallback)


def read_pair(pair: str | None, source: str | None, target: str | None) -> tuple[str, str]:
    """Return the source and the target language, given as a pair or one by one."""
    if pair is not None and (source is not None or target is not None):
        raise ValueError("give the languages as a pair or as source and target, not both")
    if pair is not None:
        source, _, target = pair.partition("-")
    if not source or not target:
        raise ValueError(
            f"the languages are a pair ('en-tw'), or source='en' and target='tw', not {pair or (source, target)!r}"
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

    If a part fails, the other parts are cancelled and its error is raised. The `raw` of the result is a list with one
    item per part.
    """
    parts = await run_off_loop(lambda: list(cut_text(text)), size=10 * len(text))  # up to 0.7 us a character
    if len(parts) == 1:
        return await translate(text)

    async def one(part: str) -> tuple[str, Translation | None]:
        core = part.strip()
        if is_blank(core):
            return part, None
        before, _, after = part.partition(core)
        translated = await translate(core)
        return before + translated.text + after, translated

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(part)) for part in parts]
    except ExceptionGroup as failures:  # this is one call, and its callers expect a single error
        raise failures.exceptions[0] from None
    results = [task.result() for task in tasks]
    done = [translated for _, translated in results if translated is not None]
    warnings = tuple(dict.fromkeys(warning for each in done for warning in each.warnings))
    joined = evolve(done[0], text="".join(text for text, _ in results), warnings=warnings)
    return stamp(joined, Origin([each.raw for each in done], done[0].request_id))
