"""`skytells.safety`: the content filter.

The filter has no endpoint of its own. A check sends a short chat and reads the filter results in its response. The
results of other completions are read and evaluated without a request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, get_args

from attrs import field, frozen

from ...._core.resource import Resource
from ...._data.arguments import NotBlank, checked
from ...._data.decoding import Shape
from ...._data.media import MediaSource, open_media, to_base64
from ...._data.result import Result, with_origin_of
from ....errors import DecodingError
from ....services.openai_completions import BLOCKED, ChatCompletion, Choice, FilterResult
from ..enums import SafetySeverity
from .response_types import ModelResponse

SAFETY_MODEL = "deepbrain-router"
MAX_TOKENS = 16
_SEVERITIES = tuple(SafetySeverity)
"""From the least to the most severe."""


@frozen
class SafetyCheck(Result):
    """The findings of the content filter."""

    results: dict[str, FilterResult] = field(factory=dict)
    """By category ("hate", "violence", "sexual", "self_harm", "jailbreak", …): the worse of prompt and reply."""

    blocked: bool = False
    """Whether the filter blocked the prompt or the reply, even if it names no category."""

    @property
    def failed(self) -> tuple[str, ...]:
        """The categories in which something was filtered."""
        return tuple(category for category, result in self.results.items() if result.filtered)

    @property
    def passed(self) -> bool:
        """Whether nothing was filtered or blocked."""
        return not self.failed and not self.blocked


def _as_tuple(categories: Iterable[NotBlank] | Literal["all"] | None) -> tuple[str, ...] | None:
    return None if categories is None or categories == "all" else tuple(categories)


@checked
@frozen
class SafetyTemplate:
    """What `safety.evaluate` accepts."""

    id: NotBlank
    categories: tuple[str, ...] | None = field(default=None, converter=_as_tuple)
    """The categories that count; `None` or "all" for all of them."""
    severity_threshold: SafetySeverity | Literal["safe", "low", "medium", "high"] = SafetySeverity.SAFE
    """The lowest severity that fails, if `fail_on_filtered` is set. "safe" never fails."""
    fail_on_filtered: bool = False
    """Whether a severity fails even if the filter let it pass. What was filtered always fails."""

    STRICT: ClassVar[SafetyTemplate]
    MODERATE: ClassVar[SafetyTemplate]
    MINIMAL: ClassVar[SafetyTemplate]
    CHILD_SAFE: ClassVar[SafetyTemplate]
    ENTERPRISE: ClassVar[SafetyTemplate]

    def fails(self, category: str, result: FilterResult) -> bool:
        """Return whether a finding fails."""
        if self.categories is not None and category not in self.categories:
            return False
        severity = _rank(result.severity)
        return result.filtered or (self.fail_on_filtered and severity >= max(1, _rank(self.severity_threshold)))


SafetyTemplate.STRICT = SafetyTemplate("strict", fail_on_filtered=True)
SafetyTemplate.MODERATE = SafetyTemplate("moderate", None, SafetySeverity.MEDIUM, fail_on_filtered=True)
SafetyTemplate.MINIMAL = SafetyTemplate("minimal", None, SafetySeverity.HIGH)
SafetyTemplate.CHILD_SAFE = SafetyTemplate(
    "child_safe", ("sexual", "violence", "self_harm", "hate"), SafetySeverity.LOW
)
SafetyTemplate.ENTERPRISE = SafetyTemplate("enterprise")

TemplateName = Literal["strict", "moderate", "minimal", "child_safe", "enterprise"]
_TEMPLATES: dict[Any, SafetyTemplate] = {name: getattr(SafetyTemplate, name.upper()) for name in get_args(TemplateName)}


@frozen
class SafetyEvaluation(Result):
    """The findings of the content filter, measured by a template."""

    template: str
    """The id of the template."""
    failed: tuple[str, ...]
    """The categories that failed."""
    details: SafetyCheck
    """All findings."""

    @property
    def passed(self) -> bool:
        """Whether no category failed, and nothing was blocked without a category."""
        return not self.failed and not (self.details.blocked and not self.details.failed)


Filtered = ChatCompletion | Choice | ModelResponse | SafetyCheck | Iterable[Choice]
"""Objects that have findings of the content filter."""


class SafetyResource(Resource):
    """The content filter. Each check is a chat of a few tokens, and is billed as such. The other methods send nothing.

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

    def read_filters(self, completion: Filtered) -> SafetyCheck:
        """Return the findings of the content filter in a completion or a response. Nothing is sent.

        Args:
            completion: A completion, one of its choices or several, a response of `skytells.responses`, or a check.

        Raises:
            DecodingError: A finding cannot be read.
        """
        return read_filters(completion)

    def was_filtered(self, completion: Filtered) -> bool:
        """Return whether something of a prompt or a reply was filtered or blocked. Nothing is sent.

        Args:
            completion: See `read_filters`.
        """
        return not read_filters(completion).passed

    def evaluate(
        self, completion: Filtered, template: SafetyTemplate | TemplateName = SafetyTemplate.STRICT
    ) -> SafetyEvaluation:
        """Measure the findings of the content filter by a template. Nothing is sent.

        Args:
            completion: See `read_filters`. To evaluate a text, pass what `check_text` returns.
            template: A `SafetyTemplate`, or the name of one: "strict" fails every severity but "safe", "moderate" those
                from "medium", "minimal" and "enterprise" only what was filtered, "child_safe" only what was filtered as
                sexual, violence, self-harm or hate.

        Example::

            completion = await skytells.chat.create("deepbrain-router", "Tell me of a battle.")
            print(skytells.safety.evaluate(completion, "moderate").failed)
        """
        check = read_filters(completion)
        chosen = template if isinstance(template, SafetyTemplate) else _TEMPLATES[template]
        failed = tuple(category for category, result in check.results.items() if chosen.fails(category, result))
        return with_origin_of(check, SafetyEvaluation(chosen.id, failed, check))

    async def _check(self, content: Any) -> SafetyCheck:
        data = {"model": SAFETY_MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": MAX_TOKENS}
        return await self._post_json("/chat/completions", data, into=Shape(ChatCompletion, read_filters))


def read_filters(completion: Filtered) -> SafetyCheck:
    """Return the findings of the content filter in a completion or a response."""
    match completion:
        case SafetyCheck():
            return completion
        case ChatCompletion():
            prompts = [each.content_filter_results for each in completion.prompt_filter_results]
            found = prompts + [each.content_filter_results for each in completion.choices]
            blocked = any(each.finish_reason == BLOCKED for each in completion.choices)
        case ModelResponse():
            found = [each.content_filter_results for each in completion.content_filters]
            blocked = any(each.blocked for each in completion.content_filters)
            reason = completion.incomplete_details
            blocked = blocked or (isinstance(reason, dict) and reason.get("reason") == BLOCKED)
        case _:
            choices = [completion] if isinstance(completion, Choice) else list(completion)
            found = [each.content_filter_results for each in choices]
            blocked = any(each.finish_reason == BLOCKED for each in choices)
    if isinstance(completion, Result) and completion.raw:
        read = Counter(category for each in found for category in each)
        if unread := Counter(_categories(completion.raw)) - read:
            raise DecodingError(f"the finding of the content filter for {min(unread)!r} cannot be read")
    check = SafetyCheck(_worse(found), blocked)
    return with_origin_of(completion, check) if isinstance(completion, Result) else check


def _worse(found: list[dict[str, FilterResult]]) -> dict[str, FilterResult]:
    """Return the worse finding of each category."""
    results: dict[str, FilterResult] = {}
    for category, result in (pair for each in found for pair in each.items()):
        known = results.get(category)
        if known is None or (result.filtered, _rank(result.severity)) > (known.filtered, _rank(known.severity)):
            results[category] = result
    return results


def _rank(severity: str | None) -> int:
    """Return the rank of a severity. An unknown one is the lowest."""
    return _SEVERITIES.index(SafetySeverity(severity)) if severity in _SEVERITIES else 0


def _categories(raw: dict[str, Any]) -> list[str]:
    """Return the category of each finding in the JSON of a completion or response, whether it can be read or not."""
    categories: list[str] = []
    for name in ("prompt_filter_results", "choices", "content_filters"):
        for each in raw.get(name) or ():
            findings = each.get("content_filter_results") if isinstance(each, dict) else each
            if isinstance(findings, dict):
                categories += [category for category, finding in findings.items() if finding]
            elif findings:
                categories.append(name)
    return categories
