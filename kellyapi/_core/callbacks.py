"""Functions of the user that are called while a call runs, such as `on_progress` and `on_response`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import ParamSpec

P = ParamSpec("P")


async def run_callback(callback: Callable[P, Awaitable[object] | object], *args: P.args, **named: P.kwargs) -> None:
    """Call a function of the user, and wait for it if it is async."""
    waiting = callback(*args, **named)
    if waiting is not None and inspect.isawaitable(waiting):
        await waiting
