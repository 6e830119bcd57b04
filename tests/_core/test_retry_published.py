"""Retry cases that Amazon and Google have published, in complete calls to a server with a fake clock.

AWS documents how its clients behave from 2026 on, and tests the same cases in each language. Google documents what
may be retried after which failure. A row with another result here says why.
"""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from typing import Any

import pytest
from attrs import field, frozen
from fake_clock import run
from faults.scripts import torn
from servers import KEY, OK, Exchange, Script, Server, Shop, make_response

from kellyapi import KellyAPIError, RetryPolicy
from kellyapi._core.limits import RetryQuota

TRANSIENT, THROTTLING = 14, 5
"""The cost of a retry."""
AGAIN, SUCCESS, FAILURE, QUOTA = "again", "success", "failure", "failure for want of quota"


@frozen
class Step:
    """A response of the server, and its consequence."""

    status: int
    outcome: str
    quota: int
    """The quota that is left after it."""
    pause: float = 0.0
    """Seconds before the next request, with the largest jitter."""
    hint: str | None = None
    """`Retry-After`."""


@frozen
class Case:
    steps: list[Step]
    policy: RetryPolicy = field(factory=RetryPolicy)
    quota: int = RetryQuota().capacity


FIVE = RetryPolicy(attempts=5)
AWS = {
    "a retry succeeds": Case([Step(500, AGAIN, 486, 0.05), Step(500, AGAIN, 472, 0.1), Step(200, SUCCESS, 486)]),
    "the attempts are used up": Case(
        [Step(502, AGAIN, 486, 0.05), Step(502, AGAIN, 472, 0.1), Step(502, FAILURE, 472)]
    ),
    "the quota is used up by one retry": Case([Step(500, AGAIN, 0, 0.05), Step(500, QUOTA, 0)], quota=14),
    "there is no quota": Case([Step(500, QUOTA, 0)], quota=0),
    "the pauses grow": Case(
        [
            Step(500, AGAIN, 486, 0.05),
            Step(500, AGAIN, 472, 0.1),
            Step(500, AGAIN, 458, 0.2),
            Step(500, AGAIN, 444, 0.4),
            Step(500, FAILURE, 444),
        ],
        FIVE,
    ),
    "the pauses have a cap": Case(
        [
            Step(500, AGAIN, 486, 0.05),
            Step(500, AGAIN, 472, 0.1),
            Step(500, AGAIN, 458, 0.2),
            Step(500, AGAIN, 444, 0.2),
            Step(500, FAILURE, 444),
        ],
        RetryPolicy(attempts=5, cap=0.2),
    ),
    "what is left of the quota does not suffice": Case(
        [Step(500, AGAIN, 6, 0.05), Step(502, QUOTA, 6)], FIVE, quota=20
    ),
    "successes refill the quota": Case(
        [
            Step(500, AGAIN, 16, 0.05),
            Step(502, AGAIN, 2, 0.1),
            Step(200, SUCCESS, 16),
            Step(500, AGAIN, 2, 0.05),
            Step(200, SUCCESS, 16),
        ],
        FIVE,
        quota=30,
    ),
    "a plain success gives back one": Case([Step(200, SUCCESS, 11)], quota=10),
    "the quota is never more than full": Case([Step(200, SUCCESS, RetryQuota().capacity)]),
    "throttling costs less and waits longer": Case([Step(429, AGAIN, 495, 1.0), Step(200, SUCCESS, 500)]),
    "throttling and failures alternate": Case(
        [Step(429, AGAIN, 495, 1.0), Step(500, AGAIN, 481, 0.1), Step(200, SUCCESS, 495)]
    ),
    "what is wrong stays wrong": Case([Step(400, FAILURE, 500)]),
    "an impatient policy, such as DynamoDB's": Case(
        [
            Step(500, AGAIN, 486, 0.025),
            Step(500, AGAIN, 472, 0.05),
            Step(500, AGAIN, 458, 0.1),
            Step(500, FAILURE, 458),
        ],
        RetryPolicy(attempts=4, base=0.025),
    ),
    "a hint that cannot be read": Case([Step(500, AGAIN, 486, 0.05, "invalid"), Step(200, SUCCESS, 500)]),
}
"""Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html; the cases: the 2026 tests in
https://github.com/smithy-lang/smithy-typescript and https://github.com/aws/aws-sdk-net (pull request 4391)
"""
OTHERWISE = {
    # `Retry-After` is the header of HTTP, not Amazon's in milliseconds. It makes any status throttling, which costs 5
    # instead of 14, and is obeyed to the second up to a minute. Amazon's is between the pause and 5 seconds more.
    "a hint": Case([Step(500, AGAIN, 495, 1.5, "1.5"), Step(200, SUCCESS, 500)]),
    "a hint of no pause": Case([Step(500, AGAIN, 495, 0.0, "0"), Step(200, SUCCESS, 500)]),
    "a long hint": Case([Step(500, AGAIN, 495, 10.0, "10"), Step(200, SUCCESS, 500)]),
    # Amazon's clients pause after a long poll even if the quota is empty. Here polling a prediction has its own
    # intervals.
    "no quota, and no pause either": Case([Step(429, QUOTA, 4)], quota=4),
}


