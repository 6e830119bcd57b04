"""Skytells in the sandbox: the table of its routes, and its two forms of error bodies."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web
from attrs import evolve

from ..frontend import ApiError, Frontend, Route
from . import models, predictions
from .inference import chat, embeddings, responses_api

_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def _error_response(error: ApiError) -> web.Response:
    details = {
        "http_status": error.status,
        "message": error.message,
        "details": error.details or None,
        "error_id": error.code,
    }
    body = {"status": False, "response": error.message, "error": details}
    return web.json_response(body, status=error.status)


def _inference_error_response(error: ApiError) -> web.Response:
    details: dict[str, Any] = {
        "message": error.message,
        "type": _ERROR_TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error"),
        "code": "invalid_api_key" if error.status == 401 else error.code.lower(),
        "error_id": error.code,
        "status": error.status,
        "param": error.details.get("param"),
        "request_id": f"req_{uuid.uuid4().hex}",
        "details": {"category": "request" if error.status < 500 else "server"},
    }
    return web.json_response({"error": details}, status=error.status)


def _key_error(wrong: bool) -> ApiError:
    return ApiError(401, "UNAUTHORIZED", "Invalid API key" if wrong else "The x-api-key header is missing")


FRONTEND = Frontend(
    provider="skytells",
    base_path="/v1",
    key_header="x-api-key",
    error_response=_error_response,
    input_error=lambda error: ApiError(400, "INVALID_REQUEST", error.message),
    key_error=_key_error,
)
_MODELS = evolve(FRONTEND, bearer=True)
INFERENCE = evolve(_MODELS, error_response=_inference_error_response)
_DELIVERY = evolve(FRONTEND, keys="none")

ROUTES = (
    Route("S1 S2 S10", FRONTEND, web.post("/v1/predict", predictions.create)),
    Route("S1", FRONTEND, web.post("/v1/predictions", predictions.create)),
    Route("S4", FRONTEND, web.get("/v1/predictions", predictions.list_predictions)),
    Route("S2 S3", FRONTEND, web.get("/v1/predictions/{id}", predictions.get)),
    Route("S5", FRONTEND, web.post("/v1/predictions/{id}/cancel", predictions.cancel)),
    Route("S6", FRONTEND, web.delete("/v1/predictions/{id}/delete", predictions.delete)),
    Route("S6", FRONTEND, web.delete("/v1/predictions/{id}", predictions.delete)),
    Route("S7", FRONTEND, web.get("/v1/predictions/{id}/stream", predictions.get)),
    Route("S8", _MODELS, web.get("/v1/models", models.list_models)),
    Route("S9", _MODELS, web.get("/v1/model/{slug}", models.get_model)),
    Route("S9", _MODELS, web.get("/v1/models/{slug}", models.get_model)),
    Route("S11 S12 S16", INFERENCE, web.post("/v1/chat/completions", chat.create)),
    Route("S13 S14", INFERENCE, web.post("/v1/responses", responses_api.create)),
    Route("S15", INFERENCE, web.post("/v1/embeddings", embeddings.create)),
    Route("S18", _DELIVERY, web.get("/delivery/{name}", predictions.serve_output)),
)
"""S17 is a request to the user's program, in `outgoing_webhooks`. S19, the orchestrator, is at another address."""
