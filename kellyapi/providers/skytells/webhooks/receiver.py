"""A receiver of Skytells' webhooks: for aiohttp servers by `routes`, for any other by `handle`.

It owns what is answered, and which handler is called when. What a call says is `webhooks.py`'s, which calls there have
been `deliveries.py`'s, who waits for one `joints.py`'s.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field

from ...._core.secrets import Key, as_secret
from ...._data.text import not_blank
from ....errors import ConfigurationError, WebhookError
from ..client import Skytells
from ..predictions.types import Prediction, PredictionStatus
from .store import Deliveries, MemoryDeliveries
from .verification import WebhookDelivery, event_type, verify_webhook
from .waiting import PredictionWaiters

if TYPE_CHECKING:
    from aiohttp import web


MAX_BODY = 2**20
"""Bytes of a call that are taken."""
Handler = Callable[[WebhookDelivery], Awaitable[object] | object]
HandlerT = TypeVar("HandlerT", bound=Handler)
WebhookReply = tuple[int, dict[str, Any]]
_ANY_EVENT = "*"
_KNOWN_EVENTS = {_ANY_EVENT, *map(event_type, PredictionStatus)}
_log = logging.getLogger("kellyapi.skytells")


@define(eq=False)
class _OngoingDelivery:
    """An event on its way to its handlers."""

    accepted: asyncio.Future[bool]
    """Whether the sender may forget it."""
    answered: asyncio.Event = field(factory=asyncio.Event)


class WebhookReceiver:
    """Takes the calls of Skytells' webhooks: `@receiver.on("succeeded")`, and `app.add_routes(receiver.routes(…))`.

    `secrets` are accepted all, so that they can be rotated. Without any it is `SKYTELLS_WEBHOOK_SECRET`, else the key
    of `skytells`, else `SKYTELLS_API_KEY`. `store` remembers what has been delivered, by default the newest 10,000
    events of this process. With `answer_first=False` a call is answered when its handlers have ended, with 500 if one
    of them raised, so that the provider calls again. `skytells` is the client that `wait_for` asks when no call comes.
    A receiver belongs to one event loop.

    Source: https://github.com/Skytells/ts-sdk (src/webhooks.ts),
    https://docs.aiohttp.org/en/stable/web_reference.html#aiohttp.web.Application.add_routes,
    https://docs.aiohttp.org/en/stable/web_advanced.html#cleanup-context,
    https://docs.aiohttp.org/en/stable/web_advanced.html#graceful-shutdown
    """

    def __init__(
        self,
        *secrets: str,
        skytells: Skytells | None = None,
        store: Deliveries | None = None,
        answer_first: bool = True,
    ) -> None:
        secrets = tuple(map(as_secret, secrets))
        if not all(isinstance(secret, str) for secret in secrets):
            raise TypeError("a secret must be a string")
        self._secrets = secrets
        self._skytells = skytells
        self._store = MemoryDeliveries() if store is None else store
        self._answer_first = answer_first
        self._handlers: list[tuple[frozenset[str], Handler]] = []
        self._deliveries: dict[str, _OngoingDelivery] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters = PredictionWaiters()

    def on(self, name: str, *more: str) -> Callable[[HandlerT], HandlerT]:
        """Decorate a function, plain or async, that is called with each `WebhookDelivery` of these event types.

        Names are "started", "succeeded", "failed" and "cancelled" in any spelling, or "*" for all events. An unknown
        name is accepted with a warning. Handlers of one event are called in the order in which they were added.
        """
        types = frozenset(event_type(not_blank(each, "name of an event")) for each in (name, *more))
        for unknown in sorted(types - _KNOWN_EVENTS):
            message = f"{unknown!r} is no known event; known are {', '.join(sorted(_KNOWN_EVENTS))}"
            warnings.warn(message, stacklevel=2)

        def add(handler: HandlerT) -> HandlerT:
            self._handlers.append((types, handler))
            return handler

        return add

    def routes(self, path: str) -> list[web.RouteDef]:
        """Give what `app.add_routes` takes. Without any secret this raises `ConfigurationError`.

        Add `life` to the application too: it lets the handlers end before the application does.
        """
        from aiohttp import web

        self._keys()  # a server that can accept nothing does not start

        async def receive(request: web.Request) -> web.StreamResponse:
            try:
                body = await _read_body(request)
            except (web.RequestPayloadError, ConnectionError):
                return web.json_response(_error_reply("the body broke off"), status=400)
            if body is None:
                return web.json_response(_error_reply(f"the body has more than {MAX_BODY} bytes"), status=413)
            (status, said), delivery = await self._take(request.headers, body)
            response = web.json_response(said, status=status)
            try:
                await response.prepare(request)
                await response.write_eof()
            finally:  # also when nobody is there any more to be answered
                if delivery is not None:
                    delivery.answered.set()
            return response

        return [web.post(path, receive)]

    async def cleanup_context(self, app: object = None) -> AsyncIterator[None]:
        """Wait for running handlers when an application ends: `app.cleanup_ctx.append(receiver.cleanup_context)`.

        Append it after the contexts that handlers use: aiohttp ends the last one first.
        """
        yield
        await self.close()

    async def close(self, *, timeout: float | None = 60.0) -> None:
        """Wait until the running handlers have ended, and cancel those that have not after `timeout` seconds."""
        if tasks := set(self._tasks):
            _, late = await asyncio.wait(tasks, timeout=timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def handle(self, headers: Mapping[str, str], body: bytes) -> WebhookReply:
        """Take one call and give the status and the JSON object to answer it with; for servers other than aiohttp's.

        `body` is what came over the wire, unparsed. Refuse longer ones than 1 MiB while they arrive; here it is late.
        """
        answer, delivery = await self._take(headers, body)
        if delivery is not None:
            delivery.answered.set()
        return answer

    async def wait_for(
        self, prediction: str | Prediction, *, timeout: float | None = 900.0, poll_after: float = 5.0
    ) -> Prediction:
        """Wait until a job has ended and give its last state; one that did not succeed raises `PredictionFailedError`.

        A call that came before counts. After `poll_after` seconds without one, or half of `timeout`, the provider is
        asked too, at a growing pace, if the receiver has a client. After `timeout` seconds (`None`: never)
        `WaitTimeoutError` is raised with the last known state.
        """
        return await self._waiters.wait_for(prediction, self._skytells, timeout=timeout, poll_after=poll_after)

    async def _take(self, headers: Mapping[str, str], body: bytes) -> tuple[WebhookReply, _OngoingDelivery | None]:
        """Judge a call and let its event be delivered, unless it has been; a delivery waits until it is `answered`."""
        if len(body) > MAX_BODY:
            return (413, _error_reply(f"the body has more than {MAX_BODY} bytes")), None
        try:
            event = verify_webhook(headers, body, await self._find_secrets())
        except WebhookError as error:
            refused = 400 if error.code == "INVALID_JSON" else 401
            _log.warning("a call to a webhook is refused with %d: %s", refused, error)
            return (refused, _error_reply(error.message)), None
        self._waiters.note(event.prediction)
        delivery = self._deliveries.get(event.id)
        mine = delivery is None
        if delivery is None:
            delivery = self._deliveries[event.id] = _OngoingDelivery(asyncio.get_running_loop().create_future())
            self._begin(event, delivery)
        try:
            accepted = await asyncio.shield(delivery.accepted)
        except BaseException:
            delivery.answered.set()  # or it would wait for an answer that nobody sends
            raise
        answer = (200, {"ok": True}) if accepted else (500, _error_reply("a handler failed"))
        return answer, delivery if mine else None

    def _begin(self, event: WebhookDelivery, delivery: _OngoingDelivery) -> None:
        def end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            del self._deliveries[event.id]
            delivery.accepted.cancel()  # if nobody has decided

        task = asyncio.create_task(self._deliver(event, delivery))
        self._tasks.add(task)
        task.add_done_callback(end)

    async def _deliver(self, event: WebhookDelivery, delivery: _OngoingDelivery) -> None:
        """Carry an event to its handlers unless that was done before. It is a task of its own, which no caller ends."""
        try:
            if not await self._store.claim(event.id):
                delivery.accepted.set_result(True)
            elif self._answer_first:
                delivery.accepted.set_result(True)
                await delivery.answered.wait()
                await self._call(event)
            else:
                done = await self._call(event)
                if not done:
                    await self._store.release(event.id)
                delivery.accepted.set_result(done)
        except asyncio.CancelledError:  # the loop ends, or `close` waits no longer
            _log.warning("the delivery of %s was stopped", event.id)
            await self._store.release(event.id)
            raise
        except Exception as error:  # of the store: the call is not accepted, and comes again
            delivery.accepted.set_exception(error)

    async def _call(self, event: WebhookDelivery) -> bool:
        """Call the handlers one after the other, and tell whether all went well."""
        well = True
        for types, handler in self._handlers:
            if types.isdisjoint((event.type, _ANY_EVENT)):
                continue
            try:
                waiting = handler(event)
                if inspect.isawaitable(waiting):
                    await waiting
            except Exception:  # of the user's handler: the others are called all the same
                _log.exception("a handler of %s failed for prediction %s", event.type, event.prediction.id)
                well = False
        return well

    def _keys(self) -> tuple[Key, ...]:
        """Choose what calls are signed with; `ConfigurationError` when there is nothing."""
        own = Skytells._variable("API_KEY") if self._skytells is None else self._skytells.api_key
        found = self._secrets or (Skytells._variable("WEBHOOK_SECRET") or own or "",)
        keys = tuple(key for key in found if callable(key) or key.strip())
        if not keys:
            right = "pass a secret, or set SKYTELLS_WEBHOOK_SECRET or SKYTELLS_API_KEY"
            raise ConfigurationError(f"no secret to verify webhooks with: {right}", provider="skytells")
        return keys

    async def _find_secrets(self) -> list[str]:
        secrets: list[str] = []
        for key in self._keys():
            secret = key() if callable(key) else key
            secrets.append(as_secret(await secret if inspect.isawaitable(secret) else secret))
        return secrets


def _error_reply(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}


async def _read_body(request: web.Request) -> bytes | None:
    """Read a body, and leave off when it is too long."""
    body = bytearray()
    if (request.content_length or 0) > MAX_BODY:
        return None
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > MAX_BODY:
            return None
    return bytes(body)
