"""Providers of the user's own: checked when they are given, and called like the others.

A call has the limits of the client, and its errors become those of the library. `own_methods` reads which methods a
provider has, and `own_results` makes results of the library from what they return.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

from attrs import define, evolve, frozen

from .._core.limits import Limits
from .._core.messages import Call, Timeout
from .._core.retry import outcome_unknown
from .._data.media import read_media
from .._data.text import not_blank
from ..errors import DecodingError, KellyAPIError, RequestTimeoutError
from .chat_replies import ChatReply, ChatStream
from .own_methods import OwnMethod, derive_routes
from .own_results import as_result, type_name
from .routing import Route, Service, change_media
from .service_provider import ServiceProvider

_CALL = Call(method="POST", url="", repeatable=False)
"""Stands for any call: it may be billed, and is not made twice."""


@frozen(kw_only=True)
class OwnProvider:
    """A provider of the user's own, as one client calls it."""

    given: ServiceProvider
    name: str
    routes: Mapping[str, Route[Any, Any]]
    """By the name of the service."""
    timeout: Timeout | None
    limits: Limits
    configured: bool = True

    def with_options(self, options: Mapping[str, Any]) -> OwnProvider:
        """Return the provider with other options of the client."""
        limits = {name: options[name] for name in ("max_concurrency", "rate") if name in options}
        return evolve(
            self,
            timeout=options.get("timeout", self.timeout),
            limits=self.limits.vary(**limits) if limits else self.limits,
        )

    def call(self, method: OwnMethod, arguments: Any) -> Any:
        """Call a method; return an awaitable of its result, or what `chat_stream` returns."""
        for name, instead in method.replaced.items():
            if getattr(arguments, name) is not None:
                return instead(arguments, partial(self.call, method))
        if not hasattr(method.service.result, "__aiter__"):
            return self._call(method, arguments)
        if method.starts_later:
            return self._pieces(method, partial(method.call, arguments), arguments)
        found = method.call(arguments)
        return found if isinstance(found, ChatStream) else self._pieces(method, lambda: found, arguments)

    async def _call(self, method: OwnMethod, arguments: Any) -> Any:
        call = _OwnCall.start(self, method, arguments)
        async with call.step():
            await call.take_turn()
            try:
                found = method.call(await change_media(arguments, read_media))
                if not inspect.isawaitable(found):
                    raise DecodingError(f"{method.title} must be an async function: it returned {type_name(found)}")
                return as_result(method, await found, arguments)
            finally:
                self.limits.release()

    async def _pieces(self, method: OwnMethod, begin: Callable[[], Any], arguments: Any) -> AsyncGenerator[str, None]:
        """Yield the texts of a stream. It gives its turn back when the first one has arrived."""
        call = _OwnCall.start(self, method, arguments)
        async with aclosing(_texts(method, begin)) as texts:
            async with call.step():
                await call.take_turn()
            try:
                async with call.step():
                    piece = await anext(texts, None)
            finally:
                self.limits.release()
            while piece is not None:
                yield piece
                async with call.step():
                    piece = await anext(texts, None)

    def annotate(self, error: KellyAPIError) -> KellyAPIError:
        """Name the provider in an error that names none, and note whether the call may have been carried out."""
        if error.provider is None:
            error.provider = self.name
            error.outcome_unknown |= outcome_unknown(error, _CALL)
        return error


