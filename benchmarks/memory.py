"""How much memory a process keeps after many calls."""

from __future__ import annotations

from typing import Any

from .processes import Clients


def measure(url: str, *, calls: int, log: Any) -> list[dict[str, Any]]:
    """Return a row for hand-written aiohttp and one for this library, in bytes."""
    rows = []
    order = {"do": "growth", "operation": "translate", "calls": calls, "at_once": 64}
    for name in ("aiohttp", "kellyapi"):
        log(f"{calls:,} calls of {name}")
        with Clients(url) as ask:
            rows.append({"client": name, "calls": calls, **ask(name, order)})
    return rows
