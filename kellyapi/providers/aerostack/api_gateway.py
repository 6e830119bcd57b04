"""Aerostack's gateway: APIs that a project sells to consumers with keys of their own."""

from __future__ import annotations

from attrs import frozen

from ..._core.resource import Resource, drop_none
from ..._core.secrets import Key, as_secret
from ..._core.urls import encode_path
from ..._data.decoding import json_name
from ..._data.text import not_blank
from ...services.chat import ChatStream, Messages, write_messages
from ...services.openai_completions import ChatCompletion
from .response_types import whole_number


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
    logged_units: float = json_name("loggedUnits", default=0)


@frozen
class _Held:
    wallet: Wallet


class Gateway(Resource):
    """`aerostack.gateway`. `consumer` is the consumer's own key (`ask_live_…`) or token, sent in place of the
    project's.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/gateway_api.py),
    https://github.com/aerostackdev/sdk-node (src/gateway.ts)
    """

    async def log_usage(self, consumer_id: str, api_id: str, units: float, *, metric: str = "units") -> float:
        """Bill a consumer for units, and give how many were billed."""
        ids = {"consumerId": not_blank(consumer_id, "consumer_id"), "apiId": not_blank(api_id, "api_id")}
        data = {**ids, "metric": metric, "units": units}
        return whole_number((await self._post_json("/gateway/billing/log", data, into=_Logged)).logged_units)

    async def chat(
        self,
        api: str,
        messages: Messages,
        *,
        consumer: Key,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatCompletion:
        """Say something to an API of the gateway, named by its slug, at the consumer's expense."""
        options = drop_none(model=model, temperature=temperature, max_tokens=max_tokens)
        consumer = as_secret(consumer)
        path = encode_path("/ai/gateway/{}/chat/completions", api)
        data = {"messages": write_messages(messages), **options}
        return await self._post_json(path, data, into=ChatCompletion, bearer=consumer)

    def chat_stream(
        self,
        api: str,
        messages: Messages,
        *,
        consumer: Key,
        model: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
    ) -> ChatStream:
        """Say something to an API of the gateway, at the consumer's expense, and get its reply as it is written: `async
        with aerostack.gateway.chat_stream(…) as stream: async for piece in stream: …`.

        What it takes is what `chat` takes; so are the errors, raised when the block is entered.
        """
        options = drop_none(model=model, temperature=temperature, max_tokens=max_tokens)
        consumer = as_secret(consumer)
        path = encode_path("/ai/gateway/{}/chat/completions", api)
        data = {"messages": write_messages(messages), **options, "stream_options": {"include_usage": True}}
        return self._stream_events(path, data, into=ChatStream, bearer=consumer)

    async def wallet(self, api: str, *, consumer: Key) -> Wallet:
        """Give what a consumer has left with an API of the gateway."""
        consumer = as_secret(consumer)
        query = {"api_slug": not_blank(api, "api")}
        return (await self._fetch("/ai/gateway/me/wallet", query, into=_Held, bearer=consumer)).wallet
