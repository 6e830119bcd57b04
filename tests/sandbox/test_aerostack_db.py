"""Aerostack's SQL database, A1 and A2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kellyapi import Aerostack, BadRequestError, Sandbox

SCHEMA = """
CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, data BLOB); -- ; not the end
CREATE TABLE log (note INTEGER);
CREATE TRIGGER noted AFTER INSERT ON notes BEGIN INSERT INTO log VALUES (new.id); END;
CREATE VIRTUAL TABLE words USING fts5(text);
INSERT INTO notes (text) VALUES ('seed; one')
"""
REFUSED = "Only SELECT, INSERT, UPDATE and DELETE are allowed: the schema is not changed here"


SANDBOX = {"schema": SCHEMA}


@pytest.mark.usefixtures("own_sandbox")
async def test_rows_are_written_and_read(aerostack: Aerostack) -> None:
    assert (await aerostack.db.query("INSERT INTO notes (text) VALUES (?), (?)", ["Akwaaba", "ü"])).count == 0
    result = await aerostack.db.query("SELECT id, text FROM notes WHERE id > ? ORDER BY id", [1])
    assert result.rows == ({"id": 2, "text": "Akwaaba"}, {"id": 3, "text": "ü"})
    assert result.count == 2
    assert (await aerostack.db.query("UPDATE notes SET text = 'x' WHERE id = 3 RETURNING text")).rows == (
        {"text": "x"},
    )
    await aerostack.db.query("DELETE FROM notes WHERE id = 2")
    assert (await aerostack.db.query("SELECT note FROM log ORDER BY note")).rows == (
        {"note": 1},
        {"note": 2},
        {"note": 3},
    )


async def test_a_full_text_table_of_the_schema_works(aerostack: Aerostack) -> None:
    await aerostack.db.query("INSERT INTO words VALUES ('red fox'), ('blue whale')")
    result = await aerostack.db.query("SELECT text FROM words WHERE words MATCH 'whale'")
    assert result.rows == ({"text": "blue whale"},)


async def test_values_keep_their_type_and_blobs_are_arrays(post: Any) -> None:
    sql = "SELECT ? AS a, ? AS b, ? AS c, ? AS d, x'00ff' AS e, 9e999 AS f, CAST(x'ff' AS TEXT) AS g"
    response = await post("/v1/db/query", json={"sql": sql, "params": ["ü", 1.5, True, None]})
    row = {"a": "ü", "b": 1.5, "c": 1, "d": None, "e": [0, 255], "f": None, "g": "\ufffd"}
    assert (response.status, response.json) == (200, {"results": [row], "count": 1})


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX i ON notes (text)",
        "CREATE VIRTUAL TABLE f USING fts5(a)",
        "DROP TABLE notes",
        "DROP TRIGGER noted",
        "ALTER TABLE notes ADD COLUMN b",
        "ALTER TABLE notes RENAME TO other",
        "ATTACH DATABASE '/tmp/other.db' AS other",
        "DETACH DATABASE main",
        "PRAGMA user_version",
        "PRAGMA user_version = 5",
        "PRAGMA writable_schema = ON",
        "SELECT * FROM pragma_table_info('notes')",
        "VACUUM",
        "VACUUM INTO '/tmp/copy.db'",
        "REINDEX",
        "ANALYZE",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT a",
        "SELECT * FROM _sandbox_schema",
        "DELETE FROM _sandbox_schema",
    ],
)
async def test_statements_that_are_not_about_rows_are_refused(post: Any, aerostack: Aerostack, sql: str) -> None:
    response = await post("/v1/db/query", json={"sql": sql})
    assert (response.status, response.json) == (400, {"code": "DB_QUERY_FAILED", "message": REFUSED})
    assert (await aerostack.db.query("SELECT text FROM notes")).rows == ({"text": "seed; one"},)


@pytest.mark.parametrize(
    ("sql", "params", "message"),
    [
        ("SELEC 1", [], 'near "SELEC": syntax error'),
        ("SELECT * FROM missing", [], "no such table: missing"),
        ("INSERT INTO notes (id, text) VALUES (1, 'again')", [], "UNIQUE constraint failed: notes.id"),
        ("INSERT INTO notes (text) VALUES (NULL)", [], "NOT NULL constraint failed: notes.text"),
        ("SELECT ?", [], "Incorrect number of bindings supplied"),
        ("SELECT 1", [1], "Incorrect number of bindings supplied"),
        ("SELECT ?", [2**63], "too large"),
        ("SELECT 1; SELECT 2", [], "one statement at a time"),
        ("SELECT '\u0000'", [], "null character"),
        ("INSERT INTO sqlite_master (name) VALUES ('x')", [], "may not be modified"),
        ("SELECT length(randomblob(20000000))", [], "too big"),
    ],
)
async def test_an_sqlite_error_is_a_400_with_its_message(post: Any, sql: str, params: list[Any], message: str) -> None:
    response = await post("/v1/db/query", json={"sql": sql, "params": params})
    assert (response.status, response.json["code"]) == (400, "DB_QUERY_FAILED")
    assert message in response.json["message"]


async def test_wrong_sql_is_a_bad_request_error_in_the_client(aerostack: Aerostack) -> None:
    with pytest.raises(BadRequestError, match="no such table: missing") as caught:
        await aerostack.db.query("SELECT * FROM missing")
    assert (caught.value.status, caught.value.code) == (400, "DB_QUERY_FAILED")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("query", {}, "sql"),
        ("query", {"sql": " "}, "sql"),
        ("query", {"sql": 5}, "sql"),
        ("query", {"sql": "SELECT 1", "params": "a"}, "params"),
        ("query", {"sql": "SELECT 1", "params": {"a": 1}}, "params"),
        ("query", {"sql": "SELECT ?", "params": [[1]]}, "params[0]"),
        ("query", {"sql": "SELECT ?, ?", "params": [1, {}]}, "params[1]"),
        ("batch", {}, "queries"),
        ("batch", {"queries": []}, "queries"),
        ("batch", {"queries": [{"sql": "SELECT 1"}] * 26}, "queries"),
        ("batch", {"queries": ["SELECT 1"]}, "queries[0]"),
        ("batch", {"queries": [{"sql": "SELECT 1"}, {}]}, "queries[1].sql"),
        ("batch", {"queries": [{"sql": "SELECT 1", "params": 1}]}, "queries[0].params"),
    ],
)
async def test_wrong_input_is_a_400_that_names_the_field(post: Any, path: str, body: Any, field: str) -> None:
    response = await post(f"/v1/db/{path}", json=body)
    assert (response.status, response.json["code"]) == (400, "VALIDATION_ERROR")
    assert response.json["details"] == {"field": field}


@pytest.mark.usefixtures("own_sandbox")
async def test_one_failure_in_a_batch_does_not_stop_the_others(post: Any, aerostack: Aerostack) -> None:
    queries: list[Any] = [
        {"sql": "INSERT INTO notes (text) VALUES (?)", "params": ["two"]},
        {"sql": "DROP TABLE notes"},
        {"sql": "SELECT count(*) AS n FROM notes"},
    ]
    response = await post("/v1/db/batch", json={"queries": queries})
    assert response.status == 200
    assert response.json == {
        "results": [
            {"results": [], "success": True},
            {"results": [], "success": False, "error": REFUSED},
            {"results": [{"n": 2}], "success": True},
        ],
        "success": False,
    }
    done = await aerostack.db.batch([("SELECT ? AS i", [i]) for i in range(60)])
    assert done.success
    assert [one.rows[0]["i"] for one in done.results] == list(range(60))


@pytest.mark.parametrize(
    "schema", ["CREATE TABEL t (a)", "CREATE TABLE t (a); CREATE TABLE t (a, b)", "CREATE TABLE t (", "BEGIN", "COMMIT"]
)
async def test_a_schema_that_sqlite_refuses_stops_the_start(tmp_path: Path, schema: str) -> None:
    broken = Sandbox(data=tmp_path, schema=schema)
    with pytest.raises(ValueError, match="the schema is refused"):
        await broken.start()
    await broken.close()
    async with Sandbox(data=tmp_path, schema="CREATE TABLE t (a)"):  # no statement of the other schema has run
        pass


async def test_each_statement_of_a_schema_runs_once_per_folder(tmp_path: Path) -> None:
    first = "CREATE TABLE t (a); INSERT INTO t VALUES (1);"
    for schema in (first, first, f"{first} CREATE TABLE more (b)", None):
        async with Sandbox(data=tmp_path, schema=schema) as sandbox, sandbox.api() as api:
            assert (await api.aerostack.db.query("SELECT a FROM t")).rows == ({"a": 1},)
    async with Sandbox(data=tmp_path) as sandbox, sandbox.api() as api:
        assert (await api.aerostack.db.query("SELECT b FROM more")).rows == ()


async def test_without_a_schema_there_are_no_tables() -> None:
    async with Sandbox() as sandbox, sandbox.api() as api:
        result = await api.aerostack.db.query("SELECT name FROM sqlite_master")
        assert result.rows == ()
