"""Each kind of operation of each provider with a server that fails, at the level of sockets.

Every failure has the documented class of error and number of requests, and leaves no connection
or task. The options are the defaults, with a fake clock.
"""

from __future__ import annotations

import asyncio

import pytest
from fake_clock import run
from servers import KEY, Server

from kellyapi import (
    ConflictError,
    PaymentRequiredError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StatusError,
    TransportError,
)
from kellyapi._core.messages import DEFAULT_TIMEOUT, TRANSCRIPTION_TIMEOUT, TRANSFER_TIMEOUT

from .calls import OPERATIONS, REFUSED, Operation, Outcome, ask
from .scripts import broken, cut_short, drip, html, silent

each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)

SENT = {
    # failure: requests of an operation that is (free to repeat, paid for), and of a body that can be read once
    "never sent": (3, 3, 3),
    "not done": (3, 3, 1),
    "perhaps done": (3, 1, 1),
    "final": (1, 1, 1),
}


def requests(operation: Operation, failure: str) -> int:
    free, paid, once = SENT[failure]
    return once if operation.once else free if operation.repeat == "free" else paid


def check(
    outcome: Outcome, operation: Operation, kind: type[Exception], failure: str, *, in_body: bool = False
) -> None:
    """Compare the class, the number of requests, and whether the call may have been billed."""
    error = outcome.error
    assert type(error) is kind, repr(error or outcome.result)
    assert len(outcome.requests) == (1 if in_body and operation.stream else requests(operation, failure))
    assert error.outcome_unknown == (operation.repeat == "paid" and failure == "perhaps done")
    assert error.provider == operation.client.PROVIDER.name
    if isinstance(error, TransportError):
        assert error.sent == (failure != "never sent")


@each_operation
def test_a_success_needs_one_request_and_no_pause(operation: Operation) -> None:
    outcome = run(ask(operation, operation.good))
    assert (outcome.error, len(outcome.requests), outcome.seconds) == (None, 1, 0.0)
    assert outcome.result is not None


@each_operation
def test_a_refused_connection(operation: Operation) -> None:
    outcome = run(ask(operation, REFUSED))
    assert type(outcome.error) is TransportError
    assert (outcome.error.sent, outcome.error.outcome_unknown, outcome.connections) == (False, False, 0)
    assert outcome.seconds > 0  # it waited before a retry


@each_operation
def test_a_connection_that_is_reset_as_soon_as_it_is_open(operation: Operation) -> None:
    outcome = run(ask(operation))
    assert type(outcome.error) is TransportError
    assert (outcome.error.sent, outcome.error.outcome_unknown) == (True, operation.repeat == "paid")
    assert outcome.requests == []
    assert outcome.connections == requests(operation, "perhaps done")


@each_operation
@pytest.mark.parametrize("name", broken(b""))
def test_a_response_that_breaks_off_within_its_headers(operation: Operation, name: str) -> None:
    outcome = run(ask(operation, broken(operation.good)[name]))
    check(outcome, operation, TransportError, "perhaps done")


@each_operation
@pytest.mark.parametrize("name", cut_short(b""))
def test_a_response_that_breaks_off_within_its_body(operation: Operation, name: str) -> None:
    outcome = run(ask(operation, cut_short(operation.good)[name]))
    check(outcome, operation, TransportError, "perhaps done", in_body=True)


@each_operation
@pytest.mark.parametrize("name", silent(b""))
def test_a_silent_server(operation: Operation, name: str) -> None:
    outcome = run(ask(operation, silent(operation.good)[name]))
    if operation.transfer:  # each attempt may be silent as long
        check(outcome, operation, RequestTimeoutError, "perhaps done", in_body="body" in name)
        timeout = TRANSCRIPTION_TIMEOUT if operation.slow else TRANSFER_TIMEOUT
        silence = timeout.idle if "body" in name else timeout.head or timeout.idle
        assert silence is not None
        pauses = outcome.seconds - silence * len(outcome.requests)
        assert 0 <= pauses < 0.15
    else:
        assert type(outcome.error) is RequestTimeoutError
        assert (outcome.error.sent, outcome.error.outcome_unknown) == (True, operation.repeat == "paid")
        assert (len(outcome.requests), outcome.seconds) == (1, DEFAULT_TIMEOUT.total)


@each_operation
def test_one_byte_at_a_time_is_too_slow_for_a_call_but_not_for_a_transfer(operation: Operation) -> None:
    seconds = 7.0
    outcome = run(ask(operation, drip(operation.good, seconds)))
    if operation.transfer:
        assert outcome.error is None
        assert outcome.seconds == pytest.approx((len(operation.good) - 1) * seconds)
    else:
        assert type(outcome.error) is RequestTimeoutError
        assert (len(outcome.requests), outcome.seconds) == (1, DEFAULT_TIMEOUT.total)


STATUSES: dict[int, tuple[type[StatusError], str]] = {
    402: (PaymentRequiredError, "final"),
    408: (StatusError, "perhaps done"),
    409: (ConflictError, "final"),
    425: (StatusError, "final"),
    429: (RateLimitError, "not done"),
    500: (ServerError, "perhaps done"),
    502: (ServerError, "perhaps done"),
    503: (ServerError, "not done"),
    504: (ServerError, "perhaps done"),
}


@each_operation
@pytest.mark.parametrize("status", STATUSES)
def test_an_error_status(operation: Operation, status: int) -> None:
    kind, failure = STATUSES[status]
    outcome = run(ask(operation, html(status)))
    assert isinstance(outcome.error, StatusError)
    check(outcome, operation, kind, failure)
    assert outcome.error.status == status


@pytest.mark.parametrize("name", ["kelly POST", "khaya POST", "skytells POST", "aerostack POST"])
def test_three_hundred_calls_at_once_all_succeed(name: str) -> None:
    operation, calls = OPERATIONS[name], 300

    async def together() -> tuple[list[object], int, int]:
        async with Server(operation.good) as server, operation.client(KEY, base_url=server.url) as client:
            results = await asyncio.gather(*(operation.call(client, server.url) for _ in range(calls)))
            return results, len(server.requests), server.connections

    results, requests, connections = run(together())
    assert (len(results), requests) == (calls, calls)
    assert None not in results
    assert connections <= 100
