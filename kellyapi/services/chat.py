"""Chat: the routes to the providers, and the service."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypedDict, TypeVar, cast, overload

from attrs import frozen

from .._core.messages import TRANSFER_TIMEOUT
from .._data.arguments import Count, NotBlank, NotNegative, Share
from ..errors import DecodingError
from .chat_messages import Messages, write_messages
from .chat_replies import ChatReply, ChatStream, ParsedReply, StartedChat, to_reply
from .openai_completions import ChatCompletion
from .routed_chat_stream import ParsedChatStream, RoutedChatStream
from .routing import Fallback, ProviderChoice, Route, RoutedService, Service
from .structured_output import ReplyFormat, make_reply_format

T = TypeVar("T")


class ChatOptions(TypedDict, total=False):
    """The optional parameters that OpenAI-compatible providers have under the same names."""

    temperature: float
    max_tokens: int
    top_p: float
    tools: Sequence[Mapping[str, Any]]
    tool_choice: str | Mapping[str, Any]


class FormattedChatOptions(ChatOptions, total=False):
    """`ChatOptions`, and the form of the reply."""

    response_format: Mapping[str, Any]


@frozen(kw_only=True)
class ChatArguments:
    """The arguments of `chat` and `chat_stream`; `None` stands for one that was not passed."""

    STAND_INS: ClassVar[Mapping[str, Sequence[str]]] = {"messages": ("prompt", "messages")}
    """A provider of the user's own may take a prompt as a message too."""

    prompt: str | None = None
    """The message of the user, if it is the only one. All providers take it."""
    messages: Sequence[Mapping[str, Any]] | None = None
    """Any other conversation, as JSON objects."""
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    tools: Sequence[Mapping[str, Any]] | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    character: str | None = None
    response_format: Mapping[str, Any] | None = None
    """The form of the reply, which `into` asks for."""

    @property
    def conversation(self) -> Messages:
        """The prompt or the messages."""
        return self.prompt or self.messages or ()

    @property
    def as_messages(self) -> list[dict[str, Any]]:
        """The prompt or the messages, as JSON objects."""
        return write_messages(self.conversation)

    @property
    def options(self) -> ChatOptions:
        """The `ChatOptions` that were passed."""
        names = ChatOptions.__annotations__
        return cast(ChatOptions, {name: value for name in names if (value := getattr(self, name)) is not None})


_CONVERSATION_ACCEPTS = ("prompt", "messages", "model", *ChatOptions.__annotations__)


class CharacterChat(Protocol):
    """A client that replies to a prompt as one of its characters."""

    def chat(self, prompt: str, *, model: str | None = None, character: str | None = None) -> Awaitable[ChatReply]:
        """Return the reply to a prompt."""


class LanguageModels(Protocol):
    """A resource that replies to messages."""

    def chat(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
    ) -> Awaitable[ChatReply]:
        """Return the reply to messages."""

    def chat_stream(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
    ) -> ChatStream:
        """Return the reply to messages as a stream."""


class HasLanguageModels(Protocol):
    """A client with a `LanguageModels` resource."""

    @property
    def ai(self) -> LanguageModels:
        """The resource."""


class ChatCompletions(Protocol):
    """A resource that completes chats."""

    def create(
        self,
        model: str,
        messages: Messages,
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
    ) -> Awaitable[ChatCompletion]:
        """Return the completion of messages."""

    def stream(
        self,
        model: str,
        messages: Messages,
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
    ) -> ChatStream:
        """Return the completion of messages as a stream."""


class HasChatCompletions(Protocol):
    """A client with a `ChatCompletions` resource."""

    @property
    def chat(self) -> ChatCompletions:
        """The resource."""


def _call_kelly(client: CharacterChat, given: ChatArguments) -> Awaitable[ChatReply]:
    return client.chat(given.prompt or "", model=given.model, character=given.character)


def _call_aerostack(client: HasLanguageModels, given: ChatArguments) -> Awaitable[ChatReply]:
    return client.ai.chat(given.conversation, model=given.model, **given.options)


