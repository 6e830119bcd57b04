"""Routes: which provider answers a service.

Each service module has a `Service` with its routes. A route names a provider, the arguments that it accepts, its
defaults and its languages, and holds the function that calls it. Providers are tried in the order of the routes.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import attrs
from attrs import field, frozen

from .._core.log import Log
from .._core.messages import DEFAULT_TIMEOUT, Timeout
from .._data.arguments import Checked, NotBlank
from .._data.language_codes import LanguagePairs, find_code
from .._data.media import MediaSource, open_reusable_media
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
from .generated import MediaFile, WaitArguments
from .service_provider import ServiceProvider
from .service_result import ServiceResult

ProviderName = Literal["kelly", "khaya", "skytells", "aerostack"]
"""The names of the providers, for `provider=` and `fallback=`. `kellyapi.PROVIDERS` has their clients."""

if TYPE_CHECKING:
    ProviderChoice = ProviderName | ServiceProvider
else:  # at run time, the name of a provider of the user's own chooses it too
    ProviderChoice = NotBlank | ServiceProvider

Fallback = bool | Sequence[ProviderChoice]
"""The providers to try if one fails: `False` for none, `True` for all in the order of the routes, or a sequence."""

A = TypeVar("A")
C = TypeVar("C", covariant=True)
R = TypeVar("R", bound=ServiceResult | tuple[ServiceResult, ...])
T = TypeVar("T")

ENGLISH = frozenset({"en", "eng"})

_WAITING = frozenset(attrs.fields_dict(WaitArguments))
"""Arguments that say how a call waits. They never decide which provider is called."""

_PROVIDER_SPECIFIC = ("model", "voice", "character", "input")
"""Arguments whose values only one provider knows. The next provider uses its defaults instead."""

GENERATION_TIMEOUT = Timeout(total=900.0)
"""As long as a prediction is waited for."""

_log = Log(logging.getLogger("kellyapi"))


class UnsupportedArgument(ValueError):
    """The model of a provider has no input for an argument, or does not take its value. Nothing was paid for."""


@frozen(kw_only=True)
class Route(Generic[A, C]):
    """How to call one provider for one service.

    `A` is the attrs class of the arguments of the service, and `C` is the type that the call returns.
    """

    provider: str
    call: Callable[[Any, A], C]
    """Calls the client of the provider with the arguments."""
    accepts: Collection[str]
    """The arguments that the provider supports."""
    defaults: Mapping[str, str] = field(factory=dict)
    """The model or the voice that is used if none is passed."""
    languages: frozenset[str] | None = None
    """The languages that the provider supports; `None` if its server decides."""
    pairs: LanguagePairs | None = None
    """The pairs of languages that the provider translates; `None` if its server decides."""

    def refusal(self, arguments: Any) -> str | None:
        """Return why the provider cannot be called with these arguments, or `None` if it can."""
        language = getattr(arguments, "language", None)
        if language and self.languages is not None and find_code(language, self.languages) is None:
            return f"{self.provider} knows only the language {' or '.join(sorted(self.languages))}"
        if self.pairs is not None and self.pairs.exclude(arguments.source, arguments.target):
            return f"{self.provider} does not translate {arguments.source}-{arguments.target}, only {self.pairs}"
        unknown = [name for name in given_names(arguments) if name not in self.accepts and name != "language"]
        return f"{self.provider} has no {unknown[0]}" if unknown else None

    def is_unsure(self, arguments: Any) -> bool:
        """Return whether the provider lists its pairs of languages without the one of these arguments."""
        return self.pairs is not None and self.pairs.find(arguments.source, arguments.target) is None


@frozen(kw_only=True)
class Service(Generic[A, C]):
    """A service: its method, what the method takes and returns, and the routes to the providers."""

    name: str
    """The method of `KellyAPI`."""
    arguments: type[A]
    result: Any
    """A class, or `tuple[Class, ...]`."""
    routes: tuple[Route[A, C], ...]
    """In the order in which providers are tried."""
    timeout: Timeout = field()
    """The limits of a call of a user's own provider, if neither the call nor the client has one.

    A service with a `timeout` argument makes files, which takes longer.
    """
    substitute: Service[Any, Any] | None = None
    """The service whose method is called if a user's own provider has none of this name."""

    @timeout.default
    def _default_timeout(self) -> Timeout:
        waits = hasattr(self.arguments, "timeout")
        return GENERATION_TIMEOUT if waits else DEFAULT_TIMEOUT


