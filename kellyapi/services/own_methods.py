"""The methods of a provider of the user's own: read once, when it is given, and called with the arguments they take.

The parameters of a method say which arguments its route accepts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs
from attrs import evolve, frozen

from .._data.language_codes import LanguagePairs, find_code
from .._data.text import not_blank
from .routing import Route, Service
from .service_provider import ServiceProvider


@frozen(kw_only=True)
class OwnMethod:
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


def derive_routes(
    provider: ServiceProvider, name: str, services: Iterable[Service[Any, Any]]
) -> dict[str, Route[Any, Any]]:
    """Return the routes to a provider by the names of the services, which its methods have."""
    services = tuple(services)
    languages = _read_codes(provider, name)
    pairs = _read_pairs(provider, name)
    found = {}
    for service in services:
        answered = (
            each for each in (service, service.substitute) if each and callable(getattr(provider, each.name, None))
        )
        if (method := next(answered, None)) is not None:
            found[service.name] = _derive_route(provider, name, method, languages, pairs)
    if not found:
        known = ", ".join(service.name for service in services)
        raise TypeError(f"the provider {name!r} needs one of these methods: {known}")
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
            attribute = ", or its provider an attribute languages" if either == ("language",) else ""
            raise TypeError(f"{title} needs a parameter {' or '.join(either)}{attribute}")
    method = OwnMethod(
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
                f"{title} has a parameter {parameter.name!r} without a default, which the service never passes; "
                f"it passes {', '.join(dict.fromkeys(known))}"
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
