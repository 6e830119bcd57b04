"""Stores that remember which events were delivered: in memory, or in an SQLite file that survives restarts.

Only one caller can claim a key, until the key is released or forgotten. A store that can recover also keeps the body of
each claimed delivery until its handlers have finished.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
import uuid
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from ...._data.arguments import Count, Positive, checked
from ...._data.owner import Owner, remove_if_free
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


class RecoverableDeliveries(Deliveries, Protocol):
    """The protocol of a store that loses no delivery if the process that handles it ends.

    Source: https://learn.skytells.ai/docs/api/v1/webhooks
    """

    async def claim(self, key: str, body: bytes | None = None) -> bool:
        """Remember a key and the body of its delivery, and return `False` if the key was remembered before.

        A key whose process has ended before `finish` can be claimed again.
        """

    async def finish(self, key: str) -> None:
        """Forget the body of a key, because its handlers have finished."""

    async def abandon(self, key: str) -> None:
        """Leave a delivery that was stopped to the next call of `recover`, in any process."""

    async def recover(self) -> list[tuple[str, bytes]]:
        """Claim the deliveries of processes that have ended before `finish`, and return their keys and bodies.

        If several callers recover at the same time, only one of them gets a delivery.
        """


def as_recoverable(store: Deliveries) -> RecoverableDeliveries:
    """Return a store that can recover: the store itself, or an adapter to it."""
    if _has_methods(store, "finish", "abandon", "recover"):
        return cast(RecoverableDeliveries, store)
    return _WithoutRecovery(store)


def _has_methods(store: object, *names: str) -> bool:
    return all(callable(getattr(store, name, None)) for name in names)


class _WithoutRecovery:
    """Adapts a store that only claims and releases keys to the receiver: it recovers nothing."""

    def __init__(self, store: Deliveries) -> None:
        self._store = store

    async def claim(self, key: str, body: bytes | None = None) -> bool:
        """Claim a key; the body is not kept."""
        return await self._store.claim(key)

    async def release(self, key: str) -> None:
        """Forget a key."""
        await self._store.release(key)

    async def finish(self, key: str) -> None:
        """Do nothing: no body was kept."""

    async def abandon(self, key: str) -> None:
        """Forget a key: only the provider can send the delivery again."""
        await self._store.release(key)

    async def recover(self) -> list[tuple[str, bytes]]:
        """Return nothing: no body was kept."""
        return []


@checked
class MemoryDeliveries:
    """Store of the last `size` deliveries to this process, in memory.

    Source: https://docs.python.org/3/library/stdtypes.html#dict (which keeps the order of insertion)
    """

    def __init__(self, size: Count = 10_000) -> None:
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


_TABLES = """
CREATE TABLE IF NOT EXISTS deliveries (key TEXT PRIMARY KEY, seen REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_seen ON deliveries (seen);
CREATE TABLE IF NOT EXISTS unfinished (key TEXT PRIMARY KEY, owner TEXT NOT NULL, body BLOB NOT NULL);
"""
_NOBODY = ""
"""The owner of a delivery that was abandoned."""


@checked
class SQLiteDeliveries:
    """Store of deliveries in an SQLite file, which several processes may share.

    If a process ends while it handles a delivery, another one recovers the delivery. For this, each process that uses
    the file holds a lock on an owner file beside it. The file must be on a local disk.

    Args:
        path: The SQLite file. It is created when it is first needed. ":memory:" keeps the deliveries in memory.
        keep: Seconds after which a delivery is forgotten; by default 30 days.
        clock: Returns seconds since 1970.

    Raises:
        TypeError: The path is not a `str` or `Path`.
        ValueError: `path` or `keep` cannot be used.

    Source: https://www.sqlite.org/lang_insert.html, https://www.sqlite.org/lang_delete.html
    """

    def __init__(
        self, path: str | os.PathLike[str], *, keep: Positive = 30 * 86_400.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = Database(path, _TABLES)
        self._owners = _Owners(self._database.file)
        weakref.finalize(self, self._owners.leave)
        self._keep = keep
        self._clock = clock

    async def claim(self, key: str, body: bytes | None = None) -> bool:
        """Remember a key, and return `False` if any process remembered it in the last `keep` seconds.

        Args:
            key: The id of the delivery.
            body: The body of the delivery. It is kept until `finish` or `release`, and other processes `recover` it if
                this process ends before. Without a body the delivery counts as finished.

        Raises:
            OSError: The file is on a network file system, where locks do not reach other machines.
            sqlite3.Error: The file cannot be used.
        """
        now = self._clock()
        return await self._database.run(_claim, self._owners, key, body, now, now - self._keep)

    async def release(self, key: str) -> None:
        """Forget a key."""
        await self._database.run(_release, key)

    async def finish(self, key: str) -> None:
        """Forget the body of a key, because its handlers have finished."""
        await self._database.run(_finish, key)

    async def abandon(self, key: str) -> None:
        """Leave a delivery that was stopped to the next call of `recover`, in any process."""
        await self._database.run(_abandon, key)

    async def recover(self) -> list[tuple[str, bytes]]:
        """Claim the deliveries of processes that have ended before `finish`, and return their keys and bodies.

        Raises:
            OSError: The file is on a network file system, where locks do not reach other machines.
            sqlite3.Error: The file cannot be used.
        """
        return await self._database.run(_recover, self._owners)

    async def close(self) -> None:
        """Close the file. The next use opens it again."""
        if self._owners.joined:
            await self._database.run(_leave, self._owners)
        await self._database.close()


class _Owners:
    """The owner files beside an SQLite file: one for each process that uses it, locked until the process ends.

    An owner's name is used once. `join` and `is_alive` are called inside transactions, so that only one process at a
    time looks at the owner files.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._own: Owner | None = None
        self._own_name = "this process"  # if there is no file, other processes do not see the database

    @property
    def joined(self) -> bool:
        """Whether this process has an owner file. A forked child has none at first."""
        return self._own is not None and self._own.held

    def join(self) -> str:
        """Return the name of this process. The first call creates its owner file, and removes those of dead ones."""
        if self._file is not None and not self.joined:
            self._own_name = uuid.uuid4().hex
            self._own = Owner(_owner_file(self._file, self._own_name))
            beside = re.compile(re.escape(_owner_file(self._file, "").name) + "([0-9a-f]{32})")
            for each in tuple(self._file.parent.iterdir()):
                if found := beside.fullmatch(each.name):
                    self.is_alive(found[1])
        return self._own_name

    def is_alive(self, name: str) -> bool:
        """Return whether the process of this name still runs, and remove its owner file if not."""
        if name == self._own_name:
            return True
        return name != _NOBODY and self._file is not None and not remove_if_free(_owner_file(self._file, name))

    def leave(self) -> None:
        """Remove the owner file of this process."""
        if self._own is not None:
            self._own.remove()


def _owner_file(file: Path, name: str) -> Path:
    return file.with_name(f"{file.name}-owner-{name}")


def _claim(db: sqlite3.Connection, owners: _Owners, key: str, body: bytes | None, now: float, oldest: float) -> bool:
    owner = owners.join()
    db.execute("DELETE FROM deliveries WHERE seen <= ? AND key NOT IN (SELECT key FROM unfinished)", (oldest,))
    unfinished = db.execute("SELECT owner FROM unfinished WHERE key = ?", (key,)).fetchone()
    if unfinished and owners.is_alive(*unfinished):
        return False
    is_new = db.execute("INSERT OR IGNORE INTO deliveries VALUES (?, ?)", (key, now)).rowcount > 0
    if not (is_new or unfinished):
        return False
    if body is not None:
        db.execute("INSERT OR REPLACE INTO unfinished VALUES (?, ?, ?)", (key, owner, body))
    elif unfinished:
        _finish(db, key)
    return True


def _release(db: sqlite3.Connection, key: str) -> None:
    db.execute("DELETE FROM deliveries WHERE key = ?", (key,))
    _finish(db, key)


def _finish(db: sqlite3.Connection, key: str) -> None:
    db.execute("DELETE FROM unfinished WHERE key = ?", (key,))


def _abandon(db: sqlite3.Connection, key: str) -> None:
    db.execute("UPDATE unfinished SET owner = ? WHERE key = ?", (_NOBODY, key))


def _recover(db: sqlite3.Connection, owners: _Owners) -> list[tuple[str, bytes]]:
    own = owners.join()
    recovered: list[tuple[str, bytes]] = []
    for (owner,) in db.execute("SELECT DISTINCT owner FROM unfinished").fetchall():
        if not owners.is_alive(owner):
            recovered += db.execute("SELECT key, body FROM unfinished WHERE owner = ?", (owner,)).fetchall()
            db.execute("UPDATE unfinished SET owner = ? WHERE owner = ?", (own, owner))
    return recovered


def _leave(db: sqlite3.Connection, owners: _Owners) -> None:
    """Remove the owner file, unless this process still handles deliveries: other processes would recover them."""
    if not db.execute("SELECT 1 FROM unfinished WHERE owner = ?", (owners.join(),)).fetchone():
        owners.leave()
