"""The limits of a client: a quota of retries, calls at once, a rate, and the limits that the server announces.

It keeps the counts that a client and its siblings share. Whether one failure is worth a retry is `retry`'s question.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from attrs import define, field, frozen

from .._data.arguments import Count, Positive, checked


@define
class RetryQuota:
    """Tokens that retries are paid from, so that an outage is not amplified.

    Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    """

    capacity: int = 500
    left: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.left = self.capacity

    def take(self, *, throttled: bool) -> int:
        """Pay for one retry and return its cost; 0 if there are too few tokens."""
        cost = 5 if throttled else 14
        if cost > self.left:
            return 0
        self.left -= cost
        return cost

    def refund(self, last_cost: int) -> None:
        """Credit a success: what its last retry cost, or 1 when there was none."""
        if self.left < self.capacity:
            self.left = min(self.capacity, self.left + (last_cost or 1))


@checked
@frozen
class Rate:
    """At most `calls` in any `per` seconds."""

    calls: Count
    per: Positive = 1.0

    def pause(self, starts: Sequence[float], now: float) -> float:
        """Return the seconds until the next call may start; `starts` are the last `calls` starts, the oldest first."""
        return max(0.0, starts[0] + self.per - now) if len(starts) == self.calls else 0.0


@define
class ServerRateLimit:
    """How many calls the server said it still takes, and until when that holds.

    Source: https://learn.skytells.ai/docs/api/v1/rate-limits
    """

    _left: float = float("inf")
    _limit: float = float("inf")
    _window: float = 0.0
    _until: float = 0.0
    _said: float = float("inf")
    _in_flight: int = 0
    """Requests without a response yet: the server may not have counted them."""

    def pause(self, now: float) -> float:
        """Return the seconds until the server accepts another call."""
        if now >= self._until:
            self._left, self._until = self._limit, now + self._window
        return 0.0 if self._left > 0 else self._until - now

    def begin(self) -> None:
        """Count a call that is about to be sent."""
        self._left -= 1
        self._in_flight += 1

    def end(self) -> None:
        """Count a call as ended, with a response or without."""
        self._in_flight -= 1

    def learn(self, remaining: float, limit: float, window: float, now: float) -> None:
        """Note what a response says, before the `end` of its call: `remaining` of `limit` calls in `window` seconds."""
        if not self._window and now < self._until:  # stopped since: this is the response to an earlier call
            return
        others = self._in_flight - 1
        if now >= self._until or remaining > self._said + others:  # a new window of the server has begun
            self._until = now + window
        self._said, self._limit, self._window = remaining, limit, window
        self._left = remaining - others

    def stop(self, seconds: float, now: float) -> None:
        """Note that the server wants no call for some seconds."""
        self._left = 0
        self._limit, self._window = float("inf"), 0.0
        self._until = max(self._until, now + seconds)


class Limits:
    """The limits that every request of a client passes; its siblings share most of them."""

    def __init__(
        self,
        max_concurrency: int | None = None,
        rate: Rate | None = None,
        *,
        quota: RetryQuota | None = None,
        server: ServerRateLimit | None = None,
    ) -> None:
        self.quota = quota or RetryQuota()
        self.server = server or ServerRateLimit()
        self._max_concurrency = max_concurrency
        self._rate = rate
        self._waiting = 0
        self._starts: deque[float] = deque(maxlen=rate.calls if rate else 0)
        self._waiting_lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _WaitingLine] = WeakKeyDictionary()

    def vary(self, **limits: Any) -> Limits:
        """Return limits with another concurrency or rate.

        They share the quota, what the server says of its own limits, and a rate that stays the same.
        """
        shared = {"quota": self.quota, "server": self.server}
        varied = Limits(**{"max_concurrency": self._max_concurrency, "rate": self._rate, **shared, **limits})
        if "rate" not in limits:
            varied._starts = self._starts
        return varied

    def enter(self, now: float) -> bool:
        """Take a turn if there is one at once, and return whether there was."""
        if self._waiting or self._max_concurrency or self._rate or self.server.pause(now):
            return False
        self.server.begin()
        return True

    async def acquire(self, deadline: float | None) -> None:
        """Wait for a turn, in order of arrival; `TimeoutError` when none comes before the deadline."""
        self._waiting += 1
        try:
            await self._wait(self._waiting_line(asyncio.get_running_loop()), deadline)
        finally:
            self._waiting -= 1
        self.server.begin()

    def release(self) -> None:
        """Let the next request in."""
        self.server.end()
        if self._max_concurrency is not None:
            self._waiting_line(asyncio.get_running_loop()).slots.release()

    async def _wait(self, line: _WaitingLine, deadline: float | None) -> None:
        clock = asyncio.get_running_loop().time
        async with asyncio.timeout_at(deadline):
            if self._max_concurrency is not None:
                await line.slots.acquire()
            try:
                async with line.head:
                    while pause := self._pause(clock(), deadline):  # noqa: ASYNC110  # time alone ends it
                        await asyncio.sleep(pause)
                    self._starts.append(clock())
            except BaseException:
                if self._max_concurrency is not None:
                    line.slots.release()
                raise

    def _pause(self, now: float, deadline: float | None) -> float:
        by_rate = self._rate.pause(self._starts, now) if self._rate else 0.0
        by_server = self.server.pause(now)
        if deadline is None:
            return max(by_rate, by_server)
        if now + by_rate >= deadline:
            raise TimeoutError  # at once: waiting would change nothing
        return max(by_rate, by_server if now + by_server < deadline else 0.0)  # better refused than never sent

    def _waiting_line(self, loop: asyncio.AbstractEventLoop) -> _WaitingLine:
        line = self._waiting_lines.get(loop)
        if line is None:
            line = self._waiting_lines[loop] = _WaitingLine(asyncio.Semaphore(self._max_concurrency or 1))
        return line


@frozen
class _WaitingLine:
    """Where the requests of one loop wait."""

    slots: asyncio.Semaphore
    head: asyncio.Lock = field(factory=asyncio.Lock)
    """Held by the one that waits for the rate or the server; the others wait for it in order."""
