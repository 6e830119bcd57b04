"""Chat: messages, replies, streams of replies, and the routes to the providers.

`openai_completions` reads the format of chat completions and of their chunks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from typing import Any, Protocol

from attrs import Factory, field, frozen

from .._core.streams import EventStream, StreamRequest
from .._data.arguments import NotBlank, checked
from .._data.decoding import decode
from .._data.result import with_origin_of
from .._data.text import not_blank
from ..errors import DecodingError
from .openai_chunks import ChatChunk, ChunkAccumulator
from .openai_completions import (
    ChatCompletion,
    CompletionMessage,
    ToolCall,
    Usage,
    write_completion_message,
    write_tool_call,
)
from .routing import Fallback, ProviderName, Route, RoutedService, Service
from .service_result import ServiceResult, provider_fields_last


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


@frozen(kw_only=True, field_transformer=provider_fields_last)
class ChatReply(ServiceResult):
    """The reply of a language model."""

    text: str
    model: str | None = None
    """The model that replied; `None` if it is not known."""
    finish_reason: str | None = None
    """Why the reply ended: "stop", "length", "content_filter", …; `None` if the provider does not send it."""
    usage: Usage | None = None
    """The tokens that the call used; `None` if the provider does not send them."""
    message: CompletionMessage = field(
        default=Factory(lambda self: CompletionMessage(content=self.text), takes_self=True), eq=False, repr=False
    )
    """The whole message, which can be an item of `messages` in the next call. Comparisons leave it out."""

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that the model asks you to call."""
        return self.message.tool_calls

    def __str__(self) -> str:
        return self.text


class ChatStream(EventStream[str]):
    """A reply that arrives piece by piece.

    Iteration yields the pieces of the text, and `chunks()` all that arrives. `text`, `completion` and `reply` hold what
    has arrived so far. After the last piece they are complete, and include the tokens that the call used. If there are
    several choices, the text is that of the first one, and `completion` has all of them.

    If you leave the `async with` block early, the stream ends. If the stream breaks off, `error.partial` is a
    `ChatCompletion` with what had arrived.

    Example::

        async with api.chat_stream("Tell me a story.") as stream:
            async for piece in stream:
                print(piece, end="")
        print(stream.reply.usage)
    """

    def __init__(self, source: StreamRequest) -> None:
        super().__init__(source)
        self._accumulator = ChunkAccumulator()
        self._completion: ChatCompletion | None = None
        self._chunks: deque[ChatChunk] | None = None
        """The chunks that `chunks` has not yielded yet; `None` if it is not used."""

    @property
    def text(self) -> str:
        """The text that has arrived so far."""
        return "".join(self._accumulator.texts)

    @property
    def completion(self) -> ChatCompletion:
        """What has arrived so far, including tool calls and the findings of the content filter."""
        return self._completion or self._accumulator.completion()

    @property
    def reply(self) -> ChatReply:
        """What has arrived so far, as a `ChatReply`."""
        return to_reply(self.completion, self._source.connection.provider.name)

    async def chunks(self) -> AsyncIterator[ChatChunk]:
        """Enter the stream, and yield each chunk: text, parts of tool calls, findings of the content filter, usage."""
        self._chunks = deque()
        async with self:
            async for _ in self:
                yield self._chunks.popleft()

    async def finish(self) -> ChatReply:
        """Read the stream to its end, and return the complete reply."""
        async for _ in self:
            pass
        return self.reply

    def _handle_event(self, value: Any) -> str | None:
        if "choices" not in value:
            self._raise_reported_error(value)
            if isinstance(value.get("response"), str):  # the older API of Aerostack sends only a text
                value = {"choices": [{"delta": {"content": value["response"]}}]}
        piece = self._accumulator.add(value)
        if self._chunks is None:
            return piece or None
        self._chunks.append(decode(value, ChatChunk, self._source.connection.warn))
        return piece

    def _is_complete(self) -> bool:
        return self._accumulator.finished

    def _check_complete(self) -> None:
        self._completion = self._accumulator.completion(self._source.connection.warn)
        if not self._completion.choices:
            raise DecodingError("the stream has no choices")

    def _partial(self) -> ChatCompletion | None:
        try:
            return self.completion
        except DecodingError:
            return None


@frozen(kw_only=True)
class ChatArguments:
    """The arguments of `chat` and `chat_stream`; `None` means that it was not passed."""

    prompt: str
    model: str | None = None
    character: str | None = None


