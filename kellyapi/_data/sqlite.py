"""SQLite files for asyncio: one thread per file, and what waits is committed together."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Transaction = Callable[[sqlite3.Connection], Any]
LOCK_TIMEOUT = 30.0
"""Seconds to wait for another process that is writing."""
_NO_FILE = (":memory:", "")


class Database:
    """An SQLite file that several processes may share. It is opened when it is first used.

    All work runs in one thread. Calls of `run` keep their order. Those that wait at the same time share one
    transaction, each in a savepoint: one that raises undoes its own changes only. A result is returned after the
    commit. `run_outside_transaction` may run after later calls of `run`.

    Args:
        path: The file. It is created if it does not exist. ":memory:" is a database in memory, "" one in a temporary
            file. `~` is your home folder.
        tables: Statements that create what is missing, run when the file is opened.
        synchronous: With "FULL" a commit survives a power cut, with "NORMAL" the end of the process. "OFF" is for
            files that are not needed after the process.

    Raises:
        TypeError: If the path is not a `str` or `Path`.
        ValueError: If it has a null character.

    Source: https://www.sqlite.org/wal.html, https://www.sqlite.org/lang_transaction.html
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        tables: str = "",
        *,
        synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL",
    ) -> None:
        self._path = _read_path(path)
        self._tables = tables
        self._synchronous = synchronous
        self._start()

    @property
    def file(self) -> Path | None:
        """The file, with symlinks resolved; `None` for a database in memory or in a temporary file."""
        return None if self._path in _NO_FILE else Path(self._path)

    async def open(self) -> None:
        """Open the file now. The errors are those of `run`."""
        await self.run_outside_transaction(lambda _: None)

    async def run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function with the connection, inside a transaction.

        Raises:
            sqlite3.Error: If the file cannot be opened, or is locked for more than `LOCK_TIMEOUT` seconds.
        """
        self._restart_after_fork()
        job: Future[T] = Future()
        self._waiting.append((job, lambda connection: function(connection, *args, **kwargs)))
        self._thread.submit(self._commit_waiting)
        return await asyncio.wrap_future(job)

    async def run_outside_transaction(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function with the connection, which commits each of its statements."""
        self._restart_after_fork()
        return await asyncio.wrap_future(self._thread.submit(lambda: function(self._open(), *args, **kwargs)))

    async def close(self) -> None:
        """Finish what waits and close the file. It is opened again if it is used again."""
        self._restart_after_fork()
        await asyncio.wrap_future(self._thread.submit(self._close))

    def _start(self) -> None:
        self._process = os.getpid()
        self._connection: sqlite3.Connection | None = None
        self._waiting: deque[tuple[Future[Any], Transaction]] = deque()
        self._thread = ThreadPoolExecutor(1, "kellyapi-sqlite")

    def _restart_after_fork(self) -> None:
        if os.getpid() != self._process:  # the thread stayed in the parent, and the connection is the parent's
            self._start()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                connection = self._connect()
            except sqlite3.Error as error:
                error.args = (f"{error}: {_describe(self._path)}",)
                raise
            self._close_connection = weakref.finalize(self, connection.close)
            self._connection = connection
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.executescript(f"BEGIN IMMEDIATE; {self._tables}; COMMIT;")
        except BaseException:
            connection.close()  # an open transaction would lock the file for every process
            raise
        return connection

    def _close(self) -> None:
        self._commit_waiting()
        if self._connection is not None:
            self._close_connection()
            self._connection = None

    def _commit_waiting(self) -> None:
        jobs = []
        while self._waiting:
            job, transaction = self._waiting.popleft()
            if job.set_running_or_notify_cancel():
                jobs.append((job, transaction))
        if not jobs:  # an earlier turn has taken them along
            return
        try:
            outcomes = _run_together(self._open(), [transaction for _, transaction in jobs])
        except BaseException as error:  # each caller gets it: a future left open would wait for ever
            outcomes = [(None, error)] * len(jobs)
        for (job, _), (result, failure) in zip(jobs, outcomes, strict=True):
            if failure is None:
                job.set_result(result)
            else:
                job.set_exception(failure)


def _read_path(path: str | os.PathLike[str]) -> str:
    """Return a path as a string, without symlinks, that stays the same when the working directory changes."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise TypeError(f"path must be a str or a Path, such as 'data.db', not {type(path).__name__}")
    if "\0" in text:
        raise ValueError(f"path must not contain a null character: {text!r}")
    if text in _NO_FILE:
        return text
    return os.path.realpath(os.path.expanduser(text))  # noqa: PTH111  Path.expanduser fails for a file named "~x"


def _describe(path: str) -> str:
    """Return a path with what makes it unusable, if that can be seen."""
    if path in _NO_FILE:
        return repr(path)
    folder = Path(path).parent
    if not folder.is_dir():
        return f"{path}, but there is no folder {folder}"
    return f"{path}, which is a folder" if Path(path).is_dir() else path


def _run_together(
    connection: sqlite3.Connection, transactions: list[Transaction]
) -> list[tuple[Any, BaseException | None]]:
    """Run functions in one transaction; return the result or the error of each."""
    connection.execute("BEGIN IMMEDIATE")  # a read that turns into a write later could fail with SQLITE_BUSY_SNAPSHOT
    outcomes: list[tuple[Any, BaseException | None]] = []
    try:
        for transaction in transactions:
            connection.execute("SAVEPOINT one")
            try:
                outcomes.append((transaction(connection), None))
            except Exception as error:  # whatever the function raises is for its caller alone
                if not connection.in_transaction:  # SQLite has undone everything, for example when the disk is full
                    raise
                connection.execute("ROLLBACK TO one")
                outcomes.append((None, error))
            connection.execute("RELEASE one")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes
