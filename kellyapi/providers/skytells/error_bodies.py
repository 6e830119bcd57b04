"""The error bodies of Skytells, in their four forms."""

from __future__ import annotations

from typing import Any

from ..._core.messages import Headers
from ..._core.provider import ErrorBody
from ...errors import StatusError

STATUS_OF_CODE = {
    "UNAUTHORIZED": 401,
    "ACCOUNT_SUSPENDED": 403,
    "FORBIDDEN": 403,
    "SECURITY_VIOLATION": 403,
    "INSUFFICIENT_CREDITS": 402,
    "PAYMENT_REQUIRED": 402,
    "INVALID_PARAMETER": 400,
    "INVALID_PARAMETER_COMBINATION": 400,
    "INVALID_DATE_FORMAT": 400,
    "INVALID_DATE_RANGE": 400,
    "INVALID_INPUT": 400,
    "INVALID_REQUEST": 400,
    "VALIDATION_ERROR": 422,
    "MODEL_NOT_SUPPORTED": 422,
    "MODEL_NOT_FOUND": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "RATE_LIMIT_EXCEEDED": 429,
    "RATE_LIMITED": 429,
    "INFERENCE_RATE_LIMITED": 429,
    "CONTENT_POLICY_VIOLATION": 451,
    "INTERNAL_ERROR": 500,
    "INFERENCE_ERROR": 500,
    "PREDICTION_FAILED": 502,
    "INFRASTRUCTURE_ERROR": 503,
    "SERVICE_UNAVAILABLE": 503,
    "INFERENCE_TIMEOUT": 504,
}
"""Source: https://learn.skytells.ai/docs/api/v1/errors"""


def read_error(status: int, headers: Headers, body: Any) -> ErrorBody | None:
    """Read an error body in its unified, inference, short or flat form.

    A response of status 200 with `"status": false` and an id is a queued prediction, not an error.

    Source: https://github.com/Skytells/ts-sdk (src/http.ts)
    """
    if not isinstance(body, dict) or (
        status < 300 and (body.get("status") is not False or isinstance(body.get("id"), str))
    ):
        return None
    error: dict[str, Any] = body["error"] if isinstance(body.get("error"), dict) else {}
    code = error.get("error_id") or error.get("code") or body.get("error_id")
    message = error.get("message") or body.get("response") or body.get("message") or body.get("error") or code
    if message is None:
        return None
    return ErrorBody(
        message=message,
        code=code or "API_ERROR",
        status=STATUS_OF_CODE.get(str(code)) or error.get("status") or error.get("http_status"),
        details=error.get("details"),
        request_id=error.get("request_id"),
        final=code == "PREDICTION_FAILED",  # a 502 about a prediction that failed, or that the server does not know
    )


def is_missing_route(error: StatusError) -> bool:
    """Return whether the path of the request is unknown to the server, rather than the prediction or model in it.

    Some paths differ between the two versions of the API.
    """
    return error.status in (404, 405) and error.code in (None, "ENDPOINT_NOT_FOUND", "HTTP_ERROR", "API_ERROR")
