"""`skytells.chat`: chat completions in OpenAI's format."""

from __future__ import annotations

from typing import Any, Unpack

from ...._core.extra_fields import take_extra
from ...._core.resource import Resource, drop_none
from ...._data.arguments import NotBlank
from ....services.chat_messages import Messages, write_messages
from ....services.chat_replies import ChatEventStream, ChatStream
from ....services.openai_completions import ChatCompletion
from .parameters import ChatParameters


class ChatResource(Resource):
    """Chat completions.

    Source: https://github.com/Skytells/ts-sdk (src/chat.ts)
    """

    async def create(self, model: NotBlank, messages: Messages, **parameters: Unpack[ChatParameters]) -> ChatCompletion:
        """Send messages to a language model.

        Args:
            model: The slug of a model, such as "deepbrain-router".
            messages: `Message(role, content)` objects, messages of earlier completions, or dicts. A string is one
                message of the user.
            **parameters: Optional parameters of a chat completion, such as `temperature=0.2` or `max_tokens=500`,
                named as in the API documentation of Skytells. An unknown name raises `TypeError`. `extra_body`,
                `extra_query` and `extra_headers` add what has no parameter yet; see `ExtraFields`.

        Example::

            completion = await skytells.chat.create("deepbrain-router", "Name three rivers of Ghana.")
            print(completion.text)
        """
        extra = take_extra(parameters)
        data = _chat_body(model, messages, parameters)
        return await self._post_json("/chat/completions", data, into=ChatCompletion, extra=extra)

    def stream(self, model: NotBlank, messages: Messages, **parameters: Unpack[ChatParameters]) -> ChatStream:
        """Send messages to a language model, and receive the reply while it is written.

        The arguments are those of `create`. Errors are raised when the `async with` block is entered.

        Example::

            async with skytells.chat.stream("deepbrain-router", "Tell me a story.") as stream:
                async for piece in stream:
                    print(piece, end="")
        """
        extra = take_extra(parameters)
        data = {**_chat_body(model, messages, parameters), "stream_options": {"include_usage": True}}
        return self._stream_events("/chat/completions", data, into=ChatEventStream, extra=extra)


def _chat_body(model: NotBlank, messages: Messages, parameters: ChatParameters) -> dict[str, Any]:
    asked = {"model": model, "messages": write_messages(messages)}
    return {**asked, **drop_none(**parameters)}
