"""The optional parameters of `skytells.chat` and `skytells.responses`, named as in the server's documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict

from ...._core.extra_fields import ExtraFields
from ...._data.arguments import Count, NotBlank, NotNegative, Range, Share


class _OwnChatParameters(TypedDict, total=False):
    max_tokens: Count | None
    temperature: NotNegative | None
    top_p: Share | None
    n: Count | None
    stop: str | Sequence[str] | None
    presence_penalty: float | None
    frequency_penalty: float | None
    logprobs: bool | None
    top_logprobs: Annotated[int, Range(0)] | None
    user: NotBlank | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    response_format: Mapping[str, Any] | None


class ChatParameters(_OwnChatParameters, ExtraFields, total=False):
    """The optional parameters of `skytells.chat`. The server uses its default for `None`."""


class _OwnResponseParameters(TypedDict, total=False):
    instructions: str | None
    temperature: NotNegative | None
    top_p: Share | None
    max_output_tokens: Count | None
    max_tool_calls: Count | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    reasoning: Mapping[str, Any] | None
    text: Mapping[str, Any] | None
    store: bool | None
    metadata: Mapping[str, Any] | None
    user: NotBlank | None
    previous_response_id: NotBlank | None
    service_tier: NotBlank | None
    truncation: NotBlank | None
    frequency_penalty: float | None
    presence_penalty: float | None
    top_logprobs: Annotated[int, Range(0)] | None
    prompt_cache_key: NotBlank | None
    prompt_cache_retention: NotBlank | None


class ResponseParameters(_OwnResponseParameters, ExtraFields, total=False):
    """The optional parameters of `skytells.responses`. The server uses its default for `None`."""
