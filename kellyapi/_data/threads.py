"""Work that would block the event loop, in threads; files that a cancelled caller leaves behind; forked children."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import inspect
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

OFF_LOOP_SIZE = 256 * 2**10
"""Bytes that would block the loop while they are parsed or decoded."""
_worker = ThreadPoolExecutor(1, "kellyapi")
"""One thread: JSON parsers, and the base64 of the standard library, hold the lock: several only fight for it."""


serving_loops: WeakKeyDictionary[object, asyncio.AbstractEventLoop] = WeakKeyDictionary()
"""The loops of the local servers that run in this process: code that blocks one gets no response from its server."""


def never_finalize(value: object) -> None:
    """Keep an object that a forked child has inherited until the child's process ends, and run none of its finalizers.

    They would close the connections that it shares with its parent, and warn of those that its parent has not closed.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))


def _replace_worker() -> None:
    """Make a new thread for a forked child."""
    global _worker
    _worker = ThreadPoolExecutor(1, "kellyapi")


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_replace_worker)


async def run_off_loop(work: Callable[..., T], *arguments: Any, size: int) -> T:
    """Call a function in a thread, or at once if the `size` of its input in bytes is small.

    If no thread can be started, for example while Python ends, it is called at once too: its input is paid for.
    """
    if size < OFF_LOOP_SIZE:
        return work(*arguments)
    try:
        running = asyncio.get_running_loop().run_in_executor(_worker, work, *arguments)
    except RuntimeError:
        return work(*arguments)
    return await running


async def to_thread(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call a function in a thread like `asyncio.to_thread`, or at once if no thread can be started any more.

    That is so in threads and `atexit` handlers that run when the main thread has ended.
    """
    return await _call_in(None, function, *arguments, **named)


async def call_off_loop(function: Callable[..., Any], *arguments: Any, may_wait: bool = False) -> Any:
    """Call a function of a user's object, such as `read` of a file: in a thread, unless it is async.

    If it `may_wait` for ever, like the `read` of a pipe, nothing waits for its thread when the caller is cancelled.
    """
    if inspect.iscoroutinefunction(function):
        return await function(*arguments)
    result = await (call_patiently if may_wait else to_thread)(function, *arguments)
    return await result if inspect.isawaitable(result) else result


class _DaemonThreads(Executor):
    """A thread for each call. The ends of the loop and of the program do not wait for it."""

    def submit(self, function: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Start a thread that calls a function."""
        future: Future[T] = Future()

        def work() -> None:
            try:
                future.set_result(function(*arguments, **named))
            except BaseException as error:  # it is raised where the caller waits
                future.set_exception(error)

        future.set_running_or_notify_cancel()
        threading.Thread(target=work, name="kellyapi-wait", daemon=True).start()
        return future


_daemon_threads = _DaemonThreads()


async def call_patiently(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function that may wait for ever. `asyncio.run` and the program end without waiting for its thread.

    They would wait for a thread of `asyncio.to_thread`, for example one that opens a pipe without a writer.
    """
    return await _call_in(_daemon_threads, function, *arguments)


async def _call_in(threads: Executor | None, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    call = partial(contextvars.copy_context().run, function, *arguments, **named)
    try:
        running = asyncio.get_running_loop().run_in_executor(threads, call)
    except RuntimeError:
        return call()
    return await running


class _Closable(Protocol):
    def close(self) -> None: ...


_Opened = TypeVar("_Opened", bound=_Closable)


async def open_in_thread(make: Callable[[], _Opened]) -> _Opened:
    """Open something in a thread. If the caller is cancelled, what the thread opens is closed."""
    try:
        opening = asyncio.get_running_loop().run_in_executor(None, make)
    except RuntimeError:  # as in `to_thread`
        return make()
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unused)  # a wait for it here might be cancelled as well
        raise


def _close_unused(opening: asyncio.Future[_Opened]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
