"""The messages of a conversation, and how they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from .._data.arguments import NotBlank, checked
from .._data.text import not_blank
from .openai_completions import CompletionMessage, ToolCall, write_completion_message, write_tool_call


@checked
@frozen
class Message:
    """One message of a conversation."""

    role: NotBlank
    """The author: "system", "user", "assistant" or "tool"."""
    content: str
    """The text, or the result of a tool."""
    tool_call_id: NotBlank | None = None
    """The `id` of the tool call whose result this is, if the role is "tool"."""


Messages = NotBlank | Iterable[Message | CompletionMessage | Mapping[str, Any]]
"""`Message(role, content)` objects, messages of earlier completions, or dicts. A string is one message of the user."""


def write_messages(messages: Messages, name: str = "messages") -> list[dict[str, Any]]:
    """Return messages as a list of JSON objects. A string is one message of the user."""
    if isinstance(messages, str):
        return [{"role": "user", "content": not_blank(messages, name)}]
    return check_written([write_message(message) for message in messages], name)


def write_message(message: Message | CompletionMessage | Mapping[str, Any]) -> dict[str, Any]:
    """Return a message as a JSON object."""
    if isinstance(message, CompletionMessage):
        return write_completion_message(message)
    if isinstance(message, Message):
        written = {"role": message.role, "content": message.content}
        return written if message.tool_call_id is None else {**written, "tool_call_id": message.tool_call_id}
    written = dict(message)
    calls = written.get("tool_calls")
    if isinstance(calls, (list, tuple)):
        written["tool_calls"] = [write_tool_call(call) if isinstance(call, ToolCall) else call for call in calls]
    return written


def check_written(written: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return JSON objects of messages if they can be sent: none is empty, and the last has a text if it is a user's."""
    if not written or not all(written):
        raise ValueError(f"{name} must not be empty")
    content = written[-1].get("content")
    if written[-1].get("role") == "user" and isinstance(content, str):
        not_blank(content, "last message")
    return written
