"""The sandbox's data: JSON records, tables and files in one folder, and the users' own SQL database.

If the sandbox has a data folder, everything is kept there for the next start. Otherwise the folder is temporary and is
deleted with the sandbox. All access to SQLite runs in threads, never on the event loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

from .._data.owner import Owner
from .._data.sqlite import Database
from .engines.errors import BadInput
from .sql_process import SqlProcess

P = ParamSpec("P")
T = TypeVar("T")

MAX_RECORD = 8 * 2**20
"""Most characters of a value as JSON."""
_FOLDERS = ("outputs", "files", "parts")
_TABLES = """
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, id TEXT, value TEXT, UNIQUE (kind, id)
);
CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, value TEXT, expires REAL);
CREATE TABLE IF NOT EXISTS files (key TEXT PRIMARY KEY, name TEXT, type TEXT, size INTEGER, etag TEXT, modified TEXT);
CREATE INDEX IF NOT EXISTS files_by_content ON files (etag, size);
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
    """Data of one sandbox. Call `open` first; a store belongs to one event loop.

    `put`, `add`, `get`, `newest` and `delete` work on JSON records, each with a kind and an id. `path("outputs", name)`
    returns the path of an output file, and `save` writes one. `run` calls a function with the SQLite connection.
    `clock()` returns the time in seconds since 1970 that all dates and expiry times are based on.
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        schema: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        self.background_tasks: set[asyncio.Task[None]] = set()
        """Predictions and webhook deliveries in progress."""
        self._data = data
        self._schema = schema
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._owner: Owner | None = None
        self.readers: Counter[Path] = Counter()
        """Downloads in progress of each content of a file; for the store's thread only."""
        self._held: dict[tuple[str, str], Any] = {}
        self._state: Database | None = None
        self._sql: SqlProcess | None = None

    async def open(self) -> None:
        """Open the folder and its tables; create what is missing.

        Raises:
            OSError: If the folder cannot be written, or another sandbox uses it.
            ValueError: If SQLite refuses the `schema`.
        """
        try:
            await asyncio.to_thread(self._prepare_folder)
            # A data folder must survive a kill of the process; a temporary one need not reach the disk.
            synchronous: Literal["NORMAL", "OFF"] = "OFF" if self._temporary else "NORMAL"
            self._state = Database(self._folder / "state.db", _TABLES, synchronous=synchronous)
            await self._state.open()
            await self._state.run_outside_transaction(_tidy_files, self._folder / "files")
            project = Database(self._folder / "project.db", synchronous=synchronous)
            if self._schema:
                try:
                    await project.run_outside_transaction(apply_schema, self._schema)
                finally:
                    await project.close()
            self._sql = SqlProcess(self._folder / "project.db", synchronous)
        except BaseException:
            await self.close()
            raise

    async def stop(self) -> None:
        """Cancel the background tasks, and end the statement in progress."""
        for task in tuple(self.background_tasks):
            task.cancel()
        await asyncio.gather(*self.background_tasks, return_exceptions=True)
        if self._sql:
            await self._sql.close()

    async def close(self) -> None:
        """Cancel the background tasks and close the files. A temporary folder is deleted."""
        await self.stop()
        if self._state:
            await self._state.close()
        if self._owner:
            self._owner.release()
        if self._temporary:
            await asyncio.to_thread(self._temporary.cleanup)

    async def cleanup_context(self, _: object) -> AsyncIterator[None]:
        """Keep the store open while an aiohttp application runs; for its `cleanup_ctx`."""
        await self.open()
        yield
        await self.close()

    async def put(self, kind: str, id: str, value: Any) -> None:
        """Store a JSON value. An existing value of this id is replaced and keeps its place in the order.

        Raises:
            BadInput: If the value is too long.
        """
        await self.run(_put, kind, id, write_json(value))

    async def add(self, kind: str, id: str, value: Any) -> bool:
        """Store a JSON value unless there is one of this id; return whether it was stored."""
        return await self.run(_put_if_absent, kind, id, write_json(value))

    async def get(self, kind: str, id: str) -> Any:
        """Return a value, or `None` if there is none of this id."""
        if (kind, id) in self._held:
            return self._held[kind, id]
        text = await self.run(_get, kind, id)
        return None if text is None else json.loads(text)

    async def newest(self, kind: str, keep: Callable[[Any], T]) -> list[T]:
        """Return what `keep` returns for each value of a kind, newest first by the time of their first `put`.

        The values are read one by one, so that only what is kept takes memory.
        """
        held = [keep(value) for (held_kind, _), value in self._held.items() if held_kind == kind]
        return held[::-1] + await self.run(_newest, kind, keep)

    async def delete(self, kind: str, id: str) -> bool:
        """Delete a value; return whether there was one."""
        self._held.pop((kind, id), None)
        return await self.run(_delete, kind, id)

    def hold(self, kind: str, id: str, value: Any) -> None:
        """Keep a JSON value until the store is closed, since the disk does not take it."""
        self._held[kind, id] = value

    def path(self, folder: str, name: str) -> Path:
        """Return the path of a file in "outputs", "files" or "parts". `name` must not come from a request."""
        return self._folder / folder / name

    async def save(self, path: Path, data: bytes) -> None:
        """Write a file atomically."""
        await asyncio.to_thread(_save, self.path("parts", uuid.uuid4().hex), path, data)

    async def run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function with the connection to the sandbox's tables, in one transaction, in the store's thread."""
        assert self._state
        return await self._state.run(function, *args, **kwargs)

    async def run_after_commit(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function in the store's thread when what was changed before is committed."""
        assert self._state
        return await self._state.run_outside_transaction(function, *args, **kwargs)

    @property
    def sql(self) -> SqlProcess:
        """The users' own database."""
        assert self._sql
        return self._sql

    def _prepare_folder(self) -> None:
        if self._data is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="kellyapi-sandbox-", ignore_cleanup_errors=True)
        self._folder = Path(self._temporary.name if self._temporary else os.fspath(self._data or ""))
        for name in _FOLDERS:
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        if not self._temporary:
            try:
                self._owner = Owner(self._folder / "owner.lock")
            except BlockingIOError:
                raise BlockingIOError(f"another sandbox uses the data folder {self._folder}") from None
        for part in (self._folder / "parts").iterdir():  # left by a sandbox that was killed
            part.unlink()


