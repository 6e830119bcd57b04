"""CPU time, speed and memory of small calls: each client and hand-written aiohttp, in adjacent pairs."""

from __future__ import annotations

from statistics import median
from typing import Any

from .clients import RIVALS
from .processes import Clients, spent

REFERENCE = "aiohttp"
FIGURES = ("cpu", "rate", "p50", "p99", "peak")
HALF = 0.4
"""Most seconds of CPU for half of a pair. Slow clients make fewer calls, but at least as many as run at once."""


def measure(url: str, *, pairs: int, calls: int, at_once: tuple[int, ...], log: Any) -> list[dict[str, Any]]:
    """Return a row of medians for each operation, number of calls at once and client."""
    rows = []
    for operation, rivals in RIVALS.items():
        with Clients(url) as ask:
            for number in at_once:
                log(f"{operation}, {number} at once")
                rows += _compare(ask, operation, rivals, number, pairs, calls)
    return rows


def _compare(
    ask: Clients, operation: str, rivals: tuple[str, ...], at_once: int, pairs: int, calls: int
) -> list[dict[str, Any]]:
    seen: dict[str, list[dict[str, float]]] = {REFERENCE: [], **{name: [] for name in rivals}}
    ratios: dict[str, list[float]] = {REFERENCE: [1.0], **{name: [] for name in rivals}}
    number: dict[str, int] = {}

    def once(name: str, calls: int) -> float:
        order = {"do": "calls", "operation": operation, "calls": calls, "at_once": at_once}
        seen[name].append(ask(name, order))
        return seen[name][-1]["cpu"]

    for name in seen:
        cost = once(name, max(at_once, calls // 5))  # the warm-up: it opens the connections, and is not counted
        number[name] = max(at_once, min(calls, int(HALF * 1e6 / cost)))
        seen[name].clear()
    for turn in range(pairs):
        for name in rivals:
            pair = (REFERENCE, name) if turn % 2 else (name, REFERENCE)
            costs = {each: once(each, number[each]) for each in pair}
            ratios[name].append(costs[name] / costs[REFERENCE])
    return [
        {
            "operation": operation,
            "at_once": at_once,
            "client": name,
            **{figure: median(each[figure] for each in measured) for figure in FIGURES},
            "ratio": median(ratios[name]),
            "spread": _quartiles(ratios[name]),
        }
        for name, measured in seen.items()
    ]


def _quartiles(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]


def measure_server(url: str, calls: int) -> float:
    """Return the server's own CPU time for one small call, in microseconds."""
    with Clients(url) as ask:
        order = {"do": "calls", "operation": "translate", "calls": calls, "at_once": 64}
        ask(REFERENCE, order)
        before, answered = spent(url)
        ask(REFERENCE, order)
        after, more = spent(url)
    return (after - before) / (more - answered) * 1e6