class CharacterChat(Protocol):
    """A client that replies to a prompt as one of its characters."""

    def chat(self, prompt: str, *, model: str | None = None, character: str | None = None) -> Awaitable[ChatReply]:
        """Return the reply to a prompt."""


class LanguageModels(Protocol):
    """A resource that replies to messages."""

    def chat(self, messages: Messages, *, model: str | None = None) -> Awaitable[ChatReply]:
        """Return the reply to messages."""

    def chat_stream(self, messages: Messages, *, model: str | None = None) -> ChatStream:
        """Return the reply to messages as a stream."""


class HasLanguageModels(Protocol):
    """A client with a `LanguageModels` resource."""

    @property
    def ai(self) -> LanguageModels:
        """The resource."""


def _call_kelly(client: CharacterChat, given: ChatArguments) -> Awaitable[ChatReply]:
    return client.chat(given.prompt, model=given.model, character=given.character)


def _call_aerostack(client: HasLanguageModels, given: ChatArguments) -> Awaitable[ChatReply]:
    return client.ai.chat(given.prompt, model=given.model)


def _stream_from_aerostack(client: HasLanguageModels, given: ChatArguments) -> ChatStream:
    return client.ai.chat_stream(given.prompt, model=given.model)


CHAT = Service(
    name="chat",
    arguments=ChatArguments,
    result=ChatReply,
    routes=(
        Route(
            provider="kelly",
            call=_call_kelly,
            accepts=("prompt", "model", "character"),
            defaults={"model": "chatgpt"},
        ),
        Route(provider="aerostack", call=_call_aerostack, accepts=("prompt", "model")),
    ),
)
CHAT_STREAM = Service(
    name="chat_stream",
    arguments=ChatArguments,
    result=ChatStream,
    routes=(Route(provider="aerostack", call=_stream_from_aerostack, accepts=("prompt", "model")),),
)


class Chat(RoutedService):
    """The chat service of `KellyAPI`.

    Source: https://github.com/NotReallyPrince/Kelly-API, https://github.com/aerostackdev/sdk-python
    (aerostack/api/ai_api.py)
    """

    async def chat(
        self,
        prompt: NotBlank,
        *,
        model: NotBlank | None = None,
        character: NotBlank | None = None,
        provider: ProviderName | None = None,
        fallback: Fallback = False,
    ) -> ChatReply:
        """Send a prompt to a language model.

        Args:
            prompt: The message to the model.
            model: A model of the provider. If you pass none, the provider's default is used.
            character: The character that the model plays. Only Kelly AI has characters.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or a list of providers to try.

        Raises:
            ValueError: The prompt is blank, or no provider supports the arguments.
            NotFoundError: The provider does not know the model. Some providers raise `BadRequestError`.

        Example::

            reply = await api.chat("Name three rivers of Ghana.")
            print(reply.text)
        """
        arguments = ChatArguments(prompt=prompt, model=model, character=character)
        return await self._route(CHAT, arguments, provider, fallback)

    def chat_stream(
        self, prompt: NotBlank, *, model: NotBlank | None = None, provider: ProviderName | None = None
    ) -> ChatStream:
        """Send a prompt to a language model, and receive the reply while it is written.

        Only providers that can stream are used. Errors of the provider are raised when the `async with` block is
        entered.

        Args:
            prompt: The message to the model.
            model: A model of the provider. If you pass none, the provider's default is used.
            provider: The provider to use. By default the first one that has a key and can stream.

        Example::

            async with api.chat_stream("Tell me a story.") as stream:
                async for piece in stream:
                    print(piece, end="")
        """
        arguments = ChatArguments(prompt=prompt, model=model)
        (route,) = self._choose_routes(CHAT_STREAM, arguments, provider, False)
        return route.call(self._client(route.provider), arguments)


def write_messages(messages: Messages, name: str = "messages") -> list[dict[str, Any]]:
    """Return messages as a list of JSON objects. A string is one message of the user."""
    if isinstance(messages, str):
        messages = [Message("user", messages)]
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
        not_blank(content, f"last of the {name}")
    return written


def to_reply(completion: ChatCompletion, provider: str) -> ChatReply:
    """Return the first choice of a completion as a reply."""
    if not completion.choices:
        raise DecodingError("the completion has no choices")
    reply = ChatReply(
        text=completion.text,
        model=completion.model,
        finish_reason=completion.choices[0].finish_reason,
        usage=completion.usage,
        message=completion.choices[0].message,
        provider=provider,
    )
    return with_origin_of(completion, reply)
