"""Stores that remember which events were delivered: in memory, or in an SQLite file that survives restarts.

Only one caller can claim a key, until the key is released or forgotten.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from typing import Protocol

from ...._data.sqlite import Database


class Deliveries(Protocol):
    """The protocol of the store of a `WebhookReceiver`.

    Source: https://learn.skytells.ai/docs/api/v1/webhooks
    """

    async def claim(self, key: str) -> bool:
        """Remember a key, and return `False` if it was remembered before.

        If several callers claim a key at the same time, only one of them gets `True`.
        """

    async def release(self, key: str) -> None:
        """Forget a key, so that it can be claimed again."""


class MemoryDeliveries:
    """Store of the last `size` deliveries to this process, in memory.

    Source: https://docs.python.org/3/library/stdtypes.html#dict (which keeps the order of insertion)
    """

    def __init__(self, size: int = 10_000) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, not {size}")
        self._size = size
        self._keys: dict[str, None] = {}

    async def claim(self, key: str) -> bool:
        """Remember a key, and return `False` if it was remembered before."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > self._size:
            del self._keys[next(iter(self._keys))]
        return True

    async def release(self, key: str) -> None:
        """Forget a key."""
        self._keys.pop(key, None)


_TABLE = """
CREATE TABLE IF NOT EXISTS deliveries (key TEXT PRIMARY KEY, seen REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_seen ON deliveries (seen);
"""


class SQLiteDeliveries:
    """Store of deliveries in an SQLite file, which several processes may share.

    Args:
        path: The SQLite file. It is created when it is first needed.
        keep: Seconds after which a delivery is forgotten; by default 30 days.
        clock: Returns seconds since 1970.

    Source: https://www.sqlite.org/lang_insert.html, https://www.sqlite.org/lang_delete.html
    """

    def __init__(
        self, path: str | os.PathLike[str], *, keep: float = 30 * 86_400.0, clock: Callable[[], float] = time.time
    ) -> None:
        if not keep > 0:
            raise ValueError(f"keep must be more than 0 seconds, not {keep}")
        self._database = Database(path, _TABLE)
        self._keep = keep
        self._clock = clock

    async def claim(self, key: str) -> bool:
        """Remember a key, and return `False` if any process remembered it in the last `keep` seconds."""
        now = self._clock()
        return await self._database.run(_claim, key, now, now - self._keep)

    async def release(self, key: str) -> None:
        """Forget a key."""
        await self._database.run(_release, key)

    async def close(self) -> None:
        """Close the file. The next use opens it again."""
        await self._database.close()


def _claim(db: sqlite3.Connection, key: str, now: float, oldest: float) -> bool:
    db.execute("DELETE FROM deliveries WHERE seen <= ?", (oldest,))
    return db.execute("INSERT OR IGNORE INTO deliveries VALUES (?, ?)", (key, now)).rowcount > 0


def _release(db: sqlite3.Connection, key: str) -> None:
    db.execute("DELETE FROM deliveries WHERE key = ?", (key,))
