"""Cancel a prediction that its caller no longer waits for, even while the task of the caller is cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from ...._core.aiohttp_compat import is_finishing_generators
from .types import Prediction

CANCEL_TIMEOUT = 5.0
"""Seconds that cancelling may take."""

Cancel = Callable[[str], Awaitable[object]]

_background_tasks: set[asyncio.Task[None]] = set()
"""References to tasks that outlive their caller. The loop has only weak references."""


async def cancel_abandoned(id: str, cancel: Cancel, logger: logging.Logger) -> None:
    """Cancel a prediction. A failure is logged, and does not replace the exception that ended the waiting.

    When the loop shuts down and closes its async generators, no session can be opened: the prediction continues.
    """
    if is_finishing_generators(asyncio.get_running_loop()):
        logger.warning("prediction %s was not cancelled: the loop ended", id)
    else:
        await _run_to_completion(_cancel_and_log(id, cancel, logger))


async def create_or_cancel(
    creating: Coroutine[Any, Any, Prediction], cancel: Cancel, logger: logging.Logger
) -> Prediction:
    """Create a prediction. If the task is cancelled meanwhile, cancel the prediction as soon as its id is known."""
    task = asyncio.ensure_future(creating)

    async def undo() -> None:
        with suppress(Exception):  # the caller gets its CancelledError, and a failed creation leaves nothing to cancel
            await _cancel_and_log((await task).id, cancel, logger)

    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _run_to_completion(undo())
        raise


async def _cancel_and_log(id: str, cancel: Cancel, logger: logging.Logger) -> None:
    try:
        async with asyncio.timeout(CANCEL_TIMEOUT):
            await cancel(id)
    except Exception as error:  # a key function or `on_response` may raise anything
        logger.warning("prediction %s was not cancelled: %s", id, error)


async def _run_to_completion(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, even if the task that waits for it is cancelled."""
    task = asyncio.ensure_future(work)
    _background_tasks.add(task)
    task.add_done_callback(_background_tasks.discard)
    await asyncio.shield(task)
