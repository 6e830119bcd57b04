"""Redirects of each kind of operation of each provider: which are followed, and no key goes to another origin."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from attrs import frozen
from fake_clock import run
from servers import KEY, Exchange, Seen, Server, make_response

from kellyapi import StatusError, TransportError

from .calls import OPERATIONS, Operation, Outcome, ask

STATUSES = (301, 302, 303, 307, 308)
HERE = {
    "another path": "/there?a=1",
    "a relative path": "there",
    "the whole address": "{server}/there",
    "characters that no path may have": "/a \tb\x7fé/there",
}
ELSEWHERE = {
    "another port": "{other}/there",
    "another port, without a scheme": "//{other_host}/there",
    "another name of the host": "http://localhost:{port}/there",
    "another scheme": "https://{host}/there",
    "a user in front of the host": "http://127.0.0.1@{other_host}/there",
    "no place": "",
    "no web address": "mailto:a@example.com",
    "a broken address": "http://[broken",
    "a port that is none": "http://{host}9999/there",
}
NOWHERE = {"no place", "no web address", "a broken address", "a port that is none"}

each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def is_followed(operation: Operation, status: int) -> bool:
    return not operation.once and (status in (307, 308) or operation.method == "GET")


def plain(seen: Seen) -> tuple[str, bytes, dict[str, str]]:
    """Return method, body and headers of a request, with the same boundary in every form."""
    boundary = seen.headers.get("content-type", "").partition("boundary=")[2]
    headers = {name: value.replace(boundary, "b") if boundary else value for name, value in seen.headers.items()}
    return seen.method, bytes(seen.body).replace(boundary.encode(), b"b") if boundary else bytes(seen.body), headers


@frozen
class Sent:
    """A redirected call, and what arrived."""

    outcome: Outcome
    there: int
    """Connections to the other server."""
    seen: list[Seen]
    """The requests that arrived, here and there."""


async def send(operation: Operation, status: int, where: str, *then: bytes) -> Sent:
    async with Server(operation.good) as other:

        async def redirect(exchange: Exchange) -> None:
            host = exchange.seen.headers["host"]
            other_host = urlsplit(other.url).netloc
            target = where.format(
                server=f"http://{host}", host=host, port=host.rpartition(":")[2], other=other.url, other_host=other_host
            )
            await exchange.read()
            await exchange.write(make_response(status, b"", **({"Location": target} if target else {})))

        outcome = await ask(operation, redirect, *then)
        return Sent(outcome, other.connections, [*outcome.requests, *other.requests])


@each_operation
@pytest.mark.parametrize("where", HERE.values(), ids=HERE)
def test_a_redirect_within_the_origin_is_followed_if_the_method_stays(operation: Operation, where: str) -> None:
    # Each status with each operation and with each place, but not with each pair of them.
    turn = [*OPERATIONS.values()].index(operation) + [*HERE.values()].index(where)
    for status in (STATUSES[turn % 3], STATUSES[3 + turn % 2]):
        outcome = run(send(operation, status, where, operation.good)).outcome
        first, *rest = outcome.requests
        if is_followed(operation, status):
            assert outcome.error is None, status
            (second,) = rest
            assert urlsplit(second.target).path.endswith("/there"), status
            assert plain(second) == plain(first)
        else:
            assert (type(outcome.error), rest) == (StatusError, []), status
            assert (outcome.error.status, outcome.error.outcome_unknown) == (status, False)
        assert operation.keyless != any(KEY in value for value in first.headers.values())


WITH_KEY = {name: one for name, one in OPERATIONS.items() if not one.keyless}


@pytest.mark.parametrize("operation", WITH_KEY.values(), ids=WITH_KEY)
@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_redirect_to_another_origin_is_an_error_and_nothing_is_sent_there(operation: Operation, where: str) -> None:
    # Each status with each operation and with each place, but not with each pair of them.
    turn = [*WITH_KEY.values()].index(operation) + [*ELSEWHERE.values()].index(where)
    status = STATUSES[turn % len(STATUSES)]
    sent = run(send(operation, status, where))
    error = sent.outcome.error
    assert sent.there == 0
    assert (type(error), len(sent.outcome.requests)) == (StatusError, 1)
    assert (error.status, error.outcome_unknown) == (status, False)
    assert KEY not in str(error)


WITHOUT_KEY = {name: one for name, one in OPERATIONS.items() if one.keyless}


@pytest.mark.parametrize("operation", WITHOUT_KEY.values(), ids=WITHOUT_KEY)
@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_download_follows_redirects_to_any_origin_without_the_key(operation: Operation, name: str) -> None:
    for status in STATUSES:
        sent = run(send(operation, status, ELSEWHERE[name], *([] if name == "another scheme" else [operation.good])))
        error = sent.outcome.error
        assert not any(KEY in value for seen in sent.seen for value in seen.headers.values())
        if name == "another scheme":
            assert isinstance(error, TransportError)  # it was followed; this server has no TLS
        elif name in NOWHERE:
            assert (type(error), len(sent.seen)) == (StatusError, 1), status
        else:
            assert (error, len(sent.seen)) == (None, 2), status


@each_operation
def test_a_loop_of_redirects_ends_after_five(operation: Operation) -> None:
    for status in STATUSES:
        outcome = run(ask(operation, make_response(status, b"", Location="/there")))
        assert type(outcome.error) is StatusError
        assert len(outcome.requests) == (6 if is_followed(operation, status) else 1), status


FOLLOWED = {name: one for name, one in OPERATIONS.items() if is_followed(one, 307)}


@pytest.mark.parametrize("operation", FOLLOWED.values(), ids=FOLLOWED)
def test_five_redirects_are_followed(operation: Operation) -> None:
    hop = make_response(307, b"", Location="/there")
    outcome = run(ask(operation, *[hop] * 5, operation.good))
    assert (outcome.error, len(outcome.requests)) == (None, 6)
