"""What the sandbox remembers: JSON records, tables and files in one folder, and the database of its users.

A folder that is given keeps all of it for the next sandbox; a temporary one goes with the sandbox. Everything that
touches SQLite runs in the one thread of the store, never on the event loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_FOLDERS = ("outputs", "files", "parts")
_TABLES = """
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, id TEXT, value TEXT, UNIQUE (kind, id)
);
CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, value TEXT, expires REAL);
CREATE TABLE IF NOT EXISTS files (key TEXT PRIMARY KEY, name TEXT, type TEXT, size INTEGER, etag TEXT, modified TEXT);
CREATE TABLE IF NOT EXISTS documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, type TEXT, content TEXT, metadata TEXT
);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (content, content = 'documents', content_rowid = 'number',
    tokenize = 'porter unicode61');
CREATE TRIGGER IF NOT EXISTS document_added AFTER INSERT ON documents BEGIN
    INSERT INTO words (rowid, content) VALUES (new.number, new.content);
END;
CREATE TRIGGER IF NOT EXISTS document_deleted AFTER DELETE ON documents BEGIN
    INSERT INTO words (words, rowid, content) VALUES ('delete', old.number, old.content);
END;
CREATE TRIGGER IF NOT EXISTS document_changed AFTER UPDATE ON documents BEGIN
    INSERT INTO words (words, rowid, content) VALUES ('delete', old.number, old.content);
    INSERT INTO words (rowid, content) VALUES (new.number, new.content);
END;
"""


class Store:
    """State of one sandbox. `open` it first; it belongs to one event loop.

    `put`, `add`, `get`, `newest` and `delete` keep JSON records by kind and id. `path("outputs", name)` is where an
    output file lies, and `save` writes one. `run` gives a function the SQLite connection. `clock()` is the time, in
    seconds since 1970, of all that expires or is dated.
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        schema: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.work: set[asyncio.Task[None]] = set()
        """Jobs that are being done."""
        self._data = data
        self._schema = schema
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._thread = ThreadPoolExecutor(1, "sandbox-store")

    async def open(self) -> None:
        """Make the folder and the tables, or find them. A `schema` that SQLite does not take raises `ValueError`."""
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self.close()
            raise

    async def stop(self) -> None:
        """Stop the jobs that are being done."""
        for task in tuple(self.work):
            task.cancel()
        await asyncio.gather(*self.work, return_exceptions=True)

    async def close(self) -> None:
        """Stop, and close the files; those of a temporary folder go."""
        await self.stop()
        await self._in_thread(self._close)
        self._thread.shutdown()

    async def life(self, _: object) -> AsyncIterator[None]:
        """Be open while an application runs: an item of its `cleanup_ctx`."""
        await self.open()
        yield
        await self.close()

    async def put(self, kind: str, id: str, value: Any) -> None:
        """Keep a JSON value; one of this id is replaced and stays where it is in the order."""
        await self.run(_put, kind, id, json.dumps(value))

    async def add(self, kind: str, id: str, value: Any) -> bool:
        """Keep a JSON value unless there is one of this id; tell whether it was kept."""
        return await self.run(_add, kind, id, json.dumps(value))

    async def get(self, kind: str, id: str) -> Any:
        """Give a value, or `None`."""
        text = await self.run(_get, kind, id)
        return None if text is None else json.loads(text)

    async def newest(self, kind: str) -> list[Any]:
        """Give all values of a kind, the one that was first put last comes first."""
        return [json.loads(text) for text in await self.run(_newest, kind)]

    async def delete(self, kind: str, id: str) -> bool:
        """Forget a value; tell whether there was one."""
        return await self.run(_delete, kind, id)

    def path(self, folder: str, name: str) -> Path:
        """Give the place of a file in "outputs", "files" or "parts", which exist; `name` must be one that we made."""
        return self._folder / folder / name

    async def save(self, path: Path, data: bytes) -> None:
        """Write a whole file, which is there only when it is complete."""
        await asyncio.to_thread(_save, self.path("parts", uuid.uuid4().hex), path, data)

    async def run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function with the connection to our tables, as one transaction, in the store's thread."""
        return await self._in_thread(lambda: self._transact(lambda db: function(db, *args, **kwargs)))

    async def run_project(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function with the connection to the users' own database, which commits each statement."""
        return await self._in_thread(lambda: function(self._project, *args, **kwargs))

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))

    def _transact(self, function: Callable[[sqlite3.Connection], T]) -> T:
        with self._state:
            return function(self._state)

    def _open(self) -> None:
        if self._data is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="kellyapi-sandbox-", ignore_cleanup_errors=True)
        self._folder = Path(self._temporary.name if self._temporary else os.fspath(self._data or ""))
        for name in _FOLDERS:
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        for part in (self._folder / "parts").iterdir():  # what a sandbox that was killed left
            part.unlink()
        self._state = self._connect("state.db")
        self._state.executescript(f"BEGIN; {_TABLES} COMMIT;")
        self._project = self._connect("project.db")
        self._project.isolation_level = None
        if self._schema:
            apply_schema(self._project, self._schema)

    def _connect(self, name: str) -> sqlite3.Connection:
        connection = sqlite3.connect(self._folder / name)
        # What is to be kept survives the sandbox's sudden end; what is not need not reach the disk.
        journal, synchronous = ("MEMORY", "OFF") if self._temporary else ("WAL", "NORMAL")
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        return connection

    def _close(self) -> None:
        for name in ("_state", "_project"):
            if hasattr(self, name):
                getattr(self, name).close()
        if self._temporary:
            self._temporary.cleanup()


