"""Many calls at once: as many as the provider takes, with results in the order of the items."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Generator, Iterable, Sized
from contextlib import aclosing
from typing import Any, Generic, TypeVar, cast

from attrs import define

from .._data.arguments import Count, checked
from ..errors import (
    AuthenticationError,
    ConfigurationError,
    KellyAPIError,
    PaymentRequiredError,
    RateLimitError,
)
from .callbacks import run_callback
from .retry import MAX_RETRY_AFTER

T = TypeVar("T")
R = TypeVar("R")

OnCount = Callable[[int, int | None], Awaitable[None] | None]
"""Called with (items done, all items or `None`); plain or async."""

DEFAULT_WINDOW = 8
MAX_TRIES = 5
"""How often an item is tried while the provider responds with 429."""
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 20.0
_END: Any = object()


@checked
def run_many(
    call: Callable[[T], Awaitable[R]],
    items: Iterable[T] | AsyncIterable[T],
    *,
    window: Count = DEFAULT_WINDOW,
    on_progress: OnCount | None = None,
) -> ManyResults[R]:
    """Call an async function for each item, several at once, and return the results in the order of the items.

    Await it for a tuple of results and errors, or iterate over it with `async for`. Nothing starts before that. In a
    loop, at most `window` items are read ahead of the last result that you received. So a table of any length needs
    little memory, and a slow loop slows the calls.

    After `RateLimitError` (429, which is not billed) no call starts for `retry_after` seconds, half as many run at
    once, and the item is tried again, up to 5 times. Each round of successes then allows one call more, up to `window`.
    An item is not tried again if the error has a `prediction` or a `partial` result, may have been billed, or asks for
    more than 60 s.

    If you leave the loop, or the task is cancelled, the running calls are cancelled and waited for. After `break` this
    happens at once within `contextlib.aclosing`, otherwise when the iterator is garbage-collected.

    Args:
        call: An async function of one item. It should make one call that is billed, because 429 repeats it.
        items: A list, an iterator or an async iterator. Items are read when their turn comes. For an item that occurs
            twice, `call` is called twice.
        window: The highest number of calls at once.
        on_progress: A function, plain or async, that is called with the number of items that are done, and the number
            of all items, or `None` if `items` has no length.

    Raises:
        AuthenticationError: The key is refused. This error, `PaymentRequiredError`, `ConfigurationError`, and any
            exception that is not a `KellyAPIError` end the run: no other item is started, the calls that run are
            finished, and then the first such error is raised. A loop yields the results before it first. The `.partial`
            of the error has the results and errors that you have not received, in order, up to the last item that was
            started. If the error had a `partial` result of its own, it is in the place of the error. Every other
            `KellyAPIError` is a result.

    Example::

        texts = ["Good morning", "Thank you"]
        for result in await run_many(lambda text: api.translate(text, "en-tw"), texts):
            print(result if isinstance(result, KellyAPIError) else result.text)
    """
    return ManyResults(call, items, window=window, on_progress=on_progress)


def ends_run(error: BaseException) -> bool:
    """Return whether every other call would fail as well, or whether the error is not one of a provider."""
    fatal = (AuthenticationError, PaymentRequiredError, ConfigurationError)
    return isinstance(error, fatal) or not isinstance(error, KellyAPIError)


def describe_partial(partial: tuple[Any, ...]) -> str | None:
    """Return the note of an exception that is not the library's."""
    results = sum(not isinstance(each, (BaseException, type(None))) for each in partial)
    return f"results of other calls in its .partial: {results}" if results else None


@define(eq=False)
class _Slot:
    """The place of an item that was started, until its result has been received."""

    outcome: Any = None
    """The result or the error; `None` as long as there is neither."""
    done: bool = False
    fatal: bool = False


