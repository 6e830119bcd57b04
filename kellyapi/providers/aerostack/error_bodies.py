"""Aerostack's error bodies: the platform's, the gateway's and the command line's, read as one."""

from __future__ import annotations

from typing import Any

from ..._core.messages import Headers
from ..._core.provider import ErrorBody

STATUS_OF_CODE = {
    "AUTH_INVALID_KEY": 401,
    "AUTH_INVALID_CREDENTIALS": 401,
    "FORBIDDEN": 403,
    "DB_QUERY_FAILED": 400,
    "VALIDATION_ERROR": 400,
    "RATE_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
}
"""Source: https://github.com/aerostackdev/sdk-python (error_response.py)"""


def read_error(status: int, headers: Headers, body: Any) -> ErrorBody | None:
    """Read `{"code", "message", "details"}`, `{"error": "text", …}` and `{"error": {"code", "message"}}`.

    Source: https://github.com/aerostackdev/sdk-core (src/client.ts)
    """
    if status < 300 or not isinstance(body, dict):
        return None
    error = body.get("error")
    fields = error if isinstance(error, dict) else body
    message = fields.get("message") or (error if isinstance(error, str) else None)
    if message is None:
        return None
    code = fields.get("code")
    meant = STATUS_OF_CODE.get(str(code))
    if meant == 400 and status < 500:  # an email that is taken is a 409, and the first generation has no code for it
        meant = None
    return ErrorBody(message=message, code=code, status=meant, details=fields.get("details"))
