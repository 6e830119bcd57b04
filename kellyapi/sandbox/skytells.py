"""Skytells as the sandbox plays it: predictions that are created, looked at and done, and their outputs."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from .engines.failures import BadInput, EngineMissing
from .face import SHARED, Face, Refused, Shared, read_object

IMAGE_MODELS = ("truefusion", "truefusion-pro", "truefusion-ultra", "flux-pro")


def _refuse(refusal: Refused) -> web.Response:
    error = {
        "http_status": refusal.status,
        "message": refusal.message,
        "details": refusal.details or None,
        "error_id": refusal.code,
    }
    body = {"status": False, "response": refusal.message, "error": error}
    return web.json_response(body, status=refusal.status)


def _bad_key(wrong: bool) -> Refused:
    return Refused(401, "UNAUTHORIZED", "Invalid API key" if wrong else "The x-api-key header is missing")


async def _create(request: web.Request) -> web.Response:
    body = await read_object(request)
    model, input = body.get("model"), body.get("input")
    if not isinstance(model, str) or not isinstance(input, dict):
        missing = "model" if not isinstance(model, str) else "input"
        raise Refused(422, "VALIDATION_ERROR", f"The {missing} field is required.")
    slug = model.rpartition("/")[2]
    if slug not in IMAGE_MODELS:
        raise Refused(404, "MODEL_NOT_FOUND", f"Model {model!r} was not found.")
    if not isinstance(input.get("prompt"), str) or not input["prompt"].strip():
        raise Refused(422, "VALIDATION_ERROR", "The prompt field is required.")
    prediction = _new(request, slug, input, body)
    shared = request.app[SHARED]
    shared.store.predictions[prediction["id"]] = prediction
    task = asyncio.create_task(_work(shared, prediction, f"{request.url.origin()}/delivery"))
    shared.store.work.add(task)
    task.add_done_callback(shared.store.work.discard)
    if body.get("await"):
        await asyncio.shield(task)
    return web.json_response(prediction)


def _new(request: web.Request, model: str, input: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    id = str(uuid.uuid4())
    here = f"{request.url.origin()}/v1/predictions/{id}"
    webhook: dict[str, Any] = body["webhook"] if isinstance(body.get("webhook"), dict) else {}
    return {
        "id": id,
        "status": "pending",
        "type": "inference",
        "stream": bool(body.get("stream")),
        "input": input,
        "output": None,
        "response": None,
        "error": None,
        "created_at": _now(),
        "started_at": None,
        "completed_at": None,
        "updated_at": _now(),
        "privacy": "private",
        "source": "api",
        "model": {"name": model, "type": "image"},
        "webhook": {"url": webhook.get("url"), "events": webhook.get("events") or []},
        "metrics": {"progress": 0},
        "metadata": {"billing": {"credits_used": 0}, "storage": {"files": []}, "data_available": False},
        "urls": {"get": here, "cancel": f"{here}/cancel", "stream": f"{here}/stream", "delete": f"{here}/delete"},
    }


async def _work(shared: Shared, prediction: dict[str, Any], delivery: str) -> None:
    started = time.monotonic()
    prediction.update(status="processing", started_at=_now(), updated_at=_now())
    prompt, size = str(prediction["input"]["prompt"]), {}
    for name in ("width", "height"):
        if isinstance(prediction["input"].get(name), int):
            size[name] = prediction["input"][name]
    try:
        picture = await shared.engines.run("images.draw", prompt=prompt, **size)
    except (BadInput, EngineMissing, RuntimeError) as error:
        # The SDKs read the reason in `response`, the vendor's command in `error`.
        ended = {"completed_at": _now(), "updated_at": _now()}
        prediction.update(status="failed", response=str(error), error=str(error), **ended)
        return
    name = f"{prediction['id']}-output.png"
    shared.store.outputs[name] = picture
    url = f"{delivery}/{name}"
    prediction["metrics"] = {"image_count": 1, "predict_time": round(time.monotonic() - started, 3), "progress": 100}
    prediction["metadata"] = {
        "billing": {"credits_used": 0.03},
        "storage": {"files": [{"name": name, "type": "image/png", "size": len(picture), "url": url}]},
        "data_available": True,
    }
    prediction.update(status="succeeded", output=[url], completed_at=_now(), updated_at=_now())


async def _get(request: web.Request) -> web.Response:
    id = request.match_info["id"]
    prediction = request.app[SHARED].store.predictions.get(id)
    if prediction is None:  # the system's own words for an id that it does not know; it is never a 404
        raise Refused(502, "PREDICTION_FAILED", f"Prediction {id} could not be found.")
    return web.json_response(prediction)


async def _deliver(request: web.Request) -> web.Response:
    data = request.app[SHARED].store.outputs.get(request.match_info["name"])
    if data is None:
        raise web.HTTPNotFound
    return web.Response(body=data, content_type="image/png")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


FACE = Face(
    key_header="x-api-key",
    refuse=_refuse,
    bad_input=lambda error: Refused(400, "INVALID_REQUEST", error.message),
    bad_key=_bad_key,
    routes=(
        ("POST", "/v1/predict", _create),
        ("POST", "/v1/predictions", _create),
        ("GET", "/v1/predictions/{id}", _get),
    ),
    open_routes=(("GET", "/delivery/{name}", _deliver),),
)
