"""One operation of each provider with 429 and 503 and each kind of `Retry-After`, by the clock of the loop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fake_clock import run
from servers import make_response

from kellyapi import NO_RETRY, NO_TIMEOUT, RetryPolicy, StatusError
from kellyapi._core.retry import MAX_RETRY_AFTER

from .calls import OPERATIONS, Operation, ask

BACKOFF = RetryPolicy().throttle_base * (1 + 2)
"""The most seconds that two pauses without `Retry-After` take."""

ALL_PROVIDERS = ("kelly", "khaya", "skytells", "aerostack")
each_system = pytest.mark.parametrize(
    "operation", [OPERATIONS[f"{name} POST"] for name in ALL_PROVIDERS], ids=ALL_PROVIDERS
)
each_status = pytest.mark.parametrize("status", [429, 503])


def busy(status: int, *values: str) -> bytes:
    """Make a response with these `Retry-After` headers."""
    lines = "".join(f"Retry-After: {value}\r\n" for value in values)
    return make_response(status).replace(b"Content-Length", lines.encode() + b"Content-Length", 1)


@each_system
@each_status
@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        (["0"], 0.0),
        (["7"], 7.0),
        (["1.5"], 1.5),
        ([" 7 "], 7.0),
        (["7", "3600"], 7.0),  # the first counts
        (["Sun, 06 Nov 1994 08:49:37 GMT"], 0.0),
        (["Sunday, 06-Nov-94 08:49:37 GMT"], 0.0),
        (["Sun Nov  6 08:49:37 1994"], 0.0),
    ],
)
def test_the_client_waits_as_long_as_retry_after_says(
    operation: Operation, status: int, values: list[str], seconds: float
) -> None:
    outcome = run(ask(operation, busy(status, *values)))
    assert isinstance(outcome.error, StatusError)
    assert (outcome.error.status, outcome.error.retry_after, len(outcome.requests)) == (status, seconds, 3)
    assert outcome.seconds == pytest.approx(2 * seconds)
    assert not outcome.error.outcome_unknown


@each_system
@each_status
@pytest.mark.parametrize("value", ["", "-5", "soon", "1e3", "7 seconds", "Sun, 99 Nov 1994 08:49:37 GMT"])
def test_an_unreadable_retry_after_is_ignored(operation: Operation, status: int, value: str) -> None:
    outcome = run(ask(operation, busy(status, value)))
    assert isinstance(outcome.error, StatusError)
    assert (outcome.error.retry_after, len(outcome.requests)) == (None, 3)
    assert 0 < outcome.seconds <= BACKOFF


@each_system
@each_status
@pytest.mark.parametrize(
    "value", ["61", "3600", "9" * 400, "Fri, 31 Dec 2999 23:59:59 GMT", "Tue Dec 31 23:59:59 2999"]
)
def test_a_long_retry_after_is_raised_without_waiting(operation: Operation, status: int, value: str) -> None:
    outcome = run(ask(operation, busy(status, value), timeout=NO_TIMEOUT))
    assert isinstance(outcome.error, StatusError)
    assert outcome.error.retry_after is not None
    assert outcome.error.retry_after > MAX_RETRY_AFTER
    assert (len(outcome.requests), outcome.seconds) == (1, 0.0)


@each_system
def test_the_client_waits_until_the_date_of_retry_after(operation: Operation) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    outcome = run(ask(operation, busy(429, date), operation.good))
    assert (outcome.error, len(outcome.requests)) == (None, 2)
    assert 0 < outcome.seconds <= 40


@each_system
def test_a_retry_after_beyond_the_deadline_raises_at_once(operation: Operation) -> None:
    outcome = run(ask(operation, busy(429, "7"), timeout=7))
    assert isinstance(outcome.error, StatusError)
    assert (outcome.error.retry_after, len(outcome.requests), outcome.seconds) == (7.0, 1, 0.0)


@each_system
def test_retry_after_is_not_waited_for_without_retries(operation: Operation) -> None:
    outcome = run(ask(operation, busy(429, "7"), retry=NO_RETRY))
    assert isinstance(outcome.error, StatusError)
    assert (outcome.error.retry_after, len(outcome.requests), outcome.seconds) == (7.0, 1, 0.0)
