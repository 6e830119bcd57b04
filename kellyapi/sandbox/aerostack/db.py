"""Aerostack's SQL database: an SQLite file of its own. Only statements that read or write rows are allowed."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

from aiohttp import web

from ..frontend import CONTEXT, ApiError, read_json_object
from .body_fields import invalid_field, required_list, required_text

MAX_QUERIES = 25
MAX_ROWS = 100_000
_STEPS_PER_CHECK = 1_000_000
_MAX_CHECKS = 30
"""A statement is stopped after this many times `_STEPS_PER_CHECK` steps of SQLite's virtual machine: about 0.5 s."""
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
    sql, params = _read_statement(await read_json_object(request))
    try:
        rows = await request.app[CONTEXT].store.run_project(_run, sql, params)
    except _StatementFailed as error:
        raise ApiError(400, "DB_QUERY_FAILED", str(error)) from None
    return web.json_response({"results": rows, "count": len(rows)})


async def _batch(request: web.Request) -> web.Response:
    queries = required_list(await read_json_object(request), "queries", dict, MAX_QUERIES)
    statements = [_read_statement(query, f"queries[{i}].") for i, query in enumerate(queries)]
    results = await request.app[CONTEXT].store.run_project(_run_all, statements)
    return web.json_response({"results": results, "success": all(each["success"] for each in results)})


def _read_statement(body: dict[str, Any], at: str = "") -> tuple[str, list[Any]]:
    params = body.get("params")
    if not isinstance(params, list | None):
        raise invalid_field(f"{at}params", "must be an array")
    for i, value in enumerate(params or []):
        if not isinstance(value, str | int | float | None):
            raise invalid_field(f"{at}params[{i}]", "must be a string, a number, a boolean or null")
    return required_text(body, "sql", at=at), params or []


class _StatementFailed(Exception):
    """A statement that failed in SQLite or is not allowed."""


def _run_all(db: sqlite3.Connection, statements: list[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for sql, params in statements:
        try:
            results.append({"results": _run(db, sql, params), "success": True})
        except _StatementFailed as error:
            results.append({"results": [], "success": False, "error": str(error)})
    return results


def _run(db: sqlite3.Connection, sql: str, params: list[Any]) -> list[dict[str, Any]]:
    checks, refused = iter(range(_MAX_CHECKS)), False

    def authorize(action: int, name: str | None, second: str | None, *_: str | None) -> int:
        nonlocal refused
        refused = refused or not _is_allowed(action, name, second)
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    db.set_authorizer(authorize)
    db.set_progress_handler(lambda: next(checks, None) is None, _STEPS_PER_CHECK)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000_000)  # bytes of one value
    db.text_factory = lambda data: data.decode(errors="replace")
    try:
        cursor = db.execute(sql, params)
        rows = cursor.fetchmany(MAX_ROWS + 1)
        cursor.close()
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        raise _StatementFailed(_REFUSED if refused else str(error)) from None
    if len(rows) > MAX_ROWS:
        raise _StatementFailed(f"The result has more than {MAX_ROWS} rows")
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, map(_to_json, row), strict=True)) for row in rows]


def _is_allowed(action: int, name: str | None, second: str | None) -> bool:
    if action == sqlite3.SQLITE_PRAGMA:
        return name == "data_version" and second is None  # read by FTS5 tables, which a schema may create
    return action in _ALLOWED and name != "_sandbox_schema" and second != "load_extension"


def _to_json(value: Any) -> Any:
    """Convert a blob to an array of its bytes, and a float that JSON does not have to null."""
    if isinstance(value, bytes):
        return list(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


ROUTES = (("POST", "/db/query", _query), ("POST", "/db/batch", _batch))
