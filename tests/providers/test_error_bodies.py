"""Every error body that the four providers are known to send, and the error that it becomes."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses as Responses

from kellyapi import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    PayloadTooLargeError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StatusError,
)
from kellyapi.providers.aerostack.error_bodies import STATUS_OF_CODE as AEROSTACK_CODES
from kellyapi.providers.skytells.error_bodies import STATUS_OF_CODE as SKYTELLS_CODES

from .failing_calls import fail


def row(
    status: int,
    body: Any,
    kind: type[StatusError],
    message: str,
    code: str | None = None,
    *,
    details: Any = None,
    request_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[Any, ...]:
    """One row of the table; the defaults are those of an error without details."""
    if code is None:
        code = "SERVER_ERROR" if status >= 500 and isinstance(body, str) else "HTTP_ERROR"
    return status, headers or {}, body, kind, code, message, details, request_id


FIELDS = [
    {"loc": ["body", "prompt"], "msg": "field required", "type": "value_error.missing"},
    {"loc": ["body", "width"], "msg": "not an integer", "type": "type_error.integer"},
]
FIELD_MESSAGE = "body.prompt: field required; body.width: not an integer"
KELLY = [
    row(400, {"detail": "Bad model"}, BadRequestError, "Bad model"),
    row(401, {"detail": "No key"}, AuthenticationError, "No key"),
    row(401, "<html>no key</html>", AuthenticationError, "<html>no key</html>"),
    row(402, {"detail": "No credits"}, PaymentRequiredError, "No credits"),
    row(403, {"detail": "Banned"}, PermissionDeniedError, "Banned"),
    row(404, {"detail": "Not Found"}, NotFoundError, "Not Found"),
    row(413, {"detail": "Too large"}, PayloadTooLargeError, "Too large"),
    row(422, {"detail": FIELDS}, BadRequestError, FIELD_MESSAGE, details=FIELDS),
    row(422, {"detail": ["odd", {"msg": "bad"}]}, BadRequestError, "odd; bad", details=["odd", {"msg": "bad"}]),
    row(429, {"detail": "Slow down"}, RateLimitError, "Slow down"),
    row(500, {"detail": "Oops"}, ServerError, "Oops"),
    row(500, {"detail": FIELDS}, ServerError, FIELD_MESSAGE, details=FIELDS),
    row(500, {"detail": {"why": 1}}, ServerError, "{'why': 1}", details={"why": 1}),
    row(500, {}, ServerError, "HTTP status 500"),
    row(502, "<title>502 Bad\n Gateway</title>", ServerError, "502 Bad Gateway"),
    row(200, {"detail": "Bad model"}, BadRequestError, "Bad model"),
    row(200, {"detail": FIELDS}, BadRequestError, FIELD_MESSAGE, details=FIELDS),
]
ACTIVITY = "7b5c0c3e-0000-4000-8000-000000000000"
PAIR = [
    {
        "code": "UNSUPPORTED_LANGUAGE_PAIR",
        "message": "Language combination en-zz cannot be used",
        "target": "language_pair",
    }
]
INVALID = {"code": "VALIDATION_FAILED", "message": "The request payload contains invalid parameters."}
REFUSED = f"{INVALID['message']} {PAIR[0]['message']}"
DENIED = "Access denied due to invalid subscription key."
BROKEN = "Internal server error"
KHAYA = [
    row(413, {"message": "Request too long"}, PayloadTooLargeError, "Request too long"),  # of another gateway
    row(400, {"errors": [{"detail": "No such pair"}]}, BadRequestError, "No such pair"),
    row(500, {"why": 7}, ServerError, '{"why":7}'),
    row(400, {"error": {**INVALID, "details": PAIR}}, BadRequestError, REFUSED, "VALIDATION_FAILED", details=PAIR),
    row(
        400,
        {"error": INVALID, "activityId": ACTIVITY},
        BadRequestError,
        INVALID["message"],
        "VALIDATION_FAILED",
        request_id=ACTIVITY,
    ),
    row(
        400,
        {"error": {**INVALID, "activityId": ACTIVITY}},
        BadRequestError,
        INVALID["message"],
        "VALIDATION_FAILED",
        request_id=ACTIVITY,
    ),
    row(200, {"error": {**INVALID, "details": PAIR}}, BadRequestError, REFUSED, "VALIDATION_FAILED", details=PAIR),
    row(400, {"error": {"code": "SYSTEM_ERROR", "message": "Oops"}}, ServerError, "Oops", "SYSTEM_ERROR"),
    row(409, {"error": {"code": "NEW", "message": "Twice"}}, ConflictError, "Twice", "NEW"),
    row(400, {"error": {}}, BadRequestError, "the request was refused"),
    row(400, {"error": {**INVALID, "details": 5}}, BadRequestError, INVALID["message"], "VALIDATION_FAILED", details=5),
    row(
        400,
        {"error": {**INVALID, "details": "all"}},
        BadRequestError,
        INVALID["message"],
        "VALIDATION_FAILED",
        details="all",
    ),
    row(401, {"statusCode": 401, "message": DENIED}, AuthenticationError, DENIED),
    row(
        401,
        {"statusCode": 401, "message": DENIED, "activityId": ACTIVITY},
        AuthenticationError,
        DENIED,
        request_id=ACTIVITY,
    ),
    row(200, {"statusCode": 401, "message": DENIED}, AuthenticationError, DENIED),
    row(
        429,
        {"statusCode": 429, "message": "Rate limit is exceeded."},
        RateLimitError,
        "Rate limit is exceeded.",
        headers={"Retry-After": "7"},
    ),
    row(500, {"statusCode": 500, "message": BROKEN, "activityId": ACTIVITY}, ServerError, BROKEN, request_id=ACTIVITY),
    row(403, "<html><title>Azure: <b>403</b></title></html>", PermissionDeniedError, "Azure: <b>403</b>"),
    row(
        502,
        "<html><TITLE lang=en>Bad Gateway</TITLE>",
        ServerError,
        "Bad Gateway",
        request_id="r1",
        headers={"X-Request-Id": "r1"},
    ),
    row(503, "upstream " * 100, ServerError, ("upstream " * 100)[:200]),
    row(404, "", NotFoundError, "HTTP status 404"),
    row(404, [1], NotFoundError, "HTTP status 404"),
    row(404, None, NotFoundError, "HTTP status 404"),
]


def unified(http_status: int, code: str | None, **more: Any) -> dict[str, Any]:
    """Make a body of the unified shape."""
    error = {"http_status": http_status, "message": "No", "details": None, "error_id": code}
    return {"status": False, "response": "shorter", "error": {**error, **more}}


INFERENCE = {
    "message": "No such parameter",
    "type": "invalid_request_error",
    "code": "invalid_parameter",
    "error_id": "INVALID_PARAMETER",
    "status": 400,
    "param": "model",
    "request_id": "req_1",
    "details": {"category": "request"},
}
NO_ID = {name: value for name, value in INFERENCE.items() if name != "error_id"}
CATEGORY = {"category": "request"}
SKYTELLS = [
    row(401, unified(401, "UNAUTHORIZED"), AuthenticationError, "No", "UNAUTHORIZED"),
    row(401, unified(401, "ACCOUNT_SUSPENDED"), PermissionDeniedError, "No", "ACCOUNT_SUSPENDED"),
    row(
        422,
        unified(422, "VALIDATION_ERROR", details="no model"),
        BadRequestError,
        "No",
        "VALIDATION_ERROR",
        details="no model",
    ),
    row(422, unified(422, "NEW", details={"x": 1}), BadRequestError, "No", "NEW", details={"x": 1}),
    row(500, unified(402, "NEW"), PaymentRequiredError, "No", "NEW"),
    row(500, unified(402, "NEW", status=409), ConflictError, "No", "NEW"),
    row(500, unified(402, None), PaymentRequiredError, "No", "API_ERROR"),
    row(200, unified(402, "INSUFFICIENT_CREDITS"), PaymentRequiredError, "No", "INSUFFICIENT_CREDITS"),
    row(451, unified(451, "CONTENT_POLICY_VIOLATION"), StatusError, "No", "CONTENT_POLICY_VIOLATION"),
    row(502, unified(502, "PREDICTION_FAILED"), ServerError, "No", "PREDICTION_FAILED"),
    row(
        400,
        {"error": INFERENCE},
        BadRequestError,
        "No such parameter",
        "INVALID_PARAMETER",
        details=CATEGORY,
        request_id="req_1",
    ),
    row(
        500,
        {"error": NO_ID},
        BadRequestError,
        "No such parameter",
        "invalid_parameter",
        details=CATEGORY,
        request_id="req_1",
    ),
    row(404, {"error": {"message": "No", "status": "weird"}}, NotFoundError, "No", "API_ERROR"),
    row(404, {"error": {"message": "No", "error_id": ["odd"]}}, NotFoundError, "No"),
    row(401, {"status": False, "response": "Unauthorized"}, AuthenticationError, "Unauthorized", "API_ERROR"),
    row(200, {"status": False, "response": "Unauthorized"}, StatusError, "Unauthorized", "API_ERROR"),
    row(
        429,
        {"error_id": "RATE_LIMIT_EXCEEDED", "message": "Slower"},
        RateLimitError,
        "Slower",
        "RATE_LIMIT_EXCEEDED",
        headers={"Retry-After": "3"},
    ),
    row(400, {"message": "No"}, BadRequestError, "No", "API_ERROR"),
    row(403, {"error": "No"}, PermissionDeniedError, "No", "API_ERROR"),
    row(404, {"error_id": "MODEL_NOT_FOUND"}, NotFoundError, "MODEL_NOT_FOUND", "MODEL_NOT_FOUND"),
    row(500, {}, ServerError, "HTTP status 500"),
    row(502, "<title>Bad Gateway</title>", ServerError, "Bad Gateway", request_id="r1", headers={"X-Request-Id": "r1"}),
]
AEROSTACK = [
    row(401, {"code": "AUTH_INVALID_KEY", "message": "No"}, AuthenticationError, "No", "AUTH_INVALID_KEY"),
    row(
        401,
        {"code": "AUTH_INVALID_CREDENTIALS", "message": "No"},
        AuthenticationError,
        "No",
        "AUTH_INVALID_CREDENTIALS",
    ),
    row(403, {"code": "FORBIDDEN", "message": "No"}, PermissionDeniedError, "No", "FORBIDDEN"),
    row(
        400,
        {"code": "VALIDATION_ERROR", "message": "No", "details": {"a": 1}},
        BadRequestError,
        "No",
        "VALIDATION_ERROR",
        details={"a": 1},
    ),
    row(
        429,
        {"code": "RATE_LIMIT_EXCEEDED", "message": "No"},
        RateLimitError,
        "No",
        "RATE_LIMIT_EXCEEDED",
        headers={"Retry-After": "2"},
    ),
    row(
        500,
        {"code": "INTERNAL_ERROR", "message": "No"},
        ServerError,
        "No",
        "INTERNAL_ERROR",
        request_id="r1",
        headers={"X-Request-Id": "r1"},
    ),
    row(409, {"code": "AUTH_USER_EXISTS", "message": "No"}, ConflictError, "No", "AUTH_USER_EXISTS"),
    row(404, {"error": "No such thing"}, NotFoundError, "No such thing"),
    row(
        400,
        {"error": "Bad", "message": "Worse", "code": "NEW", "details": {"fieldErrors": {"a": ["b"]}}, "field": "a"},
        BadRequestError,
        "Worse",
        "NEW",
        details={"fieldErrors": {"a": ["b"]}},
    ),
    row(418, {"error": {"code": "TEAPOT", "message": "Short and stout"}}, StatusError, "Short and stout", "TEAPOT"),
    row(403, {"error": {"code": ["odd"], "message": "No"}}, PermissionDeniedError, "No"),
    row(500, "raw text", ServerError, "raw text"),
    row(500, {}, ServerError, "HTTP status 500"),
    row(504, "<html><body>gateway timeout", ServerError, "<html><body>gateway timeout"),
]


@pytest.mark.parametrize(
    ("provider", "status", "headers", "body", "kind", "code", "message", "details", "request_id"),
    [
        (provider, *one)
        for provider, rows in {"kelly": KELLY, "khaya": KHAYA, "skytells": SKYTELLS, "aerostack": AEROSTACK}.items()
        for one in rows
    ],
)
async def test_an_error_body_becomes_one_error(
    wire: Responses,
    provider: str,
    status: int,
    headers: dict[str, str],
    body: Any,
    kind: type[StatusError],
    code: str,
    message: str,
    details: Any,
    request_id: str | None,
) -> None:
    error = await fail(wire, provider, status, headers, body)
    assert isinstance(error, StatusError)
    seen = (type(error), error.code, error.message.strip(), error.details, error.request_id, error.retry_after)
    wanted = float(headers["Retry-After"]) if "Retry-After" in headers else None
    assert seen == (kind, code, message.strip(), details, request_id, wanted)
    assert error.body == body
    assert status == 200 or error.status == status
    assert error.headers.items() >= headers.items()


@pytest.mark.parametrize(
    ("provider", "code", "status"),
    [("skytells", *row) for row in SKYTELLS_CODES.items()] + [("aerostack", *row) for row in AEROSTACK_CODES.items()],
)
async def test_a_known_code_decides_the_class_whatever_the_status(
    wire: Responses, provider: str, code: str, status: int
) -> None:
    body = {"error_id": code, "code": code, "message": "No"}
    by_code = await fail(wire, provider, 400 if status >= 500 else 500, {}, body)
    by_status = await fail(wire, provider, status, {}, {"message": "No"})
    assert (type(by_code), by_code.code) == (type(by_status), code)
