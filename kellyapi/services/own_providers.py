"""Providers of the user's own: checked when they are given, and called like the others.

The parameters of a method say which arguments its route accepts. A call has the limits of the client, its errors become
those of the library, and a plain value becomes the result of the service.
"""

from __future__ import annotations

import asyncio
import copy
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
from typing import Any, get_args, get_origin

import attrs
from attrs import define, evolve, frozen

from .._core.limits import Limits
from .._core.messages import Call, Timeout
from .._core.retry import outcome_unknown
from .._data.language_codes import LanguagePairs, find_code
from .._data.media import read_media
from .._data.media_types import sniff
from .._data.text import not_blank
from ..errors import DecodingError, KellyAPIError, RequestTimeoutError
from .chat_replies import ChatReply, ChatStream
from .embed import Embeddings, check_vectors
from .routing import Route, Service, change_media
from .service_provider import ServiceProvider
from .service_result import ServiceResult

_CALL = Call(method="POST", url="", repeatable=False)
"""Stands for any call: it may be billed, and is not made twice."""
_FIELDS_OF_ARGUMENTS = {"source_language": "source", "target_language": "target", "language": "language"}
"""The fields of results that repeat an argument, and the argument."""


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

    def call(self, method: _Method, arguments: Any) -> Any:
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

    async def _call(self, method: _Method, arguments: Any) -> Any:
        call = _OwnCall.start(self, method, arguments)
        async with call.step():
            await call.take_turn()
            try:
                found = method.call(await change_media(arguments, read_media))
                if not inspect.isawaitable(found):
                    raise DecodingError(f"{method.title} must be an async function: it returned {_type_name(found)}")
                return as_result(method, await found, arguments)
            finally:
                self.limits.release()

    async def _pieces(self, method: _Method, begin: Callable[[], Any], arguments: Any) -> AsyncGenerator[str, None]:
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
    def start(cls, provider: OwnProvider, method: _Method, arguments: Any) -> _OwnCall:
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
        what = "result" if self.sent else "turn"
        error = RequestTimeoutError(f"there was no {what} in time", limit=limit, sent=self.sent)
        error.name_limit(self.timeout)
        return error


@frozen(kw_only=True)
class _Method:
    """A method of a provider of the user's own, and the service that it answers."""

    provider: ServiceProvider
    name: str
    """The name of the provider."""
    service: Service[Any, Any]
    parameters: Sequence[inspect.Parameter]
    """Those that are arguments of the service."""
    stand_ins: Collection[str]
    """The names of those that stand for several arguments."""
    replaced: Mapping[str, Callable[..., Any]]
    """What is done instead, by the argument that the method does not take."""
    languages: frozenset[str] | None
    pairs: LanguagePairs | None

    @property
    def title(self) -> str:
        """The name for errors."""
        return f"{self.name}.{self.service.name}"

    @property
    def starts_later(self) -> bool:
        """Whether the method is an async function, which does nothing before its result is awaited."""
        function = inspect.unwrap(getattr(self.provider, self.service.name))
        return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)

    def call(self, arguments: Any) -> Any:
        """Call the method with those of the arguments that it takes."""
        given = self._in_own_codes(arguments)
        positional, named = [], {}
        for parameter in self.parameters:
            value = getattr(given, f"as_{parameter.name}" if parameter.name in self.stand_ins else parameter.name)
            use_default = value is None and parameter.default is not parameter.empty
            if parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(parameter.default if use_default else value)
            elif not use_default:
                named[parameter.name] = value
        return getattr(self.provider, self.service.name)(*positional, **named)

    def _in_own_codes(self, arguments: Any) -> Any:
        """Put the codes that the provider lists in place of others for the same languages."""
        if self.pairs is not None and (pair := self.pairs.find(arguments.source, arguments.target)):
            return evolve(arguments, source=pair[0], target=pair[1])
        language = getattr(arguments, "language", None)
        if self.languages is not None and language:
            return evolve(arguments, language=find_code(language, self.languages) or language)
        return arguments