@pytest.mark.parametrize("case", [*AWS.values(), *OTHERWISE.values()], ids=[*AWS, *OTHERWISE])
def test_a_case_of_the_aws_clients(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    assert run(play(case)) == case.steps


async def play(case: Case) -> list[Step]:
    """Call until all responses are sent, and return the consequence of each."""
    clock = asyncio.get_running_loop().time
    arrived: list[tuple[float, int]] = []
    """The time of each request, and the quota that was left."""

    def script(step: Step) -> Script:
        async def play(exchange: Exchange) -> None:
            arrived.append((clock(), quota.left))
            await exchange.write(
                make_response(step.status, **({} if step.hint is None else {"Retry_After": step.hint}))
            )

        return play

    seen: list[Step] = []
    async with (
        Server(*map(script, case.steps)) as server,
        Shop(KEY, base_url=server.url, retry=case.policy) as shop,
    ):
        quota = shop._connection.limits.quota
        quota.left = case.quota
        while len(seen) < len(case.steps):
            arrived.clear()
            try:
                await shop.look()
                last = SUCCESS
            except KellyAPIError:
                last = QUOTA if len(arrived) < case.policy.attempts and quota.left < TRANSIENT else FAILURE
            for (before, _), (after, left) in pairwise(arrived):
                step = case.steps[len(seen)]
                seen.append(Step(step.status, AGAIN, left, round(after - before, 6), step.hint))
            step = case.steps[len(seen)]
            seen.append(Step(step.status, last, quota.left, hint=step.hint))
    return seen


@pytest.mark.parametrize(("status", "cost"), [(500, TRANSIENT), (429, THROTTLING)])
def test_an_outage_is_not_amplified(status: int, cost: int) -> None:
    """After its quota of retries a client sends one request per call."""

    async def main() -> int:
        async with Server(make_response(status)) as server, Shop(KEY, base_url=server.url) as shop:
            for calls in range(1, 1000):
                before = len(server.requests)
                with pytest.raises(KellyAPIError):
                    await shop.look()
                if len(server.requests) == before + 1:
                    return len(server.requests) - calls
            raise AssertionError("it still tries again")

    assert run(main()) == RetryQuota().capacity // cost


# Google

RESET = torn(b"")
S503 = make_response(503)
IDEMPOTENT, NOT_IDEMPOTENT = "put", "buy"
GOOGLE: list[tuple[str, list[Script], bool]] = [
    # operation, failures before the success, whether the call succeeds
    *((IDEMPOTENT, [make_response(status)], True) for status in (408, 429, 500, 502, 503, 504)),
    *((IDEMPOTENT, [make_response(status)], False) for status in (400, 401, 403, 404, 409, 412)),
    (IDEMPOTENT, [S503, S503], True),
    (IDEMPOTENT, [RESET, RESET], True),
    (IDEMPOTENT, [RESET, S503], True),
    *((NOT_IDEMPOTENT, [make_response(status)], False) for status in (408, 500, 502, 504, 400, 401)),
    (NOT_IDEMPOTENT, [RESET, RESET], False),
    (NOT_IDEMPOTENT, [RESET, S503], False),
]
"""Source: https://cloud.google.com/storage/docs/retry-strategy,
https://github.com/googleapis/conformance-tests/blob/main/storage/v1/retry_tests.json (cases 1 to 3 and 6; what is
idempotent under a condition is one or the other)
"""
BUSY: list[tuple[str, list[Script], bool]] = [
    # Google retries these only for idempotent operations. Here a server that sends 429 or 503 has not started.
    (NOT_IDEMPOTENT, [make_response(429)], True),
    (NOT_IDEMPOTENT, [S503], True),
    (NOT_IDEMPOTENT, [S503, S503], True),
    # Google also retries all of 5xx; but 501 and 505 would be repeated.
    (IDEMPOTENT, [make_response(501)], False),
    (IDEMPOTENT, [make_response(505)], False),
]


@pytest.mark.parametrize(("verb", "scripts", "succeeds"), [*GOOGLE, *BUSY])
def test_a_case_of_the_google_clients(verb: str, scripts: list[Script], succeeds: bool) -> None:
    async def main() -> tuple[bool, int]:
        async with Server(*scripts, OK) as server, Shop(KEY, base_url=server.url) as shop:
            try:
                result: Any = await getattr(shop, verb)()
            except KellyAPIError:
                result = None
            return result is not None, len(server.requests)

    assert run(main()) == (succeeds, len(scripts) + 1 if succeeds else 1)
