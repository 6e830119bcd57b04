"""SQL, on an SQLite file of its own. Statements read and write rows: whatever else they do is refused."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

from aiohttp import web

from ..face import SHARED, Refused, read_object
from .fields import invalid, several, text

MAX_QUERIES = 25
MAX_ROWS = 100_000
_STEPS = 1_000_000
_MAX_STEPS = 30
"""A statement ends after so many times `_STEPS` steps of SQLite's machine, which take about half a second."""
_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_REFUSED = "Only SELECT, INSERT, UPDATE and DELETE are allowed: the schema is not changed here"


async def _query(request: web.Request) -> web.Response:
    sql, params = _statement(await read_object(request))
    try:
        rows = await request.app[SHARED].store.run_project(_run, sql, params)
    except _Failed as error:
        raise Refused(400, "DB_QUERY_FAILED", str(error)) from None
    return web.json_response({"results": rows, "count": len(rows)})


async def _batch(request: web.Request) -> web.Response:
    queries = several(await read_object(request), "queries", dict, MAX_QUERIES)
    statements = [_statement(query, f"queries[{i}].") for i, query in enumerate(queries)]
    done = await request.app[SHARED].store.run_project(_run_all, statements)
    return web.json_response({"results": done, "success": all(one["success"] for one in done)})


def _statement(body: dict[str, Any], at: str = "") -> tuple[str, list[Any]]:
    params = body.get("params")
    if not isinstance(params, list | None):
        raise invalid(f"{at}params", "must be an array")
    for i, value in enumerate(params or []):
        if not isinstance(value, str | int | float | None):
            raise invalid(f"{at}params[{i}]", "must be a string, a number, a boolean or null")
    return text(body, "sql", at=at), params or []


class _Failed(Exception):
    """A statement that SQLite or we do not run."""


def _run_all(db: sqlite3.Connection, statements: list[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
    done: list[dict[str, Any]] = []
    for sql, params in statements:
        try:
            done.append({"results": _run(db, sql, params), "success": True})
        except _Failed as error:
            done.append({"results": [], "success": False, "error": str(error)})
    return done


def _run(db: sqlite3.Connection, sql: str, params: list[Any]) -> list[dict[str, Any]]:
    steps, refused = iter(range(_MAX_STEPS)), False

    def allow(action: int, name: str | None, second: str | None, *_: str | None) -> int:
        nonlocal refused
        refused = refused or not _allowed(action, name, second)
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    db.set_authorizer(allow)
    db.set_progress_handler(lambda: next(steps, None) is None, _STEPS)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000_000)  # bytes of one value
    db.text_factory = lambda data: data.decode(errors="replace")
    try:
        cursor = db.execute(sql, params)
        rows = cursor.fetchmany(MAX_ROWS + 1)
        cursor.close()
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        raise _Failed(_REFUSED if refused else str(error)) from None
    if len(rows) > MAX_ROWS:
        raise _Failed(f"The answer has more than {MAX_ROWS} rows")
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, map(_json, row), strict=True)) for row in rows]


def _allowed(action: int, name: str | None, second: str | None) -> bool:
    if action == sqlite3.SQLITE_PRAGMA:
        return name == "data_version" and second is None  # FTS5 tables, which a schema may make, look at it
    return action in _ALLOWED and name != "_sandbox_schema" and second != "load_extension"


def _json(value: Any) -> Any:
    """A blob becomes an array of its bytes, and what JSON cannot say null."""
    if isinstance(value, bytes):
        return list(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


ROUTES = (("POST", "/db/query", _query), ("POST", "/db/batch", _batch))