async def _texts(method: _Method, begin: Callable[[], Any]) -> AsyncGenerator[str, None]:
    """Yield the texts of what `chat_stream` returned: an iterator of texts, or a whole reply, now or later."""
    found = begin()
    if inspect.isawaitable(found):
        found = await found
    if isinstance(found, (str, ChatReply)):
        yield str(found)
        return
    if not isinstance(found, AsyncIterable):
        raise DecodingError(f"{method.title} must return an async iterator of texts, not {_type_name(found)}")
    try:
        async for piece in found:
            if not isinstance(piece, str):
                raise DecodingError(f"{method.title} must yield texts, not {_type_name(piece)}")
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
            raise ValueError(f"{where} is a second provider {name!r}: each has a name of its own")
        order.append(name)
        if not isinstance(each, str):
            own[name] = OwnProvider(
                given=each,
                name=name,
                routes=_derive_routes(each, name, services),
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
        raise ValueError(f"{where}.name must be none of {', '.join(built_in)}, not {name!r}")
    return name


def _derive_routes(
    provider: ServiceProvider, name: str, services: Iterable[Service[Any, Any]]
) -> dict[str, Route[Any, Any]]:
    """Return the routes to a provider by the names of the services, which its methods have."""
    services = tuple(services)
    languages = _read_codes(provider, name)
    pairs = _read_pairs(provider, name)
    found = {}
    for service in services:
        answered = (
            each for each in (service, service.otherwise) if each and callable(getattr(provider, each.name, None))
        )
        if (method := next(answered, None)) is not None:
            found[service.name] = _derive_route(provider, name, method, languages, pairs)
    if not found:
        known = ", ".join(service.name for service in services)
        raise TypeError(f"the provider {name!r} has no method of a service: {known}")
    return found


def _derive_route(
    provider: ServiceProvider,
    name: str,
    service: Service[Any, Any],
    languages: frozenset[str] | None,
    pairs: LanguagePairs | None,
) -> Route[Any, Any]:
    """Return the route that a method of a provider makes, from its parameters."""
    fields = attrs.fields_dict(service.arguments)
    possible: Mapping[str, Sequence[str]] = getattr(service.arguments, "STAND_INS", {})
    title = f"{name}.{service.name}"
    taken, takes_all = _read_parameters(getattr(provider, service.name), title, service, [*fields, *possible])
    stand_ins = {each: covered for each, covered in possible.items() if set(covered) - {each} - taken.keys()}
    parameters = [each for each in taken.values() if each.name in fields or each.name in stand_ins]
    accepts = dict.fromkeys(covered for each in parameters for covered in stand_ins.get(each.name, (each.name,)))
    if takes_all:
        others = [each for each in fields if each not in accepts]
        parameters += [inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY, default=None) for each in others]
        accepts |= dict.fromkeys(others)
    replaced = {
        each: instead
        for each in fields
        if each not in accepts and (instead := getattr(service.arguments, f"without_{each}", None))
    }
    needed = [(each,) for each, about in fields.items() if about.default is attrs.NOTHING]
    for either in (*needed, *possible.values()):
        if accepts.keys().isdisjoint(either) and not (either == ("language",) and languages is not None):
            attribute = " or the provider an attribute languages" if either == ("language",) else ""
            raise TypeError(f"{title} needs a parameter {' or '.join(either)}{attribute}")
    method = _Method(
        provider=provider,
        name=name,
        service=service,
        parameters=parameters,
        stand_ins=stand_ins.keys(),
        replaced=replaced,
        languages=languages if "language" in fields else None,
        pairs=pairs if "source" in fields else None,
    )
    return Route(
        provider=name,
        call=lambda client, arguments: client.call(method, arguments),
        accepts=(*accepts, *replaced),
        languages=method.languages,
        pairs=method.pairs,
    )


def _read_parameters(
    function: Any, title: str, service: Service[Any, Any], known: Sequence[str]
) -> tuple[dict[str, inspect.Parameter], bool]:
    """Return the parameters of a method that are arguments of the service, and whether it takes all others too.

    Raises:
        TypeError: The method cannot be called.
    """
    inner = inspect.unwrap(function)
    streams = hasattr(service.result, "__aiter__")
    if inspect.isgeneratorfunction(inner) or (inspect.isasyncgenfunction(inner) and not streams):
        raise TypeError(f"{title} must be an async function, not a generator")
    try:
        signature = inspect.signature(function)
    except ValueError:
        raise TypeError(f"{title} must be a function whose parameters are known") from None
    returned = getattr(signature.return_annotation, "__name__", signature.return_annotation)
    plain = (inspect.isfunction(inner) or inspect.ismethod(inner)) and not inspect.iscoroutinefunction(inner)
    if plain and not streams and returned in ("str", "bytes", getattr(service.result, "__name__", "")):
        raise TypeError(f"{title} must be an async function")
    taken: dict[str, inspect.Parameter] = {}
    takes_all = False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_all = "Unpack[" not in str(parameter.annotation)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            continue
        elif parameter.name in known:
            taken[parameter.name] = parameter
        elif parameter.default is parameter.empty:
            raise TypeError(
                f"{title} has a parameter {parameter.name!r} without a default, which is no argument of the service; "
                f"its arguments are {', '.join(dict.fromkeys(known))}"
            )
    return taken, takes_all


