"""Work that must be finished although the task that waits for it is cancelled, such as cancelling a prediction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from . import aiohttp_compat

T = TypeVar("T")

FINISH_TIMEOUT = 5.0
"""Seconds that unfinished work has from the moment at which its caller is cancelled."""


class _Uncancellable(asyncio.Future[None]):
    """A future whose waiting task cannot be cancelled: it says that it has passed the cancellation on.

    `asyncio.shield` is not enough: a loop that ends cancels every task, and anyio's scopes cancel each `await` again.
    """

    def cancel(self, msg: Any = None) -> bool:
        return True


class _Guard(asyncio.Task[None]):
    """A task that cannot be cancelled: the end of the loop, which tries to, waits for it.

    A coroutine that catches the cancellation is not enough: a task that has not started yet would never run it.
    """

    must_end = False
    """Whether the task should be cancelled, which means that the loop is ending."""

    def cancel(self, msg: Any = None) -> bool:
        self.must_end = True
        return not self.done()


class UnfinishedWork:
    """The work of one client that its tasks have left behind. Its `close` waits for it, and so does the loop's end."""

    def __init__(self) -> None:
        self._guards: set[asyncio.Task[None]] = set()
        self._on_close: dict[object, tuple[asyncio.AbstractEventLoop, Callable[[], None]]] = {}

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work that the end of the loop does not cancel. It needs `finish`, or code that awaits it."""
        task = asyncio.ensure_future(work)
        aiohttp_compat.hide_task(task)
        return task

    async def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for work. If the caller is cancelled, the work has 5 s to end, or more while the loop runs."""
        await asyncio.shield(self.leave(work))

    def leave(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let work end after its caller has left. `wait` and the end of the loop wait for it, up to 5 s."""
        guard = _Guard(_guard(self.start(work)), loop=asyncio.get_running_loop())
        self._guards.add(guard)
        guard.add_done_callback(self._guards.discard)
        return guard

    @contextmanager
    def on_close(self, call: Callable[[], None]) -> Iterator[None]:
        """In the block, call a function when the client is closed, before `wait` looks for what was left behind."""
        place = object()
        self._on_close[place] = (asyncio.get_running_loop(), call)
        try:
            yield
        finally:
            del self._on_close[place]

    async def wait(self) -> None:
        """Wait for what tasks of the running loop have left behind, also if the caller is cancelled."""
        loop = asyncio.get_running_loop()
        for its_loop, call in list(self._on_close.values()):
            if its_loop is loop:
                call()
        for guard in [guard for guard in self._guards if guard.get_loop() is loop]:
            await _wait_uncancelled(guard, FINISH_TIMEOUT)


async def _guard(work: asyncio.Task[None]) -> None:
    """Keep the loop from ending before the work has, for 5 s."""
    await _wait_uncancelled(work, FINISH_TIMEOUT)
    if work.done():
        return
    guard = asyncio.current_task()
    if isinstance(guard, _Guard) and guard.must_end:
        work.cancel()
        await asyncio.wait([work])
    else:
        aiohttp_compat.show_task(work)


async def _wait_uncancelled(task: asyncio.Task[Any], seconds: float) -> None:
    """Wait until a task has ended or the time is over; a cancellation does not end the waiting."""
    ended = _Uncancellable()

    def end(_: Any = None) -> None:
        if not ended.done():
            ended.set_result(None)

    task.add_done_callback(end)
    timer = asyncio.get_running_loop().call_later(seconds, end)
    try:
        await ended
    finally:
        timer.cancel()
        task.remove_done_callback(end)
