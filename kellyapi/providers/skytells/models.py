"""`skytells.models`: the catalogue of models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import field, frozen

from ..._core.resource import Resource
from ..._core.urls import Id, encode_path
from ..._data.result import Result
from ...errors import StatusError
from .enums import ModelPrivacy, ModelType
from .error_bodies import is_missing_route
from .pricing import PriceEstimate, Pricing, estimate_price


@frozen
class Vendor:
    """The maker of a model."""

    name: str | None = None
    description: str | None = None
    image_url: str | None = None
    verified: bool | None = None
    slug: str | None = None


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

    def estimate(self, model: SkytellsModel, input: Mapping[str, Any]) -> PriceEstimate | None:
        """Compute what a prediction will cost, from the price of its model. Nothing is sent.

        It knows prices per image, megapixel, prediction, and second of a duration that the input states, and the
        model's price rules for values of the input. If `model` was requested with `fields="input_schema"`, the model's
        defaults are used for what the input leaves out.

        Args:
            model: The model, as `get` or `list` returns it.
            input: The input of the prediction.

        Returns:
            The amount and how it was computed; `None` if the price depends on more than the input, such as the tokens
            of the output or the seconds of computing, or has terms that the library does not know.

        Example::

            model = await skytells.models.get("truefusion-pro", fields="input_schema")
            price = skytells.models.estimate(model, {"prompt": "a fox"})
            print(price.amount, price.currency)  # 0.05 USD
        """
        if model.pricing is None:
            return None
        if model.billable is False:
            return PriceEstimate(0.0, model.pricing.currency, "the model is not billed")
        given = {name: value for name, value in input.items() if value is not None}
        return estimate_price(model.pricing, {**_defaults(model.input_schema), **given})


def _defaults(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the default of each input that has one, by its JSON Schema."""
    properties = (schema or {}).get("properties")
    inputs = properties.items() if isinstance(properties, dict) else ()
    return {name: about["default"] for name, about in inputs if isinstance(about, dict) and "default" in about}


def _query(fields: str | Iterable[str]) -> dict[str, str]:
    names = ",".join([fields] if isinstance(fields, str) else fields)
    return {"fields": names} if names else {}
