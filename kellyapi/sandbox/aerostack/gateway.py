"""The gateway: usage, chat and wallets of consumers.

A consumer is its key, an API its slug, and each pair has a wallet, which begins with `CREDIT` and is charged the units
that are logged and the tokens that are said. It may be overdrawn.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3

from aiohttp import web

from ..face import SHARED, read_object
from .ai import complete, send
from .fields import invalid, maybe, number, text

CREDIT = 100_000


def consumer(request: web.Request) -> str:
    """Give the key in the header, or an empty string."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


async def _log(request: web.Request) -> web.Response:
    body = await read_object(request)
    who, api, units = text(body, "consumerId"), text(body, "apiId"), number(body, "units", least=0)
    maybe(body, "metric", str)
    if units is None:
        raise invalid("units", "is required")
    await request.app[SHARED].store.run(_charge, _wallet_id(who, api), units)
    return web.json_response({"success": True, "loggedUnits": units})


async def _chat(request: web.Request) -> web.StreamResponse:
    body = await read_object(request)
    completion = await complete(request, body)
    wallet = _wallet_id(consumer(request), request.match_info["slug"])
    await request.app[SHARED].store.run(_charge, wallet, completion["usage"]["total_tokens"])
    return await send(request, body, completion)


async def _wallet(request: web.Request) -> web.Response:
    slug = request.query.get("api_slug", "")
    if not slug.strip():
        raise invalid("api_slug", "is required")
    used = await request.app[SHARED].store.get("wallet", _wallet_id(consumer(request), slug)) or 0
    return web.json_response({"wallet": {"balance": CREDIT - used, "total_consumed": used}})


def _wallet_id(who: str, api: str) -> str:
    """Keep no key in the clear."""
    return hashlib.sha256(json.dumps([who, api]).encode()).hexdigest()


def _charge(db: sqlite3.Connection, id: str, units: float) -> None:
    add = "ON CONFLICT (kind, id) DO UPDATE SET value = value + ?"
    db.execute(f"INSERT INTO records (kind, id, value) VALUES ('wallet', ?, ?) {add}", (id, units, units))


ROUTES = (("POST", "/gateway/billing/log", _log),)
CONSUMER_ROUTES = (
    ("POST", "/v1/ai/gateway/{slug}/chat/completions", _chat),
    ("GET", "/v1/ai/gateway/me/wallet", _wallet),
    ("POST", "/api/gateway/{slug}/v1/chat/completions", _chat),  # the addresses of the hand-written clients
    ("GET", "/api/gateway/me/wallet", _wallet),
)
