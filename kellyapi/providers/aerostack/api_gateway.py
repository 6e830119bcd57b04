"""`aerostack.gateway`: APIs that a project sells to consumers, each with a key of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from attrs import evolve, frozen

from ..._core.extra_fields import ExtraFields
from ..._core.resource import Resource, drop_none
from ..._core.secrets import Key, as_secret
from ..._core.streams import StreamRequest
from ..._core.urls import Id, encode_path
from ..._data.arguments import Count, NotBlank, NotNegative
from ..._data.decoding import Shape, json_name
from ..._data.result import Result
from ...errors import StatusError
from ...services.chat_messages import Messages, write_messages
from ...services.chat_replies import ChatEventStream, ChatStream
from ...services.openai_completions import ChatCompletion
from .response_types import whole_number

if TYPE_CHECKING:
    from ..._core.transport import IncomingResponse

T = TypeVar("T")


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

    `consumer` is the key (`ask_live_…`) or the token of a consumer. It is sent in place of the project's key. If the
    server does not know the path of a consumer's call, the other form of the path is tried, and remembered if it works.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/gateway_api.py),
    https://github.com/aerostackdev/sdk-node (src/gateway.ts, src/sdk.ts), https://github.com/aerostackdev/sdk-core
    (src/client.ts)
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
        data = {"messages": write_messages(messages), **options}

        def send(server: Gateway, paths: _Paths) -> Awaitable[ChatCompletion]:
            path = encode_path(paths.chat, api)
            return server._post_json(path, data, into=ChatCompletion, bearer=consumer, extra=extra)

        return await self._send_to_known_path(send)

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
        data = {"messages": write_messages(messages), **options, "stream_options": {"include_usage": True}}
        request = partial(_ChatRequest, gateway=self, api=api)
        path = encode_path(_IN_SPECIFICATION.chat, api)
        return self._stream_events(path, data, into=ChatEventStream, bearer=consumer, extra=extra, request=request)

    async def wallet(self, api: NotBlank, *, consumer: Key) -> Wallet:
        """Return the balance of a consumer for an API of the gateway, named by its slug."""
        consumer = as_secret(consumer)
        query = {"api_slug": api}
        return await self._send_to_known_path(
            lambda server, paths: server._fetch(paths.wallet, query, into=_WALLET, bearer=consumer)
        )

    async def usage(self, api: NotBlank, *, consumer: Key, days: Count | None = None) -> GatewayUsage:
        """Return what a consumer has used of an API of the gateway.

        Args:
            api: The slug of the API.
            consumer: The key or the token of the consumer.
            days: How many days to count, up to today. If you pass none, the platform chooses.
        """
        consumer = as_secret(consumer)
        query = {"api_slug": api, **({} if days is None else {"days": str(days)})}
        server = self._with_address_of(_IN_CLIENTS)  # the specification has no path for it
        return await server._fetch("/api/gateway/me/usage", query, into=GatewayUsage, bearer=consumer)

    async def _send_to_known_path(self, send: Callable[[Gateway, _Paths], Awaitable[T]]) -> T:
        """Send a call to the form of the paths that the server knows. The form that worked before is tried first."""
        known, address = self._connection.known_paths, self._connection.base_url
        paths, others = _IN_SPECIFICATION, _IN_CLIENTS
        if known.get(address) is others:
            paths, others = others, paths
        try:
            return await send(self._with_address_of(paths), paths)
        except StatusError as missing:
            if missing.status not in (404, 405):
                raise
            try:
                result = await send(self._with_address_of(others), others)
            except StatusError as error:
                raise (missing if error.status in (404, 405) else error) from None
            known[address] = others
            return result

    def _with_address_of(self, paths: _Paths) -> Gateway:
        """Return the gateway with the base address of these paths."""
        if paths is _IN_SPECIFICATION:
            return self
        return Gateway(evolve(self._connection, base_url=self._connection.base_url.removesuffix("/v1")))


@frozen
class _Paths:
    """The paths of consumers' calls in one of the two forms that are in use."""

    chat: str
    wallet: str


_IN_SPECIFICATION = _Paths("/ai/gateway/{}/chat/completions", "/ai/gateway/me/wallet")
_IN_CLIENTS = _Paths("/api/gateway/{}/v1/chat/completions", "/api/gateway/me/wallet")
"""They are not below `/v1`. The hand-written clients use them. No public source says which form a server knows."""


@frozen(repr=False, kw_only=True)
class _ChatRequest(StreamRequest):
    """The request of a streamed chat, which is sent to the path that the server knows."""

    gateway: Gateway
    api: str

    async def open(self) -> tuple[StreamRequest, IncomingResponse]:
        def send(server: Gateway, paths: _Paths) -> Awaitable[tuple[StreamRequest, IncomingResponse]]:
            call = evolve(self.call, url=encode_path(paths.chat, self.api))
            connection = evolve(self.connection, base_url=server._connection.base_url)
            return StreamRequest(connection, call, self.accepts).open()

        return await self.gateway._send_to_known_path(send)


_LOGGED_UNITS = Shape(_Logged, lambda found: whole_number(found.logged_units))
_WALLET = Shape(_Held, lambda found: found.wallet)
