"""Skytells as the sandbox plays it: which address answers what, and its two shapes of errors."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from ..face import Face, Refused
from . import embeddings, inference, models, predictions

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def _refuse(refusal: Refused) -> web.Response:
    error = {
        "http_status": refusal.status,
        "message": refusal.message,
        "details": refusal.details or None,
        "error_id": refusal.code,
    }
    body = {"status": False, "response": refusal.message, "error": error}
    return web.json_response(body, status=refusal.status)


def _refuse_inference(refusal: Refused) -> web.Response:
    error: dict[str, Any] = {
        "message": refusal.message,
        "type": _TYPES.get(refusal.status, "invalid_request_error" if refusal.status < 500 else "server_error"),
        "code": "invalid_api_key" if refusal.status == 401 else refusal.code.lower(),
        "error_id": refusal.code,
        "status": refusal.status,
        "param": refusal.details.get("param"),
        "request_id": f"req_{uuid.uuid4().hex}",
        "details": {"category": "request" if refusal.status < 500 else "server"},
    }
    return web.json_response({"error": error}, status=refusal.status)


def _bad_key(wrong: bool) -> Refused:
    return Refused(401, "UNAUTHORIZED", "Invalid API key" if wrong else "The x-api-key header is missing")


FACE = Face(
    key_header="x-api-key",
    refuse=_refuse,
    bad_input=lambda error: Refused(400, "INVALID_REQUEST", error.message),
    bad_key=_bad_key,
    routes=(
        *(("POST", path, predictions.create) for path in ("/v1/predict", "/v1/predictions")),
        ("GET", "/v1/predictions", predictions.list_predictions),
        ("GET", "/v1/predictions/{id}", predictions.get),
        ("GET", "/v1/predictions/{id}/stream", predictions.get),
        ("POST", "/v1/predictions/{id}/cancel", predictions.cancel),
        ("DELETE", "/v1/predictions/{id}/delete", predictions.delete),
        ("DELETE", "/v1/predictions/{id}", predictions.delete),
        ("GET", "/v1/models", models.list_models),
        *(("GET", path, models.get_model) for path in ("/v1/model/{slug}", "/v1/models/{slug}")),
    ),
    open_routes=(("GET", "/delivery/{name}", predictions.deliver),),
)
INFERENCE = Face(
    key_header="x-api-key",
    bearer=True,
    refuse=_refuse_inference,
    bad_input=lambda error: Refused(400, "INVALID_REQUEST", error.message),
    bad_key=_bad_key,
    routes=(
        ("POST", "/v1/chat/completions", inference.chat),
        ("POST", "/v1/responses", inference.respond),
        ("POST", "/v1/embeddings", embeddings.create),
    ),
)
