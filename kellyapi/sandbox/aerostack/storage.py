"""Files, on disk under the hash of their keys, so that no key is ever part of a path."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import sqlite3
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web

from ..face import SHARED, Refused, read_object
from ..store import Store
from .fields import after, cursor_of, invalid, maybe, number, prefix_range, text, written

_PIECE = 2**18
_ALL_THAT_IS_THERE = 2**20
"""Bytes, more than a connection ever holds. aiohttp 3.14 warns of itself when it reads more than it was asked for."""
_MAX_FIELD = 4096
_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+ *(;[ -~]*)?", re.ASCII)
_COLUMNS = "key, size, modified, type, etag"
_WIRE = ("key", "size", "lastModified", "contentType", "etag")
Row = tuple[str, int, str, str, str]


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _url(request: web.Request, key: str) -> str:
    """Give the address of a file: the hash finds it, the name is for people."""
    readable = key.rstrip("/").rpartition("/")[2]
    return f"{request.url.origin()}/storage/{_name(key)}/{quote('file' if readable in ('.', '..') else readable, '')}"


def _missing(key: str, field: str = "key") -> Refused:
    return Refused(404, "NOT_FOUND", f"There is no file {key!r}", field=field)


async def _row(request: web.Request, key: str) -> Row | None:
    return await request.app[SHARED].store.run(_look_up, "key", key)


def _look_up(db: sqlite3.Connection, column: str, value: str) -> Row | None:
    row: Row | None = db.execute(f"SELECT {_COLUMNS} FROM files WHERE {column} = ?", (value,)).fetchone()
    return row


def _insert(db: sqlite3.Connection, part: Path, path: Path, row: Row) -> None:
    db.execute(f"INSERT OR REPLACE INTO files (name, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", (path.name, *row))
    part.replace(path)


async def _upload(request: web.Request) -> web.Response:
    if not request.content_type.startswith("multipart/"):
        raise Refused(400, "VALIDATION_ERROR", "The body must be multipart/form-data", field="file")
    store = request.app[SHARED].store
    part = store.path("parts", uuid.uuid4().hex)
    try:
        fields = await _receive(request, part)
        key, kind = text(fields, "key"), maybe(fields, "contentType", str) or fields.get("type")
        if "size" not in fields:
            raise invalid("file", "is required")
        if not _TYPE.fullmatch(kind or ""):
            raise invalid("contentType", "must be a media type, such as image/png")
        row = (key, fields["size"], written(store.clock()), str(kind), fields["etag"])
        await store.run(_insert, part, store.path("files", _name(key)), row)
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    return web.json_response({"url": _url(request, key)})


async def _receive(request: web.Request, part: Path) -> dict[str, Any]:
    """Stream the file to disk, whichever field comes first, and give the others."""
    fields: dict[str, Any] = {}
    try:
        async for field in await request.multipart():
            if not isinstance(field, BodyPartReader):
                raise ValueError("a part has parts of its own")
            if field.name == "file":
                fields["size"], fields["etag"] = await _write(field, part)
                fields["type"] = field.headers.get("Content-Type", "application/octet-stream")
            elif field.name in ("key", "contentType"):
                data = b""
                while piece := await field.read_chunk(_ALL_THAT_IS_THERE):
                    data += piece
                    if len(data) > _MAX_FIELD:
                        raise invalid(field.name, f"must have at most {_MAX_FIELD} bytes")
                fields[field.name] = data.decode()
    except (ValueError, AssertionError) as error:  # aiohttp asserts that there is a boundary
        raise Refused(400, "VALIDATION_ERROR", f"The body is not valid multipart: {error}", field="file") from None
    return fields


async def _write(field: BodyPartReader, part: Path) -> tuple[int, str]:
    size, digest = 0, hashlib.md5(usedforsecurity=False)
    file = await asyncio.to_thread(part.open, "wb")
    try:
        while piece := await field.read_chunk(_ALL_THAT_IS_THERE):
            size += len(piece)
            await asyncio.to_thread(file.write, piece)
            digest.update(piece)
    finally:
        await asyncio.to_thread(file.close)
    return size, digest.hexdigest()


async def _get(request: web.Request) -> web.StreamResponse:
    key = text(await read_object(request), "key")
    row = await _row(request, key)
    if row is None:
        raise _missing(key)
    return _file(request, row)


async def _fetch(request: web.Request) -> web.StreamResponse:
    row = await request.app[SHARED].store.run(_look_up, "name", request.match_info["name"])
    if row is None:
        raise web.HTTPNotFound
    return _file(request, row)


def _file(request: web.Request, row: Row) -> web.FileResponse:
    path = request.app[SHARED].store.path("files", _name(row[0]))
    return web.FileResponse(path, chunk_size=_PIECE, headers={"Content-Type": row[3]})


async def _get_url(request: web.Request) -> web.Response:
    key = text(await read_object(request), "key")
    if await _row(request, key) is None:
        raise _missing(key)
    return web.json_response({"url": _url(request, key)})


async def _list(request: web.Request) -> web.Response:
    body = await read_object(request)
    limit = number(body, "limit", 100, whole=True, least=1, most=1000)
    range = prefix_range(maybe(body, "prefix", str), after(body))
    rows = await request.app[SHARED].store.run(_listed, range, limit + 1)
    truncated = len(rows) > limit
    objects = [dict(zip(_WIRE, row, strict=True)) for row in rows[:limit]]
    cursor = cursor_of(rows[limit - 1][0]) if truncated else None
    return web.json_response({"objects": objects, "truncated": truncated, "cursor": cursor})


def _listed(db: sqlite3.Connection, range: tuple[str, str, str], limit: int) -> list[Row]:
    where = "key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
    return db.execute(f"SELECT {_COLUMNS} FROM files WHERE {where}", (*range, limit)).fetchall()


async def _delete(request: web.Request) -> web.Response:
    key = text(await read_object(request), "key")
    store = request.app[SHARED].store
    await store.run(_remove, store.path("files", _name(key)), key)
    return web.json_response({"success": True})


def _remove(db: sqlite3.Connection, path: Path, key: str) -> None:
    db.execute("DELETE FROM files WHERE key = ?", (key,))
    path.unlink(missing_ok=True)


async def _exists(request: web.Request) -> web.Response:
    return web.json_response({"exists": await _row(request, text(await read_object(request), "key")) is not None})


async def _metadata(request: web.Request) -> web.Response:
    row = await _row(request, text(await read_object(request), "key"))
    return web.json_response(
        {"exists": True, **dict(zip(_WIRE[1:], row[1:], strict=True))} if row else {"exists": False}
    )


async def _copy(request: web.Request) -> web.Response:
    source, target = _ends(await read_object(request))
    store = request.app[SHARED].store
    part = store.path("parts", uuid.uuid4().hex)
    try:
        row = await _row(request, source)
        if row is None:
            raise _missing(source, "sourceKey")
        await asyncio.to_thread(shutil.copyfile, store.path("files", _name(source)), part)
        new = (target, row[1], written(store.clock()), *row[3:])
        await store.run(_insert, part, store.path("files", _name(target)), new)
    except FileNotFoundError:  # deleted meanwhile
        raise _missing(source, "sourceKey") from None
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    return web.json_response({"success": True, "url": _url(request, target)})


async def _move(request: web.Request) -> web.Response:
    source, target = _ends(await read_object(request))
    store = request.app[SHARED].store
    if not await store.run(_rename, store, source, target):
        raise _missing(source, "sourceKey")
    return web.json_response({"success": True, "url": _url(request, target)})


def _rename(db: sqlite3.Connection, store: Store, source: str, target: str) -> bool:
    row = _look_up(db, "key", source)
    if row is not None and source != target:
        db.execute("DELETE FROM files WHERE key = ?", (source,))
        _insert(db, store.path("files", _name(source)), store.path("files", _name(target)), (target, *row[1:]))
    return row is not None


def _ends(body: dict[str, Any]) -> tuple[str, str]:
    return text(body, "sourceKey"), text(body, "destKey")


ROUTES = tuple(
    ("POST", f"/storage/{path}", handler)
    for path, handler in (
        ("upload", _upload),
        ("get", _get),
        ("getUrl", _get_url),
        ("list", _list),
        ("delete", _delete),
        ("exists", _exists),
        ("getMetadata", _metadata),
        ("copy", _copy),
        ("move", _move),
    )
)
OPEN_ROUTES = (("GET", "/storage/{name}/{readable:.*}", _fetch),)
