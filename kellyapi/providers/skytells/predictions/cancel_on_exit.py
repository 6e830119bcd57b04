"""Cancel a prediction that its caller no longer waits for, even while the task of the caller is cancelled."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ...._core.aiohttp_compat import is_finishing_generators
from ...._core.unfinished import FINISH_TIMEOUT, UnfinishedWork
from .types import Prediction

Cancel = Callable[[str], Awaitable[object]]


async def cancel_abandoned(id: str, cancel: Cancel, logger: logging.Logger, unfinished: UnfinishedWork) -> None:
    """Cancel a prediction. A failure is logged, and does not replace the exception that ended the waiting."""
    if is_finishing_generators(asyncio.get_running_loop()):
        await _cancel_in_thread(id, cancel, logger)
    else:
        await unfinished.finish(_cancel_and_log(id, cancel, logger))


async def create_or_cancel(
    creating: Coroutine[Any, Any, Prediction], cancel: Cancel, logger: logging.Logger, unfinished: UnfinishedWork
) -> Prediction:
    """Create a prediction. If the task is cancelled meanwhile, cancel the prediction as soon as its id is known."""
    task = unfinished.start(creating)

    async def undo() -> None:
        try:
            created = await task
        except Exception as error:  # whatever it is, the caller gets its CancelledError
            if getattr(error, "outcome_unknown", False):
                logger.warning("a prediction whose creation failed was not cancelled: %s", error)
            return
        except asyncio.CancelledError:
            logger.warning("a prediction was not cancelled: the loop ended before the prediction had an id")
            raise
        await _cancel_and_log(created.id, cancel, logger)

    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await unfinished.finish(undo())
        raise


async def _cancel_and_log(id: str, cancel: Cancel, logger: logging.Logger) -> None:
    try:
        async with asyncio.timeout(FINISH_TIMEOUT):
            await cancel(id)
    except Exception as error:  # a key function or `on_response` may raise anything
        logger.warning("prediction %s was not cancelled: %s", id, error)


async def _cancel_in_thread(id: str, cancel: Cancel, logger: logging.Logger) -> None:
    """Cancel a prediction from a loop of its own: this one closes its generators, and opens no session any more."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        try:
            asyncio.run(_cancel_and_log(id, cancel, logger))
        finally:
            loop.call_soon_threadsafe(ended.set)

    try:
        threading.Thread(target=work, name="kellyapi-cancel", daemon=True).start()
    except RuntimeError:  # Python is ending
        logger.warning("prediction %s was not cancelled: the program ended", id)
        return
    await ended.wait()
