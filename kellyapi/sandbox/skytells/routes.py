"""Skytells in the sandbox: the table of its routes, and its two forms of error bodies."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web
from attrs import evolve

from ..frontend import ApiError, Frontend
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
    routes=(
        *(("POST", path, predictions.create) for path in ("/v1/predict", "/v1/predictions")),
        ("GET", "/v1/predictions", predictions.list_predictions),
        ("GET", "/v1/predictions/{id}", predictions.get),
        ("GET", "/v1/predictions/{id}/stream", predictions.get),
        ("POST", "/v1/predictions/{id}/cancel", predictions.cancel),
        ("DELETE", "/v1/predictions/{id}/delete", predictions.delete),
        ("DELETE", "/v1/predictions/{id}", predictions.delete),
    ),
    open_routes=tuple((method, "/delivery/{name}", predictions.serve_output) for method in ("GET", "HEAD")),
)
MODELS_FRONTEND = evolve(
    FRONTEND,
    bearer=True,
    routes=(
        ("GET", "/v1/models", models.list_models),
        *(("GET", path, models.get_model) for path in ("/v1/model/{slug}", "/v1/models/{slug}")),
    ),
    open_routes=(),
)
INFERENCE_FRONTEND = Frontend(
    provider="skytells",
    base_path="/v1",
    key_header="x-api-key",
    bearer=True,
    error_response=_inference_error_response,
    input_error=lambda error: ApiError(400, "INVALID_REQUEST", error.message),
    key_error=_key_error,
    routes=(
        ("POST", "/v1/chat/completions", chat.create),
        ("POST", "/v1/responses", responses_api.create),
        ("POST", "/v1/embeddings", embeddings.create),
    ),
)
