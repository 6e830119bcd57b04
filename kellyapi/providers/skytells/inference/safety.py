"""Skytells' content filter, asked through a short chat: it has no address of its own."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from ...._core.resource import Resource
from ...._data.media import MediaSource, read_media, sniff, to_base64
from ...._data.text import not_blank
from ....services.openai_completions import ChatCompletion, FilterResult

SAFETY_MODEL = "deepbrain-router"
MAX_TOKENS = 16


@frozen
class SafetyCheck:
    """What the content filter found."""

    results: dict[str, FilterResult] = field(factory=dict)
    """By category: "hate", "violence", "sexual", "self_harm", "jailbreak", …; of prompt and reply the worse one."""

    @property
    def failed(self) -> tuple[str, ...]:
        """The categories that were filtered."""
        return tuple(category for category, result in self.results.items() if result.filtered)

    @property
    def passed(self) -> bool:
        """Whether nothing was filtered."""
        return not self.failed


class SafetyResource(Resource):
    """`skytells.safety`. Each check is a chat of a few tokens, and is billed as one.

    Source: https://github.com/Skytells/ts-sdk (src/safety.ts)
    """

    async def check_text(self, text: str) -> SafetyCheck:
        """Ask the content filter about a text."""
        return await self._check(not_blank(text, "text"))

    async def check_image(self, image: MediaSource) -> SafetyCheck:
        """Ask the content filter about a picture: an http(s) URL, or what is accepted as an image elsewhere."""
        if isinstance(image, str) and image.startswith(("https://", "http://", "data:")):
            url = image
        else:
            data = await read_media(image, "image")
            url = f"data:{sniff(data) or 'application/octet-stream'};base64,{await to_base64(data, 'image')}"
        parts = [{"type": "text", "text": "Analyze this image."}, {"type": "image_url", "image_url": {"url": url}}]
        return await self._check(parts)

    async def _check(self, content: Any) -> SafetyCheck:
        data = {"model": SAFETY_MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": MAX_TOKENS}
        return read_filters(await self._post_json("/chat/completions", data, into=ChatCompletion))


def read_filters(completion: ChatCompletion) -> SafetyCheck:
    """Read what the filter says of any reply that you have."""
    results: dict[str, FilterResult] = {}
    found = [each.content_filter_results for each in completion.prompt_filter_results]
    found += [each.content_filter_results for each in completion.choices]
    for category, result in (pair for each in found for pair in each.items()):
        if result.filtered or category not in results:
            results[category] = result
    return SafetyCheck(results)
