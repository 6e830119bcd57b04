"""Skytells' inference in the shape that OpenAI made common: chat, responses, embeddings.

The optional parameters of `create` are passed on under their own names, as the server's documentation has them.
"""

from __future__ import annotations

from typing import Any, Unpack

from ...._core.resource import Resource
from ...._data.text import not_blank
from ....services.chat import ChatStream, Messages, write_messages
from ....services.openai_completions import ChatCompletion
from .parameters import ChatParameters, check_parameters


class ChatResource(Resource):
    """`skytells.chat`.

    Source: https://github.com/Skytells/ts-sdk (src/chat.ts)
    """

    async def create(self, model: str, messages: Messages, **parameters: Unpack[ChatParameters]) -> ChatCompletion:
        """Say something to a language model.

        `messages` are `Message(role, content)` or dicts; a single string is one message of the user.
        """
        return await self._post_json("/chat/completions", _chat_body(model, messages, parameters), into=ChatCompletion)

    def stream(self, model: str, messages: Messages, **parameters: Unpack[ChatParameters]) -> ChatStream:
        """Say something to a language model and get its reply as it is written: `async with skytells.chat.stream(…) as
        stream: async for piece in stream: …`.

        What it takes is what `create` takes; so are the errors, raised when the block is entered.
        """
        data = {**_chat_body(model, messages, parameters), "stream_options": {"include_usage": True}}
        return self._stream_events("/chat/completions", data, into=ChatStream)


def _chat_body(model: str, messages: Messages, parameters: ChatParameters) -> dict[str, Any]:
    asked = {"model": not_blank(model, "model"), "messages": write_messages(messages)}
    return {**asked, **check_parameters(parameters, ChatParameters)}
