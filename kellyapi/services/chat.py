"""Chat: messages and replies, who can answer, the routed call. The shape of whole completions is in `completion`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import asdict, frozen

from ..decoding import decode
from ..errors import DecodingError
from ..wire import not_blank
from .completion import ChatCompletion, Usage
from .routing import Answer, Fallback, Result, Routed, honours, provider_last

CHAT = (
    Answer(provider="kelly", method="chat", arguments=honours("prompt", "model", "character"), model="chatgpt"),
    Answer(provider="aerostack", method="ai.chat", arguments=honours("model", prompt="messages")),
)


@frozen
class Message:
    """One turn of a conversation."""

    role: str
    """Such as "system", "user" or "assistant"."""
    content: str


@frozen(kw_only=True, field_transformer=provider_last)
class ChatReply(Result):
    """What a model said."""

    text: str
    model: str | None = None
    """Who said it, when the system tells."""
    finish_reason: str | None = None
    """Why it stopped: "stop", "length", "content_filter", …; `None` when the system does not tell."""
    usage: Usage | None = None

    def __str__(self) -> str:
        return self.text


class Chat(Routed):
    """The service as `KellyAPI` offers it."""

    async def chat(
        self,
        prompt: str,
        *,
        model: str | None = None,
        character: str | None = None,
        provider: str | None = None,
        fallback: Fallback = False,
    ) -> ChatReply:
        """Say something to a language model.

        `character` is one of Kelly AI's. A blank prompt raises `ValueError`, a model that the system does not know
        `NotFoundError` or `BadRequestError`.

        Source: https://github.com/NotReallyPrince/Kelly-API
        """
        return await self._route(CHAT, ChatReply, provider, fallback, prompt=prompt, model=model, character=character)


def write_messages(messages: str | Sequence[Message | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give messages in their wire form; a single string is one message of the user."""
    if isinstance(messages, str):
        messages = [Message("user", not_blank(messages, "prompt"))]
    if not messages:
        raise ValueError("messages must not be empty")
    return [asdict(message) if isinstance(message, Message) else dict(message) for message in messages]


def read_completion(value: Any, provider: str) -> ChatReply:
    """Read an OpenAI-shaped chat completion as a reply."""
    completion = decode(value, ChatCompletion)
    if not completion.choices:
        raise DecodingError("the completion has no choices")
    return ChatReply(
        text=completion.text,
        model=completion.model,
        finish_reason=completion.choices[0].finish_reason,
        usage=completion.usage,
        provider=provider,
    )
