"""Aerostack's language models."""

from __future__ import annotations

from typing import Any

from ..._core.resource import Resource, drop_none
from ...services.chat import ChatReply, ChatStream, Messages, read_completion, write_messages


class AI(Resource):
    """`aerostack.ai`.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/ai_api.py)
    """

    async def chat(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
    ) -> ChatReply:
        """Say something to a language model.

        `messages` are `Message(role, content)` or dicts; a single string is one message of the user. `temperature` is 0
        to 2.
        """
        options = drop_none(model=model, temperature=temperature, max_tokens=max_tokens, top_p=top_p)
        return await self._post_json("/ai/chat", {"messages": write_messages(messages), **options}, into=_read_reply)

    def chat_stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
    ) -> ChatStream:
        """Say something to a language model and get its reply as it is written: `async with aerostack.ai.chat_stream(…)
        as stream: async for piece in stream: …`.

        What it takes is what `chat` takes; so are the errors, raised when the block is entered.
        """
        options = drop_none(model=model, temperature=temperature, max_tokens=max_tokens, top_p=top_p)
        data = {"messages": write_messages(messages), **options, "stream_options": {"include_usage": True}}
        return self._stream_events("/ai/chat", data, into=ChatStream)


def _read_reply(value: Any) -> ChatReply:
    """The first generation answers `{"response"}`, the second with a chat completion."""
    if isinstance(value, dict) and isinstance(value.get("response"), str) and "choices" not in value:
        return ChatReply(text=value["response"], provider="aerostack")
    return read_completion(value, "aerostack")
