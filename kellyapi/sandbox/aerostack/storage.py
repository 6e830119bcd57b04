"""Aerostack's file storage. A file is stored under the hash of its key, so that no key is ever part of a path."""

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

from ..frontend import CONTEXT, ApiError, read_json_object
from ..store import Store
from .body_fields import (
    invalid_field,
    iso8601,
    optional_field,
    optional_number,
    prefix_range,
    read_cursor,
    required_text,
    write_cursor,
)

_DOWNLOAD_PIECE = 2**18
_UPLOAD_PIECE = 2**20
"""Bytes, more than a connection buffers. aiohttp 3.14 warns when it reads more bytes than it was asked for."""
_MAX_FIELD = 4096
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+ *(;[ -~]*)?", re.ASCII)
_COLUMNS = "key, size, modified, type, etag"
_WIRE_NAMES = ("key", "size", "lastModified", "contentType", "etag")
Row = tuple[str, int, str, str, str]


def _stored_name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _file_url(request: web.Request, key: str) -> str:
    """Return the URL of a file. Only the hash in it finds the file; the readable name is for users."""
    readable = key.rstrip("/").rpartition("/")[2]
    readable = quote("file" if readable in (".", "..") else readable, "")
    return f"{request.url.origin()}/storage/{_stored_name(key)}/{readable}"


def _not_found(key: str, field: str = "key") -> ApiError:
    return ApiError(404, "NOT_FOUND", f"There is no file {key!r}", field=field)


async def _find_file(request: web.Request, key: str) -> Row | None:
    return await request.app[CONTEXT].store.run(_select_file, "key", key)


def _select_file(db: sqlite3.Connection, column: str, value: str) -> Row | None:
    row: Row | None = db.execute(f"SELECT {_COLUMNS} FROM files WHERE {column} = ?", (value,)).fetchone()
    return row


def _insert_file(db: sqlite3.Connection, part: Path, path: Path, row: Row) -> None:
    """Record a file, and move it from its temporary path `part` to `path`."""
    db.execute(f"INSERT OR REPLACE INTO files (name, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", (path.name, *row))
    part.replace(path)


async def _upload(request: web.Request) -> web.Response:
    if not request.content_type.startswith("multipart/"):
        raise ApiError(400, "VALIDATION_ERROR", "The body must be multipart/form-data", field="file")
    store = request.app[CONTEXT].store
    part = store.path("parts", uuid.uuid4().hex)
    try:
        fields = await _receive_form(request, part)
        key, media_type = required_text(fields, "key"), optional_field(fields, "contentType", str) or fields.get("type")
        if "size" not in fields:
            raise invalid_field("file", "is required")
        if not _MEDIA_TYPE.fullmatch(media_type or ""):
            raise invalid_field("contentType", "must be a media type, such as image/png")
        row = (key, fields["size"], iso8601(store.clock()), str(media_type), fields["etag"])
        await store.run(_insert_file, part, store.path("files", _stored_name(key)), row)
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    return web.json_response({"url": _file_url(request, key)})


async def _receive_form(request: web.Request, part: Path) -> dict[str, Any]:
    """Stream the file of a form to the path `part`.

    Returns:
        The other fields, and the "size", "etag" and "type" of the file. Fields may come in any order.
    """
    fields: dict[str, Any] = {}
    try:
        async for field in await request.multipart():
            if not isinstance(field, BodyPartReader):
                raise ValueError("a part has parts of its own")
            if field.name == "file":
                fields["size"], fields["etag"] = await _write_file(field, part)
                fields["type"] = field.headers.get("Content-Type", "application/octet-stream")
            elif field.name in ("key", "contentType"):
                data = b""
                while piece := await field.read_chunk(_UPLOAD_PIECE):
                    data += piece
                    if len(data) > _MAX_FIELD:
                        raise invalid_field(field.name, f"must have at most {_MAX_FIELD} bytes")
                fields[field.name] = data.decode()
    except (ValueError, AssertionError) as error:  # aiohttp asserts that there is a boundary
        raise ApiError(400, "VALIDATION_ERROR", f"The body is not valid multipart: {error}", field="file") from None
    return fields


async def _write_file(field: BodyPartReader, part: Path) -> tuple[int, str]:
    """Write a file; return its size and its MD5."""
    size, digest = 0, hashlib.md5(usedforsecurity=False)
    file = await asyncio.to_thread(part.open, "wb")
    try:
        while piece := await field.read_chunk(_UPLOAD_PIECE):
            size += len(piece)
            await asyncio.to_thread(file.write, piece)
            digest.update(piece)
    finally:
        await asyncio.to_thread(file.close)
    return size, digest.hexdigest()


async def _get(request: web.Request) -> web.StreamResponse:
    key = required_text(await read_json_object(request), "key")
    row = await _find_file(request, key)
    if row is None:
        raise _not_found(key)
    return _file_response(request, row)