@define(kw_only=True)
class _OwnCall:
    """One call: its time, and its errors."""

    provider: OwnProvider
    timeout: Timeout
    started: float
    sent: bool = False

    @classmethod
    def start(cls, provider: OwnProvider, method: OwnMethod, arguments: Any) -> _OwnCall:
        """Start the time: that of the call, of the client, or the default of the service."""
        seconds = getattr(arguments, "timeout", None)
        own = provider.timeout or method.service.timeout
        timeout = own if seconds is None else Timeout(total=seconds)
        return cls(provider=provider, timeout=timeout, started=asyncio.get_running_loop().time())

    async def take_turn(self) -> None:
        """Wait for a turn; the limits must be released after it."""
        limits = self.provider.limits
        if not limits.enter(self.started):
            await limits.acquire(self._deadline)
        self.sent = True

    @asynccontextmanager
    async def step(self) -> AsyncIterator[None]:
        """Limit the time of one step, and turn errors of connections into ours."""
        now = asyncio.get_running_loop().time()
        ends = {"total": self._deadline, "idle": self.timeout.idle and now + self.timeout.idle if self.sent else None}
        limit, end = min(ends.items(), key=lambda each: math.inf if each[1] is None else each[1])
        timer = asyncio.timeout_at(end)
        try:
            async with timer:
                yield
        except KellyAPIError as error:
            self.provider.annotate(error)
            raise
        except Exception as error:  # any, to find those of connections
            if isinstance(error, TimeoutError) and (timer.expired() or not self.sent):
                raise self.provider.annotate(self._too_late(limit)) from None
            ours = _map_error(error, self.timeout, now - self.started)
            if ours is None:
                raise
            raise self.provider.annotate(ours) from error

    @property
    def _deadline(self) -> float | None:
        return None if self.timeout.total is None else self.started + self.timeout.total

    def _too_late(self, limit: str) -> RequestTimeoutError:
        problem = "there was no result in time" if self.sent else "the call did not get its turn in time"
        error = RequestTimeoutError(problem, limit=limit, sent=self.sent)
        error.name_limit(self.timeout)
        return error


async def _texts(method: OwnMethod, begin: Callable[[], Any]) -> AsyncGenerator[str, None]:
    """Yield the texts of what `chat_stream` returned: an iterator of texts, or a whole reply, now or later."""
    found = begin()
    if inspect.isawaitable(found):
        found = await found
    if isinstance(found, (str, ChatReply)):
        yield str(found)
        return
    if not isinstance(found, AsyncIterable):
        raise DecodingError(f"{method.title} must return an async iterator of texts, not {type_name(found)}")
    try:
        async for piece in found:
            if not isinstance(piece, str):
                raise DecodingError(f"{method.title} must yield texts, not {type_name(piece)}")
            yield piece
    finally:
        if hasattr(found, "aclose"):
            await found.aclose()


def _map_error(error: Exception, timeout: Timeout, elapsed: float) -> KellyAPIError | None:
    from .._core.transport import map_error_of_user  # it imports aiohttp, which the first client does

    return map_error_of_user(error, timeout, elapsed)


def read_providers(
    given: Iterable[str | ServiceProvider],
    services: Iterable[Service[Any, Any]],
    built_in: Collection[str],
    options: Mapping[str, Any],
) -> tuple[dict[str, OwnProvider], tuple[str, ...]]:
    """Check the `providers` of a client.

    Args:
        given: Objects of the user's, and names of built-in providers.
        services: All services.
        built_in: The names of the built-in providers.
        options: The options of the client, after their check.

    Returns:
        The providers of the user's own by name, and the names of all that were given, in order.
    """
    own: dict[str, OwnProvider] = {}
    order: list[str] = []
    for place, each in enumerate(given):
        where = f"providers[{place}]"
        name = each if isinstance(each, str) else _read_name(each, where, built_in)
        if name in order:
            raise ValueError(f"{where} has the name of another provider, {name!r}: give each its own name")
        order.append(name)
        if not isinstance(each, str):
            own[name] = OwnProvider(
                given=each,
                name=name,
                routes=derive_routes(each, name, services),
                timeout=options.get("timeout"),
                limits=Limits(options.get("max_concurrency"), options.get("rate")),
            )
    return own, tuple(order)


def routes_with(
    service: Service[Any, Any], own: Mapping[str, OwnProvider], order: Sequence[str]
) -> tuple[Route[Any, Any], ...]:
    """Return the routes of a service: those of the providers that are named in `order`, then the others."""
    added = [each.routes[service.name] for each in own.values() if service.name in each.routes]
    places = {name: place for place, name in enumerate(order)}
    return tuple(sorted((*added, *service.routes), key=lambda route: places.get(route.provider, len(places))))


def _read_name(provider: ServiceProvider, where: str, built_in: Collection[str]) -> str:
    name: Any = provider.name
    if not isinstance(name, str):
        raise TypeError(f"{where}.name must be a string, not {type(name).__name__}")
    not_blank(name, f"name of {where}")
    if not name.isprintable():
        raise ValueError(f"{where}.name must have printable characters only, not {name!r}")
    if name in built_in:
        raise ValueError(f"{where}.name must not be that of a provider of the library: {', '.join(built_in)}")
    return name
