"""What `run_many` accepts, reads and reports, and how it ends."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from kellyapi import AuthenticationError, KellyAPIError, NotFoundError, iterate_sync, run_many, run_sync


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


class Hanging:
    """Calls that end only when they are cancelled."""

    def __init__(self) -> None:
        self.running = 0
        self.began = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, item: Any) -> None:
        self.running += 1
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.may_end.wait()
            self.running -= 1


async def test_items_are_a_list_an_iterator_or_an_async_iterator() -> None:
    async def later() -> AsyncIterator[int]:
        yield 1
        yield 2

    assert await run_many(double, [1, 2]) == await run_many(double, iter([1, 2])) == (2, 4)
    assert await run_many(double, later()) == (2, 4)
    assert await run_many(double, []) == ()
    assert [each async for each in run_many(double, ())] == []


async def test_equal_items_are_called_for_as_often_as_they_occur() -> None:
    called = []

    async def call(text: str) -> str:
        called.append(text)
        return text

    assert await run_many(call, ["a", "b", "a", "a"]) == ("a", "b", "a", "a")
    assert sorted(called) == ["a", "a", "a", "b"]


def test_it_works_without_a_loop() -> None:
    assert run_sync(run_many(double, [1, 2])) == (2, 4)
    assert list(iterate_sync(run_many(double, [1, 2]))) == [2, 4]


@pytest.mark.parametrize(
    ("arguments", "options", "problem"),
    [
        ((5, [1]), {}, "call must be a function, not int"),
        ((double, 5), {}, "items must be a list of anything or an async iterator, not int"),
        ((double, "text"), {}, "items must be a list of anything or an async iterator, not str"),
        ((double, [1]), {"window": 0}, "window must be at least 1, not 0"),
        ((double, [1]), {"window": 1.5}, "window must be a whole number, not float"),
        ((double, [1]), {"on_progress": 5}, "on_progress must be a function or None, not int"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments: Any, options: Any, problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        run_many(*arguments, **options)


async def test_a_function_that_is_not_async_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="call must be an async function: it returned int"):
        await run_many(lambda number: number, [1])  # type: ignore[arg-type,return-value]  # this is the mistake


async def test_nothing_is_read_before_the_results_are_received_and_they_are_received_once() -> None:
    read = []

    def items() -> Iterator[int]:
        for number in range(3):
            read.append(number)
            yield number

    many = run_many(double, items())
    await asyncio.sleep(0)
    assert not read
    assert await many == (0, 2, 4)
    with pytest.raises(RuntimeError, match="the results of run_many can be received once"):
        await many
    with pytest.raises(RuntimeError, match="can be received once"):
        async for _ in many:
            pass


@pytest.mark.parametrize(("items", "total"), [([1, 2, 3], 3), (iter([1, 2, 3]), None)], ids=["list", "iterator"])
async def test_progress_counts_the_items_that_are_done(items: Any, total: int | None) -> None:
    seen: list[Any] = []

    async def later(done: int, total: int | None) -> None:
        seen.append((done, total))

    await run_many(double, items, on_progress=later)
    assert seen == [(1, total), (2, total), (3, total)]
    await run_many(double, [1, 2], on_progress=lambda *counts: seen.append(counts))
    assert seen[3:] == [(1, 2), (2, 2)]


async def test_a_progress_function_that_fails_loses_no_result() -> None:
    def fail(done: int, total: int | None) -> None:
        if done == 2:
            raise OSError("no terminal")

    with pytest.raises(OSError, match="no terminal") as raised:
        await run_many(double, range(5), window=2, on_progress=fail)
    assert raised.value.partial == (0, 2)  # type: ignore[attr-defined]  # of a foreign exception
    assert raised.value.__notes__ == ["results of other calls in its .partial: 2"]


class Rows:
    """A source that breaks off."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __iter__(self) -> Iterator[int]:
        yield from range(3)
        raise self.error


@pytest.mark.parametrize("error", [ValueError("bad row"), NotFoundError("no page", status=404)])
async def test_a_source_that_fails_is_raised_after_the_results_of_what_it_gave(error: Any) -> None:
    many = aiter(run_many(double, Rows(error), window=2))
    assert [await anext(many) for _ in range(3)] == [0, 2, 4]
    with pytest.raises(type(error)):
        await anext(many)
    assert error.partial == ()
    with pytest.raises(type(error)) as raised:
        await run_many(double, Rows(error), window=2)
    assert raised.value is error
    assert error.partial == (0, 2, 4)