def given_names(arguments: Any) -> list[str]:
    """Return the names of the arguments that were passed, which means that they are not `None`.

    Those that say how a call waits are left out.
    """
    names = (each.name for each in attrs.fields(type(arguments)))
    return [name for name in names if getattr(arguments, name) is not None and name not in _WAITING]


async def change_media(arguments: A, change: Callable[[MediaSource, str], Awaitable[Any]]) -> A:
    """Return arguments in which each audio or image is replaced by what `change` returns for it and its name."""
    given: Any = arguments
    kind: Any = type(given)
    found = [(name, getattr(given, name)) for name in _media_names(kind)]
    changes = {name: await change(source, name) for name, source in found if source is not None}
    return attrs.evolve(given, **changes) if changes else arguments


@cache
def _media_names(arguments: type[Any]) -> tuple[str, ...]:
    return tuple(each.name for each in attrs.fields(arguments) if "MediaSource" in str(each.type))


def default_of(service: Service[Any, Any], provider: ProviderName, name: str) -> str:
    """Return a default of a provider, such as its default model."""
    (default,) = [route.defaults[name] for route in service.routes if route.provider == provider]
    return default


def is_outage(error: KellyAPIError) -> bool:
    """Return whether the provider caused the error, so that another provider may succeed.

    Wrong input is not an outage. Nor is an error after a prediction was created and paid for, or after some of several
    files came.
    """
    came = error.partial if isinstance(error.partial, tuple) else ()
    paid = error.prediction is not None or any(isinstance(each, MediaFile) for each in came)
    if paid or (isinstance(error, StatusError) and error.final):
        return False
    return isinstance(error, (TransportError, DecodingError, PaymentRequiredError, RateLimitError, ServerError))


