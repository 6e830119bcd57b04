"""Calls whose latencies and outcomes are planned, and what is seen of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from attrs import define, field, frozen

from kellyapi import AuthenticationError, RateLimitError, ServerError

Outcome = str | float | None
"""What one try ends with: "ok", "error" (503), "fatal" (401), "bug" (`ZeroDivisionError`); 429 with these seconds of
`retry_after`, or `None` for 429 without.
"""


@frozen
class Plan:
    """What happens to one item."""

    tries: Sequence[Outcome]
    """The last one is repeated."""
    latency: float = 1.0

    def tries_made(self, most: int) -> int:
        """Return how often the item is called for."""
        ended = (number for number, outcome in enumerate(self.tries, 1) if isinstance(outcome, str))
        return min(next(ended, most), most)

    def outcome(self, number: int) -> Outcome:
        return self.tries[min(number, len(self.tries)) - 1]


@define
class Calls:
    """An async function of one item, its number, and a record of its calls."""

    plans: Sequence[Plan]
    began: list[tuple[int, float]] = field(factory=list)
    """(item, time) of each call."""
    results: list[Any] = field(factory=list)
    """All results, which are paid for, in the order in which they came."""
    tries: dict[int, int] = field(factory=dict)
    running: int = 0
    most: int = 0
    """How many ran at once."""
    read: int = 0
    """How many items were read."""
    failed_at: float | None = None

    async def __call__(self, item: int) -> str:
        clock = asyncio.get_running_loop().time
        self.began.append((item, clock()))
        self.tries[item] = self.tries.get(item, 0) + 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.plans[item].latency)
        finally:
            self.running -= 1
        outcome = self.plans[item].outcome(self.tries[item])
        if outcome == "ok":
            self.results.append(f"result {item}")
            return f"result {item}"
        if outcome in ("fatal", "bug") and self.failed_at is None:
            self.failed_at = clock()
        raise error_of(item, outcome)

    def items(self) -> Iterator[int]:
        for number in range(len(self.plans)):
            self.read += 1
            yield number

    async def slow_items(self) -> AsyncIterator[int]:
        for number in self.items():
            await asyncio.sleep(0.5)
            yield number


def error_of(item: int, outcome: Outcome) -> Exception:
    """Return the error that a try ends with."""
    if outcome == "bug":
        return ZeroDivisionError(f"bug {item}")
    if outcome == "fatal":
        return AuthenticationError(f"refused {item}", status=401)
    if outcome == "error":
        return ServerError(f"failed {item}", status=503)
    assert not isinstance(outcome, str)
    return RateLimitError(f"limited {item}", status=429, retry_after=outcome)


def shown(outcome: Any) -> Any:
    """Return a result as it is, and an error as its message."""
    return str(outcome) if isinstance(outcome, Exception) else outcome
