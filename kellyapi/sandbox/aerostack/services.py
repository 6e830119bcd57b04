"""Services. One is deployed: `echo`, which gives back what it gets."""

from __future__ import annotations

from aiohttp import web

from ..face import Refused, read_object
from .fields import encoded, text


async def _invoke(request: web.Request) -> web.Response:
    body = await read_object(request)
    encoded(body, "data")
    name = text(body, "serviceName")
    if name != "echo":
        raise Refused(404, "SERVICE_NOT_FOUND", f"There is no service {name!r}; the sandbox knows 'echo'")
    return web.json_response({"success": True, "result": body["data"]})


ROUTES = (("POST", "/services/invoke", _invoke),)