async def _serve(request: web.Request) -> web.StreamResponse:
    row = await request.app[CONTEXT].store.run(_select_file, "name", request.match_info["name"])
    if row is None:
        raise web.HTTPNotFound
    return _file_response(request, row)


def _file_response(request: web.Request, row: Row) -> web.FileResponse:
    path = request.app[CONTEXT].store.path("files", _stored_name(row[0]))
    return web.FileResponse(path, chunk_size=_DOWNLOAD_PIECE, headers={"Content-Type": row[3]})


async def _get_url(request: web.Request) -> web.Response:
    key = required_text(await read_json_object(request), "key")
    if await _find_file(request, key) is None:
        raise _not_found(key)
    return web.json_response({"url": _file_url(request, key)})


async def _list(request: web.Request) -> web.Response:
    body = await read_json_object(request)
    limit = optional_number(body, "limit", 100, whole=True, least=1, most=1000)
    range = prefix_range(optional_field(body, "prefix", str), read_cursor(body))
    rows = await request.app[CONTEXT].store.run(_select_files, range, limit + 1)
    truncated = len(rows) > limit
    objects = [dict(zip(_WIRE_NAMES, row, strict=True)) for row in rows[:limit]]
    cursor = write_cursor(rows[limit - 1][0]) if truncated else None
    return web.json_response({"objects": objects, "truncated": truncated, "cursor": cursor})


def _select_files(db: sqlite3.Connection, range: tuple[str, str, str], limit: int) -> list[Row]:
    where = "key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
    return db.execute(f"SELECT {_COLUMNS} FROM files WHERE {where}", (*range, limit)).fetchall()


async def _delete(request: web.Request) -> web.Response:
    key = required_text(await read_json_object(request), "key")
    store = request.app[CONTEXT].store
    await store.run(_delete_file, store.path("files", _stored_name(key)), key)
    return web.json_response({"success": True})


def _delete_file(db: sqlite3.Connection, path: Path, key: str) -> None:
    db.execute("DELETE FROM files WHERE key = ?", (key,))
    path.unlink(missing_ok=True)


async def _exists(request: web.Request) -> web.Response:
    row = await _find_file(request, required_text(await read_json_object(request), "key"))
    return web.json_response({"exists": row is not None})


async def _get_metadata(request: web.Request) -> web.Response:
    row = await _find_file(request, required_text(await read_json_object(request), "key"))
    return web.json_response(
        {"exists": True, **dict(zip(_WIRE_NAMES[1:], row[1:], strict=True))} if row else {"exists": False}
    )


async def _copy(request: web.Request) -> web.Response:
    source, target = _read_keys(await read_json_object(request))
    store = request.app[CONTEXT].store
    part = store.path("parts", uuid.uuid4().hex)
    try:
        row = await _find_file(request, source)
        if row is None:
            raise _not_found(source, "sourceKey")
        await asyncio.to_thread(shutil.copyfile, store.path("files", _stored_name(source)), part)
        new_row = (target, row[1], iso8601(store.clock()), *row[3:])
        await store.run(_insert_file, part, store.path("files", _stored_name(target)), new_row)
    except FileNotFoundError:  # deleted by another request in the meantime
        raise _not_found(source, "sourceKey") from None
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    return web.json_response({"success": True, "url": _file_url(request, target)})


async def _move(request: web.Request) -> web.Response:
    source, target = _read_keys(await read_json_object(request))
    store = request.app[CONTEXT].store
    if not await store.run(_rename_file, store, source, target):
        raise _not_found(source, "sourceKey")
    return web.json_response({"success": True, "url": _file_url(request, target)})


def _rename_file(db: sqlite3.Connection, store: Store, source: str, target: str) -> bool:
    """Rename a file; return whether there is one."""
    row = _select_file(db, "key", source)
    if row is not None and source != target:
        db.execute("DELETE FROM files WHERE key = ?", (source,))
        old_path, new_path = (store.path("files", _stored_name(key)) for key in (source, target))
        _insert_file(db, old_path, new_path, (target, *row[1:]))
    return row is not None


def _read_keys(body: dict[str, Any]) -> tuple[str, str]:
    return required_text(body, "sourceKey"), required_text(body, "destKey")


ROUTES = tuple(
    ("POST", f"/storage/{path}", handler)
    for path, handler in (
        ("upload", _upload),
        ("get", _get),
        ("getUrl", _get_url),
        ("list", _list),
        ("delete", _delete),
        ("exists", _exists),
        ("getMetadata", _get_metadata),
        ("copy", _copy),
        ("move", _move),
    )
)
OPEN_ROUTES = (("GET", "/storage/{name}/{readable:.*}", _serve),)
