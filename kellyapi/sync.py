"""The library from code without an event loop: one background loop that runs our coroutines.

The loop is kept, so sessions stay open from one call to the next. It serves any number of threads, and code inside a
running loop, as in a notebook.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncIterable, Awaitable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_thread: _LoopThread | None = None


def run_sync(awaitable: Awaitable[T]) -> T:
    """Wait for a coroutine of ours from code that has no event loop, and give its result.

    It may be called from several threads at once and inside a running loop, which it blocks. Ctrl-C cancels the call.
    """
    if not hasattr(awaitable, "__await__"):
        raise TypeError(f"run_sync takes a coroutine, such as api.translate(…), not {type(awaitable).__name__}")
    if threading.current_thread() is _thread:
        if isinstance(awaitable, Coroutine):
            awaitable.close()
        raise RuntimeError("run_sync was called by the coroutine that it runs: use await there")
    future = asyncio.run_coroutine_threadsafe(_await(awaitable), _background_loop())
    try:
        return future.result()
    except BaseException:
        future.cancel()  # after Ctrl-C the call still runs
        raise


def iterate_sync(iterable: AsyncIterable[T]) -> Iterator[T]:
    """Iterate over an async iterator of ours from code that has no event loop; leaving the loop early frees what it
    holds.
    """
    items = aiter(iterable)
    try:
        while True:
            try:
                item = run_sync(anext(items))
            except StopAsyncIteration:
                return
            yield item
    finally:
        if hasattr(items, "aclose"):
            run_sync(items.aclose())


async def _await(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _background_loop() -> asyncio.AbstractEventLoop:
    global _thread
    with _lock:
        if _thread is None:
            _thread = _LoopThread(name="kellyapi-loop", daemon=True)
            _thread.start()
        return _thread.loop


class _LoopThread(threading.Thread):
    """A thread that runs a loop until the program ends."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.loop = asyncio.new_event_loop()

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())  # closes the sessions that are still open
        self.loop.close()


def _stop() -> None:
    """End the loop, with the program. A later call, from another exit handler, starts another."""
    global _thread
    with _lock:
        thread, _thread = _thread, None
    if thread is not None:
        thread.loop.call_soon_threadsafe(thread.loop.stop)
        thread.join(5)


# Here and not with the first call: handlers run in reverse order, and those of the program still need the loop.
atexit.register(_stop)


def _forget() -> None:
    """Leave the parent's loop to the parent: its thread does not exist in a forked child."""
    global _thread
    _thread = None


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget)
