"""Search over documents, by their words: SQLite's full text search stands in for vectors.

A score is between 0 and 1: how many of the query's words a document has, and among equals how well it fits. A filter
asks for metadata that are equal.
"""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from collections import Counter
from typing import Any

from aiohttp import web

from ..face import SHARED, Refused, read_object
from .fields import invalid, maybe, number, text

_COLUMNS = "id, type, content, metadata"
_MAX_WORDS = 100
_MODELS = ("english", "multilingual")


async def _ingest(request: web.Request) -> web.Response:
    body = await read_object(request)
    id = maybe(body, "id", str) or str(uuid.uuid4())
    document = (id, text(body, "type"), text(body, "content"), json.dumps(maybe(body, "metadata", dict) or {}))
    await request.app[SHARED].store.run(_add, document)
    return web.json_response({"success": True})


def _add(db: sqlite3.Connection, document: tuple[str, ...]) -> None:
    replace = "type = excluded.type, content = excluded.content, metadata = excluded.metadata"
    db.execute(f"INSERT INTO documents ({_COLUMNS}) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET {replace}", document)


async def _query(request: web.Request) -> web.Response:
    body = await read_object(request)
    wanted, limit = text(body, "text"), number(body, "topK", 5, whole=True, least=1)
    types, filter = maybe(body, "types", list), maybe(body, "filter", dict) or {}
    if types is not None and not all(isinstance(each, str) for each in types):
        raise invalid("types", "must be an array of strings")
    found = await request.app[SHARED].store.run(_find, wanted, types, filter)
    return web.json_response({"results": found[:limit]})


def _find(db: sqlite3.Connection, wanted: str, types: list[str] | None, filter: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the documents that have a word of the query, the nearest first."""
    words = list(dict.fromkeys(f'"{word}"' for word in re.findall(r"[^\W_]+", wanted.casefold())))[:_MAX_WORDS]
    if not words:
        return []
    hits: Counter[int] = Counter()
    for word in words:
        hits.update(key for (key,) in db.execute("SELECT rowid FROM words WHERE words MATCH ?", (word,)))
    found = []
    tables = "words JOIN documents AS d ON number = words.rowid"
    select = f"SELECT number, -bm25(words), id, type, d.content, metadata FROM {tables} WHERE words MATCH ?"
    for key, fit, *row in db.execute(select, (" OR ".join(words),)):
        document = _document(row)
        if types and document["type"] not in types:
            continue
        if all(document["metadata"].get(name) == value for name, value in filter.items()):
            found.append({**document, "score": (hits[key] + fit / (1 + fit)) / (len(words) + 1)})
    return sorted(found, key=lambda document: -document["score"])


def _document(row: Any) -> dict[str, Any]:
    id, type, content, metadata = row
    return {"id": id, "type": type, "content": content, "metadata": json.loads(metadata)}


async def _get(request: web.Request) -> web.Response:
    row = await request.app[SHARED].store.run(_look_up, text(await read_object(request), "id"))
    return web.json_response({"result": _document(row) if row else None, "exists": row is not None})


def _look_up(db: sqlite3.Connection, id: str) -> Any:
    return db.execute(f"SELECT {_COLUMNS} FROM documents WHERE id = ?", (id,)).fetchone()


async def _update(request: web.Request) -> web.Response:
    body = await read_object(request)
    id, content = text(body, "id"), text(body, "content")
    metadata = maybe(body, "metadata", dict)
    kept = None if metadata is None else json.dumps(metadata)
    if not await request.app[SHARED].store.run(_replace, content, maybe(body, "type", str), kept, id):
        raise Refused(404, "NOT_FOUND", f"There is no document {id!r}", field="id")
    return web.json_response({"success": True})


def _replace(db: sqlite3.Connection, *document: str | None) -> bool:
    change = "content = ?, type = coalesce(?, type), metadata = coalesce(?, metadata)"
    return db.execute(f"UPDATE documents SET {change} WHERE id = ?", document).rowcount > 0


async def _count(request: web.Request) -> web.Response:
    type = maybe(await read_object(request), "type", str)
    types = await request.app[SHARED].store.run(_types)
    return web.json_response({"count": sum(count for name, count in types if type in (None, name))})


async def _delete(request: web.Request) -> web.Response:
    await request.app[SHARED].store.run(_remove, "id", text(await read_object(request), "id"))
    return web.json_response({"success": True})


async def _delete_type(request: web.Request) -> web.Response:
    await request.app[SHARED].store.run(_remove, "type", text(await read_object(request), "type"))
    return web.json_response({"success": True})


def _remove(db: sqlite3.Connection, column: str, value: str) -> None:
    db.execute(f"DELETE FROM documents WHERE {column} = ?", (value,))


async def _configure(request: web.Request) -> web.Response:
    model = text(await read_object(request), "embeddingModel")
    if model not in _MODELS:
        raise invalid("embeddingModel", f"must be one of {', '.join(_MODELS)}")
    await request.app[SHARED].store.put("setting", "embeddingModel", model)
    return web.json_response({"success": True})


async def _list_types(request: web.Request) -> web.Response:
    types = await request.app[SHARED].store.run(_types)
    return web.json_response({"types": [{"type": type, "count": count} for type, count in types]})


def _types(db: sqlite3.Connection) -> list[tuple[str, int]]:
    return db.execute("SELECT type, count(*) FROM documents GROUP BY type ORDER BY type").fetchall()


ROUTES = (
    ("POST", "/ai/search/ingest", _ingest),
    ("POST", "/ai/search/query", _query),
    ("POST", "/ai/search/get", _get),
    ("POST", "/ai/search/update", _update),
    ("POST", "/ai/search/count", _count),
    ("POST", "/ai/search/delete", _delete),
    ("POST", "/ai/search/deleteByType", _delete_type),
    ("POST", "/ai/search/configure", _configure),
    ("GET", "/ai/search/listTypes", _list_types),
)
