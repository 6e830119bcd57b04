"""From a whole response to a result or an error: what a status and a body mean.

It reads what has arrived. Whether an error is worth another attempt is decided in `retry`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from types import NoneType
from typing import Any, TypeVar

from attrs import evolve
from multidict import CIMultiDict

from .._data.decoding import Into, Shape, decode
from .._data.json_text import dumps, loads_response
from .._data.result import LONG_TEXT, make_origin, shortened, stamp
from .._data.text import excerpt, printable
from ..errors import DecodingError, KellyAPIError, status_error
from .messages import FromResponse, Headers, Received, Response, beginning_of, media_type
from .provider import ErrorBody, Provider
from .redirects import REDIRECT_STATUSES
from .retry import read_retry_after
from .secrets import redact_text
from .urls import origin

T = TypeVar("T")


def read_response(
    provider: Provider,
    response: Received,
    into: Into[T] | FromResponse[T],
    sent: Headers,
    warn: Callable[[str], None],
) -> T:
    """Make the result of a response, or raise its error; `NoneType` reads nothing from it.

    Args:
        provider: Reads error bodies.
        response: The whole response.
        into: What its body becomes.
        sent: The headers of the request; their key is removed from ids and warnings.
        warn: Is called with each optional field that was left out.
    """
    status, headers, body = response.status, response.headers, response.body
    if not 200 <= status < 300:
        raise _status_error(provider, response)
    if into is NoneType or (into is object and not body):
        return None  # type: ignore[return-value]  # T is None or object here
    is_json = not isinstance(into, FromResponse)
    id, value = read_request_id(headers, sent), None
    try:
        if status == 206 and not any(name.lower() == "range" for name in sent):
            raise DecodingError("the server sent a part of the response, which was not requested")
        if is_json or media_type(headers) == "application/json":
            value = _parse_body(response, strict=is_json)
            if error := provider.read_error(status, headers, value):
                raise _make_error(response, value, error)
        if isinstance(into, FromResponse):
            whole = response if isinstance(response, Response) else Response(status=status, headers=headers, body=body)
            return stamp(into.read(whole), make_origin(None, id))
        result = decode(value, into, lambda problem: warn(redact_text(problem, sent)))
        if isinstance(into, Shape) and into.add_headers:
            result = into.add_headers(result, headers)
    except DecodingError as wrong:
        wrong.status, wrong.request_id = status, id
        if wrong.body is None and is_json:
            wrong.message = f"{wrong.message}; the response reads {beginning_of(body)}"
            wrong.args, wrong.body = (wrong.message,), shortened(value)
        raise
    size = len(body)
    return stamp(result, make_origin(shortened(value) if size > LONG_TEXT else value, id), size)


def read_request_id(headers: Headers, sent: Headers) -> str | None:
    """Return the server's id of a request, without the key that was sent; `None` if there is none."""
    id = headers.get("X-Request-Id")
    return redact_text(printable(id), sent) or None if id else None


def error_from_event(provider: Provider, headers: Headers, value: Any) -> KellyAPIError:
    """Make the error that an event of a stream reports, by its code; without a code it is the server's."""
    body = value if "error" in value or "status" in value else {"error": value}
    error = provider.read_error(500, headers, body) or ErrorBody(message=excerpt(str(value)))
    response = Response(status=200, headers=headers, body=b"")
    return _make_error(response, value, evolve(error, status=error.status or 500))


def _status_error(provider: Provider, response: Received) -> KellyAPIError:
    body = _parse_body(response, strict=False)
    error = provider.read_error(response.status, response.headers, body)
    return _make_error(response, body, error or _describe_error(response, body))


def _make_error(response: Received, body: Any, error: ErrorBody) -> KellyAPIError:
    meant, headers = error.status or response.status, response.headers
    return status_error(meant)(
        error.message,
        status=meant if 200 <= response.status < 300 else response.status,
        code=error.code,
        details=error.details,
        request_id=error.request_id or printable(headers.get("X-Request-Id", "")) or None,
        body=body,
        headers=CIMultiDict(headers),
        final=error.final,
        retry_after=read_retry_after(headers, datetime.now(UTC)),
    )


def _parse_body(response: Received, *, strict: bool) -> Any:
    """Parse JSON; if it is not JSON, raise `DecodingError`, or return the beginning of the text."""
    try:
        return loads_response(response.body, response.headers.get("Content-Type", ""))
    except ValueError:  # it holds the whole response, so the error below, outside the block, does not refer to it
        pass
    text = response.body[:100_000].decode(errors="replace")
    if not strict:
        return text
    kind, beginning = media_type(response.headers) or "no content type", beginning_of(response.body)
    error = DecodingError(f"status {response.status} with {kind} instead of JSON: {beginning}")
    error.body = text
    raise error


def _describe_error(response: Received, body: Any) -> ErrorBody:
    """Describe an error body that does not have the provider's form: a redirect, an HTML page, plain text."""
    location = response.headers.get("Location", "")
    if response.status in REDIRECT_STATUSES:
        where = repr(origin(location).removeprefix(":") or excerpt(location)) if location else "nowhere"
        return ErrorBody(message=f"redirected to {where}, which is not followed")
    text = body if isinstance(body, str) else _find_message(body)
    code = "SERVER_ERROR" if response.status >= 500 and isinstance(body, str) else None
    # A title without its end goes to the end of the text: searched from each "<title>" of 100 kB, it takes 8 s.
    title = re.search(r"<title[^<>]*>(.*?)(?:</title|\Z)", text, re.IGNORECASE | re.DOTALL)
    message = excerpt(title[1] if title else text) or f"HTTP status {response.status}"
    return ErrorBody(message=message, code=code)


_MESSAGE_FIELDS = ("message", "error", "errors", "detail", "title", "error_description", "reason", "msg")
_MAX_DEPTH = 5


def _find_message(body: Any) -> str:
    """Return what the JSON of a gateway or of another version says of an error; all of it if no field is a message."""
    found = body
    for _ in range(_MAX_DEPTH):
        if isinstance(found, dict):
            found = next((found[name] for name in _MESSAGE_FIELDS if found.get(name)), None)
        elif isinstance(found, list):
            found = next(iter(found), None)
    if isinstance(found, str):
        return found
    return dumps(body).decode() if body and isinstance(body, dict) else ""
