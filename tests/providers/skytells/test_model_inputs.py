"""Which inputs of a model have what a user asks for, by the model's own JSON Schema."""

from __future__ import annotations

from contextlib import suppress
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kellyapi.providers.skytells.model_inputs import fit_input, split_count
from kellyapi.services.routing import UnsupportedArgument

NUMBER = {"type": "integer", "minimum": 64, "maximum": 2048}
TEXT = {"type": "string"}
RATIOS = {"type": "string", "enum": ["1:1", "16:9", "3:2"], "default": "1:1"}
SIZES = {"type": "string", "enum": ["auto", "1024x1024", "1536x1024"]}


def inputs(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"prompt": TEXT, **properties}}


@pytest.mark.parametrize(
    ("schema", "width", "height", "sent"),
    [
        (inputs(width=NUMBER, height=NUMBER), 768, 512, {"width": 768, "height": 512}),
        (inputs(width=NUMBER, height=NUMBER), 768, None, {"width": 768}),
        (inputs(image_width=NUMBER, image_height=NUMBER), 768, 512, {"image_width": 768, "image_height": 512}),
        (inputs(width={"enum": ["512", "768"]}, height=TEXT), 768, 512, {"width": "768", "height": "512"}),
        (inputs(size=TEXT), 768, 512, {"size": "768x512"}),
        (inputs(size=TEXT, width=NUMBER), 768, 512, {"size": "768x512"}),
        (
            inputs(size={"properties": {"width": NUMBER, "height": NUMBER}}),
            768,
            512,
            {"size": {"width": 768, "height": 512}},
        ),
        (inputs(size={**TEXT, "default": "1024*1024"}), 768, 512, {"size": "768*512"}),
        (inputs(size=SIZES), 1536, 1024, {"size": "1536x1024"}),
        (inputs(image_size={"enum": ["square", "768 × 512"]}), 768, 512, {"image_size": "768 × 512"}),
        (
            inputs(image_size={"anyOf": [inputs(width=NUMBER, height=NUMBER), {"enum": ["square"]}]}),
            768,
            512,
            {"image_size": {"width": 768, "height": 512}},
        ),
        (inputs(aspect_ratio=RATIOS), 768, 512, {"aspect_ratio": "3:2"}),
        (inputs(aspect_ratio={"enum": ["1.5:1", "1:1"]}), 768, 512, {"aspect_ratio": "1.5:1"}),
        (inputs(aspect_ratio=TEXT), 1280, 720, {"aspect_ratio": "16:9"}),
        (inputs(width=NUMBER, height=NUMBER, aspect_ratio=RATIOS), 70, 64, {"width": 70, "height": 64}),
        (inputs(width=NUMBER, height=NUMBER, size=SIZES), 70, 64, {"width": 70, "height": 64}),
        (inputs(resolution={"enum": ["480p", "1K"]}, aspect_ratio=RATIOS), 64, 64, {"aspect_ratio": "1:1"}),
        (inputs(resolution={**TEXT, "default": "1 MP"}, aspect_ratio=RATIOS), 64, 64, {"aspect_ratio": "1:1"}),
        (
            inputs(width=NUMBER, height=NUMBER, aspect_ratio={"enum": ["1:1", "custom"]}),
            70,
            64,
            {"width": 70, "height": 64, "aspect_ratio": "custom"},
        ),
    ],
)
def test_a_size_is_sent_under_the_names_of_the_model(schema: Any, width: Any, height: Any, sent: Any) -> None:
    assert fit_input("m", schema, width=width, height=height) == sent


