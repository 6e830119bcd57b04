"""What the results of all services have in common."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, Factory, frozen


def provider_fields_last(_: type[Any], fields: list[Attribute[Any]]) -> list[Attribute[Any]]:
    """Order a result's own fields before `provider` and `tried`, as a reader of its `repr` wants them."""
    return sorted(fields, key=lambda field: field.name in ("provider", "tried"))


@frozen(kw_only=True)
class ServiceResult:
    """What every service result carries."""

    provider: str
    """Who answered: "khaya", "kelly", "skytells" or "aerostack"."""
    tried: tuple[str, ...] = Factory(lambda self: (self.provider,), takes_self=True)
    """Everyone who was asked, in order; the last one answered."""
