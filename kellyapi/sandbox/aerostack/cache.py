"""The cache. A key is gone at the moment that the store's clock reaches its end; flushing is not rationed."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from aiohttp import web

from ..face import SHARED, read_object
from .fields import after, cursor_of, encoded, invalid, maybe, number, prefix_range, several, text

P = ParamSpec("P")
T = TypeVar("T")
MAX_KEYS = 100
MAX_DELETIONS = 500
MAX_LISTED = 10_000
_SET = "INSERT INTO cache VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires"
_IN_RANGE = "key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
Row = tuple[str, str, float | None]


async def _run(
    request: web.Request,
    function: Callable[Concatenate[sqlite3.Connection, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Do something with the keys that have not expired."""
    store = request.app[SHARED].store
    now = store.clock()

    def run(db: sqlite3.Connection) -> T:
        db.execute("DELETE FROM cache WHERE expires <= ?", (now,))
        return function(db, *args, **kwargs)

    return await store.run(run)


def _end(request: web.Request, body: dict[str, Any], at: str = "") -> float | None:
    ttl = number(body, "ttl", at=at)
    if ttl is not None and ttl <= 0:
        raise invalid(f"{at}ttl", "must be more than 0")
    return None if ttl is None else request.app[SHARED].store.clock() + ttl


def _row(request: web.Request, entry: dict[str, Any], at: str = "") -> Row:
    return text(entry, "key", at=at), encoded(entry, "value", at=at), _end(request, entry, at)


async def _get(request: web.Request) -> web.Response:
    key = text(await read_object(request), "key")
    ((_, value, exists),) = await _run(request, _find, [key])
    return web.json_response({"value": value, "exists": exists})


async def _get_many(request: web.Request) -> web.Response:
    found = await _run(request, _find, several(await read_object(request), "keys", str, MAX_KEYS))
    return web.json_response(
        {"results": [{"key": key, "value": value, "exists": exists} for key, value, exists in found]}
    )


def _find(db: sqlite3.Connection, keys: list[str]) -> list[tuple[str, Any, bool]]:
    rows = [(key, db.execute("SELECT value FROM cache WHERE key = ?", (key,)).fetchone()) for key in keys]
    return [(key, json.loads(row[0]) if row else None, row is not None) for key, row in rows]


async def _set(request: web.Request) -> web.Response:
    await _run(request, _write, [_row(request, await read_object(request))])
    return web.json_response({"success": True})


async def _set_many(request: web.Request) -> web.Response:
    entries = several(await read_object(request), "entries", dict, MAX_KEYS)
    await _run(request, _write, [_row(request, entry, f"entries[{i}].") for i, entry in enumerate(entries)])
    return web.json_response({"success": True, "count": len(entries)})


def _write(db: sqlite3.Connection, rows: list[Row]) -> None:
    db.executemany(_SET, rows)


async def _delete(request: web.Request) -> web.Response:
    await _run(request, _forget, [text(await read_object(request), "key")])
    return web.json_response({"success": True})


async def _delete_many(request: web.Request) -> web.Response:
    keys = several(await read_object(request), "keys", str, MAX_DELETIONS)
    return web.json_response({"success": True, "count": len(keys), "deleted": await _run(request, _forget, keys)})


def _forget(db: sqlite3.Connection, keys: list[str]) -> int:
    return sum(db.execute("DELETE FROM cache WHERE key = ?", (key,)).rowcount for key in keys)


async def _keys(request: web.Request) -> web.Response:
    range = prefix_range(maybe(await read_object(request), "prefix", str))
    rows = await _run(request, _listed, range, MAX_LISTED + 1)
    return web.json_response({"keys": [key for key, _ in rows[:MAX_LISTED]], "truncated": len(rows) > MAX_LISTED})


async def _list(request: web.Request) -> web.Response:
    body = await read_object(request)
    limit = number(body, "limit", 100, whole=True, least=1, most=1000)
    rows = await _run(request, _listed, prefix_range(maybe(body, "prefix", str), after(body)), limit + 1)
    complete = len(rows) <= limit
    keys = [
        {"key": key, "expiration": None if expires is None else math.ceil(expires)} for key, expires in rows[:limit]
    ]
    cursor = None if complete else cursor_of(keys[-1]["key"])
    return web.json_response({"keys": keys, "list_complete": complete, "cursor": cursor})


def _listed(db: sqlite3.Connection, range: tuple[str, str, str], limit: int) -> list[Any]:
    return db.execute(f"SELECT key, expires FROM cache WHERE {_IN_RANGE}", (*range, limit)).fetchall()


async def _flush(request: web.Request) -> web.Response:
    range = prefix_range(maybe(await read_object(request), "prefix", str))
    return web.json_response({"success": True, "deleted": await _run(request, _flushed, range)})


def _flushed(db: sqlite3.Connection, range: tuple[str, str, str]) -> int:
    keys = f"SELECT key FROM cache WHERE {_IN_RANGE}"
    return db.execute(f"DELETE FROM cache WHERE key IN ({keys})", (*range, MAX_LISTED)).rowcount


async def _expire(request: web.Request) -> web.Response:
    body = await read_object(request)
    key, end = text(body, "key"), _end(request, body)
    if end is None:
        raise invalid("ttl", "is required")
    return web.json_response({"success": await _run(request, _expired, key, end)})


def _expired(db: sqlite3.Connection, key: str, end: float) -> bool:
    return db.execute("UPDATE cache SET expires = ? WHERE key = ?", (end, key)).rowcount > 0


async def _increment(request: web.Request) -> web.Response:
    body = await read_object(request)
    amount, initial = number(body, "amount", 1), number(body, "initialValue", 0)
    return web.json_response(
        {"value": await _run(request, _added, text(body, "key"), amount, initial, _end(request, body))}
    )


def _added(db: sqlite3.Connection, key: str, amount: float, initial: float, end: float | None) -> float:
    """Add in the database's one thread, so that no addition is lost; `end` is for a key that is new."""
    row = db.execute("SELECT value, expires FROM cache WHERE key = ?", (key,)).fetchone()
    value, end = (json.loads(row[0]), row[1]) if row else (initial, end)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid("key", "has a value that is not a number")
    db.execute(_SET, (key, json.dumps(value + amount), end))
    return value + amount


ROUTES = tuple(
    ("POST", f"/cache/{path}", handler)
    for path, handler in (
        ("get", _get),
        ("set", _set),
        ("delete", _delete),
        ("getMany", _get_many),
        ("setMany", _set_many),
        ("deleteMany", _delete_many),
        ("keys", _keys),
        ("list", _list),
        ("flush", _flush),
        ("expire", _expire),
        ("increment", _increment),
    )
)
