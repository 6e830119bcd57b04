"""Skytells' catalogue of models."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from ...core import Service
from ...errors import StatusError
from ...wire import encode_path
from .enums import ModelType, PricingUnit, Privacy
from .errors import is_missing_route


@frozen
class Vendor:
    """Who makes a model."""

    name: str | None = None
    description: str | None = None
    image_url: str | None = None
    verified: bool | None = None
    slug: str | None = None


@frozen
class PriceRule:
    """A price that holds when a field of the input has a value."""

    field: str | None = None
    description: str | None = None
    operator: str | None = None
    """"equals", "==", …"""
    value: object = None
    billable_price: float | None = None
    unit: str | None = None


@frozen
class Pricing:
    """What a model costs."""

    amount: float | None = None
    currency: str | None = None
    unit: PricingUnit | str | None = None
    """What is paid for."""
    criterias: tuple[PriceRule, ...] = ()
    """Prices that depend on the input."""
    formula: dict[str, object] | None = None
    """How the price is computed, as the system states it."""


@frozen(kw_only=True)
class Model:
    """A model of the catalogue.

    Source: https://github.com/skytells/ts-sdk (src/types/model.types.ts)
    """

    name: str
    namespace: str
    """Its slug, which `run` takes."""
    description: str | None = None
    type: ModelType | str | None = None
    privacy: Privacy | str | None = None
    img_url: str | None = None
    vendor: Vendor | None = None
    billable: bool | None = None
    pricing: Pricing | None = None
    capabilities: tuple[str, ...] = ()
    metadata: dict[str, object] = field(factory=dict)
    status: str | None = None
    """"operational", …"""
    service: dict[str, object] = field(factory=dict)
    input_schema: dict[str, object] | None = None
    """JSON Schema of `input`; only when it was asked for."""
    output_schema: dict[str, object] | None = None
    """JSON Schema of the output; only when it was asked for."""


class Models(Service):
    """`skytells.models`."""

    async def list(self, *, fields: Iterable[str] = ()) -> tuple[Model, ...]:
        """Give the catalogue; `fields` may ask for "input_schema" and "output_schema".

        Source: https://github.com/skytells/ts-sdk (src/endpoints.ts)
        """
        return await self._fetch("/models", _query(fields), into=tuple[Model, ...])

    async def get(self, model: str, *, fields: Iterable[str] = ()) -> Model:
        """Give one model by its slug; an unknown one raises `NotFoundError`.

        Source: https://github.com/skytells/ts-sdk (src/endpoints.ts); `/models/…` is what the command line and the
        documentation use
        """
        query = _query(fields)
        try:
            return await self._fetch(encode_path("/model/{}", model), query, into=Model)
        except StatusError as error:
            if not is_missing_route(error):
                raise
            return await self._fetch(encode_path("/models/{}", model), query, into=Model)


def _query(fields: Iterable[str]) -> dict[str, str]:
    names = ",".join([fields] if isinstance(fields, str) else fields)
    return {"fields": names} if names else {}
