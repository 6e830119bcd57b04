"""Responses as Skytells sends them: `ModelResponse` and the items of its output, which can be sent back.

Source: https://github.com/Skytells/ts-sdk (src/types/inference.types.ts),
https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from attrs import asdict, field, frozen

from ...._data.arguments import NotBlank
from ...._data.result import Result
from ....services.chat_messages import Message, check_written, write_message
from ....services.openai_completions import Annotation, CompletionMessage, FilterResult, TokenLogprob, json_text


@frozen
class OutputContent:
    """A part of an output item."""

    type: str = "output_text"
    """"output_text", "refusal", "reasoning_text", or another string."""
    text: str | None = None
    annotations: tuple[Annotation, ...] = ()
    """The sources of the text, if the model names any."""
    refusal: str | None = None
    """Why the model refused, in a part of the type "refusal"."""
    logprobs: tuple[TokenLogprob, ...] = ()
    """How likely the tokens of the text were, if you requested it."""


_ItemClass: TypeAlias = "type[OutputItem]"


@frozen(kw_only=True)
class OutputItem(Result):
    """One item of a response. It can be an item of `input` in the next call.

    Items of known types are of the classes `OutputMessage`, `FunctionCallItem` and `ReasoningItem`. An item of another
    type is of this class. `raw` has all of it, as the provider sent it.
    """

    id: str | None = None
    type: str | None = None
    status: str | None = None
    content: tuple[OutputContent, ...] = ()
    """The parts of the item, if it has any."""

    @staticmethod
    def choose_json_class(value: Any) -> _ItemClass:
        """Return the class for the type of an item."""
        kind = value.get("type") if isinstance(value, dict) else None
        return _ITEM_CLASSES.get(kind, OutputItem) if isinstance(kind, str) else OutputItem


@frozen(kw_only=True)
class OutputMessage(OutputItem):
    """A message of the model."""

    type: str | None = "message"
    role: str | None = "assistant"
    phase: str | None = None


@frozen(kw_only=True)
class FunctionCallItem(OutputItem):
    """A function that the model asks you to call.

    Send the result back in the next `input`: `Message("tool", result, tool_call_id=item.call_id)`.
    """

    type: str | None = "function_call"
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    """The arguments: JSON text as the model wrote it, which may be invalid."""

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Accept the arguments as an object, which some servers send in place of its text."""
        return {**value, "arguments": json_text(value.get("arguments"))} if isinstance(value, dict) else value


@frozen
class ReasoningSummary:
    """A part of the summary of the model's reasoning."""

    text: str
    type: str = "summary_text"


@frozen(kw_only=True)
class ReasoningItem(OutputItem):
    """The reasoning of the model: a summary, if you passed `reasoning={"summary": "auto"}`."""

    type: str | None = "reasoning"
    summary: tuple[ReasoningSummary, ...] = ()
    encrypted_content: str | None = None
    """The whole reasoning, which only the provider can read."""

    @property
    def text(self) -> str:
        """The text of the summary."""
        return "\n\n".join(part.text for part in self.summary)


_ITEM_CLASSES: Mapping[str, _ItemClass] = {
    "message": OutputMessage,
    "function_call": FunctionCallItem,
    "reasoning": ReasoningItem,
}


@frozen
class ResponseUsage:
    """The tokens that a response used."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: dict[str, object] = field(factory=dict)
    output_tokens_details: dict[str, object] = field(factory=dict)


@frozen(kw_only=True)
class ResponseFilter(Result):
    """The findings of the content filter in a prompt or in the output."""

    blocked: bool = False
    source_type: str | None = None
    """"prompt" or "completion"."""
    content_filter_results: dict[str, FilterResult] = field(factory=dict)
    """By category: "hate", "violence", "sexual", "self_harm", …."""
    content_filter_offsets: dict[str, object] = field(factory=dict)
    """The part of the text that was checked."""


@frozen(kw_only=True)
class ModelResponse(Result):
    """The complete response of a model."""

    id: str
    status: str
    """"completed", "incomplete", "failed", or another string."""
    model: str | None = None
    created_at: float | None = None
    """Seconds since 1970."""
    output: tuple[OutputItem, ...] = ()
    """Messages, function calls, reasoning, and items of other types."""
    usage: ResponseUsage | None = None
    content_filters: tuple[ResponseFilter, ...] = ()
    error: object = None
    incomplete_details: object = None
    previous_response_id: str | None = None
    metadata: dict[str, object] = field(factory=dict)

    @property
    def text(self) -> str:
        """The whole text of the messages."""
        messages = (item for item in self.output if isinstance(item, OutputMessage))
        return "".join(piece.text or "" for message in messages for piece in message.content)

    @property
    def refusal(self) -> str | None:
        """Why the model refused; `None` if it did not."""
        found = [piece.refusal for item in self.output for piece in item.content if piece.refusal]
        return "".join(found) or None

    @property
    def function_calls(self) -> tuple[FunctionCallItem, ...]:
        """The functions that the model asks you to call."""
        return tuple(item for item in self.output if isinstance(item, FunctionCallItem))


ResponseInput = NotBlank | Iterable[OutputItem | CompletionMessage | Message | Mapping[str, Any]]
"""A text, or messages, items of earlier responses, results of functions, and dicts."""


def write_input(input: ResponseInput) -> str | list[dict[str, Any]]:
    """Return the input of a response as JSON."""
    if isinstance(input, str):
        return input
    return check_written([item for given in input for item in _write_items(given)], "input")


def _write_items(given: OutputItem | CompletionMessage | Message | Mapping[str, Any]) -> list[dict[str, Any]]:
    if isinstance(given, OutputItem):
        return [_write_item(given)]
    if isinstance(given, CompletionMessage):
        text = given.content or given.refusal
        said = [{"role": given.role, "content": text or ""}] if text or not given.tool_calls else []
        return said + [
            {
                "type": "function_call",
                "call_id": call.id,
                "name": call.function.name,
                "arguments": call.function.arguments,
            }
            for call in given.tool_calls
        ]
    if isinstance(given, Message) and given.tool_call_id is not None:
        return [{"type": "function_call_output", "call_id": given.tool_call_id, "output": given.content}]
    return [write_message(given)]


def _write_item(item: OutputItem) -> dict[str, Any]:
    """Return an item as it was sent, without nulls, which the provider refuses."""
    if isinstance(item.raw, dict):
        written: dict[str, Any] = _without_nulls(item.raw)
        return written
    fields = _without_nulls(asdict(item))
    if not (item.content or isinstance(item, OutputMessage)):
        del fields["content"]
    return dict(fields)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, (list, tuple)) else value
