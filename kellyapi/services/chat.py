"""Chat: messages and replies, whole and as they arrive, who can answer, the routed calls.

The shape of completions and of their chunks is in `completion`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import asdict, frozen

from .._core.resource import drop_none
from .._core.streams import EventStream, StreamRequest
from .._data.decoding import decode
from .._data.text import not_blank
from ..errors import DecodingError
from .openai_completions import ChatCompletion, ChunkAccumulator, Usage
from .result import ServiceResult, provider_fields_last
from .routing import Fallback, ProviderName, Route, RoutedService, accepts

CHAT = (
    Route(provider="kelly", method="chat", arguments=accepts("prompt", "model", "character"), model="chatgpt"),
    Route(provider="aerostack", method="ai.chat", arguments=accepts("model", prompt="messages")),
)
CHAT_STREAM = (Route(provider="aerostack", method="ai.chat_stream", arguments=accepts("model", prompt="messages")),)


@frozen
class Message:
    """One turn of a conversation."""

    role: str
    """Such as "system", "user" or "assistant"."""
    content: str


Messages = str | Sequence[Message | Mapping[str, Any]]
"""`Message(role, content)` or dicts; a single string is one message of the user."""


@frozen(kw_only=True, field_transformer=provider_fields_last)
class ChatReply(ServiceResult):
    """What a model said."""

    text: str
    model: str | None = None
    """Who said it, when the provider tells."""
    finish_reason: str | None = None
    """Why it stopped: "stop", "length", "content_filter", …; `None` when the provider does not tell."""
    usage: Usage | None = None

    def __str__(self) -> str:
        return self.text


class ChatStream(EventStream[str]):
    """A reply that is still arriving: `async with … as stream: async for piece in stream: …` gives its text.

    `text`, `completion` and `reply` hold what has arrived; after the last piece they are whole, with what it cost. Of
    several choices the text is the first one's, and `completion` has them all. Leaving the block early ends the stream.
    An error on the way has what had arrived as `error.partial`, a `ChatCompletion`.
    """

    def __init__(self, source: StreamRequest) -> None:
        super().__init__(source)
        self._accumulator = ChunkAccumulator()
        self._completion: ChatCompletion | None = None

    @property
    def text(self) -> str:
        """What the model has said so far."""
        return "".join(self._accumulator.texts)

    @property
    def completion(self) -> ChatCompletion:
        """What has arrived so far, calls of tools and findings of the content filter included."""
        return self._completion or self._accumulator.completion()

    @property
    def reply(self) -> ChatReply:
        """What has arrived so far, as `chat` gives it."""
        return _to_reply(self.completion, self._source.connection.provider.name)

    async def finish(self) -> ChatReply:
        """Wait for what is still to come, and give the whole reply."""
        async for _ in self:
            pass
        return self.reply

    def _take(self, value: Any) -> str | None:
        if "choices" not in value:
            self._refuse(value)
            if not isinstance(value.get("response"), str):
                return None
            # The first generation of Aerostack has a text and nothing else.
            value = {"choices": [{"delta": {"content": value["response"]}}]}
        return self._accumulator.add(value) or None

    def _may_end(self) -> bool:
        return self._accumulator.finished

    def _finish(self) -> None:
        self._completion = self._accumulator.completion()
        if not self._completion.choices:
            raise DecodingError("the stream has no choices")

    def _partial(self) -> ChatCompletion | None:
        try:
            return self.completion
        except DecodingError:
            return None


class Chat(RoutedService):
    """The service as `KellyAPI` offers it.

    Source: https://github.com/NotReallyPrince/Kelly-API, https://github.com/aerostackdev/sdk-python
    (aerostack/api/ai_api.py)
    """

    async def chat(
        self,
        prompt: str,
        *,
        model: str | None = None,
        character: str | None = None,
        provider: ProviderName | None = None,
        fallback: Fallback = False,
    ) -> ChatReply:
        """Say something to a language model.

        `character` is one of Kelly AI's. A blank prompt raises `ValueError`, a model that the provider does not know
        `NotFoundError` or `BadRequestError`.
        """
        return await self._route(CHAT, ChatReply, provider, fallback, prompt=prompt, model=model, character=character)

    def chat_stream(self, prompt: str, *, model: str | None = None, provider: ProviderName | None = None) -> ChatStream:
        """Say something to a language model and get its reply as it is written: `async with api.chat_stream(…) as
        stream: async for piece in stream: …`.

        Who cannot stream is not asked. Errors are those of `chat`, raised when the block is entered.
        """
        named = {"prompt": prompt, **drop_none(model=model)}
        stream: ChatStream = self._call(self._choose_routes(CHAT_STREAM, provider, False, named)[0], named)
        return stream


def write_messages(messages: Messages) -> list[dict[str, Any]]:
    """Give messages in their wire form; a single string is one message of the user."""
    if isinstance(messages, str):
        messages = [Message("user", not_blank(messages, "prompt"))]
    if not messages:
        raise ValueError("messages must not be empty")
    return [asdict(message) if isinstance(message, Message) else dict(message) for message in messages]


def read_completion(value: Any, provider: str) -> ChatReply:
    """Read an OpenAI-shaped chat completion as a reply."""
    return _to_reply(decode(value, ChatCompletion), provider)


def _to_reply(completion: ChatCompletion, provider: str) -> ChatReply:
    if not completion.choices:
        raise DecodingError("the completion has no choices")
    return ChatReply(
        text=completion.text,
        model=completion.model,
        finish_reason=completion.choices[0].finish_reason,
        usage=completion.usage,
        provider=provider,
    )
