"""`Provider`: the facts in which the HTTP of one provider differs from that of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import field, frozen

from .._data.text import printable
from .messages import Headers


def _word(value: Any) -> str | None:
    return printable(str(value)) if value and isinstance(value, (str, int)) else None


def _one_line(value: Any) -> str:
    return printable(" ".join(str(value).split()))


def _http_status(value: Any) -> int | None:
    return value if isinstance(value, int) and 100 <= value <= 599 else None


@frozen
class Problem:
    """Why a client cannot work as it is set up."""

    message: str
    remedy: str | None = None
    """What to change in the code."""


@frozen(kw_only=True)
class ErrorBody:
    """An error body in one shape for all providers. A field of a wrong type is left out."""

    message: str = field(converter=_one_line)
    code: str | None = field(default=None, converter=_word)
    status: int | None = field(default=None, converter=_http_status)
    """The status that the code or the body stands for; `None` leaves it to the HTTP status."""
    details: Any = None
    request_id: str | None = field(default=None, converter=_word)
    final: bool = False
    """Another attempt would fail in the same way, whatever the status says."""


ReadError = Callable[[int, Headers, Any], ErrorBody | None]
"""Reads an error out of (status, headers, body: parsed JSON, else text); `None` if the body is not an error of
this provider.
"""


ReadRateLimit = Callable[[Headers], tuple[float, float, float] | None]
"""Reads (calls left, calls in a window, seconds of the window) from a response's headers; `None` if they are absent.
"""


@frozen(kw_only=True)
class Provider:
    """The name, address, key header and error bodies of one provider."""

    name: str
    title: str
    base_url: str
    variables: str
    """The prefix of its variables in the environment: `KHAYA` stands for `KHAYA_API_KEY` and `KHAYA_BASE_URL`."""
    key_header: str
    key_prefix: str = ""
    read_error: ReadError
    read_rate_limit: ReadRateLimit | None = None
