"""What an answer means: a status becomes an error, a body the type that was asked for.

It reads what has arrived. Whether an error is worth another attempt is `retry`'s question.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from types import NoneType
from typing import Any, TypeVar

from attrs import evolve
from multidict import CIMultiDict

from .._data.decoding import Into, decode
from .._data.json_text import loads
from .._data.text import excerpt, printable
from ..errors import DecodingError, KellyAPIError, status_error
from .messages import FromResponse, Headers, Response
from .provider import ErrorBody, Provider
from .redirects import REDIRECT_STATUSES
from .retry import read_retry_after
from .urls import origin

T = TypeVar("T")


def read_response(provider: Provider, response: Response, into: Into[T] | FromResponse[T]) -> T:
    """Give what an answer says, or raise the error that it is; `NoneType` reads nothing from it."""
    if not 200 <= response.status < 300:
        raise _status_error(provider, response)
    if response.status == 206:
        raise DecodingError("a part of the answer, which nobody asked for")
    if into is NoneType:
        return None  # type: ignore[return-value]  # T is None here
    if isinstance(into, FromResponse) and response.content_type != "application/json":
        return into.read(response)
    parse = (
        _parse_leniently if isinstance(into, FromResponse) else _parse_body
    )  # a file is no less one for being broken JSON
    value = parse(response)
    if error := provider.read_error(response.status, response.headers, value):
        raise _make_error(response, value, error)
    if isinstance(into, FromResponse):
        return into.read(response)
    return _decode_body(response, value, into)


def error_from_event(provider: Provider, headers: Headers, value: Any) -> KellyAPIError:
    """Give the error that an event of a stream reports, by its code; without one it is the server's."""
    body = value if "error" in value or "status" in value else {"error": value}
    error = provider.read_error(500, headers, body) or ErrorBody(message=excerpt(str(value)))
    answer = Response(status=200, headers=headers, body=b"")
    return _make_error(answer, value, evolve(error, status=error.status or 500))


def _status_error(provider: Provider, response: Response) -> KellyAPIError:
    body = _parse_leniently(response)
    error = provider.read_error(response.status, response.headers, body)
    return _make_error(response, body, error or _describe_error(response, body))


def _make_error(response: Response, body: Any, error: ErrorBody) -> KellyAPIError:
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


def _parse_body(response: Response) -> Any:
    try:
        return loads(response.body)
    except ValueError:
        kind = response.content_type or "no content type"
        raise DecodingError(f"status {response.status} with {kind} instead of JSON: {response.beginning}") from None


def _decode_body(response: Response, value: Any, into: Into[T]) -> T:
    try:
        return decode(value, into)
    except DecodingError as error:
        raise DecodingError(f"{error.message}; the answer reads {response.beginning}") from None


def _parse_leniently(response: Response) -> Any:
    try:
        return loads(response.body)
    except ValueError:
        return response.body[:100_000].decode(errors="replace")


def _describe_error(response: Response, body: Any) -> ErrorBody:
    """Describe an error body that is none of the provider's own: a redirect, a gateway's HTML page, plain text."""
    location = response.headers.get("Location", "")
    if response.status in REDIRECT_STATUSES:
        where = repr(origin(location).removeprefix(":") or excerpt(location)) if location else "nowhere"
        return ErrorBody(message=f"redirected to {where}, which is not followed")
    text = body if isinstance(body, str) else ""
    # A title without its end goes to the end of the text: looked for from each "<title>" of 100 kB, it takes 8 s.
    title = re.search(r"<title[^<>]*>(.*?)(?:</title|\Z)", text, re.IGNORECASE | re.DOTALL)
    return ErrorBody(message=excerpt(title[1] if title else text) or f"HTTP status {response.status}")