def _stream_from_aerostack(client: HasLanguageModels, given: ChatArguments) -> ChatStream:
    return client.ai.chat_stream(given.conversation, model=given.model, **given.options)


async def _call_skytells(client: HasChatCompletions, given: ChatArguments) -> ChatReply:
    model, options = _read_for_skytells(given)
    completion = await client.chat.create(model, given.conversation, **options)
    try:
        return to_reply(completion, "skytells")
    except DecodingError as error:
        error.outcome_unknown = True
        raise


def _stream_from_skytells(client: HasChatCompletions, given: ChatArguments) -> ChatStream:
    model, options = _read_for_skytells(given)
    return client.chat.stream(model, given.conversation, **options)


def _read_for_skytells(given: ChatArguments) -> tuple[str, FormattedChatOptions]:
    options = cast(FormattedChatOptions, given.options)
    if given.response_format is not None:
        options["response_format"] = given.response_format
    return given.model or _SKYTELLS_DEFAULTS["model"], options


_SKYTELLS_ACCEPTS = (*_CONVERSATION_ACCEPTS, "response_format")
_KELLY_DEFAULTS = {"model": "chatgpt"}
_SKYTELLS_DEFAULTS = {"model": "deepbrain-router"}
_KELLY_ACCEPTS = ("prompt", "model", "character")

CHAT = Service(
    name="chat",
    arguments=ChatArguments,
    result=ChatReply,
    routes=(
        Route(provider="kelly", call=_call_kelly, accepts=_KELLY_ACCEPTS, defaults=_KELLY_DEFAULTS),
        Route(provider="aerostack", call=_call_aerostack, accepts=_CONVERSATION_ACCEPTS),
        Route(provider="skytells", call=_call_skytells, accepts=_SKYTELLS_ACCEPTS, defaults=_SKYTELLS_DEFAULTS),
    ),
)
CHAT_STREAM = Service[ChatArguments, StartedChat](
    name="chat_stream",
    arguments=ChatArguments,
    result=ChatStream,
    timeout=TRANSFER_TIMEOUT,
    substitute=CHAT,
    routes=(
        Route(provider="kelly", call=_call_kelly, accepts=_KELLY_ACCEPTS, defaults=_KELLY_DEFAULTS),
        Route(provider="aerostack", call=_stream_from_aerostack, accepts=_CONVERSATION_ACCEPTS),
        Route(
            provider="skytells",
            call=_stream_from_skytells,
            accepts=_SKYTELLS_ACCEPTS,
            defaults=_SKYTELLS_DEFAULTS,
        ),
    ),
)


