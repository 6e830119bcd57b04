"""Chat completions in OpenAI's format, which Skytells and Aerostack use: complete, in chunks, and sent back.

Only Skytells sends the filter results. They are empty for other providers.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field, frozen

from .._data.decoding import Report, decode
from .._data.json_text import dumps
from .._data.result import Result
from .._data.text import excerpt
from ..errors import DecodingError


@frozen
class Usage:
    """The tokens that a call used."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: dict[str, object] = field(factory=dict)
    completion_tokens_details: dict[str, object] = field(factory=dict)


@frozen
class FilterResult:
    """The finding of the content filter in one category."""

    filtered: bool
    severity: str | None = None
    """"safe", "low", "medium" or "high"."""
    detected: bool | None = None

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Take a finding that does not say so for one that is not filtered."""
        return {"filtered": False, **value} if isinstance(value, dict) else value


@frozen
class FunctionCall:
    """The function of a tool call."""

    name: str
    arguments: str = ""
    """The arguments: JSON text as the model wrote it, which may be invalid. For a custom tool its input, any text."""

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Accept the arguments as an object, which some servers send in place of its text."""
        return value if not isinstance(value, dict) else {**value, "arguments": json_text(value.get("arguments"))}


@frozen
class ToolCall:
    """A tool that the model asks you to call.

    Send the result back in a message: `Message("tool", result, tool_call_id=call.id)`.
    """

    id: str
    """If the server sends none, "call_0", "call_1", …, by the place of the call in its message."""
    function: FunctionCall
    """The function; of a custom tool its name and its input."""
    type: str = "function"
    """"function", "custom", or another string."""

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Find the function where some servers have it, and accept a number as the id."""
        if not isinstance(value, dict):
            return value
        id = value.get("id")
        return {**value, "id": str(id) if type(id) is int else id, "function": _function_of(value)}


@frozen
class Annotation(Result):
    """A source of a part of a text: a page, or a file."""

    type: str | None = None
    """"url_citation", "file_citation", or another string."""
    url: str | None = None
    title: str | None = None
    start_index: int | None = None
    """Where the part begins in the text."""
    end_index: int | None = None
    """Where the part ends in the text."""
    file_id: str | None = None
    filename: str | None = None

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Read the details from the object named like the type, where chat completions send them."""
        kind = _dict(value).get("type")
        return {**value, **_dict(value.get(kind))} if isinstance(kind, str) else value


@frozen
class TopLogprob:
    """One of the likeliest tokens at one position of a text."""

    token: str
    logprob: float
    """The logarithm of the probability."""
    bytes: tuple[int, ...] | None = None
    """The UTF-8 bytes of the token. A letter may be spread over several tokens."""


@frozen
class TokenLogprob(TopLogprob):
    """A token of a text, and how likely it was."""

    top_logprobs: tuple[TopLogprob, ...] = ()
    """The likeliest tokens at its position, as many as `top_logprobs` says."""


@frozen
class Logprobs:
    """How likely the tokens of a message were."""

    content: tuple[TokenLogprob, ...] = ()
    """The tokens of the text."""
    refusal: tuple[TokenLogprob, ...] = ()
    """The tokens of the refusal."""


@frozen
class CompletionMessage(Result):
    """The message of the model. It can be an item of `messages` in the next call."""

    content: str | None
    """`None` if it called tools, or refused."""
    role: str = "assistant"
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    """The sources of the text, if the model names any."""

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Join a content that comes in parts, and name the tool calls that have no id."""
        changes: dict[str, Any] = {}
        if isinstance(content := _dict(value).get("content"), list):
            changes["content"] = _joined_parts(content)
        if calls := _list(_dict(value).get("tool_calls")):
            changes["tool_calls"] = [_with_id(call, place) for place, call in enumerate(calls)]
        return {**value, **changes} if changes else value


@frozen
class Choice:
    """One of the replies to the same messages; usually the only one."""

    message: CompletionMessage
    index: int = 0
    finish_reason: str | None = None
    """"stop", "length", "content_filter", "tool_calls", or another string."""
    content_filter_results: dict[str, FilterResult] = field(factory=dict)
    """By category: "hate", "violence", "sexual", "self_harm", …."""
    logprobs: Logprobs | None = None
    """How likely the tokens were, if you passed `logprobs=True`."""

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Accept that a blocked choice has no message."""
        if _dict(value).get("finish_reason") == BLOCKED and value.get("message") is None:
            return {**value, "message": {"content": None}}
        return value


@frozen
class PromptFilter:
    """The findings of the content filter in one prompt."""

    prompt_index: int = 0
    content_filter_results: dict[str, FilterResult] = field(factory=dict)


