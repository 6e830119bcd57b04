"""The optional parameters of `skytells.chat` and `skytells.responses`, named as in the server's documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ...._core.resource import drop_none


class ChatParameters(TypedDict, total=False):
    """The optional parameters of `skytells.chat`. The server uses its default for `None`."""

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
    """The optional parameters of `skytells.responses`. The server uses its default for `None`."""

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


def check_parameters(parameters: Mapping[str, Any], kind: type[Any]) -> dict[str, Any]:
    """Return the parameters that are not `None`; raise `TypeError` for an unknown name."""
    if unknown := parameters.keys() - kind.__annotations__.keys():
        raise TypeError(f"unknown parameter {min(unknown)!r}; the parameters are {', '.join(kind.__annotations__)}")
    return drop_none(**parameters)
