"""How the rows of a statement become JSON, and how many are read."""

from __future__ import annotations

import sqlite3

import pytest

from kellyapi.sandbox import sql_statements


def read(sql: str, most: int) -> list[str]:
    db = sqlite3.connect(":memory:")
    try:
        return sql_statements._read_rows(db.execute(sql), most)
    finally:
        db.close()


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT 1 AS a, 'ɛ' AS b, NULL AS c", ['{"a": 1, "b": "\\u025b", "c": null}']),
        ("SELECT x'00ff' AS a", ['{"a": [0, 255]}']),
        ("SELECT 0.5 AS a, 9e999 AS b, -9e999 AS c", ['{"a": 0.5, "b": null, "c": null}']),
        ("SELECT 1 AS a UNION SELECT 2", ['{"a": 1}', '{"a": 2}']),
        ("SELECT 1 AS a WHERE 0", []),
    ],
)
def test_a_row_is_an_object_and_a_blob_an_array_of_its_bytes(sql: str, rows: list[str]) -> None:
    assert read(sql, 1000) == rows


@pytest.mark.parametrize(
    ("sql", "size"),
    [
        ("SELECT 1 AS a", len('{"a": 1}')),
        ("SELECT 1 AS a UNION SELECT 2", 2 * len('{"a": 1}')),
        ("SELECT x'00' AS a", 2 + len('{"a": [0]}')),  # a blob counts before it is an array, too
        ("SELECT x'0000' AS a UNION ALL SELECT 1", 4 + len('{"a": [0, 0]}') + len('{"a": 1}')),
    ],
)
def test_a_result_may_be_as_large_as_its_limit(sql: str, size: int) -> None:
    assert read(sql, size)
    with pytest.raises(ValueError, match="The result has more than 0 MiB"):
        read(sql, size - 1)


def test_a_result_may_have_so_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_statements, "MAX_ROWS", 3)
    sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT "
    assert len(read(sql + "3", 1000)) == 3
    with pytest.raises(ValueError, match="The result has more than 3 rows"):
        read(sql + "4", 1000)


def test_the_limit_of_a_result_is_named_in_mebibytes() -> None:
    with pytest.raises(ValueError, match="The result has more than 2 MiB"):
        read("SELECT zeroblob(2000000) AS a", 2 * 2**20)