class ManyResults(Generic[R]):
    """The results of `run_many`: await it for all of them, or iterate over it with `async for`, once."""

    def __init__(
        self,
        call: Callable[[T], Awaitable[R]],
        items: Iterable[T] | AsyncIterable[T],
        *,
        window: int,
        on_progress: OnCount | None = None,
        is_fatal: Callable[[BaseException], bool] = ends_run,
        finish: bool = True,
        note: Callable[[tuple[Any, ...]], str | None] = describe_partial,
    ) -> None:
        self._call: Callable[[Any], Awaitable[R]] = call
        self._items: Any = items
        self._window = self._limit = window
        self._on_progress = on_progress
        self._is_fatal = is_fatal
        self._finish = finish  # the calls that run when another has failed; otherwise they are cancelled
        self._note = note
        self._slots: deque[_Slot] = deque()
        self._feeder: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._pause: asyncio.TimerHandle | None = None
        self._running = self._begun = self._repeating = self._done = 0
        self._successes = 0
        self._halved_at = 0
        self._failure: BaseException | None = None
        self._closed = False

    @property
    def partial(self) -> tuple[R | KellyAPIError | None, ...]:
        """The results and errors that you have not received, in order: after a cancellation, what is there already.

        `None` stands for an item whose call was not finished. Items that were not started are missing at the end.
        """
        return tuple(slot.outcome for slot in self._slots)

    def __await__(self) -> Generator[Any, None, tuple[R | KellyAPIError, ...]]:
        return self._collect().__await__()

    def __aiter__(self) -> AsyncGenerator[R | KellyAPIError, None]:
        return self._iterate()

    async def aclose(self) -> None:
        """Cancel the calls that run, and wait for their end."""
        self._closed = True
        if self._pause is not None:
            self._pause.cancel()
        for task in self._tasks:
            task.cancel()
        cancelled: asyncio.CancelledError | None = None
        while running := [task for task in self._tasks if not task.done()]:
            try:
                await asyncio.wait(running)
            except asyncio.CancelledError as error:  # a second time: the calls end all the same
                cancelled = error
        if cancelled is not None:
            raise cancelled

    # The two ways to receive the results

    async def _collect(self) -> tuple[R | KellyAPIError, ...]:
        self._start(math.inf)
        try:
            await self._until(self._is_over)
            self._raise_failure()
            results = self.partial
            self._slots.clear()
            return cast(tuple[R | KellyAPIError, ...], results)
        finally:
            await self.aclose()

    async def _iterate(self) -> AsyncGenerator[R | KellyAPIError, None]:
        self._start(self._window)
        try:
            while True:
                await self._until(lambda: self._is_over() or self._next_is_received())
                if not self._next_is_received():
                    break
                outcome = self._slots.popleft().outcome
                self._wake()
                yield outcome
                del outcome  # while the next is waited for
            self._raise_failure()
        finally:
            await self.aclose()

    def _next_is_received(self) -> bool:
        """Return whether the result or error of the next item is there, and can be given to the user."""
        return bool(self._slots) and self._slots[0].done and not self._slots[0].fatal

    def _is_over(self) -> bool:
        return not self._tasks or (self._failure is not None and not self._finish)

    def _raise_failure(self) -> None:
        """Raise what has ended the run, if it did not end by itself, with the results in its `partial`."""
        error: Any = self._failure
        if error is None:
            if self._closed:
                raise RuntimeError("run_many was closed while its results were waited for")
            return
        own = getattr(error, "partial", None)  # such as the parts of a text, which are paid for
        error.partial = tuple(own if each is error and own is not None else each for each in self.partial)
        if not isinstance(error, KellyAPIError) and (note := self._note(error.partial)):
            error.add_note(note)
        raise error

    # The calls

    def _start(self, ahead: float) -> None:
        if self._feeder is not None or self._closed:
            raise RuntimeError("the results of run_many can be received once")
        self._feeder = self._create_task(self._feed(ahead))

    def _create_task(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end_task)
        return task

    def _end_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake()

    async def _feed(self, ahead: float) -> None:
        """Read the items, and start a call for each when its turn comes."""
        async with aclosing(_each(self._items)) as items:
            try:
                while not self._is_ending():  # eager tasks fail before there is a feeder to cancel
                    await self._until(lambda: len(self._slots) < ahead and self._running < self._limit)
                    item = await anext(items, _END)
                    if item is _END:
                        return
                    await self._until(lambda: self._may_begin() and not self._repeating)
                    slot = _Slot()
                    self._slots.append(slot)
                    self._begin()
                    self._create_task(self._work(slot, item))
                    del item
            except (Exception, asyncio.CancelledError) as error:  # of the source of the items
                if self._is_ending():
                    raise
                self._fail(error)

    async def _work(self, slot: _Slot, item: Any) -> None:
        """Fill the slot of an item."""
        try:
            slot.outcome = await self._call_until_known(item)
        except (Exception, asyncio.CancelledError) as error:  # it is raised, or given to the user as a result
            if self._closed:
                raise
            slot.outcome, slot.fatal = _without_own_frames(error), self._is_fatal(error)
            if slot.fatal:
                self._fail(error)
        self._done += 1
        try:
            await self._report_progress()
        except Exception as error:  # of the user's function: the result is kept for `.partial`
            slot.fatal = True
            self._fail(error)
        slot.done = True

    async def _call_until_known(self, item: Any) -> R:
        """Call for an item, and again after 429."""
        tries = 0
        while True:
            begun, tries = self._begun, tries + 1
            try:
                coming = self._call(item)
                if not inspect.isawaitable(coming):
                    raise TypeError(f"call must be an async function: it returned {type(coming).__name__}")
                result = await coming
            except RateLimitError as error:
                pause = pause_before_next(error, tries)
                self._slow_down(begun, pause)
                if pause is None:
                    raise
                limited = error
            else:
                self._speed_up(begun)
                return result
            finally:
                self._running -= 1
                self._wake()
            self._repeating += 1
            try:
                await self._until(lambda: self._failure is not None or self._may_begin())
            finally:
                self._repeating -= 1
            if self._failure is not None:
                raise limited
            self._begin()
            self._wake()  # the items that have not been tried yet wait for those that have

    async def _report_progress(self) -> None:
        if self._on_progress is None:
            return
        total = len(self._items) if isinstance(self._items, Sized) else None
        await run_callback(self._on_progress, self._done, total)

    def _is_ending(self) -> bool:
        return self._closed or self._failure is not None

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        if self._feeder is not None:
            self._feeder.cancel()
        self._wake()

    # The window

    def _may_begin(self) -> bool:
        return self._running < self._limit and self._pause is None

    def _begin(self) -> None:
        self._running += 1
        self._begun += 1

    def _slow_down(self, begun: int, pause: float | None) -> None:
        """Halve the window, once for the calls that ran together, and let no call begin for some seconds."""
        if begun > self._halved_at:
            self._limit, self._halved_at = max(1, self._limit // 2), self._begun
        self._successes = 0
        loop = asyncio.get_running_loop()
        until = loop.time() + (pause or 0)
        if pause and (self._pause is None or self._pause.when() < until):
            if self._pause is not None:
                self._pause.cancel()
            self._pause = loop.call_at(until, self._end_pause)

    def _end_pause(self) -> None:
        self._pause = None
        self._wake()

    def _speed_up(self, begun: int) -> None:
        """Widen the window by one after as many successes as it allows at once."""
        self._successes += begun > self._halved_at
        if self._successes >= self._limit:
            self._limit, self._successes = min(self._limit + 1, self._window), 0

    async def _until(self, is_true: Callable[[], bool]) -> None:
        """Wait until something is true. What may make it true calls `_wake`."""
        while not is_true():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


def pause_before_next(error: RateLimitError, tries: int) -> float | None:
    """Return the seconds before the next try of an item, or `None` to give up."""
    may_be_billed = error.outcome_unknown or error.prediction is not None or error.partial is not None
    if may_be_billed or error.final or tries >= MAX_TRIES:
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= MAX_RETRY_AFTER else None
    return float(min(_FIRST_PAUSE * 2 ** (tries - 1), _LONGEST_PAUSE))


async def _each(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


def _without_own_frames(error: BaseException) -> BaseException:
    """Cut the frames of this module off a traceback: they hold the other results."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals is globals():
        trace = trace.tb_next
    return error.with_traceback(trace)