@pytest.mark.parametrize(
    ("schema", "arguments", "problem"),
    [
        (
            inputs(seed=NUMBER),
            {"width": 8, "height": 8},
            "m has no input for width and height; its inputs are prompt, seed",
        ),
        (
            inputs(seed=NUMBER),
            {"negative_prompt": "x"},
            "m has no input for negative_prompt; its inputs are prompt, seed",
        ),
        (
            inputs(size=SIZES),
            {"width": 1024},
            "m has no input for width: pass width and height; its inputs are prompt, size",
        ),
        (
            inputs(size=SIZES),
            {"negative_prompt": "x"},
            "m has no input for negative_prompt; its inputs are prompt, size",
        ),
        (
            inputs(aspect_ratio={**TEXT, "default": "auto"}),
            {"width": 8, "height": 8},
            "m has no input for width and height; its inputs are aspect_ratio, prompt",
        ),
        (
            {**inputs(duration={"$ref": "#/seconds/short"}), "seconds": {"short": {"enum": [5, 10]}}},
            {"duration": 7},
            "duration of m must be 5 or 10, not 7",
        ),
        (inputs(width=NUMBER, height=NUMBER), {"width": 63}, "width of m must be at least 64, not 63"),
        (inputs(width=NUMBER, height=NUMBER), {"height": 4096}, "height of m must be at most 2,048, not 4096"),
        (
            inputs(width=NUMBER, height=NUMBER, aspect_ratio=RATIOS),
            {"width": 4096, "height": 4096},
            "width of m must be at most 2,048, not 4096",
        ),
        (inputs(width={"enum": [512, 768]}), {"width": 600}, "width of m must be 512 or 768, not 600"),
        (inputs(width={**NUMBER, "multipleOf": 32}), {"width": 70}, "width of m must be a multiple of 32, not 70"),
        (inputs(size=SIZES, aspect_ratio=RATIOS), {"width": 600, "height": 400}, "1024x1024 or 1536x1024, not 600x400"),
        (
            inputs(aspect_ratio=RATIOS),
            {"width": 1000, "height": 999},
            "1:1, 16:9 or 3:2, not 1000:999, which is 1000 x 999",
        ),
        (inputs(duration={"enum": [5, 10]}), {"duration": 7.5}, "duration of m must be 5 or 10, not 7.5"),
        (inputs(duration={"type": "integer"}), {"duration": 7.5}, "duration of m must be an integer, not 7.5"),
        (inputs(duration={"exclusiveMinimum": 5}), {"duration": 5}, "duration of m must be more than 5, not 5"),
        (
            inputs(lyrics={**TEXT, "maxLength": 3}),
            {"lyrics": "la la"},
            "must be at most 3 characters, not 5 characters",
        ),
        (None, {"width": 8}, "the catalogue does not say whether m has an input for width"),
        ({}, {"negative_prompt": "x"}, "the catalogue does not say whether m has an input for negative_prompt"),
    ],
)
def test_what_a_model_cannot_do_is_refused_with_what_it_can(schema: Any, arguments: Any, problem: str) -> None:
    with pytest.raises(UnsupportedArgument) as caught:
        fit_input("m", schema, **arguments)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("about", "value", "sent"),
    [
        ({"type": "integer"}, 5.0, 5),
        ({"type": "number"}, 7.5, 7.5),
        ({"type": ["integer", "null"], "maximum": 8}, 5, 5),
        ({"enum": ["5", "10"]}, 10, "10"),
        ({"enum": ["5s", "10s"]}, 10, "10s"),
        ({"const": 5}, 5, 5),
        ({"allOf": [{"$ref": "#/definitions/seconds"}], "default": 5}, 10, 10),
        ({"anyOf": [{"type": "integer", "maximum": 8}, {"type": "null"}]}, 8, 8),
        ({"oneOf": [{"enum": [5]}, {"enum": ["auto", 10]}]}, 10, 10),
        ({"$ref": "#/components/schemas/elsewhere"}, 7, 7),
        ({"minimum": "many", "maximum": None}, 7, 7),
        (True, 7, 7),
    ],
)
def test_a_value_is_sent_in_the_form_that_the_model_accepts(about: Any, value: Any, sent: Any) -> None:
    schema = {**inputs(seconds=about), "definitions": {"seconds": {"type": "integer", "enum": [5, 10]}}}
    found = fit_input("m", schema, duration=value)
    assert found == {"seconds": sent}
    assert type(found["seconds"]) is type(sent)


