"""Chat completions in the shape that OpenAI made common, and that Skytells and Aerostack share: whole, and in chunks.

What is Skytells' own (filter results) is empty elsewhere.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field, frozen

from .._data.decoding import decode
from .._data.text import excerpt
from ..errors import DecodingError


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


@define
class ChunkAccumulator:
    """Puts the chunks of a streamed completion together.

    Each chunk is read by hand, since there may be thousands; what they make is decoded once, strictly, at the end.
    Source: https://platform.openai.com/docs/api-reference/chat/streaming
    """

    texts: list[str] = field(factory=list)
    """What the first choice says, in the pieces in which it came."""
    _head: dict[str, Any] = field(factory=dict)
    _choices: dict[int, _ChoiceAccumulator] = field(factory=dict)

    @property
    def finished(self) -> bool:
        """Whether every choice has said why it stopped."""
        return bool(self._choices) and all(choice.finish_reason for choice in self._choices.values())

    def add(self, chunk: dict[str, Any]) -> str:
        """Take a chunk, or a whole completion, and give what it adds to the text of the first choice."""
        try:
            for name in _TOP_LEVEL_FIELDS:
                if value := chunk.get(name):
                    self._head[name] = value
            return "".join([self._add(choice) for choice in chunk["choices"]])
        except (TypeError, AttributeError):  # of a wrong type somewhere: none is looked at before it is needed
            raise DecodingError(f"a chunk does not fit the protocol: {excerpt(repr(chunk))}") from None

    def completion(self) -> ChatCompletion:
        """Give what has been gathered so far."""
        choices = [{"index": index, **self._choices[index].whole()} for index in sorted(self._choices)]
        return decode({**self._head, "choices": choices}, ChatCompletion)

    def _add(self, choice: dict[str, Any]) -> str:
        index = _read_index(choice.get("index"), 0)
        kept = self._choices.get(index)
        if kept is None:
            kept = self._choices[index] = _ChoiceAccumulator(self.texts if index == 0 else [])
        kept.finish_reason = choice.get("finish_reason") or kept.finish_reason
        for category, result in (choice.get("content_filter_results") or {}).items():
            if not kept.filters.get(category, {}).get("filtered"):
                kept.filters[category] = result
        delta = choice.get("delta") or choice.get("message")
        if not delta:
            return ""
        for place, call in enumerate(delta.get("tool_calls") or ()):
            kept.add_call(call, place)
        if refusal := delta.get("refusal"):
            kept.refusals.append(_read_text(refusal))
        content = delta.get("content")
        if content is None:
            return ""
        text = (
            content if isinstance(content, str) else "".join([_read_text(part.get("text") or "") for part in content])
        )
        kept.texts.append(text)
        return text if index == 0 else ""


@define
class _ChoiceAccumulator:
    texts: list[str]
    refusals: list[str] = field(factory=list)
    calls: dict[int, dict[str, Any]] = field(factory=dict)
    filters: dict[str, Any] = field(factory=dict)
    finish_reason: Any = None

    def add_call(self, call: dict[str, Any], place: int) -> None:
        """Take a fragment: the first one of a call names it, all of them bring its arguments."""
        index = _read_index(call.get("index"), place)
        kept = self.calls.setdefault(index, {"id": "", "name": "", "type": "function", "arguments": []})
        function = call.get("function") or {}
        for name, value in (("id", call.get("id")), ("type", call.get("type")), ("name", function.get("name"))):
            kept[name] = value or kept[name]
        kept["arguments"].append(_read_text(function.get("arguments") or ""))

    def whole(self) -> dict[str, Any]:
        """Give it in the form of a completion that was not streamed."""
        calls = [
            {
                "id": call["id"],
                "type": call["type"],
                "function": {"name": call["name"], "arguments": "".join(call["arguments"])},
            }
            for _, call in sorted(self.calls.items())
        ]
        message = {
            "content": "".join(self.texts) if self.texts else None,
            "refusal": "".join(self.refusals) or None,
            "tool_calls": calls,
        }
        return {"message": message, "finish_reason": self.finish_reason, "content_filter_results": self.filters}


_TOP_LEVEL_FIELDS = ("id", "model", "created", "usage", "system_fingerprint", "prompt_filter_results")


def _read_index(index: Any, default: int) -> int:
    if index is None:
        return default
    if type(index) is not int:
        raise TypeError(index)
    return index


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
