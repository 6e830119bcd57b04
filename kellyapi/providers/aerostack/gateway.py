"""Aerostack's gateway: APIs that a project sells to consumers with keys of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from ...core import Service
from ...decoding import wire
from ...services.chat import ChatStream, Message, write_messages
from ...services.completion import ChatCompletion
from ...wire import Key, encode_path, given, hidden, not_blank
from .paging import whole


@frozen
class Wallet:
    """What a consumer has left."""

    balance: float | None = None
    total_consumed: float | None = None
    total_purchased: float | None = None
    plan_type: str | None = None
    hard_limit: float | None = None
    soft_limit: float | None = None


@frozen
class _Logged:
    logged_units: float = wire("loggedUnits", default=0)


@frozen
class _Held:
    wallet: Wallet


class Gateway(Service):
    """`aerostack.gateway`. `consumer` is the consumer's own key (`ask_live_…`) or token, sent in place of the
    project's.
    """

    async def log_usage(self, consumer_id: str, api_id: str, units: float, *, metric: str = "units") -> float:
        """Bill a consumer for units, and give how many were billed.

        Source: https://github.com/aerostackdev/sdk-python (aerostack/api/gateway_api.py)
        """
        ids = {"consumerId": not_blank(consumer_id, "consumer_id"), "apiId": not_blank(api_id, "api_id")}
        data = {**ids, "metric": metric, "units": units}
        return whole((await self._post_json("/gateway/billing/log", data, into=_Logged)).logged_units)

    async def chat(
        self,
        api: str,
        messages: str | Sequence[Message | Mapping[str, Any]],
        *,
        consumer: Key,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatCompletion:
        """Say something to an API of the gateway, named by its slug, at the consumer's expense.

        Source: https://github.com/aerostackdev/sdk-python (aerostack/api/gateway_api.py)
        """
        options = given(model=model, temperature=temperature, max_tokens=max_tokens)
        consumer = hidden(consumer)
        path = encode_path("/ai/gateway/{}/chat/completions", api)
        data = {"messages": write_messages(messages), **options}
        return await self._post_json(path, data, into=ChatCompletion, bearer=consumer)

    def chat_stream(
        self,
        api: str,
        messages: str | Sequence[Message | Mapping[str, Any]],
        *,
        consumer: Key,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatStream:
        """Say something to an API of the gateway, at the consumer's expense, and get its reply as it is written: `async
        with aerostack.gateway.chat_stream(…) as stream: async for piece in stream: …`.

        What it takes is what `chat` takes; so are the errors, raised when the block is entered.

        Source: https://github.com/aerostackdev/sdk-node (src/gateway.ts)
        """
        options = given(model=model, temperature=temperature, max_tokens=max_tokens)
        consumer = hidden(consumer)
        path = encode_path("/ai/gateway/{}/chat/completions", api)
        data = {"messages": write_messages(messages), **options, "stream_options": {"include_usage": True}}
        return self._stream_events(path, data, into=ChatStream, bearer=consumer)

    async def wallet(self, api: str, *, consumer: Key) -> Wallet:
        """Give what a consumer has left with an API of the gateway.

        Source: https://github.com/aerostackdev/sdk-python (aerostack/api/gateway_api.py)
        """
        consumer = hidden(consumer)
        query = {"api_slug": not_blank(api, "api")}
        return (await self._fetch("/ai/gateway/me/wallet", query, into=_Held, bearer=consumer)).wallet