class Chat(RoutedService):
    """The chat service of `KellyAPI`.

    Source: https://github.com/NotReallyPrince/Kelly-API, https://github.com/aerostackdev/sdk-python
    (aerostack/api/ai_api.py), https://github.com/Skytells/ts-sdk (src/chat.ts)
    """

    @overload
    async def chat(
        self,
        prompt: Messages,
        *,
        model: NotBlank | None = None,
        temperature: NotNegative | None = None,
        max_tokens: Count | None = None,
        top_p: Share | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        character: NotBlank | None = None,
        into: None = None,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> ChatReply: ...
    @overload
    async def chat(
        self,
        prompt: Messages,
        *,
        model: NotBlank | None = None,
        temperature: NotNegative | None = None,
        max_tokens: Count | None = None,
        top_p: Share | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        character: NotBlank | None = None,
        into: type[T],
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> ParsedReply[T]: ...
    async def chat(
        self,
        prompt: Messages,
        *,
        model: NotBlank | None = None,
        temperature: NotNegative | None = None,
        max_tokens: Count | None = None,
        top_p: Share | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        character: NotBlank | None = None,
        into: type[T] | None = None,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> ChatReply | ParsedReply[T]:
        """Send a prompt or a conversation to a language model.

        Args:
            prompt: The message to the model: a string, which all providers take. Or a conversation: a list of
                `Message(role, content)` objects, messages of earlier replies, and dicts. Kelly AI takes one message of
                the user.
            model: A model of the provider. If you pass none, the provider's default is used.
            temperature: How random the reply is, from 0 to 2.
            max_tokens: The maximum length of the reply, in tokens.
            top_p: Nucleus sampling, from 0 to 1.
            tools: The tools that the model may call, as in OpenAI's API. The calls are in the `tool_calls` of the
                reply.
            tool_choice: "auto", "none", "required", or the tool to call.
            character: The character that the model plays. Only Kelly AI has characters.
            into: An attrs class or a dataclass, which the reply is read into: `reply.parsed` is an object of it. Only
                Skytells can do this. It needs the extra `structured`.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or a list of providers to try.

        Raises:
            ValueError: The prompt is blank, or no provider supports the arguments.
            TypeError: A field of the class of `into` cannot be expressed.
            DecodingError: The reply does not fit the class. `partial` is its text.
            NotFoundError: The provider does not know the model. Some providers raise `BadRequestError`.

        Example::

            reply = await api.chat("Name three rivers of Ghana.")
            print(reply.text)

            talk = [Message("user", "Name a river."), reply.message, Message("user", "Where does it end?")]
            print(await api.chat(talk, max_tokens=100))

            recipe = (await api.chat("Jollof for four", into=Recipe)).parsed
        """
        arguments, format = _read_conversation(
            prompt,
            into,
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            top_p=top_p,
            tools=tools,
            tool_choice=tool_choice,
            character=character,
        )
        reply = await self._route(CHAT, arguments, provider, fallback)
        return reply if format is None else format.read(reply)

    @overload
    def chat_stream(
        self,
        prompt: Messages,
        *,
        model: NotBlank | None = None,
        temperature: NotNegative | None = None,
        max_tokens: Count | None = None,
        top_p: Share | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        character: NotBlank | None = None,
        into: None = None,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> ChatStream: ...
    @overload
    def chat_stream(
        self,
        prompt: Messages,
        *,
        model: NotBlank | None = None,
        temperature: NotNegative | None = None,
        max_tokens: Count | None = None,
        top_p: Share | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        character: NotBlank | None = None,
        into: type[T],
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> ParsedChatStream[T]: ...
    def chat_stream(
        self,
        prompt: Messages,
        *,
        model: NotBlank | None = None,
        temperature: NotNegative | None = None,
        max_tokens: Count | None = None,
        top_p: Share | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        character: NotBlank | None = None,
        into: type[T] | None = None,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> ChatStream | ParsedChatStream[T]:
        """Send a prompt or a conversation to a language model, and receive the reply while it is written.

        The arguments are those of `chat`. The reply of Kelly AI, which does not stream, comes as one piece. Errors of
        the provider are raised when the `async with` block is entered.

        With `fallback`, the first piece is read when the block is entered. Until it has arrived, the next provider is
        tried if one fails. With `into`, `stream.reply.parsed` is there after the last piece. If the reply does not fit
        the class, the stream ends with the error.

        Example::

            async with api.chat_stream("Tell me a story.", fallback=True) as stream:
                async for piece in stream:
                    print(piece, end="")
            print(stream.reply.provider)
        """
        arguments, format = _read_conversation(
            prompt,
            into,
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            top_p=top_p,
            tools=tools,
            tool_choice=tool_choice,
            character=character,
        )
        routes = self._choose_routes(CHAT_STREAM, arguments, provider, fallback)
        stream = RoutedChatStream(self, routes, arguments)
        return stream if format is None else ParsedChatStream(stream, format)


def _read_conversation(
    prompt: Messages, into: type[T] | None, **others: Any
) -> tuple[ChatArguments, ReplyFormat[T] | None]:
    """Return the arguments of the service: one message of the user is a prompt, anything else are messages."""
    if into is not None and others["tools"] is not None:
        raise ValueError("into cannot be used with tools: a reply is an object, or calls tools")
    format = None if into is None else make_reply_format(into)
    others["response_format"] = format and format.response_format
    match messages := write_messages(prompt, "prompt"):
        case [{"role": "user", "content": str(text), **rest}] if not rest:
            return ChatArguments(prompt=text, **others), format
    return ChatArguments(messages=messages, **others), format
