"""Cancel a prediction that its caller no longer waits for, even while the task of the caller is cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from ...._core.aiohttp_compat import is_finishing_generators
from ...._core.late_response import LateResponse
from ...._core.log import Log
from ...._core.messages import Timeout
from ...._core.unfinished import FINISH_TIMEOUT, UnfinishedWork
from ....errors import RequestTimeoutError, TransportError
from .types import CreatedPrediction, Prediction

Created = TypeVar("Created", bound=Prediction | CreatedPrediction)

Cancel = Callable[[str], Awaitable[object]]

LATE_SECONDS = 60.0
"""Seconds for which the response to a creation is awaited when its caller has left."""
_GRACE = 0.05
"""Seconds after the end of the time: the connection's own error comes first, which says that nothing was sent."""


async def cancel_abandoned(id: str, cancel: Cancel, logger: Log, unfinished: UnfinishedWork) -> None:
    """Cancel a prediction. A failure is logged, and does not replace the exception that ended the waiting."""
    if is_finishing_generators(asyncio.get_running_loop()):
        await _cancel_in_thread(id, cancel, logger)
    else:
        await unfinished.finish(_cancel_and_log(id, cancel, logger))


async def create_or_cancel(
    creating: Coroutine[Any, Any, Created],
    late: LateResponse,
    seconds: float | None,
    cancel: Cancel,
    logger: Log,
    unfinished: UnfinishedWork,
) -> Created:
    """Create a prediction. If the caller leaves meanwhile, cancel the prediction as soon as its id is known.

    The caller leaves if its task is cancelled, if the time is over, or if the client is closed. If no request was sent
    by then, none is sent.
    """
    task = unfinished.start(creating)
    closed = asyncio.get_running_loop().create_future()

    async def undo() -> None:
        late.left = True
        sent = late.sending
        if not sent:
            task.cancel()
        try:
            created = await task
        except Exception as error:  # whatever it is, the caller has its own
            if getattr(error, "outcome_unknown", False):
                logger.warning("a prediction whose creation failed was not cancelled: %s", error)
            return
        except asyncio.CancelledError:
            if sent:
                logger.warning("a prediction was not cancelled: the loop ended before the prediction had an id")
            raise
        await _cancel_and_log(created.id, cancel, logger)

    def leave_at_close() -> None:
        if not (task.done() or closed.done()):
            closed.set_result(_left("the client was closed while a prediction was being created", sent=late.sending))
            unfinished.leave(undo())

    try:
        with unfinished.on_close(leave_at_close):
            limit = None if seconds is None else seconds + _GRACE
            await asyncio.wait([task, closed], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        if not closed.done():
            await unfinished.finish(undo())
        raise
    if closed.done():
        raise closed.result()
    if task.done():
        return task.result()
    error = _left("the prediction was not created in time", sent=late.sending, seconds=seconds)
    unfinished.leave(undo())
    raise error


def _left(problem: str, *, sent: bool, seconds: float | None = None) -> TransportError:
    """Return the error of a caller that has left; `seconds` is the time that is over, if this was the reason."""
    problem = f"{problem}, and is cancelled as soon as its id is known" if sent else problem
    error = TransportError(problem, sent=sent)
    if seconds is not None:
        error = RequestTimeoutError(problem, limit="total", sent=sent)
        error.name_limit(Timeout(total=seconds))
    error.provider, error.outcome_unknown = "skytells", sent
    return error


async def _cancel_and_log(id: str, cancel: Cancel, logger: Log) -> None:
    try:
        async with asyncio.timeout(FINISH_TIMEOUT):
            await cancel(id)
    except Exception as error:  # a key function or `on_response` may raise anything
        logger.warning("prediction %s was not cancelled: %s", id, error)


async def _cancel_in_thread(id: str, cancel: Cancel, logger: Log) -> None:
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
