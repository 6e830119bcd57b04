"""A client's connection to the sandbox."""

from __future__ import annotations

from aiohttp import web

from . import kelly
from .api_errors import http_error


class Connection(web.RequestHandler):
    """A connection that also refuses with JSON what aiohttp itself refuses.

    That is data that is not HTTP, and an unknown `Expect` header of a request for an unknown path. The provider is not
    known then, so the error has Kelly AI's form, as for any unknown path.
    """

    __slots__ = ()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response, or the error that aiohttp raised."""
        if isinstance(resp, web.HTTPException):
            resp = kelly.FRONTEND.error_response(http_error(resp.status))
        return await super().finish_response(request, resp, start_time)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Log the error as aiohttp does, and return the response."""
        super().handle_error(request, status, exc, message)
        response = kelly.FRONTEND.error_response(http_error(status, message))
        response.force_close()
        return response
