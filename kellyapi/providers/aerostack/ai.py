"""Aerostack's language models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...core import Service
from ...services.chat import ChatReply, Message, read_completion, write_messages


class AI(Service):
    """`aerostack.ai`."""

    async def chat(
        self,
        messages: str | Sequence[Message | Mapping[str, Any]],
        *,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
    ) -> ChatReply:
        """Say something to a language model.

        `messages` are `Message(role, content)` or dicts; a single string is one message of the user. `temperature` is 0
        to 2.

        Source: https://github.com/aerostackdev/sdk-python (aerostack/api/ai_api.py)
        """
        optional = {"model": model, "temperature": temperature, "max_tokens": max_tokens, "top_p": top_p}
        data = {name: value for name, value in optional.items() if value is not None}
        return await self._post_json("/ai/chat", {"messages": write_messages(messages), **data}, into=_read_reply)


def _read_reply(value: Any) -> ChatReply:
    """The first generation answers `{"response"}`, the second with a chat completion."""
    if isinstance(value, dict) and isinstance(value.get("response"), str) and "choices" not in value:
        return ChatReply(text=value["response"], provider="aerostack")
    return read_completion(value, "aerostack")