def _read_codes(provider: ServiceProvider, name: str) -> frozenset[str] | None:
    given: Any = getattr(provider, "languages", None)
    if given is None or callable(given):  # a client of ours has a method of this name
        return None
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{name}.languages must be a list of codes, not {type(given).__name__}")
    return frozenset(_read_code(code, f"code in {name}.languages") for code in given)


def _read_pairs(provider: ServiceProvider, name: str) -> LanguagePairs | None:
    given: Any = getattr(provider, "pairs", None)
    if given is None or callable(given):
        return None
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{name}.pairs must be a list of pairs such as 'en-tw', not {type(given).__name__}")
    pairs = []
    for each in given:
        codes = each.split("-") if isinstance(each, str) else each
        if not isinstance(codes, (tuple, list)) or len(codes) != 2:
            raise TypeError(f"each of {name}.pairs must be a pair such as 'en-tw' or ('pt-BR', 'en'), not {each!r}")
        source, target = (_read_code(code, f"code in {name}.pairs") for code in codes)
        pairs.append((source, target))
    return LanguagePairs(tuple(pairs))


def _read_code(code: Any, where: str) -> str:
    if not isinstance(code, str):
        raise TypeError(f"each {where} must be a string, not {type(code).__name__}")
    not_blank(code, where)
    return code


def as_result(method: _Method, value: Any, arguments: Any) -> Any:
    """Return what a method returned as the result of its service."""
    kind = method.service.result
    if get_origin(kind) is not tuple:
        result = _one_result(method, kind, value, arguments)
        return check_vectors(result, len(arguments.texts)) if isinstance(result, Embeddings) else result
    item = get_args(kind)[0]
    if not isinstance(value, (tuple, list)):
        raise DecodingError(f"{method.title} must return a list of {item.__name__}, not {_type_name(value)}")
    return _several_results(method, item, value, arguments)


def _several_results(method: _Method, kind: type[Any], values: Sequence[Any], arguments: Any) -> tuple[Any, ...]:
    """Return values as results. If one is wrong, or if there are too few, the error has the others as `partial`."""
    made, failure = [], None
    for value in values:
        try:
            made.append(_one_result(method, kind, value, arguments))
        except DecodingError as error:
            failure = failure or error
    if failure is None and len(made) < arguments.n:
        failure = DecodingError(f"{method.title} returned {len(made)} of {arguments.n} results")
    if failure is not None:
        failure.partial = tuple(made) or None
        raise failure
    return tuple(made)


def _one_result(method: _Method, kind: type[Any], value: Any, arguments: Any) -> Any:
    if isinstance(value, kind):
        result = copy.copy(value)  # it gets `tried` too, and may be one that the provider keeps
        if isinstance(result, ServiceResult):
            object.__setattr__(result, "provider", method.name)
        return result
    fields = attrs.fields_dict(kind)
    if isinstance(value, str) and "text" in fields:
        facts: dict[str, Any] = {"text": value}
    elif isinstance(value, (bytes, bytearray, memoryview)) and (name := _bytes_field(fields)):
        if not len(value):
            raise DecodingError(f"{method.title} returned no bytes")
        data = bytes(value)
        facts = {name: data, "mime": sniff(data) or "application/octet-stream"}
    elif "vectors" in fields and (vectors := _read_vectors(value)) is not None:
        facts = {"vectors": vectors}
    else:
        plain = "rows of numbers" if "vectors" in fields else "bytes" if _bytes_field(fields) else "str"
        raise DecodingError(f"{method.title} must return {kind.__name__} or {plain}, not {_type_name(value)}")
    repeated = {field: getattr(arguments, name) for field, name in _FIELDS_OF_ARGUMENTS.items() if field in fields}
    return kind(**facts, **repeated, provider=method.name)


def _bytes_field(fields: Mapping[str, attrs.Attribute[Any]]) -> str | None:
    return next((name for name, about in fields.items() if about.type in (bytes, "bytes")), None)


def _read_vectors(value: Any) -> tuple[tuple[float, ...], ...] | None:
    """Return rows of numbers, also those of an array of NumPy; `None` for anything else."""
    rows = [_as_list(row) for row in _as_list(value) or [None]]
    try:
        return tuple(tuple(map(float, row)) for row in rows)
    except (TypeError, ValueError):
        return None


def _as_list(value: Any) -> Any:
    """Return a list or an array of NumPy as a list; `None` for anything else."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return value if isinstance(value, (list, tuple)) else None


def _type_name(value: Any) -> str:
    return "None" if value is None else type(value).__name__
