"""`models.estimate`: what a prediction will cost, from the terms of its model's price."""

from __future__ import annotations

from typing import Any

import pytest

from kellyapi import Skytells, SkytellsModel
from kellyapi._data.decoding import decode

WIDE = {"field": "size", "operator": "==", "value": "2048", "billable_price": 0.12, "unit": "image"}
WITH_SOUND = {"field": "audio", "operator": "equals", "value": True, "billable_price": 0.4, "unit": "second"}
LONG = {"field": "size", "operator": ">", "value": 100, "billable_price": 9, "unit": "image"}
OUTPUT = {"megapixel_type": "output", "megapixels_key": "output_megapixels", "rate_key": "made"}
INPUT = {"megapixel_type": "input", "megapixels_key": "input_megapixels", "rate_key": "read"}
FORMULA = {"type": "megapixels", "variables": {"made": 0.03, "read": 0.015}, "terms": [OUTPUT, INPUT]}
SQUARE = {"width": 1000, "height": 1000}


def estimate(
    input: dict[str, Any], amount: float | None = 0.1, unit: str | None = "image", **more: Any
) -> tuple[float, str] | None:
    fields = {name: more.pop(name) for name in ("billable", "input_schema") if name in more}
    pricing = {"amount": amount, "currency": "USD", "unit": unit, **more}
    model = decode({"name": "m", "namespace": "m", "pricing": pricing, **fields}, SkytellsModel)
    found = Skytells().models.estimate(model, input)
    assert found is None or found.currency == "USD"
    return found and (found.amount, found.explanation)


@pytest.mark.parametrize(
    ("unit", "input", "expected"),
    [
        ("image", {}, (0.1, "1 image × 0.1 per image")),
        ("image", {"num_outputs": 3}, (0.3, "3 images × 0.1 per image")),
        ("image", {"num_images": None}, (0.1, "1 image × 0.1 per image")),
        ("video", {"duration": 9}, (0.1, "0.1 per video")),
        ("prediction", {}, (0.1, "0.1 per prediction")),
        ("image_megapixel", SQUARE, (0.1, "1 image × 1 megapixels × 0.1 per image_megapixel")),
        ("megapixel", {"width": 2000, "height": 500, "n": 2}, (0.2, "2 images × 1 megapixels × 0.1 per megapixel")),
        ("second", {"duration": 3}, (0.3, "3 seconds × 0.1 per second")),
        ("second", {"duration": 0}, (0.0, "0 seconds × 0.1 per second")),
        ("video_second", {"seconds": 2.5}, (0.25, "2.5 seconds × 0.1 per video_second")),
        ("audio_second", {"duration_seconds": 3}, (0.3, "3 seconds × 0.1 per audio_second")),
        ("5 seconds", {"duration": 10}, (0.2, "2 × 5 seconds × 0.1 per 5 seconds")),
        ("minute", {"duration": 90}, (0.15, "1.5 minutes × 0.1 per minute")),
        ("minute", {"duration": 10}, (pytest.approx(0.1 / 6), "0.1666666667 minutes × 0.1 per minute")),
    ],
)
def test_a_price_per_unit_is_multiplied_by_what_the_input_states(
    unit: str, input: dict[str, Any], expected: tuple[float, str]
) -> None:
    assert estimate(input, unit=unit) == expected


def test_rules_of_the_same_price_are_explained_by_the_first() -> None:
    sharp = {**WIDE, "field": "quality", "value": "high"}
    assert estimate({"size": "2048", "quality": "high"}, criterias=[WIDE, sharp]) == (
        0.12,
        "1 image × 0.12 per image; size is 2048",
    )


def test_a_price_below_zero_has_no_estimate() -> None:
    assert estimate({}, amount=-0.1) is None


@pytest.mark.parametrize("unit", ["token", "million_token", "gpu", "computing_second", "parsec", None])
def test_a_unit_that_is_counted_during_the_work_has_no_estimate(unit: str | None) -> None:
    assert estimate({"prompt": "a fox", "duration": 4}, unit=unit) is None


