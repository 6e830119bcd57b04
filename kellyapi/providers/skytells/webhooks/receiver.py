"""A receiver of Skytells' webhooks, for aiohttp servers (`routes`) and any other server (`handle`).

This module decides how to respond to a request and which handlers to call. `verification.py` checks and parses a
request, `store.py` remembers deliveries, and `waiting.py` waits for the end of a prediction.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import define, field

from ...._core.callbacks import run_callback
from ...._core.log import Log
from ...._core.secrets import Key, as_secret
from ...._core.urls import Id
from ...._data.arguments import NotBlank, NotNegative, checked
from ....errors import ConfigurationError, DecodingError, WebhookError
from ..client import Skytells
from ..predictions.types import Prediction, PredictionStatus
from .store import Deliveries, MemoryDeliveries, as_recoverable
from .verification import (
    WebhookBody,
    WebhookDelivery,
    WebhookHeaders,
    as_bytes,
    event_type,
    read_delivery,
    verify_webhook,
)
from .waiting import PredictionWaiters

if TYPE_CHECKING:
    from aiohttp import web


MAX_BODY = 2**20
"""The maximum size of the body of a request, in bytes."""
Handler = Callable[[WebhookDelivery], Awaitable[object] | object]
HandlerT = TypeVar("HandlerT", bound=Handler)
WebhookReply = tuple[int, dict[str, Any]]
_ANY_EVENT = "*"
_KNOWN_EVENTS = {_ANY_EVENT, *map(event_type, PredictionStatus)}
_log = Log(logging.getLogger("kellyapi.skytells"))


@define(eq=False)
class _OngoingDelivery:
    """A delivery whose handlers are not done."""

    accepted: asyncio.Future[bool]
    """Whether to respond with 200, after which Skytells need not send the event again."""
    responded: asyncio.Event = field(factory=asyncio.Event)
    """Set when the response has been sent."""


@checked
class WebhookReceiver:
    """Receiver of the webhooks of Skytells: verifies them, and passes each event to your handlers once.

    A receiver belongs to one event loop.

    Args:
        *secrets: The secrets that requests may be signed with. Pass the old and the new one to rotate them. By default
            `SKYTELLS_WEBHOOK_SECRET`, otherwise the key of `skytells`, otherwise `SKYTELLS_API_KEY`.
        skytells: The client that `wait_for` polls with if no delivery arrives.
        store: Remembers deliveries; by default the last 10,000, in memory. `SQLiteDeliveries` also recovers those of a
            process that ended while it handled them.
        answer_first: Respond before the handlers run. With `False` the response is sent when they have ended, with
            status 500 if one of them raised an exception, so that Skytells can send the event again.

    Example::

        receiver = WebhookReceiver()

        @receiver.on("succeeded")
        async def show(delivery):
            print(delivery.prediction.outputs)

        app.add_routes(receiver.routes("/webhooks/skytells"))
        app.cleanup_ctx.append(receiver.cleanup_context)

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
        self._secrets = secrets
        self._skytells = skytells
        self._store = as_recoverable(MemoryDeliveries() if store is None else store)
        self._answer_first = answer_first
        self._handlers: list[tuple[frozenset[str], Handler]] = []
        self._deliveries: dict[str, _OngoingDelivery] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recovery: asyncio.Task[None] | None = None
        self._waiters = PredictionWaiters()

    def on(self, name: NotBlank, *more: NotBlank) -> Callable[[HandlerT], HandlerT]:
        """Register the decorated function as a handler of these events.

        The handler, plain or async, is called with a `WebhookDelivery`. The handlers of an event are called one after
        the other, in the order in which they were registered.

        Args:
            name: "started", "succeeded", "failed" or "cancelled" in any spelling, or "*" for all events. An unknown
                name is accepted with a warning.
            *more: More events.
        """
        types = frozenset(event_type(each) for each in (name, *more))
        for unknown in sorted(types - _KNOWN_EVENTS):
            message = f"{unknown!r} is not a known event; the known ones are {', '.join(sorted(_KNOWN_EVENTS))}"
            warnings.warn(message, stacklevel=3)  # above the check of the arguments

        def add(handler: HandlerT) -> HandlerT:
            self._handlers.append((types, handler))
            return handler

        return add

    def routes(self, path: NotBlank) -> list[web.RouteDef]:
        """Return the routes for `app.add_routes` of an aiohttp application.

        Add `cleanup_context` to the application too. It recovers deliveries when the application starts, and waits for
        running handlers when it ends.

        Args:
            path: The path of the webhook, such as "/webhooks/skytells".

        Raises:
            ConfigurationError: There is no secret to verify requests with.
        """
        from aiohttp import web

        self._signing_keys()  # raises without a secret: such a server could not accept any request

        async def receive(request: web.Request) -> web.StreamResponse:
            try:
                body = await _read_body(request)
            except (web.RequestPayloadError, ConnectionError):
                return web.json_response(_error_reply("the body broke off"), status=400)
            if body is None:
                return web.json_response(_error_reply(f"the body has more than {MAX_BODY} bytes"), status=413)
            (status, reply), delivery = await self._receive(request.headers, body)
            response = web.json_response(reply, status=status)
            try:
                await response.prepare(request)
                await response.write_eof()
            finally:  # even if the connection is closed: the handlers run all the same
                if delivery is not None:
                    delivery.responded.set()
            return response

        return [web.post(path, receive)]

    async def cleanup_context(self, app: object = None) -> AsyncIterator[None]:
        """Call `recover` when an application starts, and `close` when it ends.

        Use it as `app.cleanup_ctx.append(receiver.cleanup_context)`. Append it after the contexts that your handlers
        use, because aiohttp ends the last one first.
        """
        await self.recover()
        yield
        await self.close()

    async def recover(self) -> None:
        """Handle the deliveries of processes that have ended while they handled them.

        The receiver does so at each new delivery, and `cleanup_context` when an aiohttp application starts. Call this
        method when another server starts. The handlers run after it has returned. It finds nothing in a store that
        does not keep bodies, such as `MemoryDeliveries`.
        """
        for key, body in await self._store.recover():
            try:
                event = read_delivery(body)
            except (ValueError, DecodingError):  # stored by another version of this library
                _log.exception("the stored delivery of %s cannot be read", key)
                await self._store.release(key)
                continue
            _log.warning("the delivery of %s is handled again: its process has ended", key)
            self._waiters.note(event.prediction)
            self._start_delivery(key, event, None).responded.set()

    async def close(self, *, timeout: NotNegative | None = 60.0) -> None:
        """Wait until the running handlers have ended, and cancel those that still run after `timeout` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._tasks:  # a delivery may recover others
                    await asyncio.wait(self._tasks)
        late = set(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def handle(self, headers: WebhookHeaders, body: WebhookBody) -> WebhookReply:
        """Handle one request of a webhook, in a server that is not aiohttp's.

        Args:
            headers: The headers of the request, in any form that `verify_webhook` accepts.
            body: The body as it arrived, before it is parsed. Let your server refuse a body of more than 1 MiB while
                it arrives; this method refuses it too, but then it is in memory already.

        Returns:
            The status of the response, and the JSON object to send as its body.
        """
        reply, delivery = await self._receive(headers, body)
        if delivery is not None:
            delivery.responded.set()
        return reply

    async def wait_for(
        self, prediction: Id | Prediction, *, timeout: float | None = 900.0, poll_after: NotNegative = 5.0
    ) -> Prediction:
        """Wait for the delivery that a prediction has ended, and return the last state of the prediction.

        A delivery that arrived before counts too. If the receiver has a client (`skytells=`), it also polls the
        prediction when no delivery has arrived after `poll_after` seconds, or after half of `timeout`.

        Args:
            prediction: The id, or an earlier state.
            timeout: Seconds until `WaitTimeoutError` is raised; `None` waits without an end.
            poll_after: Seconds without a delivery until polling begins.

        Raises:
            PredictionFailedError: The prediction failed or was cancelled.
            WaitTimeoutError: The prediction has not ended in time. Its last known state is `.prediction`.
        """
        return await self._waiters.wait_for(prediction, self._skytells, timeout=timeout, poll_after=poll_after)

    async def _receive(
        self, headers: WebhookHeaders, body: WebhookBody
    ) -> tuple[WebhookReply, _OngoingDelivery | None]:
        """Verify a request, and start the delivery of its event unless it was delivered before.

        Returns:
            The response, and the delivery if this request started it. The caller then sets its `responded`.
        """
        body = as_bytes(body)
        if len(body) > MAX_BODY:
            return (413, _error_reply(f"the body has more than {MAX_BODY} bytes")), None
        try:
            event = verify_webhook(headers, body, await self._find_secrets())
        except WebhookError as error:
            refused = 400 if error.code == "INVALID_JSON" else 401
            _log.warning("a call to a webhook is refused with %d: %s", refused, error)
            return (refused, _error_reply(error.message)), None
        self._waiters.note(event.prediction)
        ongoing = self._deliveries.get(event.id)
        delivery = ongoing or self._start_delivery(event.id, event, body)
        try:
            accepted = await asyncio.shield(delivery.accepted)
        except BaseException:
            delivery.responded.set()  # otherwise the handlers would wait for a response that is never sent
            raise
        reply = (200, {"ok": True}) if accepted else (500, _error_reply("a handler failed"))
        return reply, delivery if ongoing is None else None

    def _start_delivery(self, key: str, event: WebhookDelivery, body: bytes | None) -> _OngoingDelivery:
        delivery = _OngoingDelivery(asyncio.get_running_loop().create_future())

        def end(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if self._deliveries.get(key) is delivery:
                del self._deliveries[key]
            delivery.accepted.cancel()  # does nothing if there is a decision

        self._deliveries.setdefault(key, delivery)  # if a request has just found that a recovered one is claimed
        task = asyncio.create_task(self._deliver(key, event, body, delivery))
        self._tasks.add(task)
        task.add_done_callback(end)
        return delivery

    async def _deliver(self, key: str, event: WebhookDelivery, body: bytes | None, delivery: _OngoingDelivery) -> None:
        """Call the handlers of an event unless it was delivered before.

        This is a task of its own, so that it does not end with the request. A recovered delivery has no `body` here,
        because it is claimed and stored.
        """
        claimed = body is None
        try:
            if body is not None:
                self._start_recovery()  # now, so that the store can do both at once
                claimed = await self._store.claim(key, body)
            if not claimed or self._answer_first:
                delivery.accepted.set_result(True)
            if not claimed:
                return
            if self._answer_first:
                await delivery.responded.wait()
            done = await self._call_handlers(event)
            await self._settle(key, done or self._answer_first)
            if not self._answer_first:
                delivery.accepted.set_result(done)
        except asyncio.CancelledError:  # the loop ends, or the timeout of `close` is over
            _log.warning("the delivery of %s was stopped", key)
            if claimed:
                await self._store.abandon(key)
            raise
        except Exception as error:  # from the store: the request fails, and Skytells can send the event again
            delivery.accepted.set_exception(error)

    def _start_recovery(self) -> None:
        if self._recovery is None or self._recovery.done():
            self._recovery = asyncio.create_task(self._recover_meanwhile())
            self._tasks.add(self._recovery)
            self._recovery.add_done_callback(self._tasks.discard)

    async def _recover_meanwhile(self) -> None:
        try:
            await self.recover()
        except Exception:  # from the store: the delivery that has just arrived is handled all the same
            _log.exception("the deliveries of processes that have ended cannot be recovered")

    async def _settle(self, key: str, done: bool) -> None:
        try:
            await (self._store.finish(key) if done else self._store.release(key))
        except Exception:  # from the store: the handlers have ended, and the response says how
            _log.exception("the end of the delivery of %s cannot be stored: it may be handled again", key)

    async def _call_handlers(self, event: WebhookDelivery) -> bool:
        """Call the handlers one after the other, and return whether all succeeded.

        Each runs in a task of its own, so that a handler that cancels itself does not stop those after it.
        """
        this_task = asyncio.current_task()
        assert this_task is not None  # a coroutine runs in a task
        succeeded = True
        for types, handler in self._handlers:
            if types.isdisjoint((event.type, _ANY_EVENT)):
                continue
            try:
                await asyncio.create_task(run_callback(handler, event))
            except (Exception, asyncio.CancelledError) as error:  # from the user's handler: the others are called
                if this_task.cancelling():
                    raise asyncio.CancelledError from error
                _log.exception("a handler of %s failed for prediction %s", event.type, event.prediction.id)
                succeeded = False
        return succeeded

    def _signing_keys(self) -> tuple[Key, ...]:
        """Return the secrets that requests are signed with; raise `ConfigurationError` if there is none."""
        own = Skytells._variable("API_KEY") if self._skytells is None else self._skytells.api_key
        found = self._secrets or (Skytells._variable("WEBHOOK_SECRET") or own or "",)
        keys = tuple(key for key in found if callable(key) or key.strip())
        if not keys:
            variables = "SKYTELLS_WEBHOOK_SECRET", "SKYTELLS_API_KEY"
            remedy = f"pass a secret, or set {' or '.join(variables)}"
            raise ConfigurationError(
                "no secret to verify webhooks with", provider="skytells", remedy=remedy, variables=variables
            )
        return keys

    async def _find_secrets(self) -> list[str]:
        secrets: list[str] = []
        for key in self._signing_keys():
            secret = key() if callable(key) else key
            secrets.append(as_secret(await secret if inspect.isawaitable(secret) else secret))
        return secrets


def _error_reply(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}


async def _read_body(request: web.Request) -> bytes | None:
    """Return the body of a request, or `None` as soon as it is too long."""
    body = bytearray()
    if (request.content_length or 0) > MAX_BODY:
        return None
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > MAX_BODY:
            return None
    return bytes(body)
