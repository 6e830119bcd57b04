"""Aerostack's deployed functions, called services in its API. There is one: `echo`, which returns its input."""

from __future__ import annotations

from aiohttp import web

from ..frontend import ApiError, read_json_object
from .body_fields import required_json, required_text


async def invoke(request: web.Request) -> web.Response:
    """Call a function and return its result."""
    body = await read_json_object(request)
    required_json(body, "data")
    name = required_text(body, "serviceName")
    if name != "echo":
        raise ApiError(404, "SERVICE_NOT_FOUND", f"There is no service {name!r}; the sandbox knows 'echo'")
    return web.json_response({"success": True, "result": body["data"]})
