"""Aerostack's file storage. A content is stored under its hash, so that no key is ever part of a path.

The record of a file names its content, so that one commit changes both. A content is deleted when no record names it
and no download reads it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sqlite3
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import BodyPartReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError

from ..frontend import CONTEXT, ApiError, read_json_object
from ..store import Store, content_name
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


def _content_path(store: Store, row: Row) -> Path:
    return store.path("files", content_name(row[4], row[1]))


def _insert_file(db: sqlite3.Connection, row: Row) -> Row | None:
    """Record a file; return the row that it replaces."""
    old = _select_file(db, "key", row[0])
    name = _stored_name(row[0])
    db.execute(f"INSERT OR REPLACE INTO files (name, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", (name, *row))
    return old


def _insert_content(db: sqlite3.Connection, part: Path, path: Path, row: Row) -> Row | None:
    """Move a content from its temporary path `part` to `path`, and record its file."""
    if not path.exists():
        part.replace(path)
    return _insert_file(db, row)


async def _delete_unused(store: Store, row: Row | None) -> None:
    """Delete the content of a row that was replaced or deleted, unless it is still used."""
    if row is not None:
        await store.run_after_commit(_delete_unused_content, store, row)


def _delete_unused_content(db: sqlite3.Connection, store: Store, row: Row) -> None:
    path = _content_path(store, row)
    used = db.execute("SELECT 1 FROM files WHERE etag = ? AND size = ? LIMIT 1", (row[4], row[1])).fetchone()
    if not used and not store.readers[path]:
        path.unlink(missing_ok=True)


async def upload(request: web.Request) -> web.Response:
    """Store the file of a form. A file of the same key is replaced."""
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
        await _delete_unused(store, await store.run(_insert_content, part, _content_path(store, row), row))
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
                fields["size"], fields["etag"] = await _write_file(field, part, request.client_max_size)
                fields["type"] = field.headers.get("Content-Type", "application/octet-stream")
            elif field.name in ("key", "contentType"):
                data = b""
                while piece := await field.read_chunk(_UPLOAD_PIECE):
                    data += piece
                    if len(data) > _MAX_FIELD:
                        raise invalid_field(field.name, f"must have at most {_MAX_FIELD} bytes")
                fields[field.name] = data.decode()
    except (ValueError, AssertionError, RuntimeError, HttpProcessingError) as error:  # aiohttp raises all of these
        message = f"The body is not valid multipart: {' '.join(str(error).split())}"
        raise ApiError(400, "VALIDATION_ERROR", message, field="file") from None
    return fields


async def _write_file(field: BodyPartReader, part: Path, most: int) -> tuple[int, str]:
    """Write a file of at most `most` bytes; return its size and its MD5."""
    size, digest = 0, hashlib.md5(usedforsecurity=False)
    file = await asyncio.to_thread(part.open, "wb")
    try:
        while piece := await field.read_chunk(_UPLOAD_PIECE):
            size += len(piece)
            if size > most:
                raise web.HTTPRequestEntityTooLarge(most, size)
            await asyncio.to_thread(file.write, piece)
            digest.update(piece)
    finally:
        await asyncio.to_thread(file.close)
    return size, digest.hexdigest()


async def get(request: web.Request) -> web.StreamResponse:
    """Send a file."""
    key = required_text(await read_json_object(request), "key")
    response = await _open_file(request, "key", key)
    if response is None:
        raise _not_found(key)
    return response


async def serve(request: web.Request) -> web.StreamResponse:
    """Send the file of a URL that the sandbox returned. It needs no key."""
    response = await _open_file(request, "name", request.match_info["name"])
    if response is None:
        raise web.HTTPNotFound
    return response


class _Download(web.FileResponse):
    """A file that stays as it is until it is sent, also if it is overwritten or deleted in the meantime."""

    def __init__(self, store: Store, row: Row) -> None:
        super().__init__(_content_path(store, row), chunk_size=_DOWNLOAD_PIECE, headers={"Content-Type": row[3]})
        self._store = store
        self._row = row

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        try:
            return await super().prepare(request)
        finally:
            await self._store.run_after_commit(_release, self._store, self._row)


async def _open_file(request: web.Request, column: str, value: str) -> _Download | None:
    store = request.app[CONTEXT].store
    row = await store.run(_select_and_hold, store, column, value)
    return None if row is None else _Download(store, row)


def _select_and_hold(db: sqlite3.Connection, store: Store, column: str, value: str) -> Row | None:
    row = _select_file(db, column, value)
    if row is not None:
        store.readers[_content_path(store, row)] += 1
    return row


def _release(db: sqlite3.Connection, store: Store, row: Row) -> None:
    path = _content_path(store, row)
    store.readers[path] -= 1
    if not store.readers[path]:
        del store.readers[path]
        _delete_unused_content(db, store, row)


async def get_url(request: web.Request) -> web.Response:
    """Return the URL of a file."""
    key = required_text(await read_json_object(request), "key")
    if await _find_file(request, key) is None:
        raise _not_found(key)
    return web.json_response({"url": _file_url(request, key)})


async def list_files(request: web.Request) -> web.Response:
    """Return a page of files, sorted by key."""
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


async def delete(request: web.Request) -> web.Response:
    """Delete a file, if there is one."""
    key = required_text(await read_json_object(request), "key")
    store = request.app[CONTEXT].store
    await _delete_unused(store, await store.run(_delete_file, key))
    return web.json_response({"success": True})


def _delete_file(db: sqlite3.Connection, key: str) -> Row | None:
    row = _select_file(db, "key", key)
    db.execute("DELETE FROM files WHERE key = ?", (key,))
    return row


async def exists(request: web.Request) -> web.Response:
    """Return whether there is a file."""
    row = await _find_file(request, required_text(await read_json_object(request), "key"))
    return web.json_response({"exists": row is not None})


async def get_metadata(request: web.Request) -> web.Response:
    """Return what is known of a file."""
    row = await _find_file(request, required_text(await read_json_object(request), "key"))
    return web.json_response(
        {"exists": True, **dict(zip(_WIRE_NAMES[1:], row[1:], strict=True))} if row else {"exists": False}
    )


async def copy(request: web.Request) -> web.Response:
    """Copy a file to another key."""
    source, target = _read_keys(await read_json_object(request))
    store = request.app[CONTEXT].store
    found, replaced = await store.run(_copy_file, source, target, iso8601(store.clock()))
    return await _respond_to_copy(request, source, target, found, replaced)


async def move(request: web.Request) -> web.Response:
    """Move a file to another key."""
    source, target = _read_keys(await read_json_object(request))
    found, replaced = await request.app[CONTEXT].store.run(_rename_file, source, target)
    return await _respond_to_copy(request, source, target, found, replaced)


async def _respond_to_copy(
    request: web.Request, source: str, target: str, found: bool, replaced: Row | None
) -> web.Response:
    if not found:
        raise _not_found(source, "sourceKey")
    await _delete_unused(request.app[CONTEXT].store, replaced)
    return web.json_response({"success": True, "url": _file_url(request, target)})


def _copy_file(db: sqlite3.Connection, source: str, target: str, now: str) -> tuple[bool, Row | None]:
    """Copy a file; return whether there is one, and the row that the copy replaces."""
    row = _select_file(db, "key", source)
    if row is None:
        return False, None
    return True, _insert_file(db, (target, row[1], now, *row[3:]))


def _rename_file(db: sqlite3.Connection, source: str, target: str) -> tuple[bool, Row | None]:
    """Rename a file; return whether there is one, and the row that it replaces."""
    row = _select_file(db, "key", source)
    if row is None or source == target:
        return row is not None, None
    db.execute("DELETE FROM files WHERE key = ?", (source,))
    return True, _insert_file(db, (target, *row[1:]))


def _read_keys(body: dict[str, Any]) -> tuple[str, str]:
    return required_text(body, "sourceKey"), required_text(body, "destKey")
