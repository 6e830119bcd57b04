"""Aerostack in the sandbox: the table of its routes, its key and its flat error bodies. Each resource has a module."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from attrs import evolve

from ..frontend import ApiError, Frontend, Route
from . import ai, api_gateway, auth, cache, db, functions, queue, search, storage


def _error_response(error: ApiError) -> web.Response:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    return web.json_response(body, status=error.status)


def _key_error(wrong: bool) -> ApiError:
    return ApiError(401, "AUTH_INVALID_KEY", "Invalid API key" if wrong else "The X-Aerostack-Key header is missing")


def _consumer_key_error(_: bool) -> ApiError:
    return ApiError(401, "AUTH_INVALID_KEY", "The Authorization header with a consumer's key is missing")


FRONTEND = Frontend(
    provider="aerostack",
    base_path="/v1",
    key_header="X-Aerostack-Key",
    error_response=_error_response,
    input_error=lambda error: ApiError(400, "VALIDATION_ERROR", error.message),
    key_error=_key_error,
)
_CONSUMER = evolve(FRONTEND, key_header="Authorization", keys="any", key_error=_consumer_key_error)
_FILES = evolve(FRONTEND, keys="none")

ROUTES = (
    Route("A1", FRONTEND, web.post("/v1/db/query", db.query)),
    Route("A2", FRONTEND, web.post("/v1/db/batch", db.batch)),
    Route("A3", FRONTEND, web.post("/v1/auth/signup", auth.sign_up)),
    Route("A4", FRONTEND, web.post("/v1/auth/signin", auth.sign_in)),
    Route("A5", FRONTEND, web.post("/v1/cache/get", cache.get_value)),
    Route("A5", FRONTEND, web.post("/v1/cache/set", cache.set_value)),
    Route("A6", FRONTEND, web.post("/v1/cache/delete", cache.delete_value)),
    Route("A6", FRONTEND, web.post("/v1/cache/getMany", cache.get_many)),
    Route("A6", FRONTEND, web.post("/v1/cache/setMany", cache.set_many)),
    Route("A6", FRONTEND, web.post("/v1/cache/deleteMany", cache.delete_many)),
    Route("A6", FRONTEND, web.post("/v1/cache/keys", cache.list_names)),
    Route("A6", FRONTEND, web.post("/v1/cache/list", cache.list_keys)),
    Route("A6", FRONTEND, web.post("/v1/cache/flush", cache.flush)),
    Route("A6", FRONTEND, web.post("/v1/cache/expire", cache.expire)),
    Route("A6", FRONTEND, web.post("/v1/cache/increment", cache.increment)),
    Route("A7", FRONTEND, web.post("/v1/queue/enqueue", queue.enqueue)),
    Route("A8", FRONTEND, web.post("/v1/queue/job", queue.get_job)),
    Route("A8", FRONTEND, web.post("/v1/queue/jobs", queue.list_jobs)),
    Route("A8", FRONTEND, web.post("/v1/queue/cancel", queue.cancel_job)),
    Route("A9", FRONTEND, web.post("/v1/storage/upload", storage.upload)),
    Route("A10", FRONTEND, web.post("/v1/storage/get", storage.get)),
    Route("A10", FRONTEND, web.post("/v1/storage/getUrl", storage.get_url)),
    Route("A10", FRONTEND, web.post("/v1/storage/list", storage.list_files)),
    Route("A10", FRONTEND, web.post("/v1/storage/delete", storage.delete)),
    Route("A10", FRONTEND, web.post("/v1/storage/exists", storage.exists)),
    Route("A10", FRONTEND, web.post("/v1/storage/getMetadata", storage.get_metadata)),
    Route("A10", FRONTEND, web.post("/v1/storage/copy", storage.copy)),
    Route("A10", FRONTEND, web.post("/v1/storage/move", storage.move)),
    Route("A10", _FILES, web.get("/storage/{name}/{readable:.*}", storage.serve)),
    Route("A11 A12", FRONTEND, web.post("/v1/ai/chat", ai.chat)),
    Route("A13", FRONTEND, web.post("/v1/ai/search/ingest", search.ingest)),
    Route("A13", FRONTEND, web.post("/v1/ai/search/query", search.query)),
    Route("A13", FRONTEND, web.post("/v1/ai/search/get", search.get)),
    Route("A13", FRONTEND, web.post("/v1/ai/search/update", search.update)),
    Route("A13", FRONTEND, web.post("/v1/ai/search/count", search.count)),
    Route("A13", FRONTEND, web.post("/v1/ai/search/delete", search.delete)),
    Route("A13", FRONTEND, web.post("/v1/ai/search/deleteByType", search.delete_type)),
    Route("A13", FRONTEND, web.post("/v1/ai/search/configure", search.configure)),
    Route("A13", FRONTEND, web.get("/v1/ai/search/listTypes", search.list_types)),
    Route("A14", FRONTEND, web.post("/v1/services/invoke", functions.invoke)),
    Route("A15", FRONTEND, web.post("/v1/gateway/billing/log", api_gateway.log_usage)),
    Route("A16", _CONSUMER, web.post("/v1/ai/gateway/{slug}/chat/completions", api_gateway.chat)),
    Route("A16", _CONSUMER, web.post("/api/gateway/{slug}/v1/chat/completions", api_gateway.chat)),
    Route("A17", _CONSUMER, web.get("/v1/ai/gateway/me/wallet", api_gateway.get_wallet)),
    Route("A17", _CONSUMER, web.get("/api/gateway/me/wallet", api_gateway.get_wallet)),
    Route("A17", _CONSUMER, web.get("/api/gateway/me/usage", api_gateway.get_usage)),
)
"""Hand-written clients send A16 and A17 to the paths under /api. A18, the realtime service, is not here."""