@frozen(kw_only=True)
class ChatCompletion(Result):
    """A chat completion.

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
        """The text of the first choice; empty if it has none."""
        return (self.choices[0].message.content or "") if self.choices else ""


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
        """Find the function where some servers have it."""
        return {**value, "function": _function_of(value)} if isinstance(value, dict) else value


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
        content = _dict(value).get("content")
        return {**value, "content": _joined_parts(content)} if isinstance(content, list) else value


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
        return {**value, "delta": value["message"]} if "message" in _dict(value) and "delta" not in value else value


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
        return "".join([self._add(choice) for choice in _list(chunk.get("choices")) if isinstance(choice, dict)])

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
        for category, result in _dict(choice.get("content_filter_results")).items():
            if not _dict(kept.filters.get(category)).get("filtered"):
                kept.filters[category] = result
        for name, tokens in _dict(choice.get("logprobs")).items():
            kept.logprobs.setdefault(name, []).extend(_list(tokens))
        delta = _dict(choice.get("delta")) or _dict(choice.get("message"))
        for place, call in enumerate(_list(delta.get("tool_calls"))):
            kept.add_call(_dict(call), place)
        kept.annotations += _list(delta.get("annotations"))
        for name in delta.keys() - _GATHERED:
            kept.add_other(name, delta[name])
        content = delta.get("content")
        if content is None:
            return ""
        text = content if isinstance(content, str) else _joined_parts(content)
        kept.texts.append(text)
        return text if index == 0 else ""


@define
class _ChoiceAccumulator:
    texts: list[str]
    calls: dict[int, dict[str, Any]] = field(factory=dict)
    annotations: list[Any] = field(factory=list)
    others: dict[str, Any] = field(factory=dict)
    """The other fields of the message, such as the refusal: lists of pieces, or a value that is no text."""
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
        function = _dict(_function_of(call))
        for name, value in (("id", call.get("id")), ("type", call.get("type")), ("name", function.get("name"))):
            kept[name] = value or kept[name]
        if isinstance(arguments := json_text(function.get("arguments")), str):
            kept["arguments"].append(arguments)

    def _place_of(self, call: dict[str, Any], place: int) -> int | None:
        """Return the place of the call that a fragment belongs to.

        Some servers send no index, or the same index for each call: there another id begins another call.
        """
        index, id = _index(call.get("index"), place), call.get("id")
        if index is None:
            return None
        if id and self.calls.get(index, {}).get("id") not in (None, id):
            known = (each for each, kept in self.calls.items() if kept["id"] == id)
            return next(known, max(self.calls) + 1)
        if id or call.get("index") is not None or not self.calls:
            return index
        return max(index, *self.calls)

    def whole(self) -> dict[str, Any]:
        """Return the choice as it stands in a completion that is not streamed."""
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


def write_completion_message(message: CompletionMessage) -> dict[str, Any]:
    """Return a message of the model as it is sent back: without nulls, and without what only a response has."""
    written: dict[str, Any] = {"role": message.role}
    if message.content is not None or not message.tool_calls:
        written["content"] = message.content or ""
    if message.refusal:
        written["refusal"] = message.refusal
    if message.tool_calls:
        written["tool_calls"] = [write_tool_call(call) for call in message.tool_calls]
    return written


def write_tool_call(call: ToolCall) -> dict[str, Any]:
    """Return a tool call as it is sent back."""
    name, arguments = call.function.name, call.function.arguments
    if call.type == "custom":
        return {"id": call.id, "type": call.type, "custom": {"name": name, "input": arguments}}
    return {"id": call.id, "type": call.type, "function": {"name": name, "arguments": arguments}}


BLOCKED = "content_filter"
"""The finish reason of a choice that the content filter blocked."""
_GATHERED = frozenset(("role", "content", "tool_calls", "annotations"))
_TOP_LEVEL_FIELDS = ("id", "model", "created", "usage", "system_fingerprint", "prompt_filter_results")


def _index(value: Any, default: int) -> int | None:
    """Read an index; return `None` if it cannot be read."""
    if value is None:
        return default
    return int(value) if type(value) is int or (isinstance(value, str) and value.isdecimal()) else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _function_of(call: dict[str, Any]) -> Any:
    """Return name and arguments of a tool call: of its function, of its custom tool, or in the call itself."""
    if isinstance(custom := call.get("custom"), dict):
        return {"name": custom.get("name"), "arguments": custom.get("input")}
    return call if "name" in call and not call.get("function") else call.get("function")


def _with_id(call: Any, place: int) -> Any:
    """Return a tool call with an id: without one its result could not be sent back."""
    return {**call, "id": f"call_{place}"} if isinstance(call, dict) and call.get("id") in (None, "") else call


def json_text(arguments: Any) -> Any:
    """Return arguments that came as an object as its JSON text."""
    return dumps(arguments).decode() if isinstance(arguments, dict) else arguments


def _joined_parts(content: Any) -> str:
    """Return the text of a content that is a list of parts."""
    texts = [_dict(part).get("text") or "" for part in _list(content)]
    if not isinstance(content, list) or not all(isinstance(text, str) for text in texts):
        raise DecodingError(f"the text of a message is not a string: {excerpt(repr(content))}")
    return "".join(texts)
