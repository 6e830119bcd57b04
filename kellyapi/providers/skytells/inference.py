"""Skytells' inference in the shape that OpenAI made common: chat, responses, embeddings.

The optional parameters of `create` are passed on under their own names, as the server's documentation has them.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from ...core import Service
from ...decoding import decode
from ...errors import DecodingError
from ...services.chat import Message, write_messages
from ...services.completion import ChatCompletion
from ...wire import given, not_blank

Messages = str | Sequence[Message | Mapping[str, Any]]


@frozen
class OutputContent:
    """A piece of an output."""

    type: str
    text: str | None = None
    annotations: tuple[object, ...] = ()


@frozen
class OutputItem:
    """One item of a response: a message, mostly."""

    id: str | None = None
    type: str | None = None
    status: str | None = None
    role: str | None = None
    content: tuple[OutputContent, ...] = ()
    phase: str | None = None


@frozen
class ResponseUsage:
    """What a response cost, in tokens."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: dict[str, object] = field(factory=dict)
    output_tokens_details: dict[str, object] = field(factory=dict)


@frozen(kw_only=True)
class ModelResponse:
    """A whole response.

    Source: https://github.com/Skytells/ts-sdk (src/types/inference.types.ts)
    """

    id: str
    status: str
    """"completed", "incomplete", "failed", …; others may come."""
    model: str | None = None
    created_at: float | None = None
    """Seconds since 1970."""
    output: tuple[OutputItem, ...] = ()
    usage: ResponseUsage | None = None
    content_filters: tuple[dict[str, object], ...] = ()
    error: object = None
    incomplete_details: object = None
    previous_response_id: str | None = None
    metadata: dict[str, object] = field(factory=dict)

    @property
    def text(self) -> str:
        """All text of the output."""
        return "".join(piece.text or "" for item in self.output for piece in item.content)


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


class ChatCompletions(Service):
    """`skytells.chat`."""

    async def create(
        self,
        model: str,
        messages: Messages,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        n: int | None = None,
        stop: str | Sequence[str] | None = None,
        presence_penalty: float | None = None,
        frequency_penalty: float | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        user: str | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: Mapping[str, Any] | None = None,
    ) -> ChatCompletion:
        """Say something to a language model.

        `messages` are `Message(role, content)` or dicts; a single string is one message of the user.

        Source: https://github.com/Skytells/ts-sdk (src/chat.ts)
        """
        optional = given(
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            n=n,
            stop=stop,
            presence_penalty=presence_penalty,
            frequency_penalty=frequency_penalty,
            logprobs=logprobs,
            top_logprobs=top_logprobs,
            user=user,
            tools=tools,
            tool_choice=tool_choice,
            parallel_tool_calls=parallel_tool_calls,
            response_format=response_format,
        )
        data = {"model": not_blank(model, "model"), "messages": write_messages(messages), **optional}
        return await self._post_json("/chat/completions", data, into=ChatCompletion)


class Responses(Service):
    """`skytells.responses`."""

    async def create(
        self,
        model: str,
        input: str | Sequence[Message | Mapping[str, Any]],
        *,
        instructions: str | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_output_tokens: int | None = None,
        max_tool_calls: int | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        reasoning: Mapping[str, Any] | None = None,
        text: Mapping[str, Any] | None = None,
        store: bool | None = None,
        metadata: Mapping[str, Any] | None = None,
        user: str | None = None,
        previous_response_id: str | None = None,
        service_tier: str | None = None,
        truncation: str | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        top_logprobs: int | None = None,
        prompt_cache_key: str | None = None,
        prompt_cache_retention: str | None = None,
    ) -> ModelResponse:
        """Have a model respond to a text or a conversation.

        `previous_response_id` needs that the earlier one was created with `store=True`.

        Source: https://github.com/Skytells/ts-sdk (src/responses.ts)
        """
        optional = given(
            instructions=instructions,
            temperature=temperature,
            top_p=top_p,
            max_output_tokens=max_output_tokens,
            max_tool_calls=max_tool_calls,
            tools=tools,
            tool_choice=tool_choice,
            parallel_tool_calls=parallel_tool_calls,
            reasoning=reasoning,
            text=text,
            store=store,
            metadata=metadata,
            user=user,
            previous_response_id=previous_response_id,
            service_tier=service_tier,
            truncation=truncation,
            frequency_penalty=frequency_penalty,
            presence_penalty=presence_penalty,
            top_logprobs=top_logprobs,
            prompt_cache_key=prompt_cache_key,
            prompt_cache_retention=prompt_cache_retention,
        )
        asked = not_blank(input, "input") if isinstance(input, str) else write_messages(input)
        data = {"model": not_blank(model, "model"), "input": asked, **optional}
        return await self._post_json("/responses", data, into=ModelResponse)


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
