"""Aerostack in the sandbox: its key and its flat error bodies, and the routes of its resources, a module for each."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from attrs import frozen

from ..frontend import ApiError, Frontend
from . import ai, api_gateway, auth, cache, db, functions, queue, search, storage


def _error_response(error: ApiError) -> web.Response:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    return web.json_response(body, status=error.status)


def _key_error(wrong: bool) -> ApiError:
    return ApiError(401, "AUTH_INVALID_KEY", "Invalid API key" if wrong else "The X-Aerostack-Key header is missing")


@frozen(kw_only=True)
class _ConsumerFrontend(Frontend):
    """The gateway, which accepts the key of any consumer."""

    def _check_key(self, request: web.Request) -> None:
        if not api_gateway.consumer_key(request):
            raise ApiError(401, "AUTH_INVALID_KEY", "The Authorization header with a consumer's key is missing")


_GATEWAY_FRONTEND = _ConsumerFrontend(
    provider="aerostack",
    base_path="/v1",
    key_header="Authorization",
    key_prefix="Bearer ",
    error_response=_error_response,
    input_error=lambda error: ApiError(400, "VALIDATION_ERROR", error.message),
    key_error=_key_error,
    routes=api_gateway.CONSUMER_ROUTES,
)

FRONTEND = Frontend(
    provider="aerostack",
    base_path="/v1",
    key_header="X-Aerostack-Key",
    error_response=_error_response,
    input_error=_GATEWAY_FRONTEND.input_error,
    key_error=_key_error,
    routes=tuple(
        (method, f"/v1{path}", handler)
        for resource in (ai, auth, cache, db, queue, functions, storage, search, api_gateway)
        for method, path, handler in resource.ROUTES
    ),
    open_routes=(
        *storage.OPEN_ROUTES,
        *(
            (method, path, _GATEWAY_FRONTEND.with_key_check(handler))
            for method, path, handler in _GATEWAY_FRONTEND.routes
        ),
    ),
)