async def test_a_source_that_cancels_itself_does_not_look_like_one_that_ended() -> None:
    with pytest.raises(asyncio.CancelledError):
        await run_many(double, Rows(asyncio.CancelledError()))


async def test_a_call_that_cancels_itself_ends_the_run() -> None:
    async def call(number: int) -> int:
        if number == 1:
            raise asyncio.CancelledError
        return number

    many = run_many(call, range(9), window=2)
    with pytest.raises(asyncio.CancelledError):
        await many
    assert many.partial[0] == 0
    assert len(many.partial) == 2


async def test_a_fatal_failure_ends_a_source_that_waits() -> None:
    async def endless() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async def refuse(item: int) -> None:
        raise AuthenticationError("refused", status=401)

    with pytest.raises(AuthenticationError) as raised:
        await asyncio.wait_for(run_many(refuse, endless()), timeout=5)
    assert raised.value.partial == (raised.value,)


async def test_tasks_that_run_at_once_make_no_difference() -> None:
    """`eager_task_factory` of Python 3.12 runs a task up to its first wait before there is a task."""
    asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory", None))
    read = []

    async def endless() -> AsyncIterator[int]:
        for number in range(2):
            read.append(number)
            yield number
        await asyncio.Event().wait()

    async def refuse(item: int) -> None:
        raise AuthenticationError("refused", status=401)

    assert await run_many(double, range(99), window=3) == tuple(range(0, 198, 2))
    with pytest.raises(AuthenticationError):
        await asyncio.wait_for(run_many(refuse, endless(), window=1), timeout=5)
    assert read == [0]


async def test_break_alone_ends_the_calls_too() -> None:
    calls = Hanging()

    async def call(number: int) -> int:
        if number:
            await calls(number)
        return number

    async for result in run_many(call, range(9), window=3):
        await calls.began.wait()
        assert result == 0
        break
    gc.collect()
    while calls.running:  # noqa: ASYNC110  the loop closes the iterator in a task of its own
        await asyncio.sleep(0)


async def test_a_second_cancellation_does_not_leave_calls_behind() -> None:
    calls = Hanging()
    calls.may_end.clear()
    task = asyncio.ensure_future(run_many(calls, range(9), window=3))
    await calls.began.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert calls.running == 3
    assert not task.done()
    calls.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls.running == 0


async def test_a_cancel_scope_of_anyio_ends_the_calls() -> None:
    calls = Hanging()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: run_many(calls, range(9), window=3).__aiter__().__anext__())
            await calls.began.wait()
            scope.cancel()
    assert calls.running == 0


async def test_closing_before_the_start_and_after_the_end_does_nothing() -> None:
    many = run_many(double, [1])
    await many
    await many.aclose()
    assert many.partial == ()
    many = run_many(double, [1])
    await many.aclose()
    with pytest.raises(RuntimeError, match="can be received once"):
        await many


async def test_closing_while_the_results_are_waited_for_is_no_end() -> None:
    for receive in (lambda many: many, lambda many: anext(aiter(many))):
        calls = Hanging()
        many = run_many(calls, range(9), window=3)
        waiting = asyncio.ensure_future(receive(many))
        await calls.began.wait()
        await many.aclose()
        with pytest.raises(RuntimeError, match="run_many was closed while its results were waited for"):
            await waiting
        assert calls.running == 0


async def test_a_fatal_failure_keeps_the_partial_result_that_it_had() -> None:
    async def call(number: int) -> int:
        if number < 2:
            return number
        error = AuthenticationError("refused", status=401)
        error.partial = "the first half"
        raise error

    with pytest.raises(AuthenticationError) as raised:
        await run_many(call, range(9), window=1)
    assert raised.value.partial == (0, 1, "the first half")


async def test_an_error_that_is_collected_keeps_the_frames_of_the_call_alone() -> None:
    async def call(item: int) -> None:
        raise KellyAPIError("no")

    (error,) = await run_many(call, [1])
    assert isinstance(error, KellyAPIError)
    trace = error.__traceback__
    assert trace is not None
    assert (trace.tb_frame.f_code.co_name, trace.tb_next) == ("call", None)


async def test_a_foreign_exception_without_results_has_no_note() -> None:
    async def call(item: int) -> None:
        raise OSError("no key store")

    with pytest.raises(OSError, match="no key store") as raised:
        await run_many(call, [1])
    assert not hasattr(raised.value, "__notes__")
