"""What the sandbox remembers: predictions and their outputs."""

from __future__ import annotations

import asyncio
from typing import Any

from attrs import define, field


@define(eq=False)
class Store:
    """State of one sandbox, in memory, gone with it."""

    predictions: dict[str, dict[str, Any]] = field(factory=dict)
    """By id, in their wire form."""
    outputs: dict[str, bytes] = field(factory=dict)
    """By file name."""
    work: set[asyncio.Task[None]] = field(factory=set)
    """Jobs that are being done."""

    async def close(self) -> None:
        """Stop the jobs that are being done."""
        for task in tuple(self.work):
            task.cancel()
        await asyncio.gather(*self.work, return_exceptions=True)
