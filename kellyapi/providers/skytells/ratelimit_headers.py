"""The rate limit headers of Skytells."""

from __future__ import annotations

from ..._core.messages import Headers
from ..._core.retry import MAX_RETRY_AFTER

_PREFIX = "x-skytells-ratelimit-"


def read_rate_limit(headers: Headers) -> tuple[float, float, float] | None:
    """Return how many requests are left, how many a window has, and the seconds of a window.

    If no tokens are left, no requests are left either.

    Returns:
        `None` if the response has no such headers, or if its window is longer than a client ever waits.

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
    text = headers.get(_PREFIX + name, "")  # "-" if there is no limit
    return float(text) if text.isascii() and text.isdigit() else None
