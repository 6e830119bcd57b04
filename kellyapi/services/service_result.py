"""The base class of the results of services."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, Factory, frozen

from .._data.result import Result


def provider_fields_last(_: type[Any], fields: list[Attribute[Any]]) -> list[Attribute[Any]]:
    """Order the fields of a result so that its `repr` ends with `provider` and `tried`."""
    return sorted(fields, key=lambda field: _LAST.get(field.name, 0))


_LAST = {"provider": 1, "tried": 2}


@frozen(kw_only=True)
class ServiceResult(Result):
    """The base class of all results of services."""

    provider: str = ""
    """The provider that returned the result: "khaya", "kelly", "skytells", "aerostack", or one of your own."""
    tried: tuple[str, ...] = Factory(lambda self: (self.provider,), takes_self=True)
    """The providers that were tried, in order. The last one returned the result."""
