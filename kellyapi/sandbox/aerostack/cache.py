"""Aerostack's cache. A key expires at the moment when the store's clock reaches its end. Flushing has no rate limit."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from aiohttp import web

from ..frontend import CONTEXT, read_json_object
from .body_fields import (
    invalid_field,
    optional_field,
    optional_number,
    prefix_range,
    read_cursor,
    required_json,
    required_list,
    required_text,
    write_cursor,
)

P = ParamSpec("P")
T = TypeVar("T")
MAX_KEYS = 100
MAX_DELETIONS = 500
MAX_LISTED = 10_000
MAX_RESPONSE = 32 * 2**20
"""Most characters of the values in one response."""
_SET = "INSERT INTO cache VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires"
_IN_RANGE = "key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
Row = tuple[str, str, float | None]


async def _run_on_live_keys(
    request: web.Request,
    function: Callable[Concatenate[sqlite3.Connection, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Delete the keys that have expired, then call `function` with the connection."""
    store = request.app[CONTEXT].store
    now = store.clock()

    def run(db: sqlite3.Connection) -> T:
        db.execute("DELETE FROM cache WHERE expires <= ?", (now,))
        return function(db, *args, **kwargs)

    return await store.run(run)


def _read_expiry(request: web.Request, body: dict[str, Any], at: str = "") -> float | None:
    """Return the time at which a key expires, or `None` if it never does."""
    ttl = optional_number(body, "ttl", at=at)
    if ttl is not None and ttl <= 0:
        raise invalid_field(f"{at}ttl", "must be more than 0")
    return None if ttl is None else request.app[CONTEXT].store.clock() + ttl


def _read_entry(request: web.Request, entry: dict[str, Any], at: str = "") -> Row:
    return required_text(entry, "key", at=at), required_json(entry, "value", at=at), _read_expiry(request, entry, at)


async def get_value(request: web.Request) -> web.Response:
    """Return the value of a key, and whether there is one."""
    key = required_text(await read_json_object(request), "key")
    ((_, value, exists),) = await _run_on_live_keys(request, _select_values, [key])
    return web.json_response({"value": value, "exists": exists})


async def get_many(request: web.Request) -> web.Response:
    """Return the values of keys, in their order."""
    keys = required_list(await read_json_object(request), "keys", str, MAX_KEYS)
    values = await _run_on_live_keys(request, _select_values, keys)
    return web.json_response(
        {"results": [{"key": key, "value": value, "exists": exists} for key, value, exists in values]}
    )


def _select_values(db: sqlite3.Connection, keys: list[str]) -> list[tuple[str, Any, bool]]:
    rows, size = [], 0
    for key in keys:
        rows.append((key, db.execute("SELECT value FROM cache WHERE key = ?", (key,)).fetchone()))
        size += len(rows[-1][1][0]) if rows[-1][1] else 0
        if size > MAX_RESPONSE:
            raise invalid_field("keys", f"have values of more than {MAX_RESPONSE >> 20} MiB")
    return [(key, json.loads(row[0]) if row else None, row is not None) for key, row in rows]


async def set_value(request: web.Request) -> web.Response:
    """Store a value."""
    await _run_on_live_keys(request, _insert_entries, [_read_entry(request, await read_json_object(request))])
    return web.json_response({"success": True})


async def set_many(request: web.Request) -> web.Response:
    """Store values, all or none."""
    entries = required_list(await read_json_object(request), "entries", dict, MAX_KEYS)
    rows = [_read_entry(request, entry, f"entries[{i}].") for i, entry in enumerate(entries)]
    await _run_on_live_keys(request, _insert_entries, rows)
    return web.json_response({"success": True, "count": len(entries)})


def _insert_entries(db: sqlite3.Connection, rows: list[Row]) -> None:
    db.executemany(_SET, rows)


async def delete_value(request: web.Request) -> web.Response:
    """Delete a key, if there is one."""
    await _run_on_live_keys(request, _delete_keys, [required_text(await read_json_object(request), "key")])
    return web.json_response({"success": True})


