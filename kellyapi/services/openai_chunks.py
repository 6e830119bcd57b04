"""Chat completions in OpenAI's format in chunks, and the completion that is built from them."""

from __future__ import annotations

from typing import Any

from attrs import define, field, frozen

from .._data.decoding import Report, decode
from .._data.result import Result
from .openai_completions import (
    Annotation,
    ChatCompletion,
    FilterResult,
    FunctionCall,
    Logprobs,
    PromptFilter,
    Usage,
    as_dict,
    as_list,
    function_of,
    joined_parts,
    json_text,
)

_GATHERED = frozenset(("role", "content", "tool_calls", "annotations"))
_TOP_LEVEL_FIELDS = ("id", "model", "created", "usage", "system_fingerprint", "prompt_filter_results")


@frozen
class FunctionCallDelta:
    """A part of the function of a tool call."""

    name: str | None = None
    arguments: str | None = None
    """What is added to the arguments."""

    prepare_json = staticmethod(FunctionCall.prepare_json)


@frozen
class ToolCallDelta:
    """A part of a tool call. The first part has the id and the name."""

    index: int | None = None
    """The place of the call among the calls of its message."""
    id: str | None = None
    type: str | None = None
    function: FunctionCallDelta = FunctionCallDelta()

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Read the function from where some servers send it."""
        return {**value, "function": function_of(value)} if isinstance(value, dict) else value


@frozen
class MessageDelta(Result):
    """What a chunk adds to a message."""

    content: str | None = None
    role: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCallDelta, ...] = ()
    annotations: tuple[Annotation, ...] = ()

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Join a content that comes in parts."""
        content = as_dict(value).get("content")
        return {**value, "content": joined_parts(content)} if isinstance(content, list) else value


