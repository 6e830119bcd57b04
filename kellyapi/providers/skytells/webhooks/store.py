"""Which events have been delivered already: in memory, or in an SQLite file that survives restarts.

A key is claimed by one caller only, at once and for good, unless it is released again.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Protocol


class Deliveries(Protocol):
    """What a `WebhookReceiver` asks of its store.

    Source: https://learn.skytells.ai/docs/api/v1/webhooks
    """

    async def claim(self, key: str) -> bool:
        """Remember a key; `False` when it is remembered already. Of callers at the same time one gets `True`."""

    async def release(self, key: str) -> None:
        """Forget a key, so that it can be claimed again."""


class MemoryDeliveries:
    """The newest deliveries to one process, until it ends.

    Source: https://docs.python.org/3/library/stdtypes.html#dict (which keeps the order of insertion)
    """

    def __init__(self, size: int = 10_000) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, not {size}")
        self._size = size
        self._keys: dict[str, None] = {}

    async def claim(self, key: str) -> bool:
        """Remember a key; `False` when it is remembered already."""
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
_LOCK_TIMEOUT = 30.0
"""Seconds to wait for another process that is writing."""


class SQLiteDeliveries:
    """The deliveries of the last `keep` seconds (30 days), in a file that several processes may share.

    `clock` gives seconds since 1970. The file is made when it is first needed, and is not held open.

    Source: https://www.sqlite.org/lang_insert.html, https://www.sqlite.org/lang_delete.html
    """

    def __init__(
        self, path: str | os.PathLike[str], *, keep: float = 30 * 86_400.0, clock: Callable[[], float] = time.time
    ) -> None:
        if not keep > 0:
            raise ValueError(f"keep must be more than 0 seconds, not {keep}")
        self._path = os.fspath(path)
        self._keep = keep
        self._clock = clock
        self._lock = threading.Lock()  # our own threads take turns; SQLite would let them sleep and try

    async def claim(self, key: str) -> bool:
        """Remember a key; `False` when any process has remembered it in the last `keep` seconds."""
        return await asyncio.to_thread(self._run, _claim, key)

    async def release(self, key: str) -> None:
        """Forget a key."""
        await asyncio.to_thread(self._run, _release, key)

    def _run(self, change: Callable[[sqlite3.Connection, str, float, float], bool], key: str) -> bool:
        with self._lock, closing(sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT)) as db:
            db.executescript(_TABLE)
            now = self._clock()
            with db:
                return change(db, key, now, now - self._keep)


def _claim(db: sqlite3.Connection, key: str, now: float, oldest: float) -> bool:
    db.execute("DELETE FROM deliveries WHERE seen <= ?", (oldest,))
    return db.execute("INSERT OR IGNORE INTO deliveries VALUES (?, ?)", (key, now)).rowcount > 0


def _release(db: sqlite3.Connection, key: str, now: float, oldest: float) -> bool:
    return db.execute("DELETE FROM deliveries WHERE key = ?", (key,)).rowcount > 0
