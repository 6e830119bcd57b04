"""Threads for what would hold up the loop, and what is left of them when nobody waits any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar


class _Closable(Protocol):
    def close(self) -> None: ...


_Opened = TypeVar("_Opened", bound=_Closable)


async def open_in_thread(make: Callable[[], _Opened]) -> _Opened:
    """Open something in a thread; when the wait is cancelled, what the thread still opens is closed."""
    opening = asyncio.get_running_loop().run_in_executor(None, make)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unused)  # a wait for it here might be cancelled as well
        raise


def _close_unused(opening: asyncio.Future[_Opened]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
