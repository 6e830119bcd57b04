"""The window of `run_many`: it shrinks after 429, waits as long as the server wants, and grows after successes."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from fake_clock import run
from hypothesis import given, settings
from hypothesis import strategies as st

from kellyapi import KellyAPIError, Prediction, RateLimitError, run_many
from kellyapi._core.run_many import MAX_TRIES

from .planned_calls import Calls, Outcome, Plan

OK = Plan(["ok"])


def begun_at(plans: list[Plan], window: int) -> list[tuple[float, list[int]]]:
    """Return the items whose calls began at each time, in seconds from the start."""
    calls = Calls(plans)

    async def main() -> None:
        await run_many(calls, range(len(plans)), window=window)

    run(main(), moment=0)
    times = sorted({time for _, time in calls.began})
    return [(time - 1000, [item for item, began in calls.began if began == time]) for time in times]


def test_after_429_half_as_many_run_after_the_pause_and_one_more_for_each_round_of_successes() -> None:
    plans = [OK, Plan([10.0, "ok"]), *[OK] * 13]
    assert begun_at(plans, window=4) == [
        (0, [0, 1, 2, 3]),
        (11, [1, 4]),  # item 1 failed at 1, and two may run
        (12, [5, 6, 7]),
        (13, [8, 9, 10, 11]),
        (14, [12, 13, 14]),
    ]


def test_calls_that_ran_together_halve_the_window_once() -> None:
    limited = Plan([5.0, "ok"])
    begun = begun_at([limited] * 8 + [OK] * 2, window=8)
    assert [(time, len(items)) for time, items in begun] == [(0, 8), (6, 4), (7, 5), (8, 1)]


LIMITED_ROUNDS = st.dictionaries(st.integers(0, 12), st.tuples(st.integers(1, 8), st.integers(1, 9)), max_size=4)


def rounds_of(items: int, window: int, limited: dict[int, tuple[int, int]]) -> list[tuple[int, int]]:
    """Return when calls of one second begin, and how many: the plain rule of the window.

    `limited` has for each round the number of calls that get 429, and their `retry_after`.
    """
    found: list[tuple[int, int]] = []
    now, allowed = 0, window
    while items:
        begun = min(allowed, items)
        refused, pause = limited.get(len(found), (0, 0))
        found.append((now, begun))
        items -= begun - min(refused, begun)
        allowed = max(1, allowed // 2) if refused else min(allowed + 1, window)
        now += 1 + pause
    return found


@settings(max_examples=60)
@given(items=st.integers(0, 40), window=st.integers(1, 9), limited=LIMITED_ROUNDS)
def test_calls_of_equal_length_begin_in_the_rounds_that_the_rule_gives(
    items: int, window: int, limited: dict[int, tuple[int, int]]
) -> None:
    begun: Counter[float] = Counter()

    async def call(item: int) -> None:
        now = asyncio.get_running_loop().time()
        begun[now - 1000] += 1
        refused, pause = limited.get(len(begun) - 1, (0, 0))
        is_refused = begun[now - 1000] <= refused
        await asyncio.sleep(1)
        if is_refused:
            raise RateLimitError("slow down", status=429, retry_after=pause)

    async def main() -> None:
        assert await run_many(call, range(items), window=window) == (None,) * items

    run(main(), moment=0)
    assert list(begun.items()) == rounds_of(items, window, limited)


def test_the_window_is_never_less_than_one() -> None:
    limited = Plan([1.0, 1.0, 1.0, "ok"])
    assert begun_at([limited, OK], window=2) == [(0, [0, 1]), (2, [0]), (4, [0]), (6, [0])]


def test_the_longest_pause_of_several_is_honoured() -> None:
    plans = [Plan([9.0, "ok"]), Plan([2.0, "ok"]), OK]
    assert [time for time, _ in begun_at(plans, window=2)] == [0, 10, 11]


def test_without_retry_after_the_pauses_double() -> None:
    plan = Plan([None, None, None, None, "ok"], latency=0)
    assert [time for time, _ in begun_at([plan], window=8)] == [0, 1, 3, 7, 15]


@pytest.mark.parametrize(("retry_after", "tries"), [(60.0, MAX_TRIES), (60.5, 1), (3599.0, 1)])
def test_a_pause_of_more_than_a_minute_is_not_waited_for(retry_after: float, tries: int) -> None:
    assert len(begun_at([Plan([retry_after])], window=2)) == tries


@pytest.mark.parametrize(
    "known",
    [{"prediction": Prediction(id="p1", status="processing")}, {"partial": ("a",)}, {"outcome_unknown": True}],
    ids=lambda known: next(iter(known)),
)
def test_a_call_that_may_have_been_billed_is_not_tried_again(known: dict[str, Any]) -> None:
    counted: Counter[int] = Counter()

    async def call(item: int) -> None:
        counted[item] += 1
        error = RateLimitError("slow down", status=429)
        for name, value in known.items():
            setattr(error, name, value)
        raise error

    async def main() -> None:
        assert [type(each) for each in await run_many(call, range(2))] == [RateLimitError] * 2

    run(main(), moment=0)
    assert counted == {0: 1, 1: 1}


@pytest.mark.parametrize("outcome", ["fatal", "bug"])
def test_a_fatal_failure_ends_the_wait_for_another_try(outcome: Outcome) -> None:
    calls = Calls([Plan([50.0, "ok"], latency=0), Plan([outcome])])

    async def caught() -> Any:
        try:
            await run_many(calls, range(2), window=2)
        except (KellyAPIError, ZeroDivisionError) as error:
            return error

    error = run(caught(), moment=0)
    assert [type(each) for each in error.partial] == [RateLimitError, type(error)]
    assert calls.tries == {0: 1, 1: 1}
