"""`aerostack.gateway`: APIs that a project sells to consumers, each with a key of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from attrs import evolve, frozen

from ..._core.extra_fields import ExtraFields
from ..._core.resource import Resource, drop_none
from ..._core.secrets import Key, as_secret
from ..._core.urls import Id, encode_path
from ..._data.arguments import Count, NotBlank, NotNegative
from ..._data.decoding import Shape, json_name
from ..._data.result import Result
from ...services.chat import ChatStream, Messages, write_messages
from ...services.openai_completions import ChatCompletion
from .response_types import whole_number


@frozen
class Wallet(Result):
    """The balance of a consumer."""

    balance: float | None = None
    total_consumed: float | None = None
    total_purchased: float | None = None
    plan_type: str | None = None
    hard_limit: float | None = None
    soft_limit: float | None = None


@frozen(kw_only=True)
class GatewayUsage(Result):
    """What a consumer has used of an API of the gateway."""

    total_tokens: int
    total_requests: int
    days: int | None = None
    """How many days are counted, up to today."""


@frozen
class _Logged:
    logged_units: float = json_name("loggedUnits", default=0.0)


@frozen
class _Held:
    wallet: Wallet


class Gateway(Resource):
    """APIs sold to consumers.

    `consumer` is the key (`ask_live_…`) or the token of a consumer. It is sent in place of the project's key.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/gateway_api.py),
    https://github.com/aerostackdev/sdk-node (src/gateway.ts), https://github.com/aerostackdev/sdk-core (src/client.ts)
    """

    async def log_usage(
        self, consumer_id: NotBlank, api_id: NotBlank, units: NotNegative, *, metric: NotBlank = "units"
    ) -> float:
        """Bill a consumer for usage of an API, and return how many units were billed.

        Args:
            consumer_id: The id of the consumer.
            api_id: The id of the API.
            units: How many units to bill.
            metric: What is counted, such as "requests"; by default "units".
        """
        ids = {"consumerId": consumer_id, "apiId": api_id}
        data = {**ids, "metric": metric, "units": units}
        return await self._post_json("/gateway/billing/log", data, into=_LOGGED_UNITS)

    async def chat(
        self,
        api: Id,
        messages: Messages,
        *,
        consumer: Key,
        model: NotBlank | None = None,
        temperature: NotNegative | None = None,
        max_tokens: Count | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        **extra: Unpack[ExtraFields],
    ) -> ChatCompletion:
        """Send messages to an API of the gateway. The consumer pays.

        Args:
            api: The slug of the API.
            messages: `Message(role, content)` objects, messages of earlier replies, or dicts. A string is one message
                of the user.
            consumer: The key or the token of the consumer.
            model: The model. If you pass none, the API chooses one.
            temperature: How random the reply is, from 0 to 2.
            max_tokens: The maximum length of the reply, in tokens.
            tools: The tools that the model may call, as in OpenAI's API.
            tool_choice: "auto", "none", "required", or the tool to call.
            **extra: See `ExtraFields`.
        """
        options = drop_none(
            model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, tool_choice=tool_choice
        )
        consumer = as_secret(consumer)
        path = encode_path("/ai/gateway/{}/chat/completions", api)
        data = {"messages": write_messages(messages), **options}
        return await self._post_json(path, data, into=ChatCompletion, bearer=consumer, extra=extra)

    def chat_stream(
        self,
        api: Id,
        messages: Messages,
        *,
        consumer: Key,
        model: NotBlank | None = None,
        temperature: NotNegative | None = None,
        max_tokens: Count | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        **extra: Unpack[ExtraFields],
    ) -> ChatStream:
        """Send messages to an API of the gateway, and receive the reply while it is written. The consumer pays.

        The arguments are those of `chat`. Errors are raised when the `async with` block is entered.

        Example::

            async with aerostack.gateway.chat_stream("tutor", "Hello", consumer="ask_live_…") as stream:
                async for piece in stream:
                    print(piece, end="")
        """
        options = drop_none(
            model=model, temperature=temperature, max_tokens=max_tokens, tools=tools, tool_choice=tool_choice
        )
        consumer = as_secret(consumer)
        path = encode_path("/ai/gateway/{}/chat/completions", api)
        data = {"messages": write_messages(messages), **options, "stream_options": {"include_usage": True}}
        return self._stream_events(path, data, into=ChatStream, bearer=consumer, extra=extra)

    async def wallet(self, api: NotBlank, *, consumer: Key) -> Wallet:
        """Return the balance of a consumer for an API of the gateway, named by its slug."""
        consumer = as_secret(consumer)
        query = {"api_slug": api}
        return await self._fetch("/ai/gateway/me/wallet", query, into=_WALLET, bearer=consumer)

    async def usage(self, api: NotBlank, *, consumer: Key, days: Count | None = None) -> GatewayUsage:
        """Return what a consumer has used of an API of the gateway.

        Args:
            api: The slug of the API.
            consumer: The key or the token of the consumer.
            days: How many days to count, up to today. If you pass none, the platform chooses.
        """
        consumer = as_secret(consumer)
        query = {"api_slug": api, **({} if days is None else {"days": str(days)})}
        host = self._connection.base_url.removesuffix("/v1")  # this path of the platform is not under /v1
        outside = Resource(evolve(self._connection, base_url=host))
        return await outside._fetch("/api/gateway/me/usage", query, into=GatewayUsage, bearer=consumer)


_LOGGED_UNITS = Shape(_Logged, lambda found: whole_number(found.logged_units))
_WALLET = Shape(_Held, lambda found: found.wallet)
