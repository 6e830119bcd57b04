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
    await request.app[CONTEXT].store.run(_charge, wallet, completion["usage"]["total_tokens"])
    return await send_completion(request, body, completion)


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


def _charge(db: sqlite3.Connection, id: str, units: float) -> None:
    add = "ON CONFLICT (kind, id) DO UPDATE SET value = value + ?"
    db.execute(f"INSERT INTO records (kind, id, value) VALUES ('wallet', ?, ?) {add}", (id, units, units))
