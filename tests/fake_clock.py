"""A loop whose clock jumps to the next timer as soon as no socket and no thread is busy.

So tests with real sockets reach limits such as 60 seconds of silence at once, and measure times exactly.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_A_MOMENT = 0.002
"""Seconds. Both ends of a connection are in this process, so bytes arrive by then, also on a busy machine. If none have
arrived, the next wait is an eighth of it."""
_FOR_EVER = 1.0
"""Seconds to wait if there is no timer."""


class FakeClockLoop(asyncio.SelectorEventLoop):
    """Advances its clock instead of waiting. A loop waits in only one call, `select` of its selector."""

    def __init__(self, moment: float = _A_MOMENT) -> None:
        self.now = 1000.0
        self.moment = moment
        self.threads = 0
        super().__init__(_FakeClockSelector(self))

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        self.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_ended)
        return future

    async def shutdown_default_executor(self, *_: object) -> None:
        self.threads += 1
        await super().shutdown_default_executor()
        self.threads -= 1

    def _thread_ended(self, _: object) -> None:
        self.threads -= 1


class _FakeClockSelector(selectors.DefaultSelector):
    def __init__(self, loop: FakeClockLoop) -> None:
        super().__init__()
        self._loop = loop
        self._is_quiet = False

    def select(self, timeout: float | None = None) -> Any:
        if timeout == 0:
            return super().select(0)
        if self._loop.threads:
            return super().select(None)
        if self._is_quiet and timeout is not None:
            time.sleep(self._loop.moment / 8)  # `select` waits for a millisecond at least
            found = super().select(0)
        else:
            found = super().select(self._loop.moment if timeout is not None else _FOR_EVER)
        self._is_quiet = not found
        if not found and timeout is None:
            raise RuntimeError("nothing will ever happen")
        if not found:
            self._loop.now += timeout
        return found


def run(main: Coroutine[Any, Any, T], *, moment: float = _A_MOMENT) -> T:
    """Run a coroutine in its own loop, whose clock begins at 1000. Without sockets the moment can be 0."""
    with asyncio.Runner(loop_factory=lambda: FakeClockLoop(moment)) as runner:
        return runner.run(main)
