"""Work that outlives the tasks that wait for it."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from kellyapi._core import unfinished
from kellyapi._core.unfinished import UnfinishedWork


async def leave(task: asyncio.Task[None]) -> None:
    """Cancel a task as often as it takes, and see that it ends as a cancelled one."""
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert task.cancelled()


async def test_the_first_cancellation_waits_for_the_work() -> None:
    work, go_on, ended = UnfinishedWork(), asyncio.Event(), []

    async def last() -> None:
        await go_on.wait()
        ended.append(True)

    caller = asyncio.create_task(work.finish(last()))
    await asyncio.sleep(0)
    go_on.set()
    await caller
    assert ended == [True]


async def test_the_end_of_the_loop_waits_for_work_that_has_not_started_yet() -> None:
    work, go_on, ended = UnfinishedWork(), asyncio.Event(), []

    async def last() -> None:
        await go_on.wait()
        ended.append(True)

    guard = work.leave(last())
    guard.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not guard.done()
    go_on.set()
    await guard
    assert ended == [True]


async def test_work_ends_after_its_caller_has_left_and_a_cancelled_close_waits_for_it() -> None:
    work, go_on, ended = UnfinishedWork(), asyncio.Event(), []

    async def last() -> None:
        await go_on.wait()
        ended.append(True)

    caller = asyncio.create_task(work.finish(last()))
    await asyncio.sleep(0)
    await leave(caller)
    closing = asyncio.create_task(work.wait())
    for _ in range(5):
        await asyncio.sleep(0)
        closing.cancel()
    assert (closing.done(), ended) == (False, [])
    go_on.set()
    await closing
    assert ended == [True]
    await work.wait()  # nothing is left


async def test_an_anyio_scope_that_cancels_each_await_again_does_not_stop_the_work() -> None:
    work, steps = UnfinishedWork(), []

    async def last() -> None:
        for step in range(5):
            await asyncio.sleep(0)
            steps.append(step)

    with anyio.CancelScope() as scope:
        scope.cancel()
        await work.finish(last())
    assert scope.cancelled_caught
    with anyio.CancelScope() as scope:
        scope.cancel()
        await work.wait()
    assert steps == [0, 1, 2, 3, 4]


def test_the_end_of_a_loop_waits_for_work() -> None:
    work, steps = UnfinishedWork(), []

    async def last() -> None:
        for step in range(5):
            await asyncio.sleep(0)
            steps.append(step)

    async def main() -> None:
        caller = asyncio.create_task(work.finish(last()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await leave(caller)
        assert len(steps) < 5

    asyncio.run(main())
    assert steps == [0, 1, 2, 3, 4]


def test_the_end_of_a_loop_cancels_work_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "FINISH_TIMEOUT", 0.01)
    work, ended = UnfinishedWork(), []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def main() -> None:
        caller = asyncio.create_task(work.finish(hang()))
        await asyncio.sleep(0)
        await leave(caller)

    asyncio.run(main())
    assert ended == [True]


async def test_work_goes_on_after_its_time_as_long_as_the_loop_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "FINISH_TIMEOUT", 0)
    work, go_on, ended = UnfinishedWork(), asyncio.Event(), asyncio.Event()

    async def last() -> None:
        await go_on.wait()
        ended.set()

    await work.finish(last())
    assert [task for task in asyncio.all_tasks() if "last" in repr(task)]  # the loop's end would cancel it
    go_on.set()
    await ended.wait()
