"""The process of one client. It runs the commands on its standard input and ends when that is closed.

`python -m benchmarks.worker NAME URL` reads orders, one JSON object a line, `{"do": "calls", …}`, and answers each with
one. The same warm-up, the same loop and the default garbage collector for every client.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .clients import CLIENTS, SPEED, Operation

BEAT = 0.001


def memory(field: str) -> int:
    """Read `VmRSS` (now) or `VmHWM` (at most so far) of this process in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def forget_peak() -> None:
    """Reset `VmHWM` to the memory in use."""
    Path("/proc/self/clear_refs").write_text("5")


async def repeat(operation: Operation, calls: int, at_once: int) -> list[float]:
    """Make `calls` calls, `at_once` at a time. Return the seconds of each call."""
    taken: list[float] = []
    turns = iter(range(calls))

    async def one_after_another() -> None:
        for _ in turns:
            started = time.perf_counter()
            await operation()
            taken.append(time.perf_counter() - started)

    await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    return taken


async def measure_calls(operation: Operation, calls: int, at_once: int) -> dict[str, float]:
    gc.collect()
    forget_peak()
    cpu, clock = time.process_time(), time.perf_counter()
    taken = sorted(await repeat(operation, calls, at_once))
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    return {
        "cpu": cpu / calls * 1e6,
        "rate": calls / clock,
        "p50": taken[len(taken) // 2] * 1000,
        "p99": taken[len(taken) * 99 // 100] * 1000,
        "peak": memory("VmHWM"),
    }


class Pulse:
    """A timer of 1 ms in the loop, and its longest delay.

    `late` is by the clock, `own` what this process computed meanwhile: other processes keep it waiting too.
    """

    def __init__(self) -> None:
        self.late = self.own = 0.0
        self._task = asyncio.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            started, computed = time.perf_counter(), time.process_time()
            await asyncio.sleep(BEAT)
            late = time.perf_counter() - started - BEAT
            self.late = max(self.late, late)
            self.own = max(self.own, min(late, time.process_time() - computed))

    async def stop(self) -> None:
        await asyncio.sleep(2 * BEAT)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def measure_delay(operation: Operation, at_once: int, arguments: list[list[Any]]) -> dict[str, float]:
    """Run the operation `at_once` times at once, and measure how late a timer of 1 ms fires meanwhile.

    `idle` is the same delay over the same time while nothing runs: the share of the machine itself.
    """
    gc.collect()
    forget_peak()
    before = memory("VmRSS")
    cpu, clock = time.process_time(), time.perf_counter()
    pulse = Pulse()
    await asyncio.gather(*(operation(*(arguments[n] if arguments else ())) for n in range(at_once)))
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    await pulse.stop()
    peak = memory("VmHWM") - before
    nothing = Pulse()
    await asyncio.sleep(min(clock, 2.0))
    await nothing.stop()
    figures = {"late": pulse.late * 1000, "own": pulse.own * 1000, "idle": nothing.late * 1000}
    return {**figures, "seconds": clock, "cpu": cpu, "peak": peak}


async def measure_growth(operation: Operation, calls: int, at_once: int) -> dict[str, float]:
    await repeat(operation, 2000, at_once)
    gc.collect()
    before = memory("VmRSS")
    await repeat(operation, calls, at_once)
    gc.collect()
    return {"before": before, "growth": memory("VmRSS") - before}


MEASURES: dict[str, Callable[..., Awaitable[dict[str, float]]]] = {
    "calls": measure_calls,
    "delay": measure_delay,
    "growth": measure_growth,
}


async def main(name: str, url: str) -> None:
    if "without speed" in name:
        sys.modules |= dict.fromkeys(SPEED)  # type: ignore[arg-type]  # None: an import of it fails
    loop = asyncio.get_running_loop()
    async with CLIENTS[name](url) as operations:
        while order := await loop.run_in_executor(None, sys.stdin.readline):
            told = json.loads(order)
            measure = MEASURES[told.pop("do")]
            print(json.dumps(await measure(operations[told.pop("operation")], **told)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
