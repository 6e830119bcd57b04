"""The arithmetic of retries, as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from kellyapi import NO_RETRY, DecodingError, RequestTimeoutError, RetryPolicy, TransportError
from kellyapi._core.messages import Call
from kellyapi._core.retry import is_throttled, outcome_unknown, pause_for_all, read_retry_after, retry_delay
from kellyapi.errors import KellyAPIError, StatusError, status_error

FREE = Call(method="GET", url="/", repeatable=True)
METERED = Call(method="POST", url="/", repeatable=False)
ONE_SHOT = Call(method="POST", url="/", repeatable=True, one_shot=True)
METERED_ONE_SHOT = Call(method="POST", url="/", repeatable=False, one_shot=True)
UNSENT = TransportError("refused", sent=False)
RESET = TransportError("reset")
LATE = RequestTimeoutError("late")
BROKEN = DecodingError("broken")


def failed(status: int, retry_after: float | None = None) -> StatusError:
    """Return the error of a response."""
    return status_error(status)("no", status=status, retry_after=retry_after)


# The policy


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"attempts": 0}, ValueError),
        ({"attempts": -1}, ValueError),
        ({"attempts": 1.5}, TypeError),
        ({"attempts": "3"}, TypeError),
        ({"base": -0.1}, ValueError),
        ({"throttle_base": -1}, ValueError),
        ({"cap": -1}, ValueError),
        ({"exponent": 0.5}, ValueError),
        ({"exponent": 101}, ValueError),
        ({"exponent": "2"}, TypeError),
        ({"base": "1"}, TypeError),
        ({"statuses": 503}, TypeError),
        ({"tries": 3}, TypeError),
    ],
)
def test_a_contradictory_policy_is_refused(options: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        RetryPolicy(**options)


def test_the_options_of_a_policy_have_names() -> None:
    with pytest.raises(TypeError, match="positional"):
        RetryPolicy(3)  # type: ignore[misc]


def test_the_defaults_are_as_documented() -> None:
    policy = RetryPolicy()
    assert (policy.attempts, policy.base, policy.throttle_base, policy.cap) == (3, 0.05, 1.0, 20.0)
    assert policy.exponent == 2.0
    assert (policy.connection_errors, policy.repeat_metered) == (True, False)
    assert policy.statuses == {408, 429, 500, 502, 503, 504}
    assert RetryPolicy(statuses=[503]).statuses == frozenset({503})
    assert NO_RETRY.attempts == 1


# Whether a call is retried


@pytest.mark.parametrize(
    ("error", "again"),
    [
        # error, (free, metered, one-shot, metered and one-shot)
        (UNSENT, (True, True, True, True)),
        (RequestTimeoutError("no connection", sent=False), (True, True, True, True)),
        (RESET, (True, False, False, False)),
        (LATE, (True, False, False, False)),
        (failed(408), (True, False, False, False)),
        (failed(429), (True, True, False, False)),
        (failed(500), (True, False, False, False)),
        (failed(502), (True, False, False, False)),
        (failed(503), (True, True, False, False)),
        (failed(504), (True, False, False, False)),
        (failed(400), (False, False, False, False)),
        (failed(401, retry_after=1), (False, False, False, False)),
        (failed(404), (False, False, False, False)),
        (failed(501), (False, False, False, False)),
        (failed(302), (False, False, False, False)),
        (BROKEN, (False, False, False, False)),
        (KellyAPIError("odd"), (False, False, False, False)),
    ],
    ids=lambda value: repr(value) if isinstance(value, Exception) else "",
)
def test_retries_depend_on_the_failure_and_on_whether_the_call_is_metered(
    error: KellyAPIError, again: tuple[bool, ...]
) -> None:
    requests = (FREE, METERED, ONE_SHOT, METERED_ONE_SHOT)
    delays = [retry_delay(RetryPolicy(), 1, error, one, dice=0.5, remaining=None) for one in requests]
    assert tuple(delay is not None for delay in delays) == again


@pytest.mark.parametrize(
    ("policy", "error", "request_", "again"),
    [
        (RetryPolicy(repeat_metered=True), RESET, METERED, True),
        (RetryPolicy(repeat_metered=True), failed(500), METERED, True),
        (RetryPolicy(repeat_metered=True), RESET, METERED_ONE_SHOT, False),
        (RetryPolicy(repeat_metered=True), BROKEN, METERED, False),
        (RetryPolicy(connection_errors=False), RESET, FREE, False),
        (RetryPolicy(connection_errors=False), UNSENT, FREE, False),
        (RetryPolicy(connection_errors=False), failed(503), FREE, True),
        (RetryPolicy(statuses={418}), failed(503), FREE, False),
        (RetryPolicy(statuses={418}), failed(418), FREE, True),
        (RetryPolicy(statuses={418}), failed(418), METERED, False),
        (NO_RETRY, UNSENT, FREE, False),
    ],
)
def test_a_policy_can_allow_more_or_fewer_retries(
    policy: RetryPolicy, error: KellyAPIError, request_: Call, again: bool
) -> None:
    assert (retry_delay(policy, 1, error, request_, dice=0.5, remaining=None) is not None) == again


@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (UNSENT, False),
        (RESET, True),
        (LATE, True),
        (failed(408), True),
        (failed(429), False),
        (failed(500), True),
        (failed(501), True),
        (failed(502), True),
        (failed(503), False),
        (failed(504), True),
        (failed(400), False),
        (failed(401), False),
        (failed(302), False),
        (BROKEN, True),
    ],
    ids=repr,
)
def test_the_outcome_is_unknown_if_a_metered_call_failed_after_it_was_sent(error: KellyAPIError, unknown: bool) -> None:
    assert outcome_unknown(error, METERED) is unknown
    assert outcome_unknown(error, FREE) is False


# How long the pause is


@pytest.mark.parametrize(
    ("error", "throttled"),
    [
        (failed(429), True),
        (failed(503), False),
        (failed(503, 0.0), True),
        (failed(500, 2), True),
        (RESET, False),
    ],
    ids=repr,
)
def test_a_429_and_any_status_with_retry_after_are_throttling(error: KellyAPIError, throttled: bool) -> None:
    assert is_throttled(error) is throttled


@pytest.mark.parametrize(
    ("attempt", "error", "dice", "delay"),
    [
        (1, RESET, 1.0, 0.05),
        (2, RESET, 1.0, 0.1),
        (3, RESET, 1.0, 0.2),
        (2, RESET, 0.5, 0.05),
        (2, RESET, 0.0, 0.0),
        (1, failed(500), 1.0, 0.05),
        (1, failed(429), 1.0, 1.0),
        (3, failed(429), 0.5, 2.0),
        (9, failed(429), 1.0, 20.0),
        (9, RESET, 1.0, 12.8),
        (1, failed(429, 7.0), 0.0, 7.0),
        (1, failed(503, 60.0), 0.5, 60.0),
        (1, failed(503, 0.0), 0.5, 0.0),
        (1, failed(503, 60.1), 0.5, None),
        (1, failed(429, float("inf")), 0.5, None),
        (10, RESET, 1.0, None),
    ],
)
def test_the_pause_grows_from_its_base_to_the_cap_and_obeys_retry_after(
    attempt: int, error: KellyAPIError, dice: float, delay: float | None
) -> None:
    policy = RetryPolicy(attempts=10)
    assert retry_delay(policy, attempt, error, FREE, dice=dice, remaining=None) == (
        delay if delay is None else pytest.approx(delay)
    )


@pytest.mark.parametrize(
    ("exponent", "attempt", "delay"),
    [(1, 1, 0.5), (1, 9, 0.5), (1.5, 2, 0.75), (3, 3, 4.5), (100, 90, 20.0), (1, 90, 0.5)],
)
def test_the_exponent_says_how_fast_the_pauses_grow(exponent: float, attempt: int, delay: float) -> None:
    policy = RetryPolicy(attempts=100, base=0.5, exponent=exponent)
    assert retry_delay(policy, attempt, RESET, FREE, dice=1.0, remaining=None) == pytest.approx(delay)


@pytest.mark.parametrize(
    ("error", "remaining", "again"),
    [
        (failed(429, 7.0), 7.1, True),
        (failed(429, 7.0), 7.0, False),
        (failed(429, 7.0), 3.0, False),
        (RESET, 0.04, False),
        (RESET, 0.06, True),
        (RESET, -1.0, False),
    ],
)
def test_a_pause_that_would_pass_the_deadline_does_not_start(
    error: KellyAPIError, remaining: float, again: bool
) -> None:
    delay = retry_delay(RetryPolicy(), 1, error, FREE, dice=1.0, remaining=remaining)
    assert (delay is not None) == again


@pytest.mark.parametrize(
    ("attempts", "retry_after", "pause"),
    [(2, 5, 5), (2, 60, 60), (2, 60.5, None), (2, 0, None), (2, None, None), (1, 5, None)],
)
def test_a_pause_holds_for_all_calls_if_they_are_retried_and_it_is_not_too_long(
    attempts: int, retry_after: float | None, pause: float | None
) -> None:
    assert pause_for_all(RetryPolicy(attempts=attempts), failed(429, retry_after)) == pause


def test_many_attempts_never_overflow() -> None:
    assert retry_delay(RetryPolicy(attempts=5000), 4999, RESET, FREE, dice=1.0, remaining=None) == 20.0


# Retry-After

NOW = datetime(2026, 3, 4, 21, 20, 58, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("9" * 30, float("9" * 30)),
        ("9" * 400, float("inf")),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(NOW - timedelta(seconds=30), usegmt=True), 0.0),
        ("Wed, 04 Mar 2026 21:21:08 -0000", 10.0),
        ("Wed, 04 Mar 2026 23:21:08 +0200", 10.0),
        ("Wed, 04 Mar 2026 21:21:08", 10.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float) -> None:
    assert read_retry_after({"Retry-After": value}, NOW) == seconds


def test_a_date_is_compared_with_the_clock_of_the_server_if_it_is_known() -> None:
    later = format_datetime(NOW + timedelta(hours=1, seconds=30), usegmt=True)
    now = format_datetime(NOW + timedelta(hours=1), usegmt=True)
    assert read_retry_after({"Retry-After": later, "Date": now}, NOW) == 30.0
    assert read_retry_after({"Retry-After": later, "Date": "now"}, NOW) == 3630.0


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "soon",
        "-5",
        "+5",
        ".",
        "1.2.3",
        "1e3",
        "nan",
        "inf",
        "٧",
        "0x10",
        "Wed",
        "Wed, 04 Mar",
        "Wed, 99 Mar 2026 21:21:08 GMT",
        "Wed, 04 Mar 99999 21:21:08 GMT",
        "Wed, 04 Mar 2026 21:21:08 +" + "9" * 30,
        "Wed, 04 Mar 2026 21:21:08 +9999",
        "\x00",
        "," * 50,
    ],
)
def test_an_unreadable_retry_after_is_none(value: str) -> None:
    assert read_retry_after({"Retry-After": value}, NOW) is None


def test_no_retry_after_is_none() -> None:
    assert read_retry_after({}, NOW) is None
