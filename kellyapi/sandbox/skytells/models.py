"""Skytells' catalogue of models in the sandbox: schemas of their inputs, checks of an input, prices.

The slugs are the provider's, and so are the inputs, as far as it documents them. Prices and descriptions are the
sandbox's own.

Source: https://learn.skytells.ai/docs/api/v1/models/schemas, https://docs.skytells.ai/photos/generate-photos,
https://learn.skytells.ai/courses/ai-foundations/03-apis-and-schemas,
https://learn.skytells.ai/courses/video-audio/02-create-videos (and 03-audio-beatfusion),
https://github.com/Skytells/cli (docs/predictions.md), https://github.com/skytells-ai/music-generator (docs/ROUTES.md)
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from ..._data.text import is_blank
from ..engines.music import TEMPOS
from ..frontend import ApiError

_SKYTELLS = ("Skytells", "skytells", "Makes image, video, music and language models.")
_FLUX = ("Black Forest Labs", "black-forest-labs", "Makes image models.")
_OPENAI = ("OpenAI", "openai", "Makes language models.")

_PROMPT = {
    "type": "string",
    "title": "Prompt",
    "description": "What to make. With the words “fail please” in it the sandbox lets the prediction fail.",
    "x-order": 0,
}
_SIZE = {"type": "integer", "minimum": 64, "maximum": 2048, "default": 1024}
_IMAGE = {"type": "string", "format": "uri"}
_COUNT = {"type": "integer", "minimum": 1, "maximum": 4}
ASPECT_RATIOS = ["1:1", "16:9", "4:3", "3:2", "2:3", "3:4", "9:16", "21:9"]


def _input_schema(prompt: dict[str, Any] | None = None, **fields: dict[str, Any]) -> dict[str, Any]:
    ordered = {name: {**schema, "x-order": place} for place, (name, schema) in enumerate(fields.items(), 1)}
    properties = {"prompt": {**_PROMPT, **(prompt or {})}, **ordered}
    return {
        "type": "object",
        "title": "Input",
        "required": ["prompt"],
        "properties": properties,
        "additionalProperties": False,
    }


_LINKS = {"type": "array", "title": "Output", "items": {"type": "string", "format": "uri"}}
_SCHEMAS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "image": (
        _input_schema(
            negative_prompt={"type": "string", "description": "What not to draw."},
            width={**_SIZE, "description": "Pixels. With an aspect ratio, it sets the default."},
            height={**_SIZE, "description": "Pixels. With an aspect ratio, it sets the default."},
            aspect_ratio={"type": "string", "enum": ASPECT_RATIOS, "description": "Width : height."},
            num_outputs={**_COUNT, "description": "Number of pictures, by default 1."},
            number_of_images={**_COUNT, "description": "Another name of num_outputs."},
            output_format={"type": "string", "enum": ["png", "jpg", "jpeg", "webp"], "default": "png"},
            seed={"type": "integer", "description": "Each seed gives another picture, and always the same one."},
            image={**_IMAGE, "description": "A picture to start from: a link or a data: URL."},
            guidance={"type": "number", "description": "It has no effect in the sandbox."},
            prompt_optimizer={"type": "boolean", "description": "It has no effect in the sandbox."},
        ),
        _LINKS,
    ),
    "video": (
        _input_schema(
            duration={
                "type": "integer",
                "minimum": 1,
                "maximum": 30,
                "description": "Another name of duration_seconds.",
            },
            duration_seconds={"type": "integer", "minimum": 3, "maximum": 30, "default": 5},
            aspect_ratio={"type": "string", "enum": ["16:9", "9:16", "1:1", "4:3"], "default": "16:9"},
            fps={"type": "integer", "enum": [24, 30], "default": 24, "description": "Frames in a second."},
            negative_prompt={"type": "string", "description": "What not to show."},
            image={**_IMAGE, "description": "A picture that is filmed: a link or a data: URL."},
        ),
        _LINKS,
    ),
    "music": (
        _input_schema(
            {"minLength": 0, "maxLength": 2000},
            lyrics={"type": "string", "maxLength": 3500, "description": "In the sandbox they are not sung."},
            duration_seconds={"type": "integer", "minimum": 5, "maximum": 120, "default": 10},
            seed={"type": "integer", "description": "Each seed gives another melody, and always the same one."},
            bpm={"type": "integer", "minimum": TEMPOS[0], "maximum": TEMPOS[-1], "description": "Beats in a minute."},
            key={"type": "string", "pattern": "[A-G][#b]?( (major|minor))?", "description": "Such as C major."},
            sample_rate={"type": "integer", "enum": [16_000, 24_000, 32_000, 44_100], "default": 44_100},
            bitrate={
                "type": "integer",
                "enum": [32_000, 64_000, 128_000, 256_000],
                "description": "It has no effect in the sandbox.",
            },
            audio_format={"type": "string", "enum": ["mp3", "wav", "pcm"], "default": "wav"},
        ),
        _LINKS,
    ),
    "text": (_input_schema(system_prompt={"type": "string"}), {"type": "string", "title": "Output"}),
    "embedding": (
        {
            "type": "object",
            "title": "Input",
            "required": ["input"],
            "properties": {"input": {"type": "string", "x-order": 0}, "dimensions": {"type": "integer", "x-order": 1}},
            "additionalProperties": False,
        },
        {"type": "array", "title": "Output", "items": {"type": "number"}},
    ),
}
_SCHEMAS["code"] = _SCHEMAS["text"]
_CAPABILITIES = {
    "image": ["text-to-image"],
    "video": ["text-to-video"],
    "music": ["text-to-music"],
    "text": ["chat", "responses"],
    "code": ["chat", "responses"],
    "embedding": ["embeddings"],
}
_PRICE_OF_LARGE_PICTURES = {
    "field": "width",
    "description": "The widest pictures",
    "operator": "==",
    "value": 2048,
    "billable_price": 0.12,
    "unit": "image",
}
# Columns: slug, name, kind, vendor, price, unit of the price, price rules that depend on the input.
_TABLE: tuple[tuple[str, str, str, tuple[str, str, str], float, str, list[dict[str, Any]]], ...] = (
    ("truefusion", "TrueFusion", "image", _SKYTELLS, 0.03, "image", []),
    ("truefusion-pro", "TrueFusion Pro", "image", _SKYTELLS, 0.05, "image", []),
    ("truefusion-ultra", "TrueFusion Ultra", "image", _SKYTELLS, 0.08, "image", [_PRICE_OF_LARGE_PICTURES]),
    ("truefusion-edge", "TrueFusion Edge", "image", _SKYTELLS, 0.01, "image", []),
    ("flux-pro", "FLUX Pro", "image", _FLUX, 0.055, "image", []),
    ("flux-1-edge", "FLUX.1 Edge", "image", _FLUX, 0.02, "image", []),
    ("FLUX.2-pro", "FLUX.2 Pro", "image", _FLUX, 0.06, "image", []),
    ("truefusion-video-pro", "TrueFusion Video Pro", "video", _SKYTELLS, 0.2, "second", []),
    ("beatfusion-2.0", "BeatFusion 2.0", "music", _SKYTELLS, 0.5, "prediction", []),
    ("deepbrain-router", "DeepBrain Router", "text", _SKYTELLS, 0.000002, "token", []),
    ("skytells-3", "Skytells 3", "text", _SKYTELLS, 0.000003, "token", []),
    ("gpt-5", "GPT-5", "text", _OPENAI, 0.00001, "token", []),
    ("gpt-5-nano", "GPT-5 nano", "text", _OPENAI, 0.0000004, "token", []),
    ("gpt-5.3-codex", "GPT-5.3 Codex", "code", _OPENAI, 0.000014, "token", []),
    ("text-embedding-3-small", "Text Embedding 3 Small", "embedding", _OPENAI, 0.00000002, "token", []),
    ("text-embedding-3-large", "Text Embedding 3 Large", "embedding", _OPENAI, 0.00000013, "token", []),
)
_KIND_BY_SLUG = {slug: kind for slug, _, kind, *_ in _TABLE}


def _make_model(
    slug: str, name: str, kind: str, vendor: tuple[str, str, str], amount: float, unit: str, rules: list[dict[str, Any]]
) -> dict[str, Any]:
    input_schema, output_schema = _SCHEMAS[kind]
    return {
        "name": name,
        "description": f"The sandbox's stand-in for {name}: rules, no model.",
        "namespace": slug,
        "type": "text" if kind == "embedding" else kind,
        "privacy": "public",
        "img_url": None,
        "vendor": {
            "name": vendor[0],
            "description": vendor[2],
            "image_url": None,
            "verified": True,
            "slug": vendor[1],
            "metadata": {},
        },
        "billable": True,
        "pricing": {"amount": amount, "currency": "USD", "unit": unit, "criterias": rules},
        "capabilities": _CAPABILITIES[kind],
        "metadata": {
            "edge_compatible": slug.endswith("-edge"),
            "openai_compatible": kind in ("text", "code", "embedding"),
            "cold_boot": False,
            "deployment_hardware": {"type": "cpu", "slug": "sandbox"},
        },
        "status": "operational",
        "service": {"type": "inference", "inference_party": "sandbox"},
        "input_schema": input_schema,
        "output_schema": output_schema,
    }


MODELS = {row[0]: _make_model(*row) for row in _TABLE}


def find_model(name: object) -> dict[str, Any]:
    """Return a model by its slug, with or without its vendor or "skytells" before it.

    Raises:
        ApiError: If there is no such model.
    """
    vendor, _, slug = str(name).rpartition("/")
    model = MODELS.get(slug)
    if model is None or vendor not in ("", "skytells", model["vendor"]["slug"]):
        raise ApiError(404, "MODEL_NOT_FOUND", f"Model {name!r} was not found.")
    return model


def model_kind(model: dict[str, Any]) -> str:
    """Return what a model makes: "image", "video", "music", "text", "code" or "embedding"."""
    return _KIND_BY_SLUG[model["namespace"]]


def prediction_price(model: dict[str, Any], input: dict[str, Any], units: float) -> float:
    """Return the price in credits of what a prediction made, counted in the unit of the model's price."""
    pricing = model["pricing"]
    rules = (rule for rule in pricing["criterias"] if input.get(rule["field"]) == rule["value"])
    price = next((rule["billable_price"] for rule in rules), pricing["amount"])
    return round(float(price) * units, 9)