@frozen
class ChunkChoice:
    """What a chunk adds to a choice."""

    delta: MessageDelta = MessageDelta()
    index: int = 0
    finish_reason: str | None = None
    """`None` until the last chunk of the choice."""
    content_filter_results: dict[str, FilterResult] = field(factory=dict)
    logprobs: Logprobs | None = None

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Read the message of a response that is not streamed as the delta."""
        return {**value, "delta": value["message"]} if "message" in as_dict(value) and "delta" not in value else value


@frozen(kw_only=True)
class ChatChunk(Result):
    """A chunk of a streamed chat completion."""

    id: str | None = None
    model: str | None = None
    created: float | None = None
    """Seconds since 1970."""
    choices: tuple[ChunkChoice, ...] = ()
    """Empty in chunks that have only the usage, or only filter results."""
    usage: Usage | None = None
    system_fingerprint: str | None = None
    prompt_filter_results: tuple[PromptFilter, ...] = ()


@define
class ChunkAccumulator:
    """Build a completion from the chunks of a stream.

    The chunks are read without the decoder, since there may be thousands of them. The completion is decoded at the end.
    A value of a wrong type is left out, except the text of a choice, which is needed.

    Source: https://platform.openai.com/docs/api-reference/chat/streaming
    """

    texts: list[str] = field(factory=list)
    """The pieces of the text of the first choice."""
    _head: dict[str, Any] = field(factory=dict)
    _choices: dict[int, _ChoiceAccumulator] = field(factory=dict)

    @property
    def finished(self) -> bool:
        """Whether every choice has a finish reason."""
        return bool(self._choices) and all(choice.finish_reason for choice in self._choices.values())

    def add(self, chunk: dict[str, Any]) -> str:
        """Add a chunk, or a complete completion, and return what it adds to the text of the first choice."""
        for name in _TOP_LEVEL_FIELDS:
            if value := chunk.get(name):
                self._head[name] = value
        return "".join([self._add(choice) for choice in as_list(chunk.get("choices")) if isinstance(choice, dict)])

    def completion(self, report: Report | None = None) -> ChatCompletion:
        """Return what has arrived so far. `report` is called for each field that is left out."""
        choices = [{"index": index, **self._choices[index].whole()} for index in sorted(self._choices)]
        return decode({**self._head, "choices": choices}, ChatCompletion, report)

    def _add(self, choice: dict[str, Any]) -> str:
        index = _index(choice.get("index"), 0)
        if index is None:
            return ""
        kept = self._choices.get(index)
        if kept is None:
            kept = self._choices[index] = _ChoiceAccumulator(self.texts if index == 0 else [])
        kept.finish_reason = choice.get("finish_reason") or kept.finish_reason
        for category, result in as_dict(choice.get("content_filter_results")).items():
            if not as_dict(kept.filters.get(category)).get("filtered"):
                kept.filters[category] = result
        for name, tokens in as_dict(choice.get("logprobs")).items():
            kept.logprobs.setdefault(name, []).extend(as_list(tokens))
        delta = as_dict(choice.get("delta")) or as_dict(choice.get("message"))
        for place, call in enumerate(as_list(delta.get("tool_calls"))):
            kept.add_call(as_dict(call), place)
        kept.annotations += as_list(delta.get("annotations"))
        for name in delta.keys() - _GATHERED:
            kept.add_other(name, delta[name])
        content = delta.get("content")
        if content is None:
            return ""
        text = content if isinstance(content, str) else joined_parts(content)
        kept.texts.append(text)
        return text if index == 0 else ""


@define
class _ChoiceAccumulator:
    texts: list[str]
    calls: dict[int, dict[str, Any]] = field(factory=dict)
    annotations: list[Any] = field(factory=list)
    others: dict[str, Any] = field(factory=dict)
    """The other fields of the message, such as the refusal: lists of pieces, or a value that is not text."""
    logprobs: dict[str, list[Any]] = field(factory=dict)
    filters: dict[str, Any] = field(factory=dict)
    finish_reason: Any = None

    def add_other(self, name: str, value: Any) -> None:
        """Add a piece of another text of the message, or set another value."""
        if isinstance(value, str):
            kept = self.others.setdefault(name, [])
            if isinstance(kept, list):
                kept.append(value)
        elif value is not None:
            self.others[name] = (value,)

    def add_call(self, call: dict[str, Any], place: int) -> None:
        """Add a fragment of a tool call. The first one has its name, and each one has a part of its arguments."""
        index = self._place_of(call, place)
        if index is None:
            return
        kept = self.calls.setdefault(index, {"id": None, "name": "", "type": "function", "arguments": []})
        function = as_dict(function_of(call))
        for name in ("id", "type"):
            kept[name] = call.get(name) or kept[name]
        if isinstance(piece := function.get("name"), str):  # the whole name, perhaps again, or its next piece
            kept["name"] = piece if piece.startswith(kept["name"]) else kept["name"] + piece
        if isinstance(arguments := json_text(function.get("arguments")), str):
            kept["arguments"].append(arguments)

    def _place_of(self, call: dict[str, Any], place: int) -> int | None:
        """Return the place of the call that a fragment belongs to.

        Some servers send no index, or the same index for each call: there another id begins another call.
        """
        index, id = _index(call.get("index"), place), call.get("id")
        if index is None:
            return None
        known = (each for each, kept in self.calls.items() if kept["id"] == id)
        if id and self.calls.get(index, {}).get("id") not in (None, id):
            return next(known, max(self.calls) + 1)
        if id and index not in self.calls and not as_dict(function_of(call)).get("name"):  # the index is wrong
            return next(known, index)
        if id or call.get("index") is not None or not self.calls:
            return index
        return max(index, *self.calls)

    def whole(self) -> dict[str, Any]:
        """Return the choice in the form of a completion that is not streamed."""
        calls = [
            {
                "id": call["id"],
                "type": call["type"],
                "function": {"name": call["name"], "arguments": "".join(call["arguments"])},
            }
            for _, call in sorted(self.calls.items())
        ]
        others = {name: "".join(kept) if isinstance(kept, list) else kept[0] for name, kept in self.others.items()}
        message = {
            **others,
            "content": "".join(self.texts) if self.texts else None,
            "refusal": others.get("refusal") or None,
            "tool_calls": calls,
            "annotations": self.annotations,
        }
        return {
            "message": message,
            "finish_reason": self.finish_reason,
            "content_filter_results": self.filters,
            "logprobs": self.logprobs or None,
        }


def _index(value: Any, default: int) -> int | None:
    """Read an index; return `None` if it cannot be read."""
    if value is None:
        return default
    is_whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return int(value) if is_whole or (isinstance(value, str) and value.isdecimal()) else None
