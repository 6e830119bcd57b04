"""Many calls at once: random latencies, outcomes and cancellations beside what each item alone would give."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import Any

from attrs import frozen
from fake_clock import run
from hypothesis import given, settings
from hypothesis import strategies as st

from kellyapi import AuthenticationError, RateLimitError, run_many
from kellyapi._core.run_many import MAX_TRIES

from .planned_calls import Calls, Plan, error_of, shown

LATENCIES = st.sampled_from([0, 0.25, 1, 3])
LIMITED = st.sampled_from([None, 0.0, 1.0, 7.0])


def plans(*ends: str) -> st.SearchStrategy[list[Plan]]:
    tries = st.tuples(st.lists(LIMITED, max_size=6), st.sampled_from(ends)).map(lambda drawn: [*drawn[0], drawn[1]])
    return st.lists(st.builds(Plan, st.just(["ok"]) | tries, LATENCIES), max_size=12)


@frozen
class Way:
    """How the results are received."""

    window: int
    async_items: bool
    loop: bool
    """Whether by `async for`; otherwise by `await`."""
    pause: float
    """What the body of the loop takes."""

    async def receive(self, calls: Calls, received: list[Any], most_ahead: list[int]) -> None:
        items = calls.slow_items() if self.async_items else calls.items()
        many = run_many(calls, items, window=self.window)
        try:
            if not self.loop:
                received += await many
                return
            async with aclosing(many):
                async for result in many:
                    received.append(result)
                    most_ahead.append(calls.read - len(received))
                    await asyncio.sleep(self.pause)
                    most_ahead.append(calls.read - len(received))
        finally:
            received.append(many.partial)


WAYS = st.builds(Way, st.integers(1, 5), st.booleans(), st.booleans(), st.sampled_from([0, 0.5, 4]))


def expected(plans: list[Plan]) -> list[str]:
    """Return what each item gives by itself."""
    found = []
    for item, plan in enumerate(plans):
        outcome = plan.outcome(plan.tries_made(MAX_TRIES))
        found.append(f"result {item}" if outcome == "ok" else str(error_of(item, outcome)))
    return found


async def nothing_runs(calls: Calls) -> None:
    assert calls.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@settings(max_examples=60)
@given(plans=plans("ok", "error"), way=WAYS)
def test_each_item_has_its_outcome_in_order_and_no_call_more(plans: list[Plan], way: Way) -> None:
    async def main() -> None:
        calls, received, ahead = Calls(plans), [], [0]
        await way.receive(calls, received, ahead)
        assert received.pop() == ()
        assert list(map(shown, received)) == expected(plans)
        assert calls.tries == {item: plan.tries_made(MAX_TRIES) for item, plan in enumerate(plans)}
        assert calls.most <= way.window
        assert max(ahead) <= way.window
        await nothing_runs(calls)

    run(main(), moment=0)


@settings(max_examples=60)
@given(plans=plans("ok", "ok", "error", "fatal", "bug"), way=WAYS)
def test_the_first_fatal_failure_stops_the_rest_and_loses_no_result(plans: list[Plan], way: Way) -> None:
    async def main() -> None:
        calls, received = Calls(plans), []
        failure: Any = None
        try:
            await way.receive(calls, received, [])
        except (AuthenticationError, ZeroDivisionError) as error:
            failure = error
        partial = received.pop()
        whole = [*received, *partial]
        first = next((item for item, outcome in enumerate(whole) if is_fatal(outcome)), len(plans))
        for outcome, right in zip(whole[:first], expected(plans), strict=False):
            assert shown(outcome) == right or isinstance(outcome, RateLimitError)  # it waited for another try
        assert sorted(each for each in whole if isinstance(each, str)) == sorted(calls.results)
        assert len(whole) == len(calls.tries)
        assert calls.most <= way.window
        if failure is None:
            assert calls.failed_at is None
        else:
            assert failure.partial == partial
            assert not way.loop or len(received) == first
            assert calls.failed_at is not None
            assert all(began <= calls.failed_at for _, began in calls.began)
        await nothing_runs(calls)

    run(main(), moment=0)


def is_fatal(outcome: Any) -> bool:
    return isinstance(outcome, (AuthenticationError, ZeroDivisionError))


@settings(max_examples=60)
@given(plans=plans("ok", "error"), way=WAYS, after=st.floats(0, 12))
def test_a_cancelled_run_leaves_nothing_running_and_keeps_what_has_come(
    plans: list[Plan], way: Way, after: float
) -> None:
    async def main() -> None:
        calls, received = Calls(plans), []
        with suppress(TimeoutError):
            async with asyncio.timeout(after):
                await way.receive(calls, received, [])
        await nothing_runs(calls)
        partial = received.pop() if received else ()
        whole = [*received, *partial]
        assert [known for known in map(shown, whole) if known is not None] == [
            outcome for known, outcome in zip(map(shown, whole), expected(plans), strict=False) if known is not None
        ]
        assert set(calls.results) == {each for each in whole if isinstance(each, str)}

    run(main(), moment=0)


@settings(max_examples=60)
@given(plans=plans("ok", "error"), window=st.integers(1, 4), left_after=st.integers(0, 6))
def test_a_loop_that_is_left_leaves_nothing_running(plans: list[Plan], window: int, left_after: int) -> None:
    async def main() -> None:
        calls = Calls(plans)
        async with aclosing(run_many(calls, calls.items(), window=window)) as many:
            number = 0
            async for _ in many:
                number += 1
                if number > left_after:
                    break
        await nothing_runs(calls)
        assert calls.read <= left_after + 1 + window

    run(main(), moment=0)
