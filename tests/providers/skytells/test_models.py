"""The models of Skytells and their schemas."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import Pricing, Skytells, SkytellsModel
from kellyapi.providers.skytells.models import Vendor
from kellyapi.providers.skytells.pricing import PriceRule

from .messages import BASE, KEY

MODEL = {
    "name": "TrueFusion Pro",
    "description": "draws",
    "namespace": "truefusion-pro",
    "type": "image",
    "privacy": "public",
    "img_url": "https://i.example/a.png",
    "vendor": {"name": "Skytells", "description": None, "verified": True, "slug": "skytells", "metadata": {"x": 1}},
    "billable": True,
    "pricing": {
        "amount": 0.03,
        "currency": "USD",
        "unit": "image_megapixel",
        "criterias": [{"field": "hd", "operator": "==", "value": True, "billable_price": "0.06", "unit": "image"}],
        "formula": {"type": "megapixels", "terms": []},
    },
    "capabilities": ["text-to-image"],
    "metadata": {"edge_compatible": False},
    "status": "operational",
    "service": {"type": "inference"},
    "input_schema": {"type": "object", "properties": {"prompt": {"type": "string", "x-order": 0}}},
}
A_MODEL = SkytellsModel(
    name="TrueFusion Pro",
    description="draws",
    namespace="truefusion-pro",
    type="image",
    privacy="public",
    img_url="https://i.example/a.png",
    vendor=Vendor(name="Skytells", verified=True, slug="skytells"),
    billable=True,
    pricing=Pricing(
        amount=0.03,
        currency="USD",
        unit="image_megapixel",
        criterias=(PriceRule(field="hd", operator="==", value=True, billable_price=0.06, unit="image"),),
        formula={"type": "megapixels", "terms": []},
    ),
    capabilities=("text-to-image",),
    metadata={"edge_compatible": False},
    status="operational",
    service={"type": "inference"},
    input_schema={"type": "object", "properties": {"prompt": {"type": "string", "x-order": 0}}},
)
FIELDS = [
    ((), ""),
    ([], ""),
    ("input_schema", "?fields=input_schema"),
    (["input_schema", "output_schema"], "?fields=input_schema%2Coutput_schema"),
]


async def test_all_fields_of_a_model_are_read_with_its_prices(wire: Responses, skytells: Skytells) -> None:
    sent = respond(wire, "GET", f"{BASE}/models", json=[MODEL, {"name": "Lumo", "namespace": "lumo"}])
    assert await skytells.models.list() == (A_MODEL, SkytellsModel(name="Lumo", namespace="lumo"))
    assert [(one.headers, one.body) for one in sent] == [(KEY, b"")]


@pytest.mark.parametrize(("fields", "query"), FIELDS)
async def test_schemas_are_requested_by_name(wire: Responses, skytells: Skytells, fields: Any, query: str) -> None:
    listed = respond(wire, "GET", f"{BASE}/models{query}", json=[])
    got = respond(wire, "GET", f"{BASE}/model/truefusion-pro{query}", json=MODEL)
    assert await skytells.models.list(fields=fields) == ()
    assert await skytells.models.get("truefusion-pro", fields=fields) == A_MODEL
    assert [one.headers for one in [*listed, *got]] == [KEY, KEY]
