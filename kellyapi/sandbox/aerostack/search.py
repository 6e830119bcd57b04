"""Aerostack's search over documents. It finds words by SQLite's full text search, where the provider compares vectors.

A score is between 0 and 1. It rises with the number of query words that a document has; SQLite's own ranking decides
among documents with equally many. A filter keeps the documents whose metadata is equal to it.
"""

from __future__ import annotations

import json
import re
import sqlite3
import uuid
from collections import Counter
from typing import Any

from aiohttp import web

from ..frontend import CONTEXT, ApiError, read_json_object
from ..store import write_json
from .body_fields import invalid_field, optional_field, optional_number, required_text

_COLUMNS = "id, type, content, metadata"
_MAX_WORDS = 100
_MAX_QUERY = 10_000
MAX_RESPONSE = 32 * 2**20
"""Characters of documents after which a response ends."""
_MODELS = ("english", "multilingual")


async def ingest(request: web.Request) -> web.Response:
    """Store a document. A document of the same id is replaced."""
    body = await read_json_object(request)
    id = optional_field(body, "id", str) or str(uuid.uuid4())
    document = (
        id,
        required_text(body, "type"),
        required_text(body, "content"),
        write_json(optional_field(body, "metadata", dict) or {}),
    )
    await request.app[CONTEXT].store.run(_insert_document, document)
    return web.json_response({"success": True})


def _insert_document(db: sqlite3.Connection, document: tuple[str, ...]) -> None:
    replace = "type = excluded.type, content = excluded.content, metadata = excluded.metadata"
    db.execute(f"INSERT INTO documents ({_COLUMNS}) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET {replace}", document)


async def query(request: web.Request) -> web.Response:
    """Return the documents that match a text best."""
    body = await read_json_object(request)
    text, limit = required_text(body, "text"), optional_number(body, "topK", 5, whole=True, least=1)
    types, filter = optional_field(body, "types", list), optional_field(body, "filter", dict) or {}
    if len(text) > _MAX_QUERY:
        raise invalid_field("text", f"must have at most {_MAX_QUERY} characters")
    if types is not None and not all(isinstance(each, str) for each in types):
        raise invalid_field("types", "must be an array of strings")
    results = await request.app[CONTEXT].store.run(_find_documents, text, types, filter, limit)
    return web.json_response({"results": results})


def _find_documents(
    db: sqlite3.Connection, text: str, types: list[str] | None, filter: dict[str, Any], limit: int
) -> list[dict[str, Any]]:
    """Return up to `limit` documents that have a word of the query, those with the highest score first."""
    words = list(dict.fromkeys(f'"{word}"' for word in re.findall(r"[^\W_]+", text.casefold())))[:_MAX_WORDS]
    if not words:
        return []
    words_of_document: Counter[int] = Counter()
    for word in words:
        rows = db.execute("SELECT rowid FROM words WHERE words MATCH ?", (word,))
        words_of_document.update(number for (number,) in rows)
    scores = []
    tables = "words JOIN documents AS d ON number = words.rowid"
    select = f"SELECT number, -bm25(words), type, metadata FROM {tables} WHERE words MATCH ?"
    for number, rank, type, metadata in db.execute(select, (" OR ".join(words),)):
        if types and type not in types:
            continue
        if not filter or _fits(json.loads(metadata), filter):
            scores.append((-(words_of_document[number] + rank / (1 + rank)) / (len(words) + 1), number))
    results: list[dict[str, Any]] = []
    size = 0
    for score, number in sorted(scores)[:limit]:
        row = db.execute(f"SELECT {_COLUMNS} FROM documents WHERE number = ?", (number,)).fetchone()
        size += sum(map(len, row))
        if results and size > MAX_RESPONSE:
            break
        results.append({**_document(row), "score": -score})
    return results


def _fits(metadata: dict[str, Any], filter: dict[str, Any]) -> bool:
    return all(metadata.get(name) == value for name, value in filter.items())


def _document(row: Any) -> dict[str, Any]:
    id, type, content, metadata = row
    return {"id": id, "type": type, "content": content, "metadata": json.loads(metadata)}


async def get(request: web.Request) -> web.Response:
    """Return a document, if there is one."""
    row = await request.app[CONTEXT].store.run(_select_document, required_text(await read_json_object(request), "id"))
    return web.json_response({"result": _document(row) if row else None, "exists": row is not None})


def _select_document(db: sqlite3.Connection, id: str) -> Any:
    return db.execute(f"SELECT {_COLUMNS} FROM documents WHERE id = ?", (id,)).fetchone()


async def update(request: web.Request) -> web.Response:
    """Replace the content of a document."""
    body = await read_json_object(request)
    id, content = required_text(body, "id"), required_text(body, "content")
    type, metadata = optional_field(body, "type", str), optional_field(body, "metadata", dict)
    metadata_json = None if metadata is None else write_json(metadata)
    if not await request.app[CONTEXT].store.run(_update_document, id, content, type, metadata_json):
        raise ApiError(404, "NOT_FOUND", f"There is no document {id!r}", field="id")
    return web.json_response({"success": True})


def _update_document(
    db: sqlite3.Connection, id: str, content: str, type: str | None, metadata_json: str | None
) -> bool:
    """Replace the content, and the type and metadata unless they are `None`; return whether there is a document."""
    change = "content = ?, type = coalesce(?, type), metadata = coalesce(?, metadata)"
    update = f"UPDATE documents SET {change} WHERE id = ?"
    return db.execute(update, (content, type, metadata_json, id)).rowcount > 0


async def count(request: web.Request) -> web.Response:
    """Return the number of documents."""
    type = optional_field(await read_json_object(request), "type", str)
    types = await request.app[CONTEXT].store.run(_count_by_type)
    return web.json_response({"count": sum(count for name, count in types if type in (None, name))})


async def delete(request: web.Request) -> web.Response:
    """Delete a document, if there is one."""
    await request.app[CONTEXT].store.run(_delete_documents, "id", required_text(await read_json_object(request), "id"))
    return web.json_response({"success": True})


async def delete_type(request: web.Request) -> web.Response:
    """Delete all documents of a type."""
    await request.app[CONTEXT].store.run(
        _delete_documents, "type", required_text(await read_json_object(request), "type")
    )
    return web.json_response({"success": True})


def _delete_documents(db: sqlite3.Connection, column: str, value: str) -> None:
    db.execute(f"DELETE FROM documents WHERE {column} = ?", (value,))


async def configure(request: web.Request) -> web.Response:
    """Choose the embedding model. It is stored and has no effect."""
    model = required_text(await read_json_object(request), "embeddingModel")
    if model not in _MODELS:
        raise invalid_field("embeddingModel", f"must be one of {', '.join(_MODELS)}")
    await request.app[CONTEXT].store.put("setting", "embeddingModel", model)
    return web.json_response({"success": True})


async def list_types(request: web.Request) -> web.Response:
    """Return the types of documents, with the number of each."""
    types = await request.app[CONTEXT].store.run(_count_by_type)
    return web.json_response({"types": [{"type": type, "count": count} for type, count in types]})


def _count_by_type(db: sqlite3.Connection) -> list[tuple[str, int]]:
    return db.execute("SELECT type, count(*) FROM documents GROUP BY type ORDER BY type").fetchall()
