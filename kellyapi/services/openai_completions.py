"""Chat completions in OpenAI's format, which Skytells and Aerostack use, and their messages as they are sent back.

Only Skytells sends the filter results. They are empty for other providers.
"""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

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
        """Read a finding without `filtered` as one that is not filtered."""
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
        """Read the function from where some servers send it, and accept a number as the id."""
        if not isinstance(value, dict):
            return value
        id = value.get("id")
        return {**value, "id": str(id) if type(id) is int else id, "function": function_of(value)}


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
        kind = as_dict(value).get("type")
        return {**value, **as_dict(value.get(kind))} if isinstance(kind, str) else value


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
        if isinstance(content := as_dict(value).get("content"), list):
            changes["content"] = joined_parts(content)
        if calls := as_list(as_dict(value).get("tool_calls")):
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
        if as_dict(value).get("finish_reason") == BLOCKED and value.get("message") is None:
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


def is_older_form(value: Any) -> bool:
    """Return whether a reply is `{"response": text, …}`, the form of Aerostack's older API."""
    if not isinstance(value, dict) or "choices" in value:
        return False
    text = value.get("response")
    return isinstance(text, str) or (text is None and bool(as_list(value.get("tool_calls"))))


def from_older_form(value: dict[str, Any]) -> dict[str, Any]:
    """Return a reply of Aerostack's older API in the form of a completion."""
    message = {"content": value.get("response"), "tool_calls": value.get("tool_calls")}
    return {**value, "choices": [{"message": message, "finish_reason": value.get("finish_reason")}]}


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


def as_dict(value: Any) -> dict[str, Any]:
    """Return a value that is a dict; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a value that is a list; an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def function_of(call: dict[str, Any]) -> Any:
    """Return name and arguments of a tool call: of its function, of its custom tool, or in the call itself."""
    if isinstance(custom := call.get("custom"), dict):
        return {"name": custom.get("name"), "arguments": custom.get("input")}
    return call if "name" in call and not call.get("function") else call.get("function")


def _with_id(call: Any, place: int) -> Any:
    """Return a tool call with an id: without one its result could not be sent back."""
    return {**call, "id": f"call_{place}"} if isinstance(call, dict) and call.get("id") in (None, "") else call


def json_text(arguments: Any) -> Any:
    """Return arguments as JSON text if they came as an object."""
    return dumps(arguments).decode() if isinstance(arguments, dict) else arguments


def joined_parts(content: Any) -> str:
    """Return the text of a content that is a list of parts."""
    texts = [as_dict(part).get("text") or "" for part in as_list(content)]
    if not isinstance(content, list) or not all(isinstance(text, str) for text in texts):
        raise DecodingError(f"the text of a message is not a string: {excerpt(repr(content))}")
    return "".join(texts)
