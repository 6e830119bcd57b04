"""Translation: its result, who can answer, the routed call."""

from __future__ import annotations

from attrs import frozen

from .routing import Answer, Result, Routed, honours, provider_last

TRANSLATE = (Answer(provider="khaya", method="translate", arguments=honours("text", "pair", "source", "target")),)


@frozen(kw_only=True, field_transformer=provider_last)
class Translation(Result):
    """A translated text."""

    text: str
    source_language: str
    """As it was asked for: "en" or "eng"."""
    target_language: str

    def __str__(self) -> str:
        return self.text


class Translate(Routed):
    """The service as `KellyAPI` offers it."""

    async def translate(
        self,
        text: str,
        pair: str | None = None,
        *,
        source: str | None = None,
        target: str | None = None,
        provider: str | None = None,
    ) -> Translation:
        """Translate a text.

        Give the languages as a pair ("en-tw") or as `source` and `target`, in two letters or ISO 639-3. At most 1,000
        characters. An empty text raises `ValueError`, a pair that the system does not know `BadRequestError`.

        Source: https://github.com/Khaya-AI/khaya-sdk
        """
        return await self._route(TRANSLATE, Translation, provider, text=text, pair=pair, source=source, target=target)
