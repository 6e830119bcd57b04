"""Circuit breakers: providers that keep failing are passed over for a while by calls with `fallback=`."""

from __future__ import annotations

from attrs import define

FAILURES_BEFORE_REST = 3
FIRST_REST = 5.0
LONGEST_REST = 120.0


@define
class Circuit:
    """Whether a provider is worth asking: after three failures in a row it rests 5 s, 10 s, … 120 s, each time ended by
    one call that tries it.

    Source: https://martinfowler.com/bliki/CircuitBreaker.html
    """

    _failures: int = 0
    _rests_until: float = 0.0
    _failed_at: float = float("-inf")

    def is_closed(self, now: float) -> bool:
        """Tell whether the provider may be asked."""
        return now >= self._rests_until

    def enter(self, now: float) -> None:
        """Note a call that is about to start; while one tries a provider after its rest, others pass over it."""
        if self._failures >= FAILURES_BEFORE_REST:
            rest = FIRST_REST * 2.0 ** min(self._failures - FAILURES_BEFORE_REST, 60)
            self._rests_until = now + min(rest, LONGEST_REST)

    def fail(self, started: float, now: float) -> None:
        """Note that the provider failed a call; one that began before another one failed says nothing new."""
        if started >= self._failed_at:
            self._failures, self._failed_at = self._failures + 1, now
            self.enter(now)

    def succeed(self) -> None:
        """Note that the provider answered, be it that the input was wrong."""
        self._failures, self._rests_until = 0, 0.0
