"""Work that would block the event loop, in threads; files that a cancelled caller leaves behind; forked children."""

from __future__ import annotations

import asyncio
import ctypes
import inspect
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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


async def call_off_loop(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of a user's object, such as `read` of a file: in a thread, unless it is async."""
    if inspect.iscoroutinefunction(function):
        return await function(*arguments)
    result = await asyncio.to_thread(function, *arguments)
    return await result if inspect.isawaitable(result) else result


class _Closable(Protocol):
    def close(self) -> None: ...


_Opened = TypeVar("_Opened", bound=_Closable)


async def open_in_thread(make: Callable[[], _Opened]) -> _Opened:
    """Open something in a thread. If the caller is cancelled, what the thread opens is closed."""
    opening = asyncio.get_running_loop().run_in_executor(None, make)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unused)  # a wait for it here might be cancelled as well
        raise


def _close_unused(opening: asyncio.Future[_Opened]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
