"""`aerostack.ai`: language models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from attrs import frozen

from ..._core.extra_fields import ExtraFields
from ..._core.resource import Resource, drop_none
from ..._data.arguments import Count, NotBlank, NotNegative, Share
from ..._data.decoding import Shape
from ...services.chat_messages import Messages, write_messages
from ...services.chat_replies import ChatEventStream, ChatReply, ChatStream, make_reply, to_reply
from ...services.openai_completions import ChatCompletion, CompletionMessage, ToolCall, Usage, is_older_form


class AI(Resource):
    """Language models.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/ai_api.py)
    """

    async def chat(
        self,
        messages: Messages,
        *,
        model: NotBlank | None = None,
        temperature: NotNegative | None = None,
        max_tokens: Count | None = None,
        top_p: Share | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        **extra: Unpack[ExtraFields],
    ) -> ChatReply:
        """Send messages to a language model.

        Args:
            messages: `Message(role, content)` objects, messages of earlier replies, or dicts. A string is one message
                of the user.
            model: The model. If you pass none, the provider chooses one.
            temperature: How random the reply is, from 0 to 2.
            max_tokens: The maximum length of the reply, in tokens.
            top_p: Nucleus sampling, from 0 to 1.
            tools: The tools that the model may call, as in OpenAI's API. The calls are in the `tool_calls` of the
                reply. The platform's documentation does not name this parameter.
            tool_choice: "auto", "none", "required", or the tool to call.
            **extra: See `ExtraFields`.

        Example::

            reply = await aerostack.ai.chat("Name three rivers of Ghana.")
            print(reply.text)
        """
        options = drop_none(
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            top_p=top_p,
            tools=tools,
            tool_choice=tool_choice,
        )
        data = {"messages": write_messages(messages), **options}
        return await self._post_json("/ai/chat", data, into=_REPLY, extra=extra)

    def chat_stream(
        self,
        messages: Messages,
        *,
        model: NotBlank | None = None,
        temperature: NotNegative | None = None,
        max_tokens: Count | None = None,
        top_p: Share | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        **extra: Unpack[ExtraFields],
    ) -> ChatStream:
        """Send messages to a language model, and receive the reply while it is written.

        The arguments are those of `chat`. Errors are raised when the `async with` block is entered.

        Example::

            async with aerostack.ai.chat_stream("Tell me a story.") as stream:
                async for piece in stream:
                    print(piece, end="")
        """
        options = drop_none(
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            top_p=top_p,
            tools=tools,
            tool_choice=tool_choice,
        )
        data = {"messages": write_messages(messages), **options, "stream_options": {"include_usage": True}}
        return self._stream_events("/ai/chat", data, into=ChatEventStream, extra=extra)


@frozen
class _OlderReply:
    """The reply of the older API. The newer one sends a chat completion."""

    response: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None

    prepare_json = staticmethod(CompletionMessage.prepare_json)

    @staticmethod
    def choose_json_class(value: Any) -> type:
        """Return the class that a response is read into."""
        return _OlderReply if is_older_form(value) else ChatCompletion


def _finish_reply(found: _OlderReply | ChatCompletion) -> ChatReply:
    if isinstance(found, ChatCompletion):
        return to_reply(found, "aerostack")
    return make_reply(
        text=found.response or "",
        model=found.model,
        finish_reason=found.finish_reason,
        usage=found.usage,
        message=CompletionMessage(content=found.response, tool_calls=found.tool_calls),
        provider="aerostack",
    )


_REPLY = Shape(_OlderReply, _finish_reply)
