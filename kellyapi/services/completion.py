"""Chat completions in the shape that OpenAI made common, and that Skytells and Aerostack share.

What is Skytells' own (filter results) is empty elsewhere.
"""

from __future__ import annotations

from attrs import field, frozen


@frozen
class Usage:
    """What a reply cost, in tokens."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: dict[str, object] = field(factory=dict)
    completion_tokens_details: dict[str, object] = field(factory=dict)


@frozen
class FilterResult:
    """What the content filter says of one category."""

    filtered: bool = False
    severity: str | None = None
    """"safe", "low", "medium" or "high"."""
    detected: bool | None = None


@frozen
class FunctionCall:
    """A function that the model wants called."""

    name: str
    arguments: str = ""
    """JSON, as the model wrote it."""


@frozen
class ToolCall:
    """A tool that the model wants called."""

    id: str
    function: FunctionCall
    type: str = "function"


@frozen
class CompletionMessage:
    """What the model said."""

    role: str = "assistant"
    content: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()


@frozen
class Choice:
    """One of the answers."""

    message: CompletionMessage
    index: int = 0
    finish_reason: str | None = None
    """"stop", "length", "content_filter", "tool_calls"; others may come."""
    content_filter_results: dict[str, FilterResult] = field(factory=dict)
    """By category: "hate", "violence", "sexual", "self_harm", …"""


@frozen
class PromptFilter:
    """What the content filter says of one prompt."""

    prompt_index: int = 0
    content_filter_results: dict[str, FilterResult] = field(factory=dict)


@frozen(kw_only=True)
class ChatCompletion:
    """A whole reply.

    Source: https://platform.openai.com/docs/api-reference/chat/object
    """

    id: str | None = None
    model: str | None = None
    created: float | None = None
    """Seconds since 1970."""
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    system_fingerprint: str | None = None
    prompt_filter_results: tuple[PromptFilter, ...] = ()

    @property
    def text(self) -> str:
        """What the first choice says; empty when it says nothing."""
        return (self.choices[0].message.content or "") if self.choices else ""