def apply_schema(project: sqlite3.Connection, schema: str) -> None:
    """Run those statements of a schema that this database has not seen, all or none."""
    project.execute("CREATE TABLE IF NOT EXISTS _sandbox_schema (statement TEXT PRIMARY KEY)")
    project.execute("BEGIN")
    try:
        for statement in _statements(schema):
            if not project.execute("SELECT 1 FROM _sandbox_schema WHERE statement = ?", (statement,)).fetchone():
                project.execute(statement)
                project.execute("INSERT INTO _sandbox_schema VALUES (?)", (statement,))
        project.execute("COMMIT")
    except (sqlite3.Error, sqlite3.Warning) as error:
        project.rollback()
        raise ValueError(f"the schema is refused: {error}") from None


def _statements(schema: str) -> list[str]:
    """Cut a script at the semicolons that end statements, not at those in strings and triggers."""
    done, current = [], ""
    for piece in schema.split(";"):
        current += piece + ";"
        if sqlite3.complete_statement(current):
            done.append(current.strip())
            current = ""
    return [one for one in [*done, current.strip().removesuffix(";")] if one.strip("; \n\t")]


def _put(db: sqlite3.Connection, kind: str, id: str, text: str) -> None:
    keep = "ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value"
    db.execute(f"INSERT INTO records (kind, id, value) VALUES (?, ?, ?) {keep}", (kind, id, text))


def _add(db: sqlite3.Connection, kind: str, id: str, text: str) -> bool:
    new = "INSERT OR IGNORE INTO records (kind, id, value) VALUES (?, ?, ?)"
    return db.execute(new, (kind, id, text)).rowcount > 0


def _get(db: sqlite3.Connection, kind: str, id: str) -> str | None:
    row = db.execute("SELECT value FROM records WHERE kind = ? AND id = ?", (kind, id)).fetchone()
    return row[0] if row else None


def _newest(db: sqlite3.Connection, kind: str) -> list[str]:
    return [text for (text,) in db.execute("SELECT value FROM records WHERE kind = ? ORDER BY number DESC", (kind,))]


def _delete(db: sqlite3.Connection, kind: str, id: str) -> bool:
    return db.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, id)).rowcount > 0


def _save(part: Path, path: Path, data: bytes) -> None:
    part.write_bytes(data)
    part.replace(path)
