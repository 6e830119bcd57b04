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

from .decoding import decode
from .errors import DecodingError, KellyAPIError, status_error
from .json_text import loads
from .retry import read_retry_after
from .wire import REDIRECTS, ErrorBody, Headers, Into, Raw, Response, Secret, System, excerpt, origin, printable

T = TypeVar("T")

_SHORTEST_KEY = 8
"""What is shorter is no secret but a word, such as `sandbox`."""


def read_answer(system: System, response: Response, into: Into[T] | Raw[T]) -> T:
    """Give what an answer says, or raise the error that it is; `NoneType` reads nothing from it."""
    if not 200 <= response.status < 300:
        raise _status_error(system, response)
    if response.status == 206:
        raise DecodingError("a part of the answer, which nobody asked for")
    if into is NoneType:
        return None  # type: ignore[return-value]  # T is None here
    if isinstance(into, Raw) and response.content_type != "application/json":
        return into.read(response)
    parse = _parse_leniently if isinstance(into, Raw) else _parse  # a file is no less one for being broken JSON
    value = parse(response)
    if error := system.read_error(response.status, response.headers, value):
        raise _error(response, value, error)
    if isinstance(into, Raw):
        return into.read(response)
    return _decode(response, value, into)


def event_error(system: System, headers: Headers, value: Any) -> KellyAPIError:
    """Give the error that an event of a stream reports, by its code; without one it is the server's."""
    body = value if "error" in value or "status" in value else {"error": value}
    error = system.read_error(500, headers, body) or ErrorBody(message=excerpt(str(value)))
    answer = Response(status=200, headers=headers, body=b"")
    return _error(answer, value, evolve(error, status=error.status or 500))


def conceal(error: KellyAPIError, sent: Headers) -> None:
    """Take the key that was sent out of all that an error shows: a server may repeat it."""
    for key in _keys(sent):
        shown = {name: _without(each, key) for name, each in vars(error).items()}
        if shown != vars(error):
            vars(error).update(shown)
            error.args = (error.message,)
            error.__traceback__ = None  # its frames hold the answer


def without_key(text: str, sent: Headers) -> str:
    """Take the key that was sent out of a text of the server's."""
    for key in _keys(sent):
        text = _hide(text, key)
    return text


def _hide(text: str, key: str) -> str:
    """Take a key out of a text, and the beginning of one that was cut off at the text's end."""
    text = text.replace(key, "***")
    lengths = range(len(key) - 1, _SHORTEST_KEY - 1, -1)
    cut = next((length for length in lengths if text.endswith(key[:length])), 0)
    return f"{text[:-cut]}***" if cut else text


def _keys(sent: Headers) -> list[str]:
    keys = [value.rpartition(" ")[2] for value in sent.values() if isinstance(value, Secret)]
    return [key for key in keys if len(key) >= _SHORTEST_KEY]


def _without(value: Any, key: str) -> Any:
    if isinstance(value, str):
        return _hide(value, key)
    if isinstance(value, CIMultiDict):
        return CIMultiDict((name, _hide(text, key)) for name, text in value.items())
    if isinstance(value, dict):
        return {_without(name, key): _without(each, key) for name, each in value.items()}
    return [_without(each, key) for each in value] if isinstance(value, list) else value


def _status_error(system: System, response: Response) -> KellyAPIError:
    body = _parse_leniently(response)
    error = system.read_error(response.status, response.headers, body)
    return _error(response, body, error or _describe(response, body))


def _error(response: Response, body: Any, error: ErrorBody) -> KellyAPIError:
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


def _parse(response: Response) -> Any:
    try:
        return loads(response.body)
    except ValueError:
        kind = response.content_type or "no content type"
        raise DecodingError(f"status {response.status} with {kind} instead of JSON: {response.beginning}") from None


def _decode(response: Response, value: Any, into: Into[T]) -> T:
    try:
        return decode(value, into)
    except DecodingError as error:
        raise DecodingError(f"{error.message}; the answer reads {response.beginning}") from None


def _parse_leniently(response: Response) -> Any:
    try:
        return loads(response.body)
    except ValueError:
        return response.body[:100_000].decode(errors="replace")


def _describe(response: Response, body: Any) -> ErrorBody:
    """Describe an error body that is none of the system's own: a redirect, a gateway's HTML page, plain text."""
    location = response.headers.get("Location", "")
    if response.status in REDIRECTS:
        where = repr(origin(location).removeprefix(":") or excerpt(location)) if location else "nowhere"
        return ErrorBody(message=f"redirected to {where}, which is not followed")
    text = body if isinstance(body, str) else ""
    # A title without its end goes to the end of the text: looked for from each "<title>" of 100 kB, it takes 8 s.
    title = re.search(r"<title[^<>]*>(.*?)(?:</title|\Z)", text, re.IGNORECASE | re.DOTALL)
    return ErrorBody(message=excerpt(title[1] if title else text) or f"HTTP status {response.status}")
