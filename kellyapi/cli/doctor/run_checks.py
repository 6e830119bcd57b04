"""The table of the checks, and the function that runs them at the same time. Each has a time limit."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from . import live, machine, network, packages
from .findings import Finding

_ENGINE_SECONDS = 30.0
"""The engines need more time: their processes must start first."""

Check = Callable[[Mapping[str, Any], float], Awaitable[Iterable[Finding]]]
"""A check takes the clients by the names of their providers, and how many seconds it may take."""


def _in_thread(check: Callable[..., Iterable[Finding]], *, clients: bool = False) -> Check:
    """Make a check of a function that reads files and settings."""

    async def run(given: Mapping[str, Any], seconds: float) -> Iterable[Finding]:
        return await asyncio.to_thread(lambda: list(check(given) if clients else check()))

    return run


async def _engines(clients: Mapping[str, Any], seconds: float) -> Iterable[Finding]:
    return await machine.check_engines(max(seconds, _ENGINE_SECONDS))


CHECKS: dict[str, Check] = {
    "python": _in_thread(machine.check_python),
    "packages": _in_thread(packages.check_packages),
    "engines": _engines,
    "terminal": _in_thread(machine.check_terminal),
    "folders": _in_thread(machine.check_folders),
    "keys": _in_thread(machine.check_keys, clients=True),
    "network": network.check_network,
}
GRACE = 1.0
"""Seconds that a check has beyond its own limit."""
_LONG = {"engines", "live"}
"""Checks that limit the time of each of their parts."""


async def run_checks(
    clients: Mapping[str, Any], seconds: float, *, live: bool, spend: bool, sandboxed: bool
) -> list[Finding]:
    """Run all checks at the same time, and return their findings in the order of the table."""
    checks = dict(CHECKS)
    if live:
        checks["live"] = functools.partial(_live, spend=spend, sandboxed=sandboxed)
    found = await asyncio.gather(*(_limited(name, check, clients, seconds) for name, check in checks.items()))
    return [finding for findings in found for finding in findings]


async def _live(clients: Mapping[str, Any], seconds: float, *, spend: bool, sandboxed: bool) -> Iterable[Finding]:
    return await live.check_live(clients, seconds, spend=spend, sandboxed=sandboxed)


async def _limited(name: str, check: Check, clients: Mapping[str, Any], seconds: float) -> Iterable[Finding]:
    try:
        async with asyncio.timeout(None if name in _LONG else seconds + GRACE):
            return await check(clients, seconds)
    except TimeoutError:
        return [Finding(check=name, state="warning", message=f"not finished within {seconds:g} s")]
    except Exception as error:  # a check that breaks must not hide what the others found
        return [Finding(check=name, state="warning", message=f"the check itself failed: {type(error).__name__}")]
