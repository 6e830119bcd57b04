"""Discord's objects, with the fields that a client library needs, and the compression of its gateway."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

MAX_UPLOAD = 10 * 2**20
SLASH_COMMAND = 2
_STRING, _CHAT_INPUT, _REPLY = 3, 1, 20  # types of an option, of a command, of a message
_APPLICATION, _GUILD, _CHANNEL = "1000", "2000", "3000"
_LONG_AGO = "2026-01-01T00:00:00+00:00"
BOT = {"id": _APPLICATION, "username": "painter", "discriminator": "0", "avatar": None, "bot": True}


def application() -> dict[str, Any]:
    about = {"name": "painter", "description": "", "icon": None, "verify_key": "00", "owner": BOT}
    return {"id": _APPLICATION, "bot_public": True, "bot_require_code_grant": False, **about}


def ready(gateway_url: str) -> dict[str, Any]:
    session = {"session_id": "a-session", "session_type": "normal", "resume_gateway_url": gateway_url}
    return {"v": 10, "user": BOT, "guilds": [], "application": {"id": _APPLICATION, "flags": 0}, **session}


def registered(command: Mapping[str, Any], number: str) -> dict[str, Any]:
    common = {"application_id": _APPLICATION, "default_member_permissions": None, "version": "1"}
    return {**command, **common, "id": number}


def interaction(
    number: str, token: str, user: int, command: Mapping[str, Any], options: Mapping[str, str]
) -> dict[str, Any]:
    user_object = {"id": str(user), "username": f"user{user}", "discriminator": "0", "avatar": None}
    member = {"roles": [], "joined_at": _LONG_AGO, "deaf": False, "mute": False, "permissions": "0", "flags": 0}
    option_values = [{"name": name, "type": _STRING, "value": value} for name, value in options.items()]
    return {
        "id": number,
        "application_id": _APPLICATION,
        "type": SLASH_COMMAND,
        "token": token,
        "version": 1,
        "data": {"id": command["id"], "name": command["name"], "type": _CHAT_INPUT, "options": option_values},
        "guild_id": _GUILD,
        "guild": {"id": _GUILD, "locale": "en-US", "features": []},
        "channel_id": _CHANNEL,
        "channel": {"id": _CHANNEL, "type": 0, "name": "general", "guild_id": _GUILD, "position": 0},
        "member": {"user": user_object, **member},
        "locale": "en-US",
        "context": 0,
        "entitlements": [],
        "authorizing_integration_owners": {},
        "attachment_size_limit": MAX_UPLOAD,
    }


def message(data: Mapping[str, Any], files: Mapping[str, bytes], number: str, url: str) -> dict[str, Any]:
    at = {"url": f"{url}/attachments/{number}", "proxy_url": f"{url}/attachments/{number}"}
    attachments = [{"id": number, "filename": name, "size": len(file), **at} for name, file in files.items()]
    empty: dict[str, Any] = {key: [] for key in ("embeds", "mentions", "mention_roles", "components")}
    flags = {"pinned": False, "mention_everyone": False, "tts": False, "flags": 0, "edited_timestamp": None}
    return {
        "id": number,
        "channel_id": _CHANNEL,
        "type": _REPLY,
        "author": BOT,
        "content": data.get("content") or "",
        "timestamp": _LONG_AGO,
        "attachments": attachments,
        **empty,
        **flags,
    }


def _zlib() -> Callable[[bytes], bytes]:
    stream = zlib.compressobj()
    return lambda data: stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)


def _zstd() -> Callable[[bytes], bytes]:
    # A bot asks for zstd if it has zstandard or Python 3.14; this process then has it too.
    try:
        import zstandard
    except ImportError:
        from compression import zstd

        own = zstd.ZstdCompressor()
        return lambda data: own.compress(data, zstd.ZstdCompressor.FLUSH_BLOCK)
    stream = zstandard.ZstdCompressor().compressobj()
    return lambda data: stream.compress(data) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


COMPRESSIONS: Mapping[str | None, Callable[[], Callable[[bytes], bytes] | None]] = {
    None: lambda: None,
    "zlib-stream": _zlib,
    "zstd-stream": _zstd,
}