_LINK = re.compile("(?i)https?://|data:")
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def check_input(model: dict[str, Any], input: dict[str, Any]) -> None:
    """Check an input against the schema of its model.

    Raises:
        ApiError: If a field is unknown, missing, of a wrong type or out of range.
    """
    schema = model["input_schema"]
    for name in input:
        if name not in schema["properties"]:
            known = ", ".join(schema["properties"])
            message = f"The {name[:100]} field is not an input of {model['namespace']}, which takes {known}."
            raise ApiError(422, "VALIDATION_ERROR", message)
    for name, rule in schema["properties"].items():
        value = input.get(name)
        if value is None or (isinstance(value, str) and is_blank(value) and rule.get("minLength") != 0):
            if name in schema["required"]:
                raise ApiError(422, "VALIDATION_ERROR", f"The {name} field is required.")
            continue
        if right := _find_problem(rule, value):
            raise ApiError(422, "VALIDATION_ERROR", f"The {name} field must {right}.")


def _find_problem(rule: dict[str, Any], value: Any) -> str | None:
    """Return what a value must be, or `None` if it follows its rule, which is a part of JSON Schema."""
    kind = rule["type"]
    is_right: bool = isinstance(value, _PYTHON_TYPES[kind]) and isinstance(value, bool) == (kind == "boolean")
    if not is_right:
        return f"be {'an' if kind == 'integer' else 'a'} {kind}"
    if "enum" in rule and value not in rule["enum"]:
        return f"be one of {', '.join(map(str, rule['enum']))}"
    if "minimum" in rule and not rule["minimum"] <= value <= rule["maximum"]:
        return f"be between {rule['minimum']} and {rule['maximum']}"
    if "maxLength" in rule and len(value) > rule["maxLength"]:
        return f"have at most {rule['maxLength']:,} characters"
    if "pattern" in rule and not re.fullmatch(rule["pattern"], value):
        return f"match {rule['pattern']}"
    if rule.get("format") == "uri" and not _LINK.match(value):
        return "be a link or a data: URL"
    return None


async def list_models(request: web.Request) -> web.Response:
    """Handle GET /models."""
    return web.json_response([_visible_fields(model, request) for model in MODELS.values()])


async def get_model(request: web.Request) -> web.Response:
    """Handle GET /model/{slug} and GET /models/{slug}."""
    return web.json_response(_visible_fields(find_model(request.match_info["slug"]), request))


def _visible_fields(model: dict[str, Any], request: web.Request) -> dict[str, Any]:
    """Leave out the schemas that the query does not ask for in `fields`."""
    requested = request.query.get("fields", "").split(",")
    return {name: value for name, value in model.items() if not name.endswith("_schema") or name in requested}
