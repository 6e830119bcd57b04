"""Use the library from code without an event loop: a background loop runs its coroutines.

There is one loop per program, so that sessions stay open from one call to the next. It can be used from several threads
at once, and by code that a running loop calls, as in a notebook.
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
    """Run a coroutine of the library from code without an event loop, and return its result.

    It can be called from several threads at once. Inside a running loop it blocks that loop. Ctrl-C cancels the call.

    Args:
        awaitable: A coroutine, such as `api.translate("Hello", "en-tw")`.

    Raises:
        RuntimeError: It was called by a coroutine that `run_sync` runs. Use `await` there.

    Example::

        api = KellyAPI()
        hello = run_sync(api.translate("Good morning", "en-tw"))
        run_sync(api.close())
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
        future.cancel()  # without this the call would still run after Ctrl-C
        raise


def iterate_sync(iterable: AsyncIterable[T]) -> Iterator[T]:
    """Iterate over an async iterator of the library from code without an event loop.

    If you leave the loop early, the iterator is closed.

    Example::

        for state in iterate_sync(skytells.predictions.follow(wolf)):
            print(state.status)
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
    """A thread that runs an event loop until the program ends."""

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
    """Stop the loop when the program ends. A later call, from another exit handler, starts a new one."""
    global _thread
    with _lock:
        thread, _thread = _thread, None
    if thread is not None:
        thread.loop.call_soon_threadsafe(thread.loop.stop)
        thread.join(5)


# Registered here and not at the first call: exit handlers run in reverse order, and those of the program still need the
# loop.
atexit.register(_stop)


def _forget() -> None:
    """Forget the loop of the parent process. Its thread does not exist in a forked child."""
    global _thread
    _thread = None


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget)
