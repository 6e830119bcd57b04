"""Aerostack's sign-up and sign-in. Passwords are stored as scrypt hashes."""

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

from ..frontend import CONTEXT, ApiError, read_json_object
from ..store import Store
from .body_fields import invalid_field, iso8601, optional_field, required_text

TOKEN_LIFETIME = 7 * 86400
_MAX_ADDRESS = 254
"""Characters of an email address: https://www.rfc-editor.org/errata/eid1690"""
_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


async def sign_up(request: web.Request) -> web.Response:
    """Create a user and sign in."""
    body = await read_json_object(request)
    email, password = required_text(body, "email"), required_text(body, "password", least=8)
    if len(email) > _MAX_ADDRESS or not _ADDRESS.fullmatch(email):
        raise invalid_field("email", "must be an email address")
    name, metadata = optional_field(body, "name", str), optional_field(body, "metadata", dict)
    store = request.app[CONTEXT].store
    created = iso8601(store.clock())
    user = {"id": str(uuid.uuid4()), "email": email, "name": name, "createdAt": created, "metadata": metadata or {}}
    salt = os.urandom(16)
    hashed = await asyncio.to_thread(_hash_password, password, salt)
    if not await store.add("user", email.lower(), {"user": user, "salt": salt.hex(), "password": hashed.hex()}):
        # No code of its own for the 409: the first generation of clients fails on codes that it does not know.
        raise ApiError(409, "VALIDATION_ERROR", "A user with this email exists already", field="email")
    return web.json_response(await _make_session(store, user), status=201)


async def sign_in(request: web.Request) -> web.Response:
    """Check a password and return a new token."""
    body = await read_json_object(request)
    email, password = required_text(body, "email"), required_text(body, "password")
    store = request.app[CONTEXT].store
    account = await store.get("user", email.lower()) or {"salt": "", "password": ""}
    hashed = await asyncio.to_thread(_hash_password, password, bytes.fromhex(account["salt"]))
    if not hmac.compare_digest(hashed, bytes.fromhex(account["password"])):
        raise ApiError(401, "AUTH_INVALID_CREDENTIALS", "Invalid email or password")
    return web.json_response(await _make_session(store, account["user"]))


def _hash_password(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


async def _make_session(store: Store, user: dict[str, Any]) -> dict[str, Any]:
    """Return the user and a token: a JWT, signed with a secret of the data folder."""
    await store.add("secret", "tokens", os.urandom(32).hex())
    secret, now = bytes.fromhex(await store.get("secret", "tokens")), int(store.clock())
    claims = {
        "sub": user["id"],
        "email": user["email"],
        "iat": now,
        "exp": now + TOKEN_LIFETIME,
        "jti": uuid.uuid4().hex,
    }
    signed = ".".join(_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    token = f"{signed}.{_base64url(hmac.digest(secret, signed.encode(), 'sha256'))}"
    return {"token": token, "user": user, "expiresAt": iso8601(now + TOKEN_LIFETIME)}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