def apply_schema(project: sqlite3.Connection, schema: str) -> None:
    """Run the statements of a schema that this database has not run yet, all or none."""
    project.execute("CREATE TABLE IF NOT EXISTS _sandbox_schema (statement TEXT PRIMARY KEY)")
    project.execute("BEGIN")
    try:
        for statement in _split_statements(schema):
            if not project.execute("SELECT 1 FROM _sandbox_schema WHERE statement = ?", (statement,)).fetchone():
                project.execute(statement)
                project.execute("INSERT INTO _sandbox_schema VALUES (?)", (statement,))
        project.execute("COMMIT")
    except (sqlite3.Error, sqlite3.Warning) as error:
        project.rollback()
        raise ValueError(f"the schema is refused: {error}") from None


def _split_statements(schema: str) -> list[str]:
    """Split a script at the semicolons that end statements, not at those in strings and triggers."""
    statements, current = [], ""
    for piece in schema.split(";"):
        current += piece + ";"
        if sqlite3.complete_statement(current):
            statements.append(current.strip())
            current = ""
    statements.append(current.strip().removesuffix(";"))
    return [statement for statement in statements if statement.strip("; \n\t")]


def _tidy_files(db: sqlite3.Connection, folder: Path) -> None:
    """Delete the contents that no file has: their sandbox was killed before it had recorded or deleted them."""
    present = {path.name for path in folder.iterdir()}
    recorded = {content_name(etag, size): name for name, etag, size in db.execute("SELECT name, etag, size FROM files")}
    for content, name in recorded.items():
        if name in present and content not in present:  # as earlier versions named it
            (folder / name).rename(folder / content)
    for name in present - recorded.keys():
        (folder / name).unlink(missing_ok=True)


def content_name(etag: str, size: int) -> str:
    """Return the name under which the content of a file is stored. Files with the same content share it."""
    return f"{etag}-{size}"


def write_json(value: Any) -> str:
    """Return a value to store as JSON.

    Raises:
        BadInput: If it is too long.
    """
    text = json.dumps(value)
    if len(text) > MAX_RECORD:
        raise BadInput("body", f"A value that is stored must have at most {MAX_RECORD >> 20} MiB as JSON.")
    return text


def _put(db: sqlite3.Connection, kind: str, id: str, text: str) -> None:
    replace = "ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value"
    db.execute(f"INSERT INTO records (kind, id, value) VALUES (?, ?, ?) {replace}", (kind, id, text))


def _put_if_absent(db: sqlite3.Connection, kind: str, id: str, text: str) -> bool:
    insert = "INSERT OR IGNORE INTO records (kind, id, value) VALUES (?, ?, ?)"
    return db.execute(insert, (kind, id, text)).rowcount > 0


def _get(db: sqlite3.Connection, kind: str, id: str) -> str | None:
    row = db.execute("SELECT value FROM records WHERE kind = ? AND id = ?", (kind, id)).fetchone()
    return row[0] if row else None


def _newest(db: sqlite3.Connection, kind: str, keep: Callable[[Any], T]) -> list[T]:
    rows = db.execute("SELECT value FROM records WHERE kind = ? ORDER BY number DESC", (kind,))
    return [keep(json.loads(text)) for (text,) in rows]


def _delete(db: sqlite3.Connection, kind: str, id: str) -> bool:
    return db.execute("DELETE FROM records WHERE kind = ? AND id = ?", (kind, id)).rowcount > 0


def _save(part: Path, path: Path, data: bytes) -> None:
    part.write_bytes(data)
    part.replace(path)
