"""`skytells.safety`: the content filter.

The filter has no endpoint of its own. A check sends a short chat and reads the filter results in its response.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import field, frozen

from ...._core.resource import Resource
from ...._data.arguments import NotBlank
from ...._data.decoding import Shape
from ...._data.media import MediaSource, open_media, to_base64
from ...._data.result import Result
from ....errors import DecodingError
from ....services.openai_completions import ChatCompletion, FilterResult

SAFETY_MODEL = "deepbrain-router"
MAX_TOKENS = 16


@frozen
class SafetyCheck(Result):
    """The findings of the content filter."""

    results: dict[str, FilterResult] = field(factory=dict)
    """By category ("hate", "violence", "sexual", "self_harm", "jailbreak", …), the worse of prompt and reply."""

    @property
    def failed(self) -> tuple[str, ...]:
        """The categories in which something was filtered."""
        return tuple(category for category, result in self.results.items() if result.filtered)

    @property
    def passed(self) -> bool:
        """Whether nothing was filtered."""
        return not self.failed


class SafetyResource(Resource):
    """The content filter. Each check is a chat of a few tokens, and is billed as such.

    Source: https://github.com/Skytells/ts-sdk (src/safety.ts)
    """

    async def check_text(self, text: NotBlank) -> SafetyCheck:
        """Check a text.

        Example::

            check = await skytells.safety.check_text("Good morning")
            print(check.passed, check.failed)
        """
        return await self._check(text)

    async def check_image(self, image: MediaSource) -> SafetyCheck:
        """Check an image.

        Args:
            image: An http or https URL, which Skytells fetches, or a path, bytes, a binary file, an upload of a web
                framework, an iterator of bytes, an image of Pillow, an `Image`, a `data:` URL or `Base64(text)`.
        """
        if isinstance(image, str) and image.lower().startswith(("https://", "http://")):
            url = image
        else:
            media = await open_media(image, "image")
            url = f"data:{media.mime};base64,{await to_base64(media, 'image')}"
        parts = [{"type": "text", "text": "Analyze this image."}, {"type": "image_url", "image_url": {"url": url}}]
        return await self._check(parts)

    async def _check(self, content: Any) -> SafetyCheck:
        data = {"model": SAFETY_MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": MAX_TOKENS}
        return await self._post_json("/chat/completions", data, into=Shape(ChatCompletion, read_filters))


def read_filters(completion: ChatCompletion) -> SafetyCheck:
    """Return the findings of the content filter in a chat completion."""
    results: dict[str, FilterResult] = {}
    found = [each.content_filter_results for each in completion.prompt_filter_results]
    found += [each.content_filter_results for each in completion.choices]
    for category, result in (pair for each in found for pair in each.items()):
        if result.filtered or category not in results:
            results[category] = result
    read = [category for each in found for category in each]
    if unread := Counter(_categories(completion.raw)) - Counter(read):
        raise DecodingError(f"the finding of the content filter for {min(unread)!r} cannot be read")
    return SafetyCheck(results)


def _categories(raw: dict[str, Any]) -> list[str]:
    """Return the category of each finding in the JSON of a completion, whether it can be read or not."""
    categories: list[str] = []
    for name in ("prompt_filter_results", "choices"):
        for each in raw.get(name) or ():
            findings = each.get("content_filter_results") if isinstance(each, dict) else each
            if isinstance(findings, dict):
                categories += [category for category, finding in findings.items() if finding]
            elif findings:
                categories.append(name)
    return categories
