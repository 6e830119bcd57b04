"""Skytells' headers of how much an account may still ask."""

from __future__ import annotations

from ..._core.messages import Headers
from ..._core.retry import MAX_RETRY_AFTER

_PREFIX = "x-skytells-ratelimit-"


def read_rate_limit(headers: Headers) -> tuple[float, float, float] | None:
    """Give (calls left, calls in a window, seconds of the window); `None` when the answer does not say.

    No call is left when there are no more tokens. A window longer than the longest pause is not waited for.
    Source: https://learn.skytells.ai/docs/api/v1/rate-limits
    """
    remaining = _number(headers, "remaining-requests")
    window = None if remaining is None else _number(headers, "window")
    if remaining is None or not window or window > MAX_RETRY_AFTER:
        return None
    tokens = (_number(headers, "remaining-tokens-in"), _number(headers, "remaining-tokens-out"))
    limit = _number(headers, "limit-requests")
    return 0.0 if 0 in tokens else remaining, limit or float("inf"), window


def _number(headers: Headers, name: str) -> float | None:
    text = headers.get(_PREFIX + name, "")  # "-" where nothing is set
    return float(text) if text.isascii() and text.isdigit() else None