@pytest.mark.parametrize(
    ("unit", "input"),
    [
        ("second", {}),
        ("image", {"num_outputs": "3"}),
        ("image", {"n": -1}),
        ("megapixel", {**SQUARE, "num_images": "3"}),
        ("second", {"duration": "long"}),
        ("second", {"duration": True}),
        ("second", {"duration": float("nan")}),
        ("minute", {"duration": -1}),
        ("image_megapixel", {"width": 1000}),
        ("image_megapixel", {"aspect_ratio": "16:9"}),
    ],
)
def test_a_price_needs_the_number_that_it_multiplies(unit: str, input: dict[str, Any]) -> None:
    assert estimate(input, unit=unit) is None


def test_a_model_without_an_amount_or_a_price_has_no_estimate() -> None:
    assert estimate({}, amount=None) is None
    assert Skytells().models.estimate(SkytellsModel(name="m", namespace="m"), {}) is None


def test_a_model_that_is_not_billed_costs_nothing() -> None:
    assert estimate({}, unit="token", billable=False) == (0.0, "the model is not billed")


@pytest.mark.parametrize(
    ("input", "expected"),
    [
        ({"size": 2048}, (0.12, "1 image × 0.12 per image; size is 2048")),
        ({"size": "2048", "n": 2}, (0.24, "2 images × 0.12 per image; size is 2048")),
        ({"size": 1024}, (0.1, "1 image × 0.1 per image")),
        ({"audio": True, "seconds": 2}, (0.8, "2 seconds × 0.4 per second; audio is true")),
        ({"audio": 1}, (0.1, "1 image × 0.1 per image")),
        ({"audio": None}, (0.1, "1 image × 0.1 per image")),
        ({"size": 2048, "audio": True, "seconds": 2}, None),
    ],
)
def test_a_rule_for_a_value_of_the_input_replaces_the_price(
    input: dict[str, Any], expected: tuple[float, str] | None
) -> None:
    assert estimate(input, criterias=[WIDE, WITH_SOUND]) == expected


def test_a_rule_with_an_unknown_operator_leaves_the_price_open() -> None:
    assert estimate({"size": 2048}, criterias=[WIDE, LONG]) is None
    assert estimate({}, criterias=[LONG]) == (0.1, "1 image × 0.1 per image")


def test_what_the_input_leaves_out_has_the_default_of_the_schema() -> None:
    schema = {"properties": {"size": {"default": 2048}, "prompt": {"type": "string"}, "odd": True}}
    assert estimate({}, criterias=[WIDE], input_schema=schema) == (0.12, "1 image × 0.12 per image; size is 2048")
    assert estimate({"size": None}, criterias=[WIDE], input_schema=schema) == estimate({"size": 2048}, criterias=[WIDE])
    assert estimate({"size": 64}, criterias=[WIDE], input_schema=schema) == (0.1, "1 image × 0.1 per image")


@pytest.mark.parametrize(
    ("input", "expected"),
    [
        (SQUARE, (0.03, "1 output megapixels × 0.03 per megapixel + 0 input megapixels × 0.015 per megapixel")),
        (
            {"input_megapixels": 2, "output_megapixels": 1},
            (0.06, "1 output megapixels × 0.03 per megapixel + 2 input megapixels × 0.015 per megapixel"),
        ),
        ({**SQUARE, "images": ["https://a.example/a.png"]}, None),
        ({**SQUARE, "image": {"url": "data:image/png;base64,AA"}}, None),
        ({"prompt": "a fox"}, None),
    ],
)
def test_a_formula_adds_megapixels_times_their_rates(input: dict[str, Any], expected: tuple[float, str] | None) -> None:
    assert estimate(input, formula=FORMULA) == expected


@pytest.mark.parametrize(
    "formula",
    [
        {"type": "auction"},
        {"terms": []},
        {"terms": [OUTPUT]},
        {"terms": ["output"], "variables": {}},
        {"terms": [OUTPUT], "variables": {"made": "dear"}},
        {"terms": [{**OUTPUT, "megapixel_type": "thought"}], "variables": {"made": 1}},
    ],
)
def test_a_formula_that_is_not_understood_has_no_estimate(formula: dict[str, Any]) -> None:
    assert estimate({"width": 1000, "height": 1000}, formula=formula) is None


def test_a_rule_comes_before_the_formula() -> None:
    assert estimate({"size": 2048}, criterias=[WIDE], formula=FORMULA) == estimate({"size": 2048}, criterias=[WIDE])


def test_an_empty_object_that_arrives_as_an_array_is_no_formula() -> None:
    assert estimate({}, formula=[]) == (0.1, "1 image × 0.1 per image")
