"""Signing up and in. Passwords are kept as scrypt makes them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import uuid
from typing import Any

from aiohttp import web

from ..face import SHARED, Refused, read_object
from ..store import Store
from .fields import invalid, maybe, text, written

TOKEN_LIFE = 7 * 86400
_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


async def _sign_up(request: web.Request) -> web.Response:
    body = await read_object(request)
    email, password = text(body, "email"), text(body, "password", least=8)
    if not _ADDRESS.fullmatch(email):
        raise invalid("email", "must be an email address")
    name, metadata = maybe(body, "name", str), maybe(body, "metadata", dict)
    store = request.app[SHARED].store
    created = written(store.clock())
    user = {"id": str(uuid.uuid4()), "email": email, "name": name, "createdAt": created, "metadata": metadata or {}}
    salt = os.urandom(16)
    hashed = await asyncio.to_thread(_hash, password, salt)
    if not await store.add("user", email.lower(), {"user": user, "salt": salt.hex(), "password": hashed.hex()}):
        # The 409 has no code of its own: the first generation of clients breaks on one that is not in its list.
        raise Refused(409, "VALIDATION_ERROR", "A user with this email exists already", field="email")
    return web.json_response(await _authenticated(store, user), status=201)


async def _sign_in(request: web.Request) -> web.Response:
    body = await read_object(request)
    email, password = text(body, "email"), text(body, "password")
    store = request.app[SHARED].store
    known = await store.get("user", email.lower()) or {"salt": "", "password": ""}
    hashed = await asyncio.to_thread(_hash, password, bytes.fromhex(known["salt"]))
    if not hmac.compare_digest(hashed, bytes.fromhex(known["password"])):
        raise Refused(401, "AUTH_INVALID_CREDENTIALS", "Invalid email or password")
    return web.json_response(await _authenticated(store, known["user"]))


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


async def _authenticated(store: Store, user: dict[str, Any]) -> dict[str, Any]:
    """Give a token in the form of a JWT, signed with a secret of the data folder."""
    await store.add("secret", "tokens", os.urandom(32).hex())
    secret, now = bytes.fromhex(await store.get("secret", "tokens")), int(store.clock())
    claims = {"sub": user["id"], "email": user["email"], "iat": now, "exp": now + TOKEN_LIFE, "jti": uuid.uuid4().hex}
    signed = ".".join(_encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    token = f"{signed}.{_encode(hmac.digest(secret, signed.encode(), 'sha256'))}"
    return {"token": token, "user": user, "expiresAt": written(now + TOKEN_LIFE)}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


ROUTES = (("POST", "/auth/signup", _sign_up), ("POST", "/auth/signin", _sign_in))
