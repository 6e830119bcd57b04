"""Use the library from code without an event loop: a background loop runs its coroutines.

There is one loop per program, so that sessions stay open from one call to the next. It can be used from several threads
at once, and by code that a running loop calls, as in a notebook.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import AsyncIterable, Awaitable, Coroutine, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

from ._core.aiohttp_compat import cut_off_from_parent
from ._core.unfinished import FINISH_TIMEOUT
from ._data.arguments import checked
from ._data.threads import never_finalize, serving_loops

T = TypeVar("T")

_END_TIMEOUT = FINISH_TIMEOUT + 1
"""Seconds in which a call that is interrupted, and the loop at the end of the program, have to end."""

_lock = threading.Lock()
_thread: _LoopThread | None = None


def run_sync(awaitable: Awaitable[T]) -> T:
    """Run a coroutine of the library from code without an event loop, and return its result.

    It can be called from several threads at once. Inside a running loop, as in a notebook, it blocks that loop. Ctrl-C
    cancels the call and waits for its end, 6 s at most; a second Ctrl-C does not wait.

    Args:
        awaitable: A coroutine, such as `api.translate("Hello", "en-tw")`.

    Raises:
        RuntimeError: It was called by a coroutine that `run_sync` runs, or in an event loop that runs a sandbox: use
            `await` there. Or Python is ending, and runs no coroutine any more.

    Example::

        api = KellyAPI()
        hello = run_sync(api.translate("Good morning", "en-tw"))
        run_sync(api.close())
    """
    if not hasattr(awaitable, "__await__"):
        raise TypeError(f"run_sync takes a coroutine, such as api.translate(…), not {type(awaitable).__name__}")
    try:
        _check_usable()
        loop = _background_loop()
    except RuntimeError:
        if isinstance(awaitable, Coroutine):
            awaitable.close()
        raise
    result: T = _Call(awaitable, loop).wait()
    return result


@checked
def iterate_sync(iterable: AsyncIterable[T]) -> Iterator[T]:
    """Iterate over an async iterator of the library from code without an event loop.

    If you leave the loop early, the iterator is closed.

    Example::

        for state in iterate_sync(skytells.predictions.follow(wolf)):
            print(state.status)
    """
    items = aiter(iterable)
    _check_usable()
    _half_read[id(items)] = items
    try:
        while True:
            try:
                item = run_sync(anext(items))
            except StopAsyncIteration:
                return
            yield item
    finally:
        _half_read.pop(id(items), None)
        if hasattr(items, "aclose") and _problem() is None:  # otherwise its loop closes it, or has closed it
            run_sync(items.aclose())


@contextmanager
@checked
def open_sync(context: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Open a client, a sandbox or a stream of the library in a `with` block, from code without an event loop.

    It is opened and closed on the background loop, where `run_sync` uses it.

    Args:
        context: What `async with` would open, such as `KellyAPI.sandbox()`.

    Raises:
        RuntimeError: As `run_sync`.

    Example::

        with open_sync(KellyAPI.sandbox()) as api:
            print(run_sync(api.translate("Good morning", "en-tw")).text)
    """
    opened = run_sync(context.__aenter__())
    try:
        yield opened
    except BaseException as error:
        if not run_sync(context.__aexit__(type(error), error, error.__traceback__)):
            raise
    else:
        run_sync(context.__aexit__(None, None, None))


_half_read: dict[int, Any] = {}
"""The iterators that `iterate_sync` has begun; the end of the program closes them."""


def _check_usable() -> None:
    if problem := _problem():
        raise RuntimeError(problem)


def _problem() -> str | None:
    """Return why this thread cannot wait for the background loop now; `None` if it can."""
    if sys.is_finalizing():  # no thread can be started, and a wait for one would never end
        return "run_sync was called while Python is ending: close clients and iterators before, or in an atexit handler"
    if threading.current_thread() is _thread:
        return "run_sync was called by the coroutine that it runs: use await there"
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    if loop in serving_loops.values():
        return "run_sync was called in the event loop that runs the sandbox, which could not respond: use await there"
    return None


class _Call:
    """A coroutine that runs on the background loop, for a thread that waits for it."""

    def __init__(self, awaitable: Awaitable[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._awaitable = awaitable
        self._background = loop
        self._result: Future[Any] = Future()
        self._task: asyncio.Task[Any] | None = None

    def wait(self) -> Any:
        """Return the result. If the wait is interrupted, as by Ctrl-C, cancel the call and wait for its end."""
        try:
            self._background.call_soon_threadsafe(self._start)
            return self._result.result()
        except BaseException:
            if not self._result.done():
                self._background.call_soon_threadsafe(self._cancel)
                wait([self._result], _END_TIMEOUT)
            raise
        finally:
            del self  # its result has the exception, whose traceback has this frame

    def _start(self) -> None:
        self._task = asyncio.ensure_future(_await(self._awaitable))
        self._task.add_done_callback(self._end)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _end(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self._result.cancel()
            self._result.set_running_or_notify_cancel()
        elif error := task.exception():
            self._result.set_exception(error)
        else:
            self._result.set_result(task.result())


async def _await(awaitable: Awaitable[T]) -> T:
    return await awaitable


def _background_loop() -> asyncio.AbstractEventLoop:
    global _thread
    with _lock:
        if _thread is None:
            thread = _LoopThread(name="kellyapi-loop", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # from 3.12 on, exit handlers can start no thread
                thread.loop.close()
                raise RuntimeError(f"run_sync was called while Python is ending: {error}") from None
            _thread = thread
        return _thread.loop


class _LoopThread(threading.Thread):
    """A thread that runs an event loop until the program ends."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.loop = asyncio.new_event_loop()

    def run(self) -> None:
        self.loop.run_forever()
        self.loop.run_until_complete(_end_loop())
        self.loop.close()


async def _end_loop() -> None:
    """Cancel the calls that still run, and close iterators and sessions."""
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if late := asyncio.all_tasks() - {asyncio.current_task()}:  # begun since, such as the cancelling of a prediction
        await asyncio.wait(late, timeout=_END_TIMEOUT)
    closing = [items.aclose() for items in tuple(_half_read.values()) if hasattr(items, "aclose")]
    await asyncio.gather(*closing, return_exceptions=True)
    await loop.shutdown_asyncgens()  # closes the sessions that are still open


def _stop() -> None:
    """Stop the loop when the program ends. A later call, from another exit handler, starts a new one."""
    global _thread
    with _lock:
        thread, _thread = _thread, None
    if thread is not None:
        thread.loop.call_soon_threadsafe(thread.loop.stop)
        thread.join(_END_TIMEOUT)


# Registered here and not at the first call: exit handlers run in reverse order, and those of the program still need the
# loop.
atexit.register(_stop)


def _forget() -> None:
    """Leave the loop to the parent process, in a forked child. Its thread does not exist there."""
    global _thread, _lock
    thread, _thread, _lock = _thread, None, threading.Lock()
    _half_read.clear()
    if thread is not None:
        never_finalize(thread.loop)
        cut_off_from_parent(thread.loop)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget)
