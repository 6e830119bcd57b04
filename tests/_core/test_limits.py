"""The limits of a client with a fake clock, and the arithmetic of quota and rate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from fake_clock import run

from kellyapi._core.limits import Limits, Rate, RetryQuota, ServerRateLimit


def clock() -> float:
    return asyncio.get_running_loop().time() - 1000


async def starts(limits: Limits, calls: int, seconds: float = 0.0) -> list[float]:
    """Return when each of several calls started; each takes some seconds."""
    at: list[tuple[int, float]] = []

    async def call(number: int) -> None:
        await limits.acquire(None)
        at.append((number, round(clock(), 6)))
        await asyncio.sleep(seconds)
        limits.release()

    await asyncio.gather(*(call(number) for number in range(calls)))
    assert [number for number, _ in at] == list(range(calls))
    return [time for _, time in at]


# -- the quota ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("throttled", "cost", "times"), [(False, 14, 35), (True, 5, 100)])
def test_the_quota_allows_a_fixed_number_of_retries(throttled: bool, cost: int, times: int) -> None:
    quota = RetryQuota()
    assert [quota.take(throttled=throttled) for _ in range(times + 1)] == [cost] * times + [0]
    assert quota.left == 500 - times * cost


@pytest.mark.parametrize(("last_cost", "left"), [(0, 101), (5, 105), (14, 114)])
def test_a_success_returns_the_cost_of_its_last_retry_or_one(last_cost: int, left: int) -> None:
    quota = RetryQuota()
    quota.left = 100
    quota.refund(last_cost)
    assert quota.left == left


def test_the_quota_is_never_above_its_capacity() -> None:
    quota = RetryQuota(10)
    quota.refund(14)
    assert quota.left == 10


# -- the rate ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calls", "per", "error"),
    [(0, 1.0, ValueError), (-1, 1.0, ValueError), (1, 0.0, ValueError), (1, -1.0, ValueError), (1.5, 1.0, TypeError)],
)
def test_a_rate_without_calls_or_time_is_refused(calls: Any, per: float, error: type[Exception]) -> None:
    with pytest.raises(error):
        Rate(calls, per)


@pytest.mark.parametrize(
    ("rate", "times"),
    [
        (Rate(1), [0, 1, 2, 3, 4]),
        (Rate(2), [0, 0, 1, 1, 2]),
        (Rate(5, per=10), [0, 0, 0, 0, 0]),
        (Rate(4, per=2), [0, 0, 0, 0, 2]),
    ],
)
def test_no_more_calls_than_the_rate_start_within_its_period_and_they_start_in_order(
    rate: Rate, times: list[float]
) -> None:
    async def main() -> None:
        assert await starts(Limits(rate=rate), 5) == times

    run(main())


def test_after_a_period_without_calls_one_burst_is_allowed_again() -> None:
    async def main() -> None:
        limits = Limits(rate=Rate(2))
        await starts(limits, 2)
        await asyncio.sleep(100)
        assert await starts(limits, 3) == [100, 100, 101]

    run(main())


# -- the gate ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "times"), [(None, [0, 0, 0, 0]), (1, [0, 2, 4, 6]), (3, [0, 0, 0, 2])])
def test_max_concurrency_calls_start_at_once_and_others_in_order(most: int | None, times: list[float]) -> None:
    async def main() -> None:
        assert await starts(Limits(most), 4, seconds=2) == times

    run(main())


def test_both_limits_apply_together() -> None:
    async def main() -> None:
        assert await starts(Limits(2, Rate(1)), 4, seconds=5) == [0, 1, 5, 6]

    run(main())


@pytest.mark.parametrize("end", ["cancelled", "too late"])
@pytest.mark.parametrize("limits", [lambda: Limits(1), lambda: Limits(1, Rate(1, per=9))], ids=["turn", "rate"])
def test_a_call_that_gives_up_waiting_leaves_its_turn_to_the_next(limits: Callable[[], Limits], end: str) -> None:
    async def main() -> None:
        gate = limits()
        await gate.acquire(None)
        waiting = asyncio.create_task(gate.acquire(1003.0 if end == "too late" else None))
        next_one = asyncio.create_task(gate.acquire(None))
        await asyncio.sleep(1)
        if gate._rate is not None:
            gate.release()  # now the first waits for the rate only
        await asyncio.sleep(1)
        if end == "cancelled":
            waiting.cancel()
        with pytest.raises(asyncio.CancelledError if end == "cancelled" else TimeoutError):
            await waiting
        # A call that cannot start in time fails at once because of the rate, at its deadline because of concurrency.
        assert clock() == (3 if end == "too late" and gate._rate is None else 2)
        assert not next_one.done()
        if gate._rate is None:
            gate.release()
        await next_one
        gate.release()
        await gate.acquire(None)

    run(main())


def test_each_loop_has_its_own_turns() -> None:
    limits = Limits(1)

    async def enter() -> None:
        await limits.acquire(clock() + 1001)

    run(enter())
    run(enter())


def test_a_sibling_has_other_limits_and_the_same_quota() -> None:
    async def main() -> None:
        limits = Limits(1, Rate(1))
        faster = limits.vary(rate=None)
        freer = limits.vary(max_concurrency=None)
        assert limits.quota is faster.quota is freer.quota
        assert await starts(faster, 3, seconds=2) == [0, 2, 4]
        await asyncio.sleep(4)
        assert await starts(freer, 3, seconds=9) == [10, 11, 12]

    run(main())


# -- what the server says ----------------------------------------------------------------------------------------------


def test_a_server_without_calls_left_gets_none_until_its_window_ends() -> None:
    async def main() -> None:
        limits = Limits()
        await limits.acquire(None)
        limits.server.learn(2, 3, 10, now=1000)
        limits.release()
        assert await starts(limits, 7) == [0, 0, 10, 10, 10, 20, 20]

    run(main())


def test_calls_that_the_server_may_not_have_counted_are_subtracted_from_what_it_reports() -> None:
    allowance = ServerRateLimit()
    for _ in range(3):
        allowance.begin()
    allowance.learn(2, 100, 10, now=0)  # two others are under way
    allowance.end()
    assert allowance.pause(4) == 6
    allowance.learn(1, 100, 10, now=4)  # the second, of two
    allowance.end()
    assert allowance.pause(4) == 6


def test_a_count_that_rose_starts_a_new_window() -> None:
    allowance = ServerRateLimit()
    for remaining, now in [(1, 0.0), (99, 7.0), (0, 8.0)]:
        allowance.begin()
        allowance.learn(remaining, 100, 10, now=now)
        allowance.end()
    assert allowance.pause(8) == 9


def test_a_count_that_stays_the_same_starts_no_new_window() -> None:
    allowance = ServerRateLimit()
    for now in (0.0, 4.0):
        allowance.begin()
        allowance.learn(0, 100, 10, now=now)
        allowance.end()
    assert allowance.pause(4) == 6


def test_a_pause_that_a_server_requests_applies_to_all_calls_in_order_and_ends() -> None:
    async def main() -> None:
        limits = Limits()
        limits.server.stop(5, now=1000)
        limits.server.stop(2, now=1001)  # a shorter one does not end a longer one
        assert await starts(limits, 3) == [5, 5, 5]
        assert await starts(limits, 2) == [5, 5]

    run(main())


def test_the_response_to_an_earlier_call_does_not_end_a_pause() -> None:
    allowance = ServerRateLimit()
    allowance.begin()
    allowance.stop(30, now=0)
    allowance.learn(5, 100, 10, now=1)
    assert allowance.pause(1) == 29


def test_a_pause_that_would_pass_the_deadline_is_not_waited_for() -> None:
    async def main() -> None:
        limits = Limits()
        limits.server.stop(5, now=1000)
        await limits.acquire(1004.0)
        assert clock() == 0

    run(main())


def test_a_pause_that_ends_at_the_deadline_is_not_waited_for() -> None:
    async def main() -> None:
        limits = Limits()
        limits.server.stop(5, now=1000)
        await limits.acquire(1005.0)
        assert clock() == 0

    run(main())


def test_a_turn_of_the_rate_at_the_deadline_is_a_timeout_at_once() -> None:
    async def main() -> None:
        limits = Limits(rate=Rate(1, per=10))
        await limits.acquire(None)
        with pytest.raises(TimeoutError):
            await limits.acquire(1010.0)
        assert clock() == 0

    run(main())


def test_a_response_at_the_end_of_the_window_starts_the_next() -> None:
    allowance = ServerRateLimit()
    for remaining, now in [(5, 0.0), (0, 10.0)]:
        allowance.begin()
        allowance.learn(remaining, 100, 10, now=now)
        allowance.end()
    assert allowance.pause(11) == 9


def test_a_turn_without_waiting_is_taken_only_if_no_limit_is_set_and_nobody_waits() -> None:
    async def main() -> None:
        free = Limits()
        assert free.enter(0)
        assert isinstance(free.quota, RetryQuota)
        assert not Limits(max_concurrency=1).enter(0)
        assert not Limits(rate=Rate(1)).enter(0)
        free.server.stop(5, now=1000)
        assert not free.enter(1000)
        waiting = asyncio.create_task(free.acquire(None))
        await asyncio.sleep(0)
        assert not free.enter(1005)
        await waiting
        assert free.enter(1005)

    run(main())


def test_calls_without_waiting_count_for_the_server() -> None:
    limits = Limits()
    assert limits.enter(0)
    limits.server.learn(1, 1, 10, now=0)
    limits.release()
    assert limits.enter(1)
    assert not limits.enter(1)


def test_a_call_cancelled_in_a_pause_leaves_its_place_to_the_next() -> None:
    async def main() -> None:
        limits = Limits(rate=Rate(1))
        limits.server.stop(5, now=1000)
        waiting = [asyncio.create_task(starts(limits, 1)) for _ in range(3)]
        await asyncio.sleep(1)
        waiting[0].cancel()
        assert [await task for task in waiting[1:]] == [[5], [6]]

    run(main())


# -- siblings and cancelled calls --------------------------------------------------------------------------------------


def test_siblings_with_another_concurrency_share_the_rate() -> None:
    async def main() -> None:
        first = Limits(rate=Rate(2, per=10.0))
        second = first.vary(max_concurrency=1)
        assert await starts(first, 2) == [0, 0]
        assert await starts(second, 1) == [10]

    run(main())


QUEUED = 100
LINES = 10


def test_the_queue_is_intact_after_half_of_its_calls_were_cancelled() -> None:
    async def main() -> None:
        random, clock = Random(4), asyncio.get_running_loop().time
        limits = Limits(LINES, Rate(LINES, per=1.0))

        async def call() -> None:
            await limits.acquire(None)
            try:
                await asyncio.sleep(random.random())
            finally:
                limits.release()

        tasks = [asyncio.create_task(call()) for _ in range(QUEUED)]
        for task in random.sample(tasks, QUEUED):
            await asyncio.sleep(random.random() / LINES)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        done = [task for task in tasks if not task.cancelled()]
        assert QUEUED / 4 < len(done) < QUEUED
        await asyncio.sleep(1)  # the rate forgets
        began = clock()
        await asyncio.gather(*(call() for _ in range(QUEUED)))
        assert clock() - began < 2 * QUEUED / LINES
        assert (limits._waiting, limits.server._in_flight) == (0, 0)
        assert limits._waiting_lines[asyncio.get_running_loop()].slots._value == LINES

    run(main())
