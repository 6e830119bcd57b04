"""Skytells' catalogue of models in the sandbox, S8 and S9."""

from __future__ import annotations

import pytest
from http_client import Send

from kellyapi import KellyAPI, NotFoundError

SANDBOX = {"prediction_time": 0}

KEY = {"x-api-key": "key"}
FIELDS = "name description namespace type privacy img_url vendor billable pricing capabilities metadata status service"


async def test_the_catalogue_is_an_array_of_complete_models(skytells: Send) -> None:
    models = (await skytells("GET", "/v1/models")).json
    assert [list(model) for model in models] == [FIELDS.split()] * len(models)
    assert {model["type"] for model in models} == {"image", "video", "music", "text", "code"}
    assert len({model["namespace"] for model in models}) == len(models)


async def test_the_first_model_makes_an_image(skytells: Send) -> None:
    first = (await skytells("GET", "/v1/models")).json[0]
    assert first["type"] == "image"
    body = {"model": first["namespace"], "input": {"prompt": "a fox"}, "await": True}
    assert (await skytells("POST", "/v1/predict", json=body)).json["status"] == "succeeded"


@pytest.mark.parametrize("path", ["/v1/model/truefusion-ultra", "/v1/models/truefusion-ultra"])
async def test_one_model_has_its_prices_vendor_and_capabilities(skytells: Send, path: str) -> None:
    model = (await skytells("GET", path)).json
    assert model == model | {
        "name": "TrueFusion Ultra",
        "namespace": "truefusion-ultra",
        "status": "operational",
        "capabilities": ["text-to-image"],
        "pricing": {
            "amount": 0.08,
            "currency": "USD",
            "unit": "image",
            "criterias": [
                {
                    "field": "width",
                    "description": "The widest pictures",
                    "operator": "==",
                    "value": 2048,
                    "billable_price": 0.12,
                    "unit": "image",
                }
            ],
        },
    }
    assert (model["vendor"]["slug"], model["vendor"]["verified"]) == ("skytells", True)


@pytest.mark.parametrize(("width", "credits"), [(64, 0.08), (2048, 0.12)])
async def test_a_price_may_depend_on_the_input(api: KellyAPI, width: int, credits: float) -> None:
    input = {"prompt": "a fox", "width": width, "height": 64}
    prediction = await api.skytells.predictions.create("truefusion-ultra", input, wait=True)
    assert prediction.credits_used == credits


@pytest.mark.parametrize("slug", ["truefusion-ultra", "truefusion-edge"])
@pytest.mark.parametrize("size", [{}, {"width": 64, "height": 64}, {"width": 2048, "height": 64}])
async def test_an_estimate_is_what_the_prediction_then_costs(api: KellyAPI, slug: str, size: dict[str, int]) -> None:
    input = {"prompt": "a fox", **size}
    model = await api.skytells.models.get(slug, fields="input_schema")
    estimate = api.skytells.models.estimate(model, input)
    prediction = await api.skytells.predictions.create(slug, input, wait=True)
    assert estimate
    assert (estimate.amount, estimate.currency) == (prediction.credits_used, "USD")


async def test_each_model_whose_price_follows_from_the_input_has_an_estimate(api: KellyAPI) -> None:
    estimates = {
        (model.pricing.unit, api.skytells.models.estimate(model, {"prompt": "a fox", "duration": 4}) is not None)
        for model in await api.skytells.models.list()
        if model.pricing
    }
    assert estimates == {("image", True), ("second", True), ("prediction", True), ("token", False)}


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ("", set()),
        ("input_schema", {"input_schema"}),
        ("input_schema,output_schema", {"input_schema", "output_schema"}),
        ("nonsense", set()),
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/model/flux-pro", "/v1/models/FLUX.2-pro"])
async def test_schemas_are_left_out_unless_requested(skytells: Send, path: str, fields: str, shown: set[str]) -> None:
    response = (await skytells("GET", path, params={"fields": fields})).json
    for model in response if isinstance(response, list) else [response]:
        assert set(model) - set(FIELDS.split()) == shown


async def test_the_client_reads_every_model(api: KellyAPI) -> None:
    models = await api.skytells.models.list(fields=["input_schema", "output_schema"])
    for model in models:
        assert model == await api.skytells.models.get(model.namespace, fields=["input_schema", "output_schema"])
        assert model.pricing
        assert model.pricing.amount
        assert model.vendor
        assert model.input_schema
        assert model.input_schema["required"]
        assert model.output_schema


@pytest.mark.parametrize("path", ["/v1/model/gpt-0", "/v1/models/gpt-0"])
async def test_an_unknown_model_is_a_404_with_its_code(skytells: Send, path: str) -> None:
    response = await skytells("GET", path)
    message = "Model 'gpt-0' was not found."
    error = {"http_status": 404, "message": message, "details": None, "error_id": "MODEL_NOT_FOUND"}
    assert (response.status, response.json) == (404, {"status": False, "response": message, "error": error})


@pytest.mark.parametrize("slug", ["../models", "a/b", "ü", "x" * 300])
async def test_an_unknown_model_is_a_not_found_error_in_the_client(api: KellyAPI, slug: str) -> None:
    with pytest.raises(NotFoundError) as raised:
        await api.skytells.models.get(slug)
    assert raised.value.code == "MODEL_NOT_FOUND"
