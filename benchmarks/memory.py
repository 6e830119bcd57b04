"""What stays in memory after very many calls."""

from __future__ import annotations

from typing import Any

from .processes import Clients


def measure(url: str, *, calls: int, tell: Any) -> list[dict[str, Any]]:
    """Give a row for aiohttp written by hand and for this library; bytes."""
    rows = []
    order = {"do": "growth", "operation": "translate", "calls": calls, "at_once": 64}
    for name in ("aiohttp", "kellyapi"):
        tell(f"{calls:,} calls of {name}")
        with Clients(url) as ask:
            rows.append({"client": name, "calls": calls, **ask(name, order)})
    return rows
