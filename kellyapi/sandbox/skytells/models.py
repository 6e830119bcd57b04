"""Skytells' catalogue of models in the sandbox, what their inputs must be and what a job of theirs costs.

The slugs are the system's; prices, schemas and descriptions are the sandbox's own.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ..face import Refused

_SKYTELLS = ("Skytells", "skytells", "Makes image, video, music and language models.")
_FLUX = ("Black Forest Labs", "black-forest-labs", "Makes image models.")
_OPENAI = ("OpenAI", "openai", "Makes language models.")

_PROMPT = {
    "type": "string",
    "title": "Prompt",
    "description": "What to make. With the words “fail please” in it the sandbox lets the job fail.",
    "x-order": 0,
}
_SIZE = {"type": "integer", "minimum": 64, "maximum": 2048, "default": 1024}


def _inputs(**more: dict[str, Any]) -> dict[str, Any]:
    ordered = {name: {**schema, "x-order": place} for place, (name, schema) in enumerate(more.items(), 1)}
    return {"type": "object", "title": "Input", "required": ["prompt"], "properties": {"prompt": _PROMPT, **ordered}}


_LINKS = {"type": "array", "title": "Output", "items": {"type": "string", "format": "uri"}}
_SCHEMAS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "image": (
        _inputs(
            negative_prompt={"type": "string", "description": "What not to draw."},
            width={**_SIZE, "description": "Pixels."},
            height={**_SIZE, "description": "Pixels."},
        ),
        _LINKS,
    ),
    "video": (_inputs(duration={"type": "integer", "minimum": 1, "maximum": 60, "description": "Seconds."}), _LINKS),
    "music": (_inputs(lyrics={"type": "string", "description": "What is sung."}), _LINKS),
    "text": (_inputs(system_prompt={"type": "string"}), {"type": "string", "title": "Output"}),
    "embedding": (
        {
            "type": "object",
            "title": "Input",
            "required": ["input"],
            "properties": {"input": {"type": "string", "x-order": 0}, "dimensions": {"type": "integer", "x-order": 1}},
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
_LARGE = {
    "field": "width",
    "description": "The widest pictures",
    "operator": "==",
    "value": 2048,
    "billable_price": 0.12,
    "unit": "image",
}
# slug, name, kind, vendor, price, unit of the price, prices that depend on the input
_TABLE: tuple[tuple[str, str, str, tuple[str, str, str], float, str, list[dict[str, Any]]], ...] = (
    ("truefusion", "TrueFusion", "image", _SKYTELLS, 0.03, "image", []),
    ("truefusion-pro", "TrueFusion Pro", "image", _SKYTELLS, 0.05, "image", []),
    ("truefusion-ultra", "TrueFusion Ultra", "image", _SKYTELLS, 0.08, "image", [_LARGE]),
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
_KIND = {slug: kind for slug, _, kind, *_ in _TABLE}


def _model(
    slug: str, name: str, kind: str, vendor: tuple[str, str, str], amount: float, unit: str, rules: list[dict[str, Any]]
) -> dict[str, Any]:
    inputs, outputs = _SCHEMAS[kind]
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
        "input_schema": inputs,
        "output_schema": outputs,
    }


MODELS = {row[0]: _model(*row) for row in _TABLE}


def find(name: object) -> dict[str, Any]:
    """Give a model by its slug, before which its vendor or "skytells" may stand; an unknown one is refused."""
    vendor, _, slug = str(name).rpartition("/")
    model = MODELS.get(slug)
    if model is None or vendor not in ("", "skytells", model["vendor"]["slug"]):
        raise Refused(404, "MODEL_NOT_FOUND", f"Model {name!r} was not found.")
    return model


def kind_of(model: dict[str, Any]) -> str:
    """Give what a model makes: "image", "video", "music", "text", "code", "embedding"."""
    return _KIND[model["namespace"]]


def price(model: dict[str, Any], input: dict[str, Any], tokens: int) -> float:
    """Give what a job costs."""
    pricing = model["pricing"]
    for rule in pricing["criterias"]:
        if input.get(rule["field"]) == rule["value"]:
            return float(rule["billable_price"])
    return round(float(pricing["amount"]) * (tokens if pricing["unit"] == "token" else 1), 9)


_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


def check_input(model: dict[str, Any], input: dict[str, Any]) -> None:
    """Refuse an input that lacks a field or has one of a wrong type or out of its range; unknown ones are ignored."""
    schema = model["input_schema"]
    for name, wanted in schema["properties"].items():
        value = input.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            if name in schema["required"]:
                raise Refused(422, "VALIDATION_ERROR", f"The {name} field is required.")
            continue
        kind = wanted["type"]
        if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
            article = "an" if kind == "integer" else "a"
            raise Refused(422, "VALIDATION_ERROR", f"The {name} field must be {article} {kind}.")
        if "minimum" in wanted and not wanted["minimum"] <= value <= wanted["maximum"]:
            between = f"between {wanted['minimum']} and {wanted['maximum']}"
            raise Refused(422, "VALIDATION_ERROR", f"The {name} field must be {between}.")


def _shown(model: dict[str, Any], request: web.Request) -> dict[str, Any]:
    asked = request.query.get("fields", "").split(",")
    return {name: value for name, value in model.items() if not name.endswith("_schema") or name in asked}


async def list_models(request: web.Request) -> web.Response:
    """Answer GET /models."""
    return web.json_response([_shown(model, request) for model in MODELS.values()])


async def get_model(request: web.Request) -> web.Response:
    """Answer GET /model/{slug} and GET /models/{slug}."""
    return web.json_response(_shown(find(request.match_info["slug"]), request))
