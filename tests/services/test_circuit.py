"""The circuit breaker of a provider: when calls with a fallback skip it."""

from __future__ import annotations

from kellyapi.services.circuit import Circuit


def test_a_provider_is_skipped_longer_each_time_that_it_fails_again() -> None:
    circuit, now, rests = Circuit(), 0.0, []
    for _ in range(9):
        circuit.enter(now)
        circuit.fail(now, now)
        rest = next(rest for rest in (0, 5, 10, 20, 40, 80, 120) if circuit.is_closed(now + rest))
        rests.append(rest)
        now += rest
    assert rests == [0, 0, 5, 10, 20, 40, 80, 120, 120]


def test_after_a_rest_one_call_tries_the_provider_and_its_success_ends_all_rests() -> None:
    circuit = Circuit(failures=3, rests_until=5)
    assert not circuit.is_closed(4)
    assert circuit.is_closed(5)
    circuit.enter(5)
    assert not circuit.is_closed(5)  # other calls skip it meanwhile
    assert circuit.is_closed(10)  # the call that tries it may never end
    circuit.succeed()
    assert circuit.is_closed(0)


def test_after_a_success_it_takes_three_failures_again() -> None:
    circuit = Circuit(failures=3, rests_until=5)
    circuit.succeed()
    for failed_at in (5, 6):
        circuit.fail(failed_at, failed_at)
        assert circuit.is_closed(failed_at)
    circuit.fail(7, 7)
    assert not circuit.is_closed(7)


def test_calls_that_fail_together_count_as_one_failure() -> None:
    circuit = Circuit()
    for ended in (1, 2, 3):
        circuit.fail(0, ended)
    assert circuit.is_closed(3)
    circuit.fail(3, 4)
    circuit.fail(4, 5)
    assert (circuit.is_closed(9), circuit.is_closed(10)) == (False, True)
