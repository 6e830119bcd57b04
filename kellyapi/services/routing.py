"""Who routes: the rows of the one table, and the choice of a provider by it.

Each service module states its rows: which providers can route, in which order, which arguments each honours and under
what name, its default model and its languages. What a provider does with a call is its own.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal, TypeVar

from attrs import evolve, frozen

from ..errors import (
    ConfigurationError,
    DecodingError,
    KellyAPIError,
    PaymentRequiredError,
    RateLimitError,
    ServerError,
    StatusError,
    TransportError,
)
from .circuit import Circuit
from .result import ServiceResult

ProviderName = Literal["kelly", "khaya", "skytells", "aerostack"]
"""The names that `provider=` and `fallback=` take; `kellyapi.PROVIDERS` has their clients."""


@frozen(kw_only=True)
class Route:
    """One row of the table: how one provider routes one service."""

    provider: ProviderName
    method: str
    """The method of its client, dotted where it belongs to a group."""
    arguments: Mapping[str, str]
    """The service's arguments that it honours -> the method's own names for them."""
    model: str | None = None
    """The model that routes unless another is asked for."""
    languages: frozenset[str] | None = None
    """The only languages it knows; `None` leaves the judgement to its server."""

    def unsupported_argument(self, given: Mapping[str, Any]) -> str | None:
        """Say which of the given arguments it cannot honour; `None` when it can route."""
        language = str(given.get("language", "")).lower().partition("-")[0]
        if language and self.languages is not None and language not in self.languages:
            return f"{self.provider} knows only the language {' or '.join(sorted(self.languages))}"
        unknown = [name for name in given if name not in self.arguments and name != "language"]
        return f"{self.provider} has no {unknown[0]}" if unknown else None


def accepts(*same: str, **renamed: str) -> dict[str, str]:
    """Write down the arguments of a row: those under the same name, and those the provider calls differently."""
    return {**{name: name for name in same}, **renamed}


R = TypeVar("R", bound=ServiceResult)

ENGLISH = frozenset({"en", "eng"})

Fallback = bool | Sequence[ProviderName]
"""Who is asked when a provider fails: nobody (False), the others in the order of the table (True), or these in turn."""

_PROVIDER_SPECIFIC = frozenset({"model", "voice", "character"})
"""Arguments that are names which one provider gave: whoever is asked after it chooses its own."""

_log = logging.getLogger("kellyapi")


def is_outage(error: KellyAPIError) -> bool:
    """Tell whether a failure is the provider's, so that another one may do better.

    An error of the input is not, nor one that came after a job was created and paid for.
    """
    if error.prediction is not None or (isinstance(error, StatusError) and error.final):
        return False
    return isinstance(error, (TransportError, DecodingError, PaymentRequiredError, RateLimitError, ServerError))


class RoutedService:
    """What a service needs of `KellyAPI`: its configured clients, and the choice among them."""

    _circuits: Mapping[str, Circuit]
    """By provider; siblings share them."""

    @abstractmethod
    def _client(self, provider: str) -> Any:
        """Give the client of a provider, configured or not."""

    async def _route(
        self,
        routes: tuple[Route, ...],
        returns: type[R],
        provider: ProviderName | None,
        fallback: Fallback,
        **arguments: Any,
    ) -> R:
        """Ask the first configured provider that can honour all arguments that were given (not `None`).

        With `fallback` the next one is asked when it fails, and whoever keeps failing is passed over.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        given.setdefault(*next(iter(arguments.items())))  # every service needs its first: the method refuses a None
        chosen = self._choose_routes(routes, provider, fallback, given)
        failures: list[str] = []
        for left, route in zip(reversed(range(len(chosen))), chosen, strict=True):
            try:
                result: R = await self._call_with_circuit(route, given)
            except KellyAPIError as error:
                if not left or not is_outage(error):
                    for failure in failures:
                        error.add_note(f"asked before: {failure}")
                    raise
                failures.append(str(error))
                _log.info("%s failed, the next is asked: %s", route.provider, error)
                given = {name: value for name, value in given.items() if name not in _PROVIDER_SPECIFIC}
            else:
                return evolve(result, tried=tuple(each.provider for each in chosen[: len(failures) + 1]))
        raise AssertionError  # one is always chosen

    async def _call_with_circuit(self, route: Route, given: Mapping[str, Any]) -> Any:
        circuit, clock = self._circuits[route.provider], asyncio.get_running_loop().time
        started = clock()
        circuit.enter(started)
        try:
            result = await self._call(route, given)
        except KellyAPIError as error:
            if is_outage(error):
                circuit.fail(started, clock())
            else:
                circuit.succeed()
            raise
        circuit.succeed()
        return result

    def _call(self, route: Route, given: Mapping[str, Any]) -> Any:
        """Call the method of a row with those arguments that it honours, in its own words."""
        named = {route.arguments[name]: value for name, value in given.items() if name in route.arguments}
        return attrgetter(route.method)(self._client(route.provider))(**named)

    def _choose_routes(
        self, routes: tuple[Route, ...], provider: ProviderName | None, fallback: Fallback, given: Mapping[str, Any]
    ) -> tuple[Route, ...]:
        """Give who is asked, in order: one, or with `fallback` all that can route."""
        named = _routes_in_order(routes, provider, fallback)
        objections = [route.unsupported_argument(given) for route in named]
        able = [route for route, objection in zip(named, objections, strict=True) if objection is None]
        if not able or (provider is not None and objections[0]):
            raise ValueError("; ".join(filter(None, objections)))
        configured = [route for route in able if self._client(route.provider).configured]
        if not configured:
            variables = " or ".join(f"{self._client(route.provider).PROVIDER.variables}_API_KEY" for route in able)
            raise ConfigurationError(
                f"no API key for this: set {variables}, or pass the key; KellyAPI.sandbox() needs none"
            )
        if not fallback:
            return (configured[0],)
        now = asyncio.get_running_loop().time()
        closed = [route for route in configured if self._circuits[route.provider].is_closed(now)]
        return tuple(closed or configured)


def _routes_in_order(routes: tuple[Route, ...], provider: ProviderName | None, fallback: Fallback) -> list[Route]:
    """Give the rows of the providers that may be asked, the one that was named first."""
    rows = {route.provider: route for route in routes}
    if isinstance(fallback, str) or not isinstance(fallback, (bool, Sequence)):
        raise TypeError(f'fallback must be True, or providers such as ("khaya", "kelly"), not {fallback!r}')
    order = list(fallback) if fallback and not isinstance(fallback, bool) else list(rows)
    if provider is not None:
        order = [provider, *order] if fallback else [provider]
    for name in order:
        if name not in rows:
            raise ValueError(f"provider={name!r} cannot do this: only {' or '.join(rows)} can")
    return [rows[name] for name in dict.fromkeys(order)]
