"""`prediction.model`: a string with a type."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from kellyapi import (
    ModelType,
    Prediction,
    PredictionModel,
    PredictionSource,
    PricingOperator,
    SkytellsModel,
)
from kellyapi._data.decoding import decode
from kellyapi._data.json_text import dumps


def model_of(value: Any) -> PredictionModel | None:
    return decode({"id": "p", "status": "succeeded", "model": value}, Prediction).model


@pytest.mark.parametrize(
    ("value", "name", "type"),
    [
        ("truefusion", "truefusion", None),
        ({"name": "truefusion", "type": "image"}, "truefusion", ModelType.IMAGE),
        ({"name": "truefusion", "type": "dance"}, "truefusion", "dance"),
        ({"name": "truefusion", "type": 5}, "truefusion", None),
        ({"name": "truefusion"}, "truefusion", None),
    ],
)
def test_the_model_is_its_name_and_has_a_type(value: Any, name: str, type: str | None) -> None:
    model = model_of(value)
    assert isinstance(model, PredictionModel)
    assert (model, model.name, model.type, f"{model}", repr(model)) == (name, name, type, name, repr(name))
    assert isinstance(model.type, ModelType) == (type == "image")
    assert json.dumps([model]) == dumps([model]).decode() == f'["{name}"]'
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), PredictionModel(name=name, type=type)):
        assert (twin, twin.type) == (name, type)


@pytest.mark.parametrize("value", [None, {}, {"name": None, "type": "image"}, {"name": 5}, 5, []])
def test_a_prediction_without_a_readable_model_is_kept(value: Any) -> None:
    assert model_of(value) is None


@pytest.mark.parametrize(("source", "member"), [(each.value, each) for each in PredictionSource] + [("bot", "bot")])
def test_a_source_is_a_member_or_a_string(source: str, member: Any) -> None:
    prediction = decode({"id": "p", "status": "succeeded", "source": source}, Prediction)
    assert prediction.source == member
    assert type(prediction.source) is type(member)


@pytest.mark.parametrize(
    ("operator", "member"),
    [("==", PricingOperator.DOUBLE_EQUALS), ("equals", PricingOperator.EQUALS), (">", ">"), (None, None)],
)
def test_an_operator_of_a_price_is_a_member_or_a_string(operator: Any, member: Any) -> None:
    body = {"name": "a", "namespace": "a", "pricing": {"criterias": [{"field": "n", "operator": operator}]}}
    pricing = decode(body, SkytellsModel).pricing
    assert pricing is not None
    assert pricing.criterias[0].operator is member or pricing.criterias[0].operator == operator
    assert isinstance(pricing.criterias[0].operator, PricingOperator) == (operator in ("==", "equals"))