async def delete_many(request: web.Request) -> web.Response:
    """Delete keys, and return how many there were."""
    keys = required_list(await read_json_object(request), "keys", str, MAX_DELETIONS)
    deleted = await _run_on_live_keys(request, _delete_keys, keys)
    return web.json_response({"success": True, "count": len(keys), "deleted": deleted})


def _delete_keys(db: sqlite3.Connection, keys: list[str]) -> int:
    return sum(db.execute("DELETE FROM cache WHERE key = ?", (key,)).rowcount for key in keys)


async def list_names(request: web.Request) -> web.Response:
    """Return all keys that begin with a prefix."""
    range = prefix_range(optional_field(await read_json_object(request), "prefix", str))
    rows = await _run_on_live_keys(request, _select_keys, range, MAX_LISTED + 1)
    return web.json_response({"keys": [key for key, _ in rows[:MAX_LISTED]], "truncated": len(rows) > MAX_LISTED})


async def list_keys(request: web.Request) -> web.Response:
    """Return a page of keys with the times at which they expire."""
    body = await read_json_object(request)
    limit = optional_number(body, "limit", 100, whole=True, least=1, most=1000)
    range = prefix_range(optional_field(body, "prefix", str), read_cursor(body))
    rows = await _run_on_live_keys(request, _select_keys, range, limit + 1)
    complete = len(rows) <= limit
    keys = [
        {"key": key, "expiration": None if expires is None else math.ceil(expires)} for key, expires in rows[:limit]
    ]
    cursor = None if complete else write_cursor(keys[-1]["key"])
    return web.json_response({"keys": keys, "list_complete": complete, "cursor": cursor})


def _select_keys(db: sqlite3.Connection, range: tuple[str, str, str], limit: int) -> list[Any]:
    return db.execute(f"SELECT key, expires FROM cache WHERE {_IN_RANGE}", (*range, limit)).fetchall()


async def flush(request: web.Request) -> web.Response:
    """Delete all keys that begin with a prefix."""
    range = prefix_range(optional_field(await read_json_object(request), "prefix", str))
    return web.json_response({"success": True, "deleted": await _run_on_live_keys(request, _delete_range, range)})


def _delete_range(db: sqlite3.Connection, range: tuple[str, str, str]) -> int:
    keys = f"SELECT key FROM cache WHERE {_IN_RANGE}"
    return db.execute(f"DELETE FROM cache WHERE key IN ({keys})", (*range, MAX_LISTED)).rowcount


async def expire(request: web.Request) -> web.Response:
    """Change the time at which a key expires."""
    body = await read_json_object(request)
    key, expires = required_text(body, "key"), _read_expiry(request, body)
    if expires is None:
        raise invalid_field("ttl", "is required")
    return web.json_response({"success": await _run_on_live_keys(request, _update_expiry, key, expires)})


def _update_expiry(db: sqlite3.Connection, key: str, expires: float) -> bool:
    return db.execute("UPDATE cache SET expires = ? WHERE key = ?", (expires, key)).rowcount > 0


async def increment(request: web.Request) -> web.Response:
    """Add to a number and return the sum."""
    body = await read_json_object(request)
    amount, initial = optional_number(body, "amount", 1), optional_number(body, "initialValue", 0)
    key, expires = required_text(body, "key"), _read_expiry(request, body)
    return web.json_response({"value": await _run_on_live_keys(request, _add, key, amount, initial, expires)})


def _add(db: sqlite3.Connection, key: str, amount: float, initial: float, expires: float | None) -> float:
    """Add to a value in one transaction. `initial` and `expires` apply to a new key."""
    row = db.execute("SELECT value, expires FROM cache WHERE key = ?", (key,)).fetchone()
    value, expires = (json.loads(row[0]), row[1]) if row else (initial, expires)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid_field("key", "has a value that is not a number")
    db.execute(_SET, (key, json.dumps(value + amount), expires))
    return value + amount
