"""Replies of language models: whole, and as streams.

`openai_completions` and `openai_chunks` read the format in which providers send them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from attrs import Factory, field, frozen

from .._core.streams import EventStream, StreamRequest
from .._data.decoding import decode
from .._data.quick_maker import quick_maker
from .._data.result import with_origin_of
from ..errors import DecodingError
from .openai_chunks import ChatChunk, ChunkAccumulator, ChunkChoice, FunctionCallDelta, MessageDelta, ToolCallDelta
from .openai_completions import (
    ChatCompletion,
    Choice,
    CompletionMessage,
    ToolCall,
    Usage,
    from_older_form,
    is_older_form,
)
from .service_result import ServiceResult, provider_fields_last

T = TypeVar("T")


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


make_reply = quick_maker(ChatReply)


@frozen(kw_only=True, field_transformer=provider_fields_last)
class ParsedReply(ChatReply, Generic[T]):
    """A reply that was read into a class."""

    parsed: T
    """The object of the class that you passed as `into`."""


class ChatStream(ABC):
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

    _chunks: deque[ChatChunk] | None = None
    """The chunks that `chunks` has not yielded yet; `None` if it was not called."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The text that has arrived so far."""

    @property
    @abstractmethod
    def completion(self) -> ChatCompletion:
        """What has arrived so far, including tool calls and the findings of the content filter."""

    @property
    @abstractmethod
    def reply(self) -> ChatReply:
        """What has arrived so far, as a `ChatReply`."""

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

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    @abstractmethod
    async def __anext__(self) -> str: ...

    @abstractmethod
    async def aclose(self) -> None:
        """Free the connection."""


class ChatEventStream(EventStream[str], ChatStream):
    """A reply that arrives as the events of a provider."""

    def __init__(self, source: StreamRequest) -> None:
        super().__init__(source)
        self._accumulator = ChunkAccumulator()
        self._completion: ChatCompletion | None = None

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

    def _handle_event(self, value: Any) -> str | None:
        if "choices" not in value:
            self._raise_reported_error(value)
            if is_older_form(value):
                value = from_older_form(value)
        piece = self._accumulator.add(value)
        if self._chunks is None:
            return piece or None
        self._chunks.append(decode(value, ChatChunk, self._source.connection.warn))
        return piece

    def _is_complete(self) -> bool:
        return self._accumulator.finished

    _is_finished = _is_complete

    def _check_complete(self) -> None:
        self._completion = self._accumulator.completion(self._source.connection.warn)
        if not self._completion.choices:
            raise DecodingError("the stream has no choices")

    def _partial(self) -> ChatCompletion | None:
        try:
            return self.completion
        except DecodingError:
            return None


class WholeChatStream(ChatStream):
    """A reply that comes whole, as one piece, from a provider that does not stream."""

    def __init__(self, awaitable: Awaitable[ChatReply]) -> None:
        self._awaitable: Awaitable[ChatReply] | None = awaitable
        self._reply: ChatReply | None = None
        self._ended = False

    @property
    def text(self) -> str:
        """The text, once the reply has arrived."""
        return self._reply.text if self._reply else ""

    @property
    def completion(self) -> ChatCompletion:
        """The reply as a completion."""
        if self._reply is None:
            return ChatCompletion(choices=())
        reply = self._reply
        choice = Choice(reply.message, finish_reason=reply.finish_reason)
        return with_origin_of(reply, ChatCompletion(model=reply.model, choices=(choice,), usage=reply.usage))

    @property
    def reply(self) -> ChatReply:
        """The reply, once it has arrived."""
        if self._reply is None:
            raise DecodingError("the completion has no choices")
        return self._reply

    async def __aenter__(self) -> Self:
        if self._awaitable is not None:
            awaitable, self._awaitable = self._awaitable, None
            self._reply = await awaitable
        return self

    async def __anext__(self) -> str:
        await self.__aenter__()
        if self._ended or self._reply is None:
            raise StopAsyncIteration
        self._ended = True
        if self._chunks is not None:
            self._chunks.append(_chunk_of(self._reply))
        elif not self._reply.text:
            raise StopAsyncIteration
        return self._reply.text

    async def aclose(self) -> None:
        """End the stream. There is no connection to free."""
        self._ended = True


def _chunk_of(reply: ChatReply) -> ChatChunk:
    calls = tuple(
        ToolCallDelta(place, call.id, call.type, FunctionCallDelta(call.function.name, call.function.arguments))
        for place, call in enumerate(reply.tool_calls)
    )
    delta = MessageDelta(reply.text, reply.message.role, reply.message.refusal, calls, reply.message.annotations)
    choice = ChunkChoice(delta, finish_reason=reply.finish_reason)
    return ChatChunk(model=reply.model, choices=(choice,), usage=reply.usage)


class TextChatStream(ChatStream):
    """A reply that comes as pieces of text and nothing else."""

    def __init__(self, pieces: AsyncIterable[str], provider: str) -> None:
        self._pieces = aiter(pieces)
        self._provider = provider
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        """The text that has arrived so far."""
        return "".join(self._texts)

    @property
    def completion(self) -> ChatCompletion:
        """The text that has arrived so far, as a completion."""
        return ChatCompletion(choices=(Choice(CompletionMessage(self.text)),))

    @property
    def reply(self) -> ChatReply:
        """The text that has arrived so far, as a `ChatReply`."""
        return make_reply(text=self.text, provider=self._provider)

    async def __aenter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        async for piece in self._pieces:
            if piece or self._chunks is not None:
                self._texts.append(piece)
                if self._chunks is not None:
                    self._chunks.append(ChatChunk(choices=(ChunkChoice(MessageDelta(piece)),)))
                return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the iterator."""
        if hasattr(self._pieces, "aclose"):
            await self._pieces.aclose()


StartedChat = ChatStream | Awaitable[ChatReply] | AsyncIterable[str]
"""How a provider may reply to a streamed chat: as a stream, as a whole reply, or as pieces of text."""


def as_chat_stream(found: StartedChat, provider: str) -> ChatStream:
    """Return what a provider returned for a streamed chat as a stream."""
    if isinstance(found, ChatStream):
        return found
    if isinstance(found, AsyncIterable):
        return TextChatStream(found, provider)
    return WholeChatStream(found)


def to_reply(completion: ChatCompletion, provider: str) -> ChatReply:
    """Return the first choice of a completion as a reply."""
    if not completion.choices:
        error = DecodingError("the completion has no choices", provider=provider)
        error.request_id = completion.request_id
        raise error
    reply = make_reply(
        text=completion.text,
        model=completion.model,
        finish_reason=completion.choices[0].finish_reason,
        usage=completion.usage,
        message=completion.choices[0].message,
        provider=provider,
    )
    return with_origin_of(completion, reply)