class RoutedService(Checked):
    """The base class of services: choose a provider and call it."""

    _circuits: Mapping[str, Circuit]
    """The circuit breaker of each provider. Siblings share them."""

    @abstractmethod
    def _client(self, provider: str) -> Any:
        """Return the client of a provider, whether it has a key or not."""

    @abstractmethod
    def _routes_of(self, service: Service[A, C]) -> Sequence[Route[A, C]]:
        """Return the routes of a service in the order in which they are tried, those of the user's providers too."""

    @abstractmethod
    def _name_of(self, provider: ProviderChoice, argument: str) -> str:
        """Return the name of a provider, given by its name or as the user's object.

        `argument` is named in errors.
        """

    async def _route(
        self,
        service: Service[A, Awaitable[R]],
        arguments: A,
        provider: ProviderChoice | None,
        fallback: Fallback,
    ) -> R:
        """Call the first provider that has a key and supports the arguments.

        With `fallback` the next provider is tried if it fails or cannot do it, and a provider that keeps failing is
        skipped.
        """
        chosen = self._choose_routes(service, arguments, provider, fallback)
        if len(chosen) > 1:
            arguments = await change_media(arguments, open_reusable_media)
        result, tried = await self._try_each(chosen, arguments, self._call_with_circuit)
        for each in result if isinstance(result, tuple) else (result,):
            object.__setattr__(each, "tried", tried)  # `evolve` would lose `raw` and `request_id`
        return result

    async def _try_each(
        self,
        routes: Sequence[Route[A, C]],
        arguments: A,
        attempt: Callable[[Route[A, C], A], Awaitable[T]],
    ) -> tuple[T, tuple[str, ...]]:
        """Try the routes in order until one succeeds; return its result, and the providers that were tried."""
        failures: list[KellyAPIError | UnsupportedArgument] = []
        chosen = self._skip_resting(routes)
        for place, route in enumerate(chosen):
            try:
                result = await attempt(route, arguments)
            except (KellyAPIError, UnsupportedArgument) as error:
                failures.append(error)
                next_may_succeed = isinstance(error, UnsupportedArgument) or is_outage(error)
                if not next_may_succeed or place == len(chosen) - 1:
                    break
                _log.info("%s failed, the next provider is tried: %s", route.provider, error)
                arguments = _without_specific_names(arguments)
            else:
                return result, tuple(each.provider for each in chosen[: place + 1])
        raise _last_error(failures)

    async def _call_with_circuit(self, route: Route[A, Awaitable[R]], arguments: A) -> R:
        end = self._enter_circuit(route)
        try:
            result = await route.call(self._client(route.provider), arguments)
        except KellyAPIError as error:
            end(error)
            raise
        end(None)
        return result

    def _enter_circuit(self, route: Route[Any, Any]) -> Callable[[KellyAPIError | None], None]:
        """Note that a call of a provider starts; return a function that notes how it ended."""
        circuit, clock = self._circuits[route.provider], asyncio.get_running_loop().time
        started = clock()
        circuit.enter(started)

        def end(error: KellyAPIError | None) -> None:
            if error is not None and is_outage(error):
                circuit.fail(started, clock())
            else:
                circuit.succeed()

        return end

    def _skip_resting(self, routes: Sequence[Route[A, C]]) -> Sequence[Route[A, C]]:
        """Leave out the providers that keep failing, if there are others."""
        if len(routes) == 1:
            return routes
        now = asyncio.get_running_loop().time()
        return [route for route in routes if self._circuits[route.provider].is_closed(now)] or routes

    def _choose_routes(
        self, service: Service[A, C], arguments: A, provider: ProviderChoice | None, fallback: Fallback
    ) -> list[Route[A, C]]:
        """Return the routes to try, in order: one, or with `fallback` all that support the arguments."""
        allowed = self._allowed_routes(service, provider, fallback)
        refusals = [route.refusal(arguments) for route in allowed]
        able = [route for route, refusal in zip(allowed, refusals, strict=True) if refusal is None]
        if not able or (provider is not None and refusals[0]):
            others = [route.provider for route in self._routes_of(service) if route.refusal(arguments) is None]
            remedy = f": only {' or '.join(others)} can do this" if others else ""
            raise ValueError("; ".join(filter(None, refusals)) + remedy)
        if len(able) > 1 and provider is None and isinstance(fallback, bool):
            able.sort(key=lambda route: route.is_unsure(arguments))
        with_key = [route for route in able if self._client(route.provider).configured]
        if not with_key:
            variables = tuple(f"{self._client(route.provider).PROVIDER.variables}_API_KEY" for route in able)
            remedy = f"set {' or '.join(variables)}, pass the key, or use KellyAPI.sandbox(), which needs none"
            ready = [self._client(route.provider).configured for route in allowed]
            why = "; ".join(refusal for refusal, has_key in zip(refusals, ready, strict=True) if refusal and has_key)
            problem = f"no provider that can do this has an API key{why and ': '}{why}"
            raise ConfigurationError(problem, remedy=remedy, variables=variables)
        return with_key if fallback else with_key[:1]

    def _allowed_routes(
        self, service: Service[A, C], provider: ProviderChoice | None, fallback: Fallback
    ) -> list[Route[A, C]]:
        """Return the routes that `provider` and `fallback` allow, that of `provider` first."""
        by_name: dict[str, Route[A, C]] = {route.provider: route for route in self._routes_of(service)}
        order = list(by_name)
        if fallback and not isinstance(fallback, bool):
            order = [self._name_of(each, "fallback") for each in fallback]
        if provider is not None:
            first = self._name_of(provider, "provider")
            order = [first, *order] if fallback else [first]
        for name in order:
            if name not in by_name:
                raise ValueError(f"provider={name!r} cannot do this: only {' or '.join(by_name)} can")
        return [by_name[name] for name in dict.fromkeys(order)]


def _last_error(failures: Sequence[KellyAPIError | UnsupportedArgument]) -> KellyAPIError | UnsupportedArgument:
    """Return the last error, with a note for each of the others.

    An error of a provider comes before one about an argument, which says nothing about what may have been paid for.
    """
    ours = [each for each in failures if isinstance(each, KellyAPIError)]
    last = (ours or failures)[-1]
    for failure in failures:
        if failure is not last:
            last.add_note(f"tried before: {failure}")
    if isinstance(last, KellyAPIError):
        last.outcome_unknown = any(each.outcome_unknown for each in ours)
    return last


def _without_specific_names(arguments: Any) -> Any:
    """Return the arguments without those whose values no other provider knows."""
    names = {each.name for each in attrs.fields(type(arguments))}
    return attrs.evolve(arguments, **{name: None for name in _PROVIDER_SPECIFIC if name in names})
