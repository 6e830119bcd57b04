"""The error bodies of Aerostack. The platform, the gateway and the vendor's command line have a form each."""

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
    """Read an error body in each of its forms.

    They are `{"code", "message", "details"}`, `{"error": "text", …}` and `{"error": {"code", "message"}}`.

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
    # The older API has no code of its own for an email address that is in use: its 409 comes with VALIDATION_ERROR.
    if meant == 400 and status < 500:
        meant = None
    return ErrorBody(message=message, code=code, status=meant, details=fields.get("details"))
