"""The library from code without an event loop: one background loop that runs our coroutines.

The loop is kept, so sessions stay open from one call to the next. It serves any number of threads, and code inside a
running loop, as in a notebook.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import AsyncIterable, Awaitable, Iterator
from typing import TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def run_sync(awaitable: Awaitable[T]) -> T:
    """Wait for a coroutine of ours from code that has no event loop, and give its result.

    It may be called from several threads at once and inside a running loop, which it blocks. Ctrl-C cancels the call.
    """
    if not hasattr(awaitable, "__await__"):
        raise TypeError(f"run_sync takes a coroutine, such as api.translate(…), not {type(awaitable).__name__}")
    loop = _background_loop()
    coroutine = _await(awaitable)
    if threading.current_thread().name == _THREAD:
        coroutine.close()
        raise RuntimeError("run_sync was called by the coroutine that it runs: use await there")
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
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


_THREAD = "kellyapi-loop"


async def _await(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _background_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name=_THREAD, daemon=True).start()
            atexit.register(_stop)
        return _loop


def _stop() -> None:
    """End the loop with the program, closing the sessions that are still open."""
    global _loop
    with _lock:
        loop, _loop = _loop, None
    if loop is not None:
        asyncio.run_coroutine_threadsafe(loop.shutdown_asyncgens(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)


def _forget() -> None:
    """Leave the parent's loop to the parent: its thread does not exist in a forked child."""
    global _loop
    _loop = None


os.register_at_fork(after_in_child=_forget)
