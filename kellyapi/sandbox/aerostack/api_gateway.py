"""Aerostack's API gateway: usage, chat and wallets of consumers.

A consumer is known by its key, an API by its slug. Each pair has a wallet, which begins with `INITIAL_CREDIT`. Logged
units and the tokens of chats are charged to it. It may be overdrawn.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3

from aiohttp import web

from ..frontend import CONTEXT, bearer_key, read_json_object
from .ai import complete_chat, send_completion
from .body_fields import invalid_field, optional_field, optional_number, required_text

INITIAL_CREDIT = 100_000
DEFAULT_DAYS = 30
MAX_DAYS = 365
_DAY = 24 * 3600


async def log_usage(request: web.Request) -> web.Response:
    """Charge units to a consumer's wallet."""
    body = await read_json_object(request)
    consumer, api = required_text(body, "consumerId"), required_text(body, "apiId")
    units = optional_number(body, "units", least=0)
    optional_field(body, "metric", str)
    if units is None:
        raise invalid_field("units", "is required")
    await request.app[CONTEXT].store.run(_charge, _wallet_id(consumer, api), units)
    return web.json_response({"success": True, "loggedUnits": units})


async def chat(request: web.Request) -> web.StreamResponse:
    """Reply to a chat, and charge its tokens to the consumer's wallet."""
    body = await read_json_object(request)
    completion = await complete_chat(request, body)
    wallet = _wallet_id(bearer_key(request), request.match_info["slug"])
    store, tokens = request.app[CONTEXT].store, completion["usage"]["total_tokens"]
    await store.run(_charge, wallet, tokens)
    day = int(store.clock() // _DAY)
    for kind, number in (("gateway tokens", tokens), ("gateway requests", 1)):
        await store.run(_charge, f"{wallet} {day}", number, kind)
    return await send_completion(request, body, completion)


async def get_usage(request: web.Request) -> web.Response:
    """Return the tokens and the requests of a consumer's chats with one API in the last days."""
    slug, given = request.query.get("api_slug", ""), request.query.get("days", str(DEFAULT_DAYS))
    if not slug.strip():
        raise invalid_field("api_slug", "is required")
    if not (given.isascii() and given.isdecimal() and 1 <= int(given[:9]) <= MAX_DAYS and len(given) < 9):
        raise invalid_field("days", f"must be a whole number from 1 to {MAX_DAYS}")
    store, wallet, days = request.app[CONTEXT].store, _wallet_id(bearer_key(request), slug), int(given)
    today = int(store.clock() // _DAY)
    tokens, requests = [
        await store.run(_sum, kind, [f"{wallet} {today - ago}" for ago in range(days)])
        for kind in ("gateway tokens", "gateway requests")
    ]
    return web.json_response({"total_tokens": tokens, "total_requests": requests, "days": days})


async def get_wallet(request: web.Request) -> web.Response:
    """Return a consumer's wallet for one API."""
    slug = request.query.get("api_slug", "")
    if not slug.strip():
        raise invalid_field("api_slug", "is required")
    used = await request.app[CONTEXT].store.get("wallet", _wallet_id(bearer_key(request), slug)) or 0
    return web.json_response({"wallet": {"balance": INITIAL_CREDIT - used, "total_consumed": used}})


def _wallet_id(consumer: str, api: str) -> str:
    """Return a hash, so that no key is stored in plain text."""
    return hashlib.sha256(json.dumps([consumer, api]).encode()).hexdigest()


def _charge(db: sqlite3.Connection, id: str, units: float, kind: str = "wallet") -> None:
    add = "ON CONFLICT (kind, id) DO UPDATE SET value = value + ?"
    db.execute(f"INSERT INTO records (kind, id, value) VALUES (?, ?, ?) {add}", (kind, id, units, units))


def _sum(db: sqlite3.Connection, kind: str, ids: list[str]) -> int:
    places = ", ".join("?" * len(ids))
    (total,) = db.execute(
        f"SELECT sum(value) FROM records WHERE kind = ? AND id IN ({places})", (kind, *ids)
    ).fetchone()
    return int(total or 0)
