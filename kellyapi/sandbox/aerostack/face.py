"""Aerostack as the sandbox plays it: its key, its flat errors, its groups of routes, one module each."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from attrs import frozen

from ..face import Face, Refused
from . import ai, auth, cache, db, gateway, queue, search, services, storage


def _refuse(refusal: Refused) -> web.Response:
    body: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.details:
        body["details"] = refusal.details
    return web.json_response(body, status=refusal.status)


def _bad_key(wrong: bool) -> Refused:
    return Refused(401, "AUTH_INVALID_KEY", "Invalid API key" if wrong else "The X-Aerostack-Key header is missing")


@frozen(kw_only=True)
class _Consumers(Face):
    """The gateway: any consumer's key is let in."""

    def _check_key(self, request: web.Request) -> None:
        if not gateway.consumer(request):
            raise Refused(401, "AUTH_INVALID_KEY", "The Authorization header with a consumer's key is missing")


_GATEWAY = _Consumers(
    key_header="Authorization",
    key_prefix="Bearer ",
    refuse=_refuse,
    bad_input=lambda error: Refused(400, "VALIDATION_ERROR", error.message),
    bad_key=_bad_key,
    routes=gateway.CONSUMER_ROUTES,
)

FACE = Face(
    key_header="X-Aerostack-Key",
    refuse=_refuse,
    bad_input=_GATEWAY.bad_input,
    bad_key=_bad_key,
    routes=tuple(
        (method, f"/v1{path}", handler)
        for group in (ai, auth, cache, db, queue, services, storage, search, gateway)
        for method, path, handler in group.ROUTES
    ),
    open_routes=(
        *storage.OPEN_ROUTES,
        *((method, path, _GATEWAY.guarded(handler)) for method, path, handler in _GATEWAY.routes),
    ),
)
