"""SQLite files: transactions that are committed together, several processes, and what fails alone."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kellyapi._data.sqlite import Database

TABLES = "CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY)"


def add(db: sqlite3.Connection, number: int) -> int:
    db.execute("INSERT INTO numbers VALUES (?)", (number,))
    return number


def count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM numbers").fetchone()[0])


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "numbers.db", TABLES)
    yield database
    await database.close()


async def test_functions_that_wait_share_one_transaction(database: Database) -> None:
    statements: list[str] = []
    started, held = threading.Event(), threading.Event()

    def hold(db: sqlite3.Connection) -> None:
        db.set_trace_callback(statements.append)
        started.set()
        held.wait()

    first = asyncio.create_task(database.run(hold))
    await asyncio.to_thread(started.wait)
    more = [asyncio.create_task(database.run(add, number)) for number in range(100)]
    await asyncio.sleep(0)
    held.set()
    assert await asyncio.gather(first, *more) == [None, *range(100)]
    assert statements.count("COMMIT") == 2  # of the first, and of the hundred


async def test_a_function_that_raises_undoes_its_own_changes_only(database: Database) -> None:
    def add_and_fail(db: sqlite3.Connection) -> None:
        add(db, 7)
        raise LookupError("no")

    results = await asyncio.gather(
        database.run(add, 1), database.run(add_and_fail), database.run(add, 1), database.run(add, 2),
        return_exceptions=True,
    )  # fmt: skip
    assert [type(result) for result in results] == [int, LookupError, sqlite3.IntegrityError, int]
    assert await database.run(lambda db: db.execute("SELECT number FROM numbers").fetchall()) == [(1,), (2,)]


async def test_a_function_that_was_cancelled_while_it_waited_is_not_run(database: Database) -> None:
    started, held = threading.Event(), threading.Event()

    def hold(db: sqlite3.Connection) -> None:
        started.set()
        held.wait()

    first = asyncio.create_task(database.run(hold))
    await asyncio.to_thread(started.wait)
    second = asyncio.create_task(database.run(add, 1))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    held.set()
    await first
    assert await database.run(count) == 0


async def test_outside_of_a_transaction_each_statement_is_committed(database: Database, tmp_path: Path) -> None:
    def add_and_look(db: sqlite3.Connection) -> int:
        add(db, 1)
        other = sqlite3.connect(tmp_path / "numbers.db")
        try:
            return count(other)
        finally:
            other.close()

    assert await database.run_outside_transaction(add_and_look) == 1


async def test_a_file_that_cannot_be_opened_is_an_error_of_every_caller_and_may_exist_later(tmp_path: Path) -> None:
    database = Database(tmp_path / "missing" / "numbers.db", TABLES)
    results = await asyncio.gather(*[database.run(add, number) for number in range(3)], return_exceptions=True)
    assert [type(result) for result in results] == [sqlite3.OperationalError] * 3
    (tmp_path / "missing").mkdir()
    assert await database.run(add, 1) == 1
    await database.close()
    assert await database.run(count) == 1  # opened again
    await database.close()


async def test_tables_that_cannot_be_created_leave_the_file_unlocked(tmp_path: Path) -> None:
    broken = Database(tmp_path / "numbers.db", "CREATE TABLE numbers (")
    with pytest.raises(sqlite3.OperationalError, match="syntax error"):
        await broken.run(add, 1)
    other = Database(tmp_path / "numbers.db", TABLES)
    assert await other.run(add, 1) == 1
    await other.close()


async def test_when_sqlite_undoes_everything_each_caller_gets_its_reason(database: Database) -> None:
    def fill(db: sqlite3.Connection) -> None:
        db.execute("PRAGMA max_page_count = 3")
        db.executemany("INSERT INTO numbers VALUES (?)", ((number,) for number in range(9, 9999)))

    results = await asyncio.gather(database.run(add, 1), database.run(fill), return_exceptions=True)
    assert "database or disk is full" in {str(result) for result in results}
    assert await database.run(add, 2) == 2


@pytest.mark.parametrize("path", [":memory:", ""])
async def test_a_database_without_a_file_keeps_its_rows(path: str) -> None:
    database = Database(path, TABLES)
    await database.run(add, 1)
    assert await database.run(count) == 1
    await database.close()


def _add_many(path: str, first: int) -> None:
    async def main() -> None:
        database = Database(path, TABLES)
        await asyncio.gather(*[database.run(add, number) for number in range(first, first + 200)])
        await database.close()

    asyncio.run(main())


async def test_processes_share_a_file(database: Database) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_add_many, args=(database._path, 200 * number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        await asyncio.to_thread(process.join)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert await database.run(count) == 600


if hasattr(os, "fork"):  # Windows has none

    async def test_a_forked_child_opens_the_file_itself(database: Database) -> None:
        def child() -> None:
            assert asyncio.run(database.run(add, 2)) == 2

        await database.run(add, 1)
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0
        assert await database.run(count) == 2
