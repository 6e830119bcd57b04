"""Who answers: the rows of the one table, and the choice of a provider by it.

Each service module states its rows: which providers can answer, in which order, which arguments each honours and under
what name, its default model and its languages. What a provider does with a call is its own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from operator import attrgetter
from typing import Any, TypeVar

from attrs import Attribute, Factory, frozen

from ..errors import ConfigurationError


def provider_last(_: type[Any], fields: list[Attribute[Any]]) -> list[Attribute[Any]]:
    """Order a result's own fields before `provider` and `tried`, as a reader of its `repr` wants them."""
    return sorted(fields, key=lambda field: field.name in ("provider", "tried"))


@frozen(kw_only=True)
class Result:
    """What every service result carries."""

    provider: str
    """Who answered: "khaya", "kelly", "skytells" or "aerostack"."""
    tried: tuple[str, ...] = Factory(lambda self: (self.provider,), takes_self=True)
    """Everyone who was asked, in order; the last one answered."""


@frozen(kw_only=True)
class Answer:
    """One row of the table: how one provider answers one service."""

    provider: str
    method: str
    """The method of its client, dotted where it belongs to a group."""
    arguments: Mapping[str, str]
    """The service's arguments that it honours -> the method's own names for them."""
    model: str | None = None
    """The model that answers unless another is asked for."""
    languages: frozenset[str] | None = None
    """The only languages it knows; `None` leaves the judgement to its server."""

    def objection(self, given: Mapping[str, Any]) -> str | None:
        """Say which of the given arguments it cannot honour; `None` when it can answer."""
        language = str(given.get("language", "")).lower().partition("-")[0]
        if language and self.languages is not None and language not in self.languages:
            return f"{self.provider} knows only the language {' or '.join(sorted(self.languages))}"
        unknown = [name for name in given if name not in self.arguments and name != "language"]
        return f"{self.provider} has no {unknown[0]}" if unknown else None


def honours(*same: str, **renamed: str) -> dict[str, str]:
    """Write down the arguments of a row: those under the same name, and those the provider calls differently."""
    return {**{name: name for name in same}, **renamed}


R = TypeVar("R")

ENGLISH = frozenset({"en", "eng"})


class Routed:
    """What a service needs of `KellyAPI`: its configured clients, and the choice among them."""

    @abstractmethod
    def _client(self, provider: str) -> Any:
        """Give the client of a provider, configured or not."""

    async def _route(self, answers: tuple[Answer, ...], returns: type[R], provider: str | None, **arguments: Any) -> R:
        """Ask the first configured provider that can honour all arguments that were given (not `None`)."""
        given = {name: value for name, value in arguments.items() if value is not None}
        answer = self._choose(answers, provider, given)
        method = attrgetter(answer.method)(self._client(answer.provider))
        needed = next(iter(arguments))  # every service's first argument: None is for the method to refuse
        named = {answer.arguments[name]: arguments[name] for name in (needed, *given) if name in answer.arguments}
        result: R = await method(**named)
        return result

    def _choose(self, answers: tuple[Answer, ...], provider: str | None, given: Mapping[str, Any]) -> Answer:
        named = [answer for answer in answers if provider in (None, answer.provider)]
        if not named:
            able_ones = " or ".join(answer.provider for answer in answers)
            raise ValueError(f"provider={provider!r} cannot do this: only {able_ones} can")
        objections = [answer.objection(given) for answer in named]
        able = [answer for answer, objection in zip(named, objections, strict=True) if objection is None]
        if not able:
            raise ValueError("; ".join(filter(None, objections)))
        chosen = next((answer for answer in able if self._client(answer.provider).configured), None)
        if chosen is None:
            variables = " or ".join(f"{self._client(answer.provider).SYSTEM.variables}_API_KEY" for answer in able)
            raise ConfigurationError(
                f"no API key for this: set {variables}, or pass the key; KellyAPI.sandbox() needs none"
            )
        return chosen
