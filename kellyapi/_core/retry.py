"""Whether a failed attempt is retried, and after how long: arithmetic only.

Clocks, random numbers and quotas are arguments. The connection sleeps; `limits` keeps the quota.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated

from attrs import field, frozen

from .._data.arguments import Count, NotNegative, Range, checked
from ..errors import DecodingError, KellyAPIError, StatusError, TransportError
from .messages import Call

MAX_RETRY_AFTER = 60.0
"""Seconds; a server that wants a longer pause is not waited for."""
UNBILLED_STATUSES = frozenset({429, 503})
"""A server that responds with one of these has not done the work."""


def _as_set(statuses: Iterable[int]) -> frozenset[int]:
    return frozenset(statuses)


@checked
@frozen(kw_only=True)
class RetryPolicy:
    """How often a call is tried, and how long the pauses are, in seconds.

    The pause before attempt n + 1 is random(0..1) × min(base × exponent^(n-1), cap), unless the server names one in
    `Retry-After`.

    Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    """

    attempts: Count = 3
    """How many attempts a call has, including the first; 1 never retries."""
    base: NotNegative = 0.05
    throttle_base: NotNegative = 1.0
    """Used in place of `base` after 429."""
    cap: NotNegative = 20.0
    exponent: Annotated[float, Range(1, 100)] = 2.0
    """The factor by which the limit of the pause grows with each attempt; with 1 it stays the same."""
    statuses: frozenset[int] = field(default=frozenset({408, 429, 500, 502, 503, 504}), converter=_as_set)
    connection_errors: bool = True
    """Also retry after a failure without a response."""
    repeat_metered: bool = False
    """Also retry calls that may then be billed twice. Nothing else allows that."""


NO_RETRY = RetryPolicy(attempts=1)


def is_throttled(error: KellyAPIError) -> bool:
    """Return whether the server asks for fewer calls, rather than being broken."""
    return error.status == 429 or error.retry_after is not None


def outcome_unknown(error: KellyAPIError, call: Call) -> bool:
    """Return whether a call that must not be sent twice may have been carried out although it failed."""
    if call.repeatable:
        return False
    if isinstance(error, TransportError):
        return error.sent
    if isinstance(error, StatusError):
        return error.status not in UNBILLED_STATUSES and (error.status >= 500 or error.status == 408)
    return isinstance(error, DecodingError)


def pause_for_all(policy: RetryPolicy, error: KellyAPIError) -> float | None:
    """Return the seconds for which the server wants no call at all; `None` if it does not say, or asks for too long."""
    hint = error.retry_after if policy.attempts > 1 else None
    return hint if hint and hint <= MAX_RETRY_AFTER else None


def retry_delay(
    policy: RetryPolicy, attempt: int, error: KellyAPIError, call: Call, *, dice: float, remaining: float | None
) -> float | None:
    """Return the seconds before the next attempt, or `None` to give up.

    `attempt` counts from 1, `dice` is in 0..1, `remaining` is what is left of the call's time.
    """
    if attempt >= policy.attempts or not _may_repeat(policy, error, call):
        return None
    hint = error.retry_after
    if hint is not None and hint > MAX_RETRY_AFTER:
        return None
    base = policy.throttle_base if is_throttled(error) else policy.base
    # A larger power would overflow.
    delay = hint if hint is not None else dice * min(base * policy.exponent ** min(attempt - 1, 60), policy.cap)
    return None if remaining is not None and delay >= remaining else delay


def _may_repeat(policy: RetryPolicy, error: KellyAPIError, call: Call) -> bool:
    if isinstance(error, TransportError) and not error.sent:
        return policy.connection_errors
    if call.one_shot or not isinstance(error, (TransportError, StatusError)) or error.final:
        return False
    free = call.repeatable or policy.repeat_metered
    if isinstance(error, StatusError):
        return error.status in policy.statuses and (free or error.status in UNBILLED_STATUSES)
    return policy.connection_errors and free


def read_retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `Retry-After`, in seconds or as an HTTP date, as seconds from `now`; `None` when absent or unreadable.

    If the response has a `Date`, it replaces `now`: the clock of this machine may be wrong.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.replace(".", "", 1).isdigit():
        return float(value)
    date = _read_date(value)
    return None if date is None else max(0.0, (date - (_read_date(headers.get("Date", "")) or now)).total_seconds())


def _read_date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