def test_what_is_not_passed_is_not_sent() -> None:
    assert fit_input("m", None, width=None, height=None, negative_prompt=None) == {}
    assert fit_input("m", inputs(negative_prompt=TEXT), negative_prompt="") == {"negative_prompt": ""}


@pytest.mark.parametrize(("depth", "is_read"), [(8, True), (9, False)])
def test_alternatives_are_read_to_a_depth_of_eight(depth: int, is_read: bool) -> None:
    about: Any = {"maximum": 4}
    for _ in range(depth):
        about = {"anyOf": [about]}
    assert _accepts(about, 4)
    assert _accepts(about, 5) != is_read


def test_fifty_alternatives_are_read() -> None:
    about = {"anyOf": [{"enum": [number]} for number in range(60)]}
    assert (_accepts(about, 49), _accepts(about, 50)) == (True, False)


def _accepts(about: Any, duration: float) -> bool:
    try:
        fit_input("m", inputs(seconds=about), duration=duration)
    except UnsupportedArgument:
        return False
    return True


def test_a_schema_that_refers_to_itself_is_read_to_an_end() -> None:
    schema = inputs(seconds={"$ref": "#"})
    schema["anyOf"] = [{"$ref": "#"}, {"$ref": "#"}, {"allOf": [{"$ref": "#"}] * 9}]
    with pytest.raises(UnsupportedArgument):
        fit_input("m", schema, duration=5)


@pytest.mark.parametrize(
    ("schema", "n", "parts"),
    [
        (inputs(num_outputs={"type": "integer", "maximum": 4}), 3, [{"num_outputs": 3}]),
        (inputs(num_images={"type": "integer", "maximum": 4}), 10, [{"num_images": 4}] * 2 + [{"num_images": 2}]),
        (inputs(number_of_images={"type": "integer"}), 50, [{"number_of_images": 50}]),
        (inputs(n={"enum": [1, 2, 4]}), 7, [{"n": 4}, {"n": 2}, {"n": 1}]),
        (inputs(n={"enum": ["1", "2"]}), 3, [{"n": "2"}, {"n": "1"}]),
        (inputs(n={"type": "integer", "minimum": 4, "maximum": 4}), 5, [{"n": 4}, {}]),
        (inputs(), 3, [{}] * 3),
        (None, 3, [{}] * 3),
    ],
)
def test_several_images_are_made_by_as_few_predictions_as_the_model_allows(schema: Any, n: int, parts: Any) -> None:
    assert split_count(schema, n) == parts


@pytest.mark.parametrize("height", [{"enum": []}, {"enum": [None]}, {"type": "integer", "maximum": 4}])
def test_a_height_that_no_model_takes_is_refused(height: Any) -> None:
    with pytest.raises(UnsupportedArgument, match="height of m must be"):
        fit_input("m", inputs(width={}, height=height), width=5, height=5)


@pytest.mark.parametrize("limit", [inf, nan, True, "4"])
def test_a_limit_that_is_no_number_limits_nothing(limit: Any) -> None:
    rule = {"type": "integer", "multipleOf": limit, "maximum": limit}
    assert fit_input("m", inputs(width=rule, height=rule), width=5, height=5) == {"width": 5, "height": 5}


json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats()
    | st.sampled_from(["#", "#/properties/width", "x", "5x5"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "enum", "anyOf", "allOf", "$ref", "minimum", "maximum", "multipleOf", "default", "properties"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["width", "height", "size", "aspect_ratio", "n"]), json, max_size=4))
def test_no_schema_of_a_server_breaks_the_fitting(properties: Any) -> None:
    assert sum(int(next(iter(part.values()), 1)) for part in split_count({"properties": properties}, 3)) == 3
    with suppress(UnsupportedArgument):
        assert fit_input("m", {"properties": properties}, width=5, height=5)
