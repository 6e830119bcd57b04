"""Streams of `api.chat_stream`: one that chooses its provider, and one whose reply is read into a class."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, Self, TypeVar

from ..errors import KellyAPIError
from .chat_replies import ChatReply, ChatStream, ParsedReply, StartedChat, as_chat_stream, to_reply
from .openai_completions import ChatCompletion
from .routing import Route, RoutedService
from .structured_output import ReplyFormat

T = TypeVar("T")


class RoutedChatStream(ChatStream):
    """The stream of the provider that replies: of the only one, or of the first that sends a piece."""

    def __init__(self, service: RoutedService, routes: Sequence[Route[Any, StartedChat]], arguments: Any) -> None:
        self._service = service
        self._routes = routes
        self._arguments = arguments
        self._stream: ChatStream | None = None
        """The stream of the provider, once it is open."""
        self._tried: tuple[str, ...] = ()
        self._begun: deque[str] = deque()
        """What was read of it when it was opened, and is not yielded yet."""
        self._end: Callable[[KellyAPIError | None], None] | None = None
        """Notes for the circuit breaker how the stream ended; `None` once that is done."""

    @property
    def text(self) -> str:
        """The text that has arrived so far."""
        return self._stream.text if self._stream else ""

    @property
    def completion(self) -> ChatCompletion:
        """What has arrived so far, including tool calls and the findings of the content filter."""
        return self._stream.completion if self._stream else ChatCompletion(choices=())

    @property
    def reply(self) -> ChatReply:
        """What has arrived so far, as a `ChatReply`."""
        if self._stream is None:
            return to_reply(self.completion, self._routes[0].provider)
        reply = self._stream.reply
        object.__setattr__(reply, "provider", self._tried[-1])  # a user's own may have a stream of another
        object.__setattr__(reply, "tried", self._tried)
        return reply

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __anext__(self) -> str:
        stream = await self._open()
        if self._begun:
            return self._begun.popleft()
        try:
            return await anext(stream)
        except StopAsyncIteration:
            self._note_end(None)
            raise
        except KellyAPIError as error:
            if error.partial is None and stream.text:
                error.partial = stream.completion
            self._note_end(error)
            raise

    async def aclose(self) -> None:
        """Free the connection."""
        if self._stream is not None:
            if self._stream.text:
                self._note_end(None)
            await self._stream.aclose()

    async def _open(self) -> ChatStream:
        if self._stream is not None:
            return self._stream
        stream, self._tried = await self._service._try_each(self._routes, self._arguments, self._begin)
        self._stream = stream
        return stream

    async def _begin(self, route: Route[Any, StartedChat], arguments: Any) -> ChatStream:
        """Open the stream of a provider. If another one could be tried, wait for the first piece of the text."""
        end = self._service._enter_circuit(route)
        stream = as_chat_stream(route.call(self._service._client(route.provider), arguments), route.provider)
        stream._chunks = self._chunks
        try:
            await stream.__aenter__()
            if len(self._routes) > 1:
                async for piece in stream:
                    self._begun.append(piece)
                    if piece:
                        break
        except BaseException as error:
            if isinstance(error, KellyAPIError):
                end(error)
            self._begun.clear()
            if self._chunks is not None:
                self._chunks.clear()
            await stream.aclose()
            raise
        self._end = end
        return stream

    def _note_end(self, error: KellyAPIError | None) -> None:
        if self._end is not None:
            end, self._end = self._end, None
            end(error)


class ParsedChatStream(ChatStream, Generic[T]):
    """A `ChatStream` whose reply is read into a class after the last piece."""

    def __init__(self, stream: ChatStream, format: ReplyFormat[T]) -> None:
        self._stream = stream
        self._format = format
        self._reply: ParsedReply[T] | None = None

    @property
    def text(self) -> str:
        """The text that has arrived so far."""
        return self._stream.text

    @property
    def completion(self) -> ChatCompletion:
        """What has arrived so far, including the findings of the content filter."""
        return self._stream.completion

    @property
    def reply(self) -> ParsedReply[T]:
        """The reply, after the last piece. Before, its text does not fit the class, which is a `DecodingError`."""
        return self._reply or self._format.read(self._stream.reply)

    async def finish(self) -> ParsedReply[T]:
        """Read the stream to its end, and return the complete reply."""
        await super().finish()
        return self.reply

    async def __aenter__(self) -> Self:
        self._stream._chunks = self._chunks
        await self._stream.__aenter__()
        return self

    async def __anext__(self) -> str:
        try:
            return await anext(self._stream)
        except StopAsyncIteration:
            self._reply = self.reply
            raise

    async def aclose(self) -> None:
        """Free the connection."""
        await self._stream.aclose()
