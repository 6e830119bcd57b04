"""Circuit breakers: calls with `fallback=` skip a provider that keeps failing, for a while."""

from __future__ import annotations

from attrs import define

FAILURES_BEFORE_REST = 3
FIRST_REST = 5.0
LONGEST_REST = 120.0


@define
class Circuit:
    """The circuit breaker of one provider.

    After three failures in a row it opens for 5 s. Then one call may try the provider. If that call fails too, the
    circuit opens again, each time for twice as long, up to 120 s.

    Source: https://martinfowler.com/bliki/CircuitBreaker.html
    """

    _failures: int = 0
    _rests_until: float = 0.0
    _failed_at: float = float("-inf")

    def is_closed(self, now: float) -> bool:
        """Return whether calls may use the provider."""
        return now >= self._rests_until

    def enter(self, now: float) -> None:
        """Note that a call starts. After a pause it is the one that tries the provider, and other calls skip it."""
        if self._failures >= FAILURES_BEFORE_REST:
            rest = FIRST_REST * 2.0 ** min(self._failures - FAILURES_BEFORE_REST, 60)
            self._rests_until = now + min(rest, LONGEST_REST)

    def fail(self, started: float, now: float) -> None:
        """Note that a call failed. It is not counted if it started before the last failure."""
        if started >= self._failed_at:
            self._failures, self._failed_at = self._failures + 1, now
            self.enter(now)

    def succeed(self) -> None:
        """Note that the provider responded, even if it refused the input."""
        self._failures, self._rests_until = 0, 0.0
