"""Skytells' inference in the shape that OpenAI made common: chat, responses, embeddings.

The optional parameters of `create` are passed on under their own names, as the server's documentation has them.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from attrs import frozen

from ...core import Service
from ...decoding import decode
from ...errors import DecodingError
from ...services.chat import ChatStream, Message, write_messages
from ...services.completion import ChatCompletion
from ...wire import given, not_blank
from .responses import ModelResponse, ResponseStream

Messages = str | Sequence[Message | Mapping[str, Any]]
"""`Message(role, content)` or dicts; a single string is one message of the user."""


@frozen
class EmbeddingUsage:
    """What embeddings cost, in tokens."""

    prompt_tokens: int = 0
    total_tokens: int = 0


@frozen
class Embeddings:
    """Vectors, one for each input, in their order."""

    vectors: tuple[tuple[float, ...], ...]
    model: str | None = None
    usage: EmbeddingUsage | None = None


class ChatParameters(TypedDict, total=False):
    """What `skytells.chat` takes beside the model and the messages; `None` leaves it to the server."""

    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    n: int | None
    stop: str | Sequence[str] | None
    presence_penalty: float | None
    frequency_penalty: float | None
    logprobs: bool | None
    top_logprobs: int | None
    user: str | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    response_format: Mapping[str, Any] | None


class ResponseParameters(TypedDict, total=False):
    """What `skytells.responses` takes beside the model and the input; `None` leaves it to the server."""

    instructions: str | None
    temperature: float | None
    top_p: float | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    reasoning: Mapping[str, Any] | None
    text: Mapping[str, Any] | None
    store: bool | None
    metadata: Mapping[str, Any] | None
    user: str | None
    previous_response_id: str | None
    service_tier: str | None
    truncation: str | None
    frequency_penalty: float | None
    presence_penalty: float | None
    top_logprobs: int | None
    prompt_cache_key: str | None
    prompt_cache_retention: str | None


class ChatCompletions(Service):
    """`skytells.chat`."""

    async def create(self, model: str, messages: Messages, **parameters: Unpack[ChatParameters]) -> ChatCompletion:
        """Say something to a language model.

        `messages` are `Message(role, content)` or dicts; a single string is one message of the user.

        Source: https://github.com/Skytells/ts-sdk (src/chat.ts)
        """
        return await self._post_json("/chat/completions", _ask_chat(model, messages, parameters), into=ChatCompletion)

    def stream(self, model: str, messages: Messages, **parameters: Unpack[ChatParameters]) -> ChatStream:
        """Say something to a language model and get its reply as it is written: `async with skytells.chat.stream(…) as
        stream: async for piece in stream: …`.

        What it takes is what `create` takes; so are the errors, raised when the block is entered.

        Source: https://github.com/Skytells/ts-sdk (src/chat.ts)
        """
        data = {**_ask_chat(model, messages, parameters), "stream_options": {"include_usage": True}}
        return self._stream_events("/chat/completions", data, into=ChatStream)


class Responses(Service):
    """`skytells.responses`."""

    async def create(self, model: str, input: Messages, **parameters: Unpack[ResponseParameters]) -> ModelResponse:
        """Have a model respond to a text or a conversation.

        `previous_response_id` needs that the earlier one was created with `store=True`.

        Source: https://github.com/Skytells/ts-sdk (src/responses.ts)
        """
        return await self._post_json("/responses", _ask_response(model, input, parameters), into=ModelResponse)

    def stream(self, model: str, input: Messages, **parameters: Unpack[ResponseParameters]) -> ResponseStream:
        """Have a model respond, and get what happens meanwhile: `async with skytells.responses.stream(…) as stream:
        async for event in stream: …`.

        What it takes is what `create` takes; so are the errors, raised when the block is entered.

        Source: https://github.com/Skytells/ts-sdk (src/responses.ts)
        """
        return self._stream_events("/responses", _ask_response(model, input, parameters), into=ResponseStream)


class EmbeddingVectors(Service):
    """`skytells.embeddings`."""

    async def create(
        self,
        model: str,
        input: str | Sequence[str],
        *,
        encoding_format: str = "float",
        dimensions: int | None = None,
        user: str | None = None,
    ) -> Embeddings:
        """Turn texts into vectors. `encoding_format="base64"` travels in fewer bytes and gives the same vectors.

        Source: https://github.com/Skytells/ts-sdk (src/embeddings.ts)
        """
        asked = not_blank(input, "input") if isinstance(input, str) else [not_blank(text, "input") for text in input]
        data = {"model": not_blank(model, "model"), "input": asked, "encoding_format": encoding_format}
        data |= given(dimensions=dimensions, user=user)
        return await self._post_json("/embeddings", data, into=_read_embeddings)


@frozen
class _Vector:
    embedding: tuple[float, ...]
    index: int = 0


@frozen
class _Vectors:
    data: tuple[_Vector, ...]
    model: str | None = None
    usage: EmbeddingUsage | None = None


def _ask_chat(model: str, messages: Messages, parameters: ChatParameters) -> dict[str, Any]:
    asked = {"model": not_blank(model, "model"), "messages": write_messages(messages)}
    return {**asked, **_known(parameters, ChatParameters)}


def _ask_response(model: str, input: Messages, parameters: ResponseParameters) -> dict[str, Any]:
    asked = not_blank(input, "input") if isinstance(input, str) else write_messages(input)
    return {"model": not_blank(model, "model"), "input": asked, **_known(parameters, ResponseParameters)}


def _known(parameters: Mapping[str, Any], kind: type[Any]) -> dict[str, Any]:
    """Give the parameters that were given, if all of them are parameters."""
    if unknown := parameters.keys() - kind.__annotations__.keys():
        raise TypeError(f"unknown parameter {min(unknown)!r}; the parameters are {', '.join(kind.__annotations__)}")
    return given(**parameters)


def _read_embeddings(value: Any) -> Embeddings:
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = {**value, "data": [_in_numbers(item, at) for at, item in enumerate(value["data"])]}
    found = decode(value, _Vectors)
    ordered = sorted(found.data, key=lambda vector: vector.index)
    return Embeddings(tuple(vector.embedding for vector in ordered), found.model, found.usage)


def _in_numbers(item: Any, at: int) -> Any:
    """Turn a vector that is base64 of 32-bit little-endian floats into an array of numbers."""
    if not isinstance(item, dict) or not isinstance(item.get("embedding"), str):
        return item
    try:
        numbers = struct.iter_unpack("<f", base64.b64decode(item["embedding"], validate=True))
        return {**item, "embedding": [number for (number,) in numbers]}
    except (ValueError, struct.error):
        raise DecodingError(f"$.data[{at}].embedding is not base64 of 32-bit floats") from None
