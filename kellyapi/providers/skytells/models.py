"""`skytells.models`: the catalogue of models."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from ..._core.resource import Resource
from ..._core.urls import Id, encode_path
from ..._data.result import Result
from ...errors import StatusError
from .enums import ModelPrivacy, ModelType, PricingUnit
from .error_bodies import is_missing_route


@frozen
class Vendor:
    """The maker of a model."""

    name: str | None = None
    description: str | None = None
    image_url: str | None = None
    verified: bool | None = None
    slug: str | None = None


@frozen
class PriceRule:
    """A price that applies if a field of the input has a certain value."""

    field: str | None = None
    description: str | None = None
    operator: str | None = None
    """"equals", "==", …"""
    value: object = None
    billable_price: float | None = None
    unit: str | None = None


@frozen
class Pricing:
    """The price of a model."""

    amount: float | None = None
    currency: str | None = None
    unit: PricingUnit | str | None = None
    """The unit that `amount` is for."""
    criterias: tuple[PriceRule, ...] = ()
    """Prices that depend on the input."""
    formula: dict[str, object] | None = None
    """How the price is computed, as the provider states it."""


@frozen(kw_only=True)
class SkytellsModel(Result):
    """A model of the catalogue.

    Source: https://github.com/skytells/ts-sdk (src/types/model.types.ts)
    """

    name: str
    namespace: str
    """The slug, which `run` accepts as `model`."""
    description: str | None = None
    type: ModelType | str | None = None
    privacy: ModelPrivacy | str | None = None
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
    """JSON Schema of the input, if it was requested with `fields=`."""
    output_schema: dict[str, object] | None = None
    """JSON Schema of the output, if it was requested with `fields=`."""


class ModelsResource(Resource):
    """The catalogue of models.

    Source: https://github.com/skytells/ts-sdk (src/endpoints.ts)
    """

    async def list(self, *, fields: str | Iterable[str] = ()) -> tuple[SkytellsModel, ...]:
        """Return all models.

        Args:
            fields: Fields to request in addition: "input_schema", "output_schema".
        """
        return await self._fetch("/models", _query(fields), into=tuple[SkytellsModel, ...])

    async def get(self, model: Id, *, fields: str | Iterable[str] = ()) -> SkytellsModel:
        """Return one model.

        Args:
            model: The slug of the model.
            fields: Fields to request in addition: "input_schema", "output_schema".

        Raises:
            NotFoundError: There is no such model.
        """
        query = _query(fields)
        try:
            return await self._fetch(encode_path("/model/{}", model), query, into=SkytellsModel)
        except StatusError as error:
            if not is_missing_route(error):
                raise
            return await self._fetch(encode_path("/models/{}", model), query, into=SkytellsModel)


def _query(fields: str | Iterable[str]) -> dict[str, str]:
    names = ",".join([fields] if isinstance(fields, str) else fields)
    return {"fields": names} if names else {}
