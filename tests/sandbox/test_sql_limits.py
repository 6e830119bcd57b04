"""Hostile SQL: what a statement may use, and limits of its time, its memory and its result."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from kellyapi.sandbox.engines.errors import BadInput
from kellyapi.sandbox.sql_process import SqlProcess

SCHEMA = """
CREATE TABLE notes (text TEXT);
INSERT INTO notes VALUES ('seed');
CREATE TABLE copies (text TEXT);
CREATE TRIGGER copied AFTER INSERT ON notes WHEN new.text = 'copy' BEGIN INSERT INTO copies VALUES (new.text); END;
CREATE VIEW loud AS SELECT upper(text) AS text FROM notes;
CREATE TABLE fts3_like (text TEXT);
"""
TEN_MILLION = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000)"
# One step of SQLite's virtual machine: it compares 4 MB at each of 5 million places.
ENDLESS = "SELECT instr(printf('%.*c', 9000000, 'a'), printf('%.*c', 4000000, 'a') || 'b')"


SANDBOX = {"schema": SCHEMA}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT fts3_tokenizer('simple')",
        "SELECT fts3_tokenizer('x', x'4141414141414141')",
        "SELECT FTS3_TOKENIZER('simple', ?)",
        "SELECT load_extension('x')",
        "INSERT INTO notes VALUES (load_extension('x'))",
        "SELECT sqlite_compileoption_get(1)",
        "SELECT sqlite_version()",
        "SELECT sqlite_log(1, 'x')",
        "SELECT text FROM notes ORDER BY rtreecheck('notes')",
        "SELECT readfile('/etc/passwd')",
        "SELECT * FROM dbstat",
        "SELECT count(*) FROM dbstat",
        "SELECT * FROM sqlite_stmt",
        "SELECT count(*) FROM sqlite_stmt",
        "SELECT * FROM fts3tokenize",
        "SELECT * FROM pragma_database_list",
        "SELECT count(*) FROM pragma_function_list",
        "SELECT * FROM _sandbox_schema",
        "SELECT count(*) FROM _sandbox_schema",
        "UPDATE _sandbox_schema SET statement = ''",
        "ATTACH ':memory:' AS other",
        "PRAGMA hard_heap_limit = 0",
        "PRAGMA data_version = 5",
        "EXPLAIN SELECT 1; PRAGMA user_version",
    ],
)
async def test_what_is_not_in_the_lists_is_refused(post: Any, sql: str) -> None:
    response = await post("/v1/db/query", json={"sql": sql, "params": [""] if "?" in sql else []})
    assert (response.status, response.json["code"]) == (400, "DB_QUERY_FAILED")
    after = await post("/v1/db/query", json={"sql": "SELECT text FROM notes"})
    assert after.json["results"] == [{"text": "seed"}]


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        ("SELECT count(*) AS n FROM notes", {"n": 1}),
        ("WITH one AS (SELECT 1 AS a) SELECT count(*) AS n FROM one", {"n": 1}),
        ("SELECT text FROM loud", {"text": "SEED"}),
        ("SELECT count(*) AS n FROM loud", {"n": 1}),
        ("SELECT value FROM json_each('[5]')", {"value": 5}),
        ("SELECT count(*) AS n FROM json_each('[5, 6]')", {"n": 2}),
        ("SELECT COUNT(*) AS n FROM NOTES WHERE TEXT LIKE 's%' AND text GLOB 's*'", {"n": 1}),
        ("SELECT name FROM sqlite_master WHERE name = 'copies'", {"name": "copies"}),
        ("SELECT row_number() OVER (ORDER BY text) AS n FROM notes", {"n": 1}),
        ("SELECT '{\"a\": 1}' ->> '$.a' AS a, strftime('%Y', 0, 'unixepoch') AS b", {"a": 1, "b": "1970"}),
    ],
)
async def test_ordinary_statements_are_allowed(post: Any, sql: str, row: dict[str, Any]) -> None:
    response = await post("/v1/db/query", json={"sql": sql})
    assert (response.status, response.json) == (200, {"results": [row], "count": 1})


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("SELECT :a", [1]),
        ("SELECT @a", [1]),
        ("SELECT $a", [1]),
        ("SELECT ?, :a", [1, 2]),
        ("SELECT ':a', :b", [1]),
        ("SELECT 1 -- it's\n, :b", [1]),
        ("SELECT 1 /* ' */, :b", [1]),
        ('SELECT "it\'s", :b', [1]),
        ("SELECT 'it''s', :b", [1]),
    ],
)
async def test_parameters_with_names_are_refused(post: Any, sql: str, params: list[Any]) -> None:
    response = await post("/v1/db/query", json={"sql": sql, "params": params})
    assert (response.status, response.json["code"]) == (400, "DB_QUERY_FAILED")
    assert "write ?" in response.json["message"]


@pytest.mark.parametrize(
    ("sql", "params", "value"),
    [
        ("SELECT ':a @b $c' AS v", [], ":a @b $c"),
        ("SELECT ? AS v -- :a", [5], 5),
        ("SELECT ? AS v /* :a */", [5], 5),
        ('SELECT ? AS v, 1 AS ":a"', [5], 5),
        ("SELECT ?1 + ?1 AS v", [5], 10),
        ("SELECT '$.a' AS v", [], "$.a"),
        ("SELECT 'it''s :a' AS v", [], "it's :a"),
    ],
)
async def test_what_only_looks_like_a_name_is_text(post: Any, sql: str, params: list[Any], value: Any) -> None:
    response = await post("/v1/db/query", json={"sql": sql, "params": params})
    assert (response.status, response.json["results"][0]["v"]) == (200, value)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (f"{TEN_MILLION} SELECT sum(i) FROM n", "interrupted: the statement takes too long"),
        (f"{TEN_MILLION} SELECT i FROM n", "more than 100000 rows"),
        (f"{TEN_MILLION} SELECT randomblob(1000000) AS a FROM n", "16 MiB"),
        (f"{TEN_MILLION} SELECT hex(zeroblob(1000000)) AS a FROM n", "16 MiB"),
        (f"{TEN_MILLION} SELECT group_concat(i) FROM n", "too big|too long"),
        (f"{TEN_MILLION} SELECT i FROM n ORDER BY randomblob(100000)", "memory"),
        (f"{TEN_MILLION} INSERT INTO notes SELECT 'a' FROM n RETURNING text", "100000 rows|too long"),
        ("SELECT 'a' LIKE printf('%.2000c', '%')", "too complex"),
        (f"SELECT {'(' * 600}1{')' * 600} + {'-' * 600}1", "too|overflow"),
        (f"SELECT {', '.join(['1'] * 300)}", "too many columns"),
    ],
)
async def test_a_limit_ends_in_an_error_and_changes_nothing(post: Any, sql: str, message: str) -> None:
    response = await post("/v1/db/query", json={"sql": sql})
    assert (response.status, response.json["code"]) == (400, "DB_QUERY_FAILED")
    assert re.search(message, response.json["message"])
    after = await post("/v1/db/query", json={"sql": "SELECT count(*) AS n FROM notes"})
    assert after.json["results"] == [{"n": 1}]


async def test_a_column_that_does_not_exist_is_named_whatever_it_is_called(post: Any) -> None:
    response = await post("/v1/db/query", json={"sql": "SELECT interrupted FROM notes"})
    assert "no such column: interrupted" in response.json["message"]
    assert "too long" not in response.json["message"]


async def test_a_statement_that_does_not_end_is_ended_with_its_process(tmp_path: Path) -> None:
    sql = SqlProcess(tmp_path / "a.db", "OFF", time_limit=0.1)
    await sql.run("SELECT 1", [])
    with pytest.raises(BadInput, match=r"more than 0\.1 seconds"):
        await sql.run(ENDLESS, [])
    assert await sql.run("SELECT 1 AS a", []) == ('[{"a": 1}]', 1)
    await sql.close()


async def test_a_reply_counts_even_if_the_event_loop_reads_it_after_the_time_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql, loop = SqlProcess(tmp_path / "a.db", "OFF"), asyncio.get_running_loop()
    started, replied = asyncio.Event(), threading.Event()
    await sql.run("SELECT 1", [])
    call_child = sql._process._call_child

    def call_and_tell(job: Any) -> Any:
        loop.call_soon_threadsafe(started.set)
        try:
            return call_child(job)
        finally:
            replied.set()

    monkeypatch.setattr(sql._process, "_call_child", call_and_tell)
    call = asyncio.create_task(sql.run("SELECT 5 AS a", []))
    await started.wait()
    replied.wait()  # holds the loop
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now + 1000)
    assert await call == ('[{"a": 5}]', 1)
    monkeypatch.undo()
    await sql.close()


@pytest.mark.usefixtures("own_sandbox")  # closing it ends the statement
async def test_other_requests_are_served_while_a_statement_runs(post: Any) -> None:
    assert (await post("/v1/db/query", json={"sql": "SELECT 1"})).status == 200
    endless = asyncio.create_task(post("/v1/db/query", json={"sql": ENDLESS}))
    others = [post("/v1/cache/set", json={"key": str(i), "value": i}) for i in range(50)]
    assert {response.status for response in await asyncio.gather(*others)} == {200}
    assert not endless.done()
    endless.cancel()


async def test_a_statement_that_the_process_itself_has_run_is_refused_too(post: Any) -> None:
    assert (await post("/v1/db/query", json={"sql": "SELECT 1"})).status == 200
    response = await post("/v1/db/query", json={"sql": "COMMIT"})
    assert (response.status, response.json["code"]) == (400, "DB_QUERY_FAILED")
    assert response.json["message"].startswith("Only SELECT, INSERT, UPDATE and DELETE are allowed")


async def test_the_statement_after_one_that_ended_the_process_runs_in_a_new_one(tmp_path: Path) -> None:
    sql = SqlProcess(tmp_path / "a.db", "OFF")
    with pytest.raises(BadInput):
        await sql.run("SELECT 1", [5], no_such_argument=5)
    await sql.run("SELECT 1", [])
    stuck = asyncio.create_task(sql.run(ENDLESS, []))
    await asyncio.sleep(0)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    assert await sql.run("SELECT 1 AS a", []) == ('[{"a": 1}]', 1)
    await sql.close()


async def test_closing_ends_a_statement_in_progress(tmp_path: Path) -> None:
    sql = SqlProcess(tmp_path / "a.db", "OFF")
    await sql.run("SELECT 1", [])
    stuck = asyncio.create_task(sql.run(ENDLESS, []))
    await asyncio.sleep(0)
    await sql.close()
    with pytest.raises(BadInput):
        await stuck


async def test_a_batch_has_one_limit_for_all_its_results(post: Any) -> None:
    one = {"sql": "SELECT hex(zeroblob(4500000)) AS a"}
    response = await post("/v1/db/batch", json={"queries": [one, one, one, {"sql": "SELECT 1 AS a"}]})
    assert [each["success"] for each in response.json["results"]] == [True, False, False, True]
