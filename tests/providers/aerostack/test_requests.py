"""Aerostack's operations: the request of each, and the result of its response."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import (
    Aerostack,
    Authentication,
    BatchedResult,
    BatchResult,
    CacheEntry,
    CacheItem,
    CacheKey,
    Cancellation,
    CursorPage,
    Invocation,
    ObjectMetadata,
    QueryResult,
    SearchResult,
    StoredObject,
    User,
)
from kellyapi.providers.aerostack.queue import QueueJob

from .messages import BASE, JSON, KEY, Call

DONE = {"success": True}
JOB = {
    "id": "j1",
    "type": "mail",
    "data": {"to": "a"},
    "status": "queued",
    "projectId": "p1",
    "createdAt": "2026-01-01T00:00:00Z",
}
A_JOB = QueueJob(
    id="j1", type="mail", data={"to": "a"}, status="queued", project_id="p1", created_at="2026-01-01T00:00:00Z"
)
USER = {"id": "u1", "email": "a@b.example", "name": None, "createdAt": "2026-01-01T00:00:00Z", "metadata": {"x": 1}}
SIGNED = {"token": "t", "user": USER, "expiresAt": "2026-01-02T00:00:00Z"}
A_USER = User(id="u1", email="a@b.example", created_at="2026-01-01T00:00:00Z", metadata={"x": 1})
SIGNED_IN = Authentication(token="t", user=A_USER, expires_at="2026-01-02T00:00:00Z")
FOUND = {"id": "d1", "content": "text", "score": 0.9, "type": "faq", "metadata": {"x": 1}}
A_RESULT = SearchResult(id="d1", content="text", score=0.9, type="faq", metadata={"x": 1})
OBJECT = {"key": "a", "size": 3, "lastModified": "2026-01-01", "contentType": "text/plain", "etag": "e"}
AN_OBJECT = StoredObject(key="a", size=3, last_modified="2026-01-01", content_type="text/plain", etag="e")
ROWS: list[tuple[Call, str, Any, Any, Any]] = [
    # A1, A2: db
    (
        lambda it: it.db.query("SELECT ?", [1, "a", None]),
        "/db/query",
        {"sql": "SELECT ?", "params": [1, "a", None]},
        {"results": [{"a": None}], "count": 1},
        QueryResult(rows=({"a": None},), count=1),
    ),
    (
        lambda it: it.db.query("SELECT 1"),
        "/db/query",
        {"sql": "SELECT 1"},
        {"results": [], "count": 0},
        QueryResult(()),
    ),
    (
        lambda it: it.db.batch([("SELECT 1", ()), ("SELECT ?", (2,))]),
        "/db/batch",
        {"queries": [{"sql": "SELECT 1"}, {"sql": "SELECT ?", "params": [2]}]},
        {"results": [{"results": [{"a": 1}], "success": True}, {"success": False, "error": "no"}], "success": False},
        BatchResult(False, (BatchedResult(True, ({"a": 1},)), BatchedResult(False, (), "no"))),
    ),
    # A3, A4: auth
    (
        lambda it: it.auth.sign_up("a@b.example", "longenough", name="A", metadata={"x": 1}),
        "/auth/signup",
        {"email": "a@b.example", "password": "longenough", "name": "A", "metadata": {"x": 1}},
        SIGNED,
        SIGNED_IN,
    ),
    (
        lambda it: it.auth.sign_up("a@b.example", "longenough"),
        "/auth/signup",
        {"email": "a@b.example", "password": "longenough"},
        {},
        Authentication(),
    ),
    (
        lambda it: it.auth.sign_in("a@b.example", "longenough"),
        "/auth/signin",
        {"email": "a@b.example", "password": "longenough"},
        SIGNED,
        SIGNED_IN,
    ),
    # A5, A6: cache
    (
        lambda it: it.cache.get("a"),
        "/cache/get",
        {"key": "a"},
        {"value": [1], "exists": True},
        CacheEntry([1], key="a"),
    ),
    (
        lambda it: it.cache.get("a"),
        "/cache/get",
        {"key": "a"},
        {"value": None, "exists": False},
        CacheEntry(None, exists=False, key="a"),
    ),
    (lambda it: it.cache.set("a", {"b": None}), "/cache/set", {"key": "a", "value": {"b": None}}, DONE, True),
    (lambda it: it.cache.set("a", None, ttl=60), "/cache/set", {"key": "a", "value": None, "ttl": 60}, DONE, True),
    (lambda it: it.cache.delete("a"), "/cache/delete", {"key": "a"}, {"success": False}, False),
    (
        lambda it: it.cache.get_many(["a", "b"]),
        "/cache/getMany",
        {"keys": ["a", "b"]},
        {"results": [{"key": "a", "value": 1, "exists": True}, {"key": "b", "value": None, "exists": False}]},
        (CacheEntry(1, key="a"), CacheEntry(None, exists=False, key="b")),
    ),
    (
        lambda it: it.cache.set_many({"a": 1, "b": None}),
        "/cache/setMany",
        {"entries": [{"key": "a", "value": 1}, {"key": "b", "value": None}]},
        {"success": True, "count": 2},
        2,
    ),
    (
        lambda it: it.cache.set_many([CacheItem("a", {"b": 1}, ttl=60)]),
        "/cache/setMany",
        {"entries": [{"key": "a", "value": {"b": 1}, "ttl": 60}]},
        {"success": True, "count": 1},
        1,
    ),
    (
        lambda it: it.cache.delete_many(["a", "b"]),
        "/cache/deleteMany",
        {"keys": ["a", "b"]},
        {"success": True, "count": 2, "deleted": 1},
        1,
    ),
    (lambda it: it.cache.keys(), "/cache/keys", {}, {"keys": ["a"], "truncated": False}, ("a",)),
    (lambda it: it.cache.keys(prefix="a:"), "/cache/keys", {"prefix": "a:"}, {"keys": []}, ()),
    (
        lambda it: it.cache.list(prefix="a:", limit=2, cursor="c1"),
        "/cache/list",
        {"prefix": "a:", "limit": 2, "cursor": "c1"},
        {"keys": [{"key": "a:1", "expiration": 1.5}, {"key": "a:2"}], "list_complete": False, "cursor": "c2"},
        CursorPage((CacheKey("a:1", 1.5), CacheKey("a:2")), "c2"),
    ),
    (
        lambda it: it.cache.list(),
        "/cache/list",
        {},
        {"keys": [], "list_complete": True, "cursor": "c"},
        CursorPage((), None),
    ),
    (lambda it: it.cache.flush(), "/cache/flush", {}, {"success": True, "deleted": 3}, 3),
    (lambda it: it.cache.flush(prefix="a:"), "/cache/flush", {"prefix": "a:"}, {"success": True, "deleted": 0}, 0),
    (lambda it: it.cache.expire("a", 60), "/cache/expire", {"key": "a", "ttl": 60}, DONE, True),
    (
        lambda it: it.cache.increment("a"),
        "/cache/increment",
        {"key": "a", "amount": 1, "initialValue": 0},
        {"value": 1},
        1.0,
    ),
    (
        lambda it: it.cache.increment("a", -2.5, initial=9, ttl=60),
        "/cache/increment",
        {"key": "a", "amount": -2.5, "initialValue": 9, "ttl": 60},
        {"value": 6.5},
        6.5,
    ),
    # A7, A8: queue
    (
        lambda it: it.queue.enqueue("mail", {"to": "a"}),
        "/queue/enqueue",
        {"type": "mail", "data": {"to": "a"}},
        {"jobId": "j1", "success": True},
        "j1",
    ),
    (
        lambda it: it.queue.enqueue("mail", None, delay=5),
        "/queue/enqueue",
        {"type": "mail", "data": None, "delay": 5},
        {"jobId": "j1"},
        "j1",
    ),
    (lambda it: it.queue.job("j1"), "/queue/job", {"jobId": "j1"}, {"job": JOB, "exists": True}, A_JOB),
    (lambda it: it.queue.job("j1"), "/queue/job", {"jobId": "j1"}, {"job": None, "exists": False}, None),
    (
        lambda it: it.queue.jobs(status="queued", type="mail", limit=2, cursor="c1"),
        "/queue/jobs",
        {"status": "queued", "type": "mail", "limit": 2, "cursor": "c1"},
        {"jobs": [JOB], "list_complete": False, "cursor": "c2"},
        CursorPage((A_JOB,), "c2"),
    ),
    (lambda it: it.queue.cancel("j1"), "/queue/cancel", {"jobId": "j1"}, DONE, Cancellation(success=True)),
    (
        lambda it: it.queue.cancel("j1"),
        "/queue/cancel",
        {"jobId": "j1"},
        {"success": False, "note": "it runs"},
        Cancellation(success=False, note="it runs"),
    ),
    # A10: storage, except for its bytes
    (lambda it: it.storage.url("a"), "/storage/getUrl", {"key": "a"}, {"url": "https://f/a"}, "https://f/a"),
    (
        lambda it: it.storage.list(prefix="a", limit=2, cursor="c1"),
        "/storage/list",
        {"prefix": "a", "limit": 2, "cursor": "c1"},
        {"objects": [OBJECT], "truncated": True, "cursor": "c2"},
        CursorPage((AN_OBJECT,), "c2"),
    ),
    (
        lambda it: it.storage.list(),
        "/storage/list",
        {},
        {"objects": [], "truncated": False, "cursor": "c"},
        CursorPage((), None),
    ),
    (lambda it: it.storage.delete("a"), "/storage/delete", {"key": "a"}, DONE, True),
    (lambda it: it.storage.exists("a"), "/storage/exists", {"key": "a"}, {"exists": False}, False),
    (
        lambda it: it.storage.metadata("a"),
        "/storage/getMetadata",
        {"key": "a"},
        {"exists": True, "size": 3, "contentType": "text/plain", "lastModified": "2026-01-01", "etag": "e"},
        ObjectMetadata(True, 3, "text/plain", "2026-01-01", "e"),
    ),
    (
        lambda it: it.storage.metadata("a"),
        "/storage/getMetadata",
        {"key": "a"},
        {"exists": False, "size": None},
        ObjectMetadata(False),
    ),
    (
        lambda it: it.storage.copy("a", "b"),
        "/storage/copy",
        {"sourceKey": "a", "destKey": "b"},
        {"success": True, "url": "https://f/b"},
        "https://f/b",
    ),
    (lambda it: it.storage.move("a", "b"), "/storage/move", {"sourceKey": "a", "destKey": "b"}, DONE, None),
    # A13: search
    (
        lambda it: it.search.ingest("text", "faq", id="d1", metadata={"x": 1}),
        "/ai/search/ingest",
        {"content": "text", "type": "faq", "id": "d1", "metadata": {"x": 1}},
        DONE,
        True,
    ),
    (lambda it: it.search.ingest("text", "faq"), "/ai/search/ingest", {"content": "text", "type": "faq"}, DONE, True),
    (
        lambda it: it.search.query("text"),
        "/ai/search/query",
        {"text": "text", "topK": 5},
        {"results": [FOUND]},
        (A_RESULT,),
    ),
    (
        lambda it: it.search.query("text", limit=2, types=["faq"], filter={"x": 1}),
        "/ai/search/query",
        {"text": "text", "topK": 2, "types": ["faq"], "filter": {"x": 1}},
        {"results": []},
        (),
    ),
    (lambda it: it.search.get("d1"), "/ai/search/get", {"id": "d1"}, {"result": FOUND, "exists": True}, A_RESULT),
    (lambda it: it.search.get("d1"), "/ai/search/get", {"id": "d1"}, {"result": None, "exists": False}, None),
    (
        lambda it: it.search.update("d1", "text", type="faq", metadata={}),
        "/ai/search/update",
        {"id": "d1", "content": "text", "type": "faq", "metadata": {}},
        DONE,
        True,
    ),
    (lambda it: it.search.count(), "/ai/search/count", {}, {"count": 3}, 3),
    (lambda it: it.search.count("faq"), "/ai/search/count", {"type": "faq"}, {"count": 1}, 1),
    (lambda it: it.search.delete("d1"), "/ai/search/delete", {"id": "d1"}, DONE, True),
    (lambda it: it.search.delete_type("faq"), "/ai/search/deleteByType", {"type": "faq"}, DONE, True),
    (
        lambda it: it.search.configure("multilingual"),
        "/ai/search/configure",
        {"embeddingModel": "multilingual"},
        DONE,
        True,
    ),
    # A14: services
    (
        lambda it: it.services.invoke("echo", {"a": 1}),
        "/services/invoke",
        {"serviceName": "echo", "data": {"a": 1}},
        {"success": True, "result": {"a": 1}},
        Invocation(True, {"a": 1}),
    ),
    (
        lambda it: it.services.invoke("echo", None),
        "/services/invoke",
        {"serviceName": "echo", "data": None},
        {"success": False, "result": None},
        Invocation(False, None),
    ),
    # A15: usage of the gateway
    (
        lambda it: it.gateway.log_usage("c1", "a1", 3),
        "/gateway/billing/log",
        {"consumerId": "c1", "apiId": "a1", "metric": "units", "units": 3},
        {"success": True, "loggedUnits": 3},
        3.0,
    ),
    (
        lambda it: it.gateway.log_usage("c1", "a1", 0.5, metric="tokens"),
        "/gateway/billing/log",
        {"consumerId": "c1", "apiId": "a1", "metric": "tokens", "units": 0.5},
        {"success": True, "loggedUnits": 0.5},
        0.5,
    ),
]


@pytest.mark.parametrize(("call", "path", "data", "reply", "result"), ROWS)
async def test_each_post_is_exact_and_its_response_is_read(
    wire: Responses, aerostack: Aerostack, call: Call, path: str, data: Any, reply: Any, result: Any
) -> None:
    sent = respond(
        wire, "POST", f"{BASE}{path}", status=201 if "signup" in path or "enqueue" in path else 200, json=reply
    )
    assert await call(aerostack) == result
    assert [(one.headers, one.json) for one in sent] == [(JSON, data)]


async def test_the_types_of_documents_are_read_with_a_get(wire: Responses, aerostack: Aerostack) -> None:
    listed = {"types": [{"type": "faq", "count": 2}, {"type": "page", "count": "1"}]}
    sent = respond(wire, "GET", f"{BASE}/ai/search/listTypes", json=listed)
    assert await aerostack.search.types() == {"faq": 2, "page": 1}
    assert [(one.headers, one.body) for one in sent] == [(KEY, b"")]
