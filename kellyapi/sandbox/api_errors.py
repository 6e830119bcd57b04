"""The errors of the sandbox's providers for what a handler or aiohttp raised."""

from __future__ import annotations

import sqlite3
from http import HTTPStatus

from aiohttp import web

from .engines.errors import BadInput, EngineMissing
from .frontend import ApiError, Frontend
from .request_log import LOGGER

_ERROR_CODES = {
    400: "VALIDATION_ERROR",
    402: "INSUFFICIENT_CREDITS",
    403: "FORBIDDEN",
    404: "ENDPOINT_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "PAYLOAD_TOO_LARGE",
    422: "VALIDATION_ERROR",
    429: "RATE_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


def to_api_error(error: Exception, frontend: Frontend) -> ApiError:
    """Return the provider's error for what a handler or aiohttp raised."""
    match error:
        case ApiError():
            return error
        case BadInput():
            return frontend.input_error(error)
        case web.HTTPException():
            return http_error(error.status, error.reason)
        case web.RequestPayloadError():  # for example, a body that is called gzip and is not
            return http_error(400, f"The body cannot be read: {error}")
        case EngineMissing():
            return http_error(503, str(error))
        case RuntimeError():  # EngineSupervisor.run raises it when an engine fails
            return http_error(500, f"the sandbox's engine failed: {error}")
        case OSError() | sqlite3.Error():  # for example, a full disk
            return http_error(500, f"The sandbox cannot store this: {error}")
    LOGGER.error("a request failed", exc_info=error)
    return http_error(500, f"The sandbox failed: {type(error).__name__}")


def http_error(status: int, message: str | None = None) -> ApiError:
    """Return the error for a status of HTTP; its phrase is the message by default. The message becomes one line."""
    phrases = {each.value: each.phrase for each in HTTPStatus}
    message = " ".join((message or phrases.get(status, f"Status {status}")).split())
    return ApiError(status, _ERROR_CODES.get(status, "HTTP_ERROR"), message)
