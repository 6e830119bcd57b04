"""What a client allows itself: a quota of retries, a number of calls at once, a rate.

It keeps the counts that the calls of one client share. Whether one failure is worth a retry is `retry`'s question.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from attrs import define, field, frozen, validators


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
        """Pay for one retry and give its cost; 0 when the tokens do not suffice."""
        cost = 5 if throttled else 14
        if cost > self.left:
            return 0
        self.left -= cost
        return cost

    def refund(self, last_cost: int) -> None:
        """Credit a success: what its last retry cost, or 1 when there was none."""
        self.left = min(self.capacity, self.left + (last_cost or 1))


@frozen
class Rate:
    """At most `calls` in any `per` seconds, after a first burst of `calls`."""

    calls: int = field(validator=[validators.instance_of(int), validators.ge(1)])
    per: float = field(default=1.0, validator=validators.gt(0))

    def reserve(self, booked: float, now: float) -> tuple[float, float]:
        """Give (when the next call may start, what is booked after it); times in seconds.

        Source: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
        """
        interval = self.per / self.calls
        return max(now, booked - (self.calls - 1) * interval), max(now, booked) + interval


class Limits:
    """The gate every call of a client passes."""

    def __init__(
        self, max_concurrency: int | None = None, rate: Rate | None = None, quota: RetryQuota | None = None
    ) -> None:
        if max_concurrency is not None and max_concurrency < 1:
            raise ValueError(f"max_concurrency must be at least 1, not {max_concurrency}")
        self.quota = quota or RetryQuota()
        self._max_concurrency = max_concurrency
        self._rate = rate
        self._booked = 0.0
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    def vary(self, **limits: Any) -> Limits:
        """Give a gate with other limits that draws on the same quota of retries."""
        return Limits(**{"max_concurrency": self._max_concurrency, "rate": self._rate, "quota": self.quota, **limits})

    @property
    def in_force(self) -> bool:
        """Whether there is anything to wait for."""
        return self._max_concurrency is not None or self._rate is not None

    async def acquire(self, deadline: float | None) -> None:
        """Wait for a turn, in order of arrival; `TimeoutError` when none comes before the deadline."""
        async with asyncio.timeout_at(deadline):
            if self._max_concurrency is not None:
                await self._slot(self._max_concurrency).acquire()
            try:
                await self._keep_rate(deadline)
            except BaseException:
                self.release()
                raise

    def release(self) -> None:
        """Let the next call in."""
        if self._max_concurrency is not None:
            self._slot(self._max_concurrency).release()

    async def _keep_rate(self, deadline: float | None) -> None:
        if self._rate is not None:
            now = asyncio.get_running_loop().time()
            start, booked = self._rate.reserve(self._booked, now)
            if deadline is not None and start > deadline:
                raise TimeoutError  # at once, and without a booking that nobody would use
            self._booked = booked
            await asyncio.sleep(start - now)

    def _slot(self, size: int) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        return self._slots.get(loop) or self._slots.setdefault(loop, asyncio.Semaphore(size))
