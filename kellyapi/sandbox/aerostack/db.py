"""Aerostack's SQL database: an SQLite file of its own. Only statements that read or write rows are allowed."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from ..engines.errors import BadInput
from ..frontend import CONTEXT, ApiError, read_json_object
from ..sql_statements import MAX_RESULT
from .body_fields import invalid_field, required_list, required_text

MAX_QUERIES = 25


async def query(request: web.Request) -> web.Response:
    """Run a statement and return its rows."""
    sql, params = _read_statement(await read_json_object(request))
    try:
        rows, count = await request.app[CONTEXT].store.sql.run(sql, params)
    except BadInput as error:
        raise ApiError(400, "DB_QUERY_FAILED", error.message) from None
    return web.json_response(text=f'{{"results": {rows}, "count": {count}}}')


async def batch(request: web.Request) -> web.Response:
    """Run statements one after another. One that fails does not stop the others."""
    queries = required_list(await read_json_object(request), "queries", dict, MAX_QUERIES)
    statements = [_read_statement(query, f"queries[{i}].") for i, query in enumerate(queries)]
    results, size, success = [], 0, True
    for sql, params in statements:
        try:
            rows, _ = await request.app[CONTEXT].store.sql.run(sql, params, most=MAX_RESULT - size)
            results.append(f'{{"results": {rows}, "success": true}}')
        except BadInput as error:
            results.append(json.dumps({"results": [], "success": False, "error": error.message}))
            success = False
        size += len(results[-1])
    return web.json_response(text=f'{{"results": [{", ".join(results)}], "success": {json.dumps(success)}}}')


def _read_statement(body: dict[str, Any], at: str = "") -> tuple[str, list[Any]]:
    params = body.get("params")
    if not isinstance(params, list | None):
        raise invalid_field(f"{at}params", "must be an array")
    for i, value in enumerate(params or []):
        if not isinstance(value, str | int | float | None):
            raise invalid_field(f"{at}params[{i}]", "must be a string, a number, a boolean or null")
    return required_text(body, "sql", at=at), params or []
