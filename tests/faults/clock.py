"""A loop whose clock jumps to the next timer as soon as no socket and no thread has anything to say.

So real sockets meet real limits, such as 60 seconds of silence, in no time, and what took how long is exact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_A_MOMENT = 0.005
"""Seconds. Both ends of a connection live in this loop, so what was written has arrived when it looks."""
_FOR_EVER = 1.0
"""Seconds, where there is not even a timer to wait for."""


class PatientLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._now = 1000.0
        self._threads = 0
        super().__init__()

    def time(self) -> float:
        return self._now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._came_back)
        return future

    async def shutdown_default_executor(self, *_: object) -> None:
        self._threads += 1
        await super().shutdown_default_executor()
        self._threads -= 1

    def _came_back(self, _: object) -> None:
        self._threads -= 1

    def _run_once(self) -> None:
        if not (self._ready or self._threads or self._stopping or self._selector.select(_A_MOMENT)):
            timers = [timer.when() for timer in self._scheduled if not timer.cancelled()]
            if not timers and not self._selector.select(_FOR_EVER):
                raise RuntimeError("nothing will ever happen")
            self._now = max(self._now, min(timers, default=self._now))
        super()._run_once()


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        return runner.run(main)
