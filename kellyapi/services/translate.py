"""Translation: its result, who can answer, the routed call, and the cutting of texts that are too long for one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator

from attrs import frozen

from .._data.text import not_blank
from .result import ServiceResult, provider_fields_last
from .routing import Fallback, ProviderName, Route, RoutedService, accepts

TRANSLATE = (
    Route(provider="khaya", method="translate", arguments=accepts("text", "pair", "source", "target", "split")),
)

MAX_CHARACTERS = 1000
"""What the provider takes at once. Source: https://github.com/Khaya-AI/khaya-claude-skills (translation)"""
_CUT_PATTERNS = (
    re.compile(r"(?<=[.!?…])[\"'”’»)\]]*(?=\s)|(?<=\n)"),  # a sentence has ended, its closing quotes and brackets too
    re.compile(r"(?<=\S)(?=\s)"),  # a word has ended
    re.compile(r"(?<=\s)(?=\S)"),  # the first word begins
)


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Translation(ServiceResult):
    """A translated text."""

    text: str
    source_language: str
    """As it was asked for: "en" or "eng"."""
    target_language: str

    def __str__(self) -> str:
        return self.text


class Translate(RoutedService):
    """The service as `KellyAPI` offers it.

    Source: https://github.com/Khaya-AI/khaya-sdk
    """

    async def translate(
        self,
        text: str,
        pair: str | None = None,
        *,
        source: str | None = None,
        target: str | None = None,
        split: bool = False,
        provider: ProviderName | None = None,
        fallback: Fallback = False,
    ) -> Translation:
        """Translate a text.

        Give the languages as a pair ("en-tw") or as `source` and `target`, in two letters or ISO 639-3. At most 1,000
        characters; with `split=True` a longer text is translated in parts, cut at sentences, each billed for itself. An
        empty text raises `ValueError`, a pair that the provider does not know `BadRequestError`.
        """
        return await self._route(
            TRANSLATE,
            Translation,
            provider,
            fallback,
            text=text,
            pair=pair,
            source=source,
            target=target,
            split=split or None,
        )


def read_pair(pair: str | None, source: str | None, target: str | None) -> tuple[str, str]:
    """Read the languages, given as a pair or as source and target."""
    if pair is not None and (source is not None or target is not None):
        raise ValueError("give the languages as a pair or as source and target, not both")
    if pair is not None:
        source, _, target = not_blank(pair, "pair").partition("-")
    if not source or not target:
        raise ValueError(
            f"the languages are a pair ('en-tw'), or source='en' and target='tw', not {pair or (source, target)!r}"
        )
    return source, target


def cut_text(text: str, size: int = MAX_CHARACTERS) -> Iterator[str]:
    """Cut a text into parts of at most `size` characters which, joined, are the text.

    Each part ends at its last end of a sentence (. ! ? … or a new line); one without any ends at a space, and one
    without a space where it is full.
    """
    start = 0
    while len(text) - start > size:
        window = text[start : start + size + 1]  # one more, to see whether what stands there is a space
        places = (
            max((cut.end() for cut in kind.finditer(window) if 0 < cut.end() <= size), default=0)
            for kind in _CUT_PATTERNS
        )
        length = next(filter(None, places), size)
        yield text[start : start + length]
        start += length
    yield text[start:]


async def translate_in_parts(text: str, translate: Callable[[str], Awaitable[str]]) -> str:
    """Translate the parts of a text at once and join them with the white space that was around them.

    The first failure cancels the others and is raised itself.
    """
    parts = list(cut_text(text))
    if len(parts) == 1:
        return await translate(text)

    async def one(part: str) -> str:
        core = part.strip()
        if not core:
            return part
        before, _, after = part.partition(core)
        return before + await translate(core) + after

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(part)) for part in parts]
    except ExceptionGroup as failures:  # of one call, whose callers know single errors
        raise failures.exceptions[0] from None
    return "".join(task.result() for task in tasks)
