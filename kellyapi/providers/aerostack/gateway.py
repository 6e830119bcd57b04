"""Aerostack's gateway: APIs that a project sells to consumers with keys of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from ...core import Service
from ...decoding import wire
from ...services.chat import Message, write_messages
from ...services.completion import ChatCompletion
from ...wire import Key, encode_path, given, not_blank
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
        data = {
            "messages": write_messages(messages),
            **given(model=model, temperature=temperature, max_tokens=max_tokens),
        }
        path = encode_path("/ai/gateway/{}/chat/completions", api)
        return await self._post_json(path, data, into=ChatCompletion, bearer=consumer)

    async def wallet(self, api: str, *, consumer: Key) -> Wallet:
        """Give what a consumer has left with an API of the gateway.

        Source: https://github.com/aerostackdev/sdk-python (aerostack/api/gateway_api.py)
        """
        query = {"api_slug": not_blank(api, "api")}
        return (await self._fetch("/ai/gateway/me/wallet", query, into=_Held, bearer=consumer)).wallet
