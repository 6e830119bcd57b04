"""A complete response of each kind: the method that reads it, and the paths of its needed fields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from kellyapi import Aerostack, Kelly, Khaya, Skytells

Call = Callable[[Any], Awaitable[Any]]
PREDICTION = {
    "id": "a1",
    "status": "succeeded",
    "type": "inference",
    "stream": False,
    "input": {},
    "output": ["https://d.example/a.png"],
    "error": None,
    "response": None,
    "created_at": "2026-01-01T00:00:00.000000Z",
    "started_at": None,
    "completed_at": None,
    "updated_at": None,
    "privacy": "public",
    "source": "api",
    "model": {"name": "m", "type": "image"},
    "webhook": {},
    "metrics": {"image_count": 1, "predict_time": 3.5, "total_time": 4.0, "asset_count": 1, "progress": 100},
    "metadata": {
        "billing": {"credits_used": 0.03},
        "storage": {"files": [{"name": "a", "type": "image/png", "size": 9, "url": "https://d.example/a.png"}]},
        "data_available": True,
    },
    "urls": {"get": "https://api.example/a1", "stream": None},
}
MODEL = {
    "name": "M",
    "namespace": "m",
    "description": None,
    "type": "image",
    "privacy": "public",
    "vendor": {"name": "V", "verified": True, "metadata": {}},
    "billable": True,
    "pricing": {
        "amount": 0.5,
        "currency": "USD",
        "unit": "image",
        "criterias": [{"field": "a", "value": 1, "billable_price": 2.5}],
    },
    "capabilities": ["a"],
    "metadata": {},
    "status": "operational",
    "service": {},
    "input_schema": None,
}
COMPLETION = {
    "id": "c1",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "hi",
                "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            "finish_reason": "stop",
            "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}},
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": {}},
    "system_fingerprint": None,
    "prompt_filter_results": [
        {"prompt_index": 0, "content_filter_results": {"jailbreak": {"filtered": False, "detected": False}}}
    ],
}
RESPONSE = {
    "id": "r1",
    "status": "completed",
    "model": "m",
    "created_at": 1,
    "output": [
        {
            "id": "o",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "hi", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
    "content_filters": [],
    "metadata": {},
}
LISTED = {"data": [PREDICTION], "pagination": {"current_page": 1, "per_page": 20, "total": 1, "last_page": 1}}
JOB = {"id": "j", "status": "queued", "type": "t", "data": None, "projectId": "p", "createdAt": "2026"}
FOUND = {"id": "d", "content": "text", "score": 0.5, "type": "t", "metadata": {}}
USER = {"id": "u", "email": "a@b.example", "name": None, "createdAt": "2026", "metadata": {}}
HEARD = {
    "text": "Me ho yɛ.",
    "warnings": ["legacy"],
    "timings": {
        "unit": "seconds",
        "granularity": "word",
        "words": [{"word": "Me", "start": 0.5, "end": 0.75}],
        "segments": [],
    },
}
OBJECT = {"key": "a", "size": 1, "lastModified": "2026", "contentType": "a/b", "etag": "e"}

SAID = ("$.choices", "$.choices[0].message")

REPLIES: dict[str, tuple[Any, Call, Any, tuple[str, ...]]] = {
    "prediction": (Skytells, lambda it: it.predictions.get("a1"), PREDICTION, ("$.id", "$.status")),
    "created": (Skytells, lambda it: it.predictions.create("m", {}), PREDICTION, ("$.id", "$.status")),
    "predictions": (Skytells, lambda it: it.predictions.list(), LISTED, ("$.data", "$.data[0].id", "$.data[0].status")),
    "bare predictions": (Skytells, lambda it: it.predictions.list(), [PREDICTION], ("$[0].id", "$[0].status")),
    "models": (Skytells, lambda it: it.models.list(), [MODEL], ("$[0].name", "$[0].namespace")),
    "model": (Skytells, lambda it: it.models.get("m"), MODEL, ("$.name", "$.namespace")),
    "chat": (
        Skytells,
        lambda it: it.chat.create("m", "hi"),
        COMPLETION,
        SAID,
    ),
    "response": (
        Skytells,
        lambda it: it.responses.create("m", "hi"),
        RESPONSE,
        ("$.id", "$.status"),
    ),
    "embeddings": (
        Skytells,
        lambda it: it.embeddings.create("m", "hi"),
        {
            "data": [{"embedding": [0.5, 1.5], "index": 0}],
            "model": "m",
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        },
        ("$.data", "$.data[0].embedding", "$.data[0].embedding[0]"),
    ),
    "safety": (Skytells, lambda it: it.safety.check_text("hi"), COMPLETION, SAID),
    "query": (
        Aerostack,
        lambda it: it.db.query("SELECT 1"),
        {"results": [{"a": 1}], "count": 1},
        ("$.results", "$.results[0]"),
    ),
    "batch": (
        Aerostack,
        lambda it: it.db.batch([("SELECT 1", ())]),
        {"results": [{"results": [{}], "success": True, "error": None}], "success": True},
        ("$.success", "$.results", "$.results[0].success"),
    ),
    "signed": (
        Aerostack,
        lambda it: it.auth.sign_in("a@b.example", "x"),
        {"token": "t", "user": USER, "expiresAt": "2026"},
        (),
    ),
    "entry": (Aerostack, lambda it: it.cache.get("a"), {"value": {"a": None}, "exists": True}, ()),
    "entries": (
        Aerostack,
        lambda it: it.cache.get_many(["a"]),
        {"results": [{"key": "a", "value": 1, "exists": True}]},
        ("$.results", "$.results[0]"),
    ),
    "keys": (Aerostack, lambda it: it.cache.keys(), {"keys": ["a"], "truncated": False}, ("$.keys", "$.keys[0]")),
    "listed keys": (
        Aerostack,
        lambda it: it.cache.list(),
        {"keys": [{"key": "a", "expiration": 1.5}], "list_complete": True, "cursor": None},
        ("$.keys", "$.keys[0].key"),
    ),
    "sum": (Aerostack, lambda it: it.cache.increment("a"), {"value": 1.5}, ("$.value",)),
    "enqueued": (Aerostack, lambda it: it.queue.enqueue("t", {}), {"jobId": "j", "success": True}, ("$.jobId",)),
    "job": (Aerostack, lambda it: it.queue.job("j"), {"job": JOB, "exists": True}, ("$.job.id", "$.job.status")),
    "jobs": (
        Aerostack,
        lambda it: it.queue.jobs(),
        {"jobs": [JOB], "list_complete": True, "cursor": None},
        ("$.jobs", "$.jobs[0].id", "$.jobs[0].status"),
    ),
    "cancelled": (Aerostack, lambda it: it.queue.cancel("j"), {"success": True, "note": None}, ("$.success",)),
    "address": (Aerostack, lambda it: it.storage.url("a"), {"url": "https://f.example/a"}, ("$.url",)),
    "objects": (
        Aerostack,
        lambda it: it.storage.list(),
        {"objects": [OBJECT], "truncated": False, "cursor": None},
        ("$.objects", "$.objects[0].key"),
    ),
    "exists": (Aerostack, lambda it: it.storage.exists("a"), {"exists": True}, ("$.exists",)),
    "metadata": (
        Aerostack,
        lambda it: it.storage.metadata("a"),
        {"exists": True, "size": 1, "contentType": None},
        ("$.exists",),
    ),
    "found": (Aerostack, lambda it: it.search.query("text"), {"results": [FOUND]}, ("$.results", "$.results[0].id")),
    "document": (Aerostack, lambda it: it.search.get("d"), {"result": FOUND, "exists": True}, ("$.result.id",)),
    "count": (Aerostack, lambda it: it.search.count(), {"count": 3}, ("$.count",)),
    "types": (
        Aerostack,
        lambda it: it.search.types(),
        {"types": [{"type": "t", "count": 1}]},
        ("$.types", "$.types[0].type", "$.types[0].count"),
    ),
    "wallet": (
        Aerostack,
        lambda it: it.gateway.wallet("a", consumer="ask"),
        {"wallet": {"balance": 1.5, "total_consumed": 2.5, "plan_type": None, "hard_limit": None}},
        ("$.wallet",),
    ),
    "gateway": (Aerostack, lambda it: it.gateway.chat("a", "hi", consumer="ask"), COMPLETION, SAID),
    "invoked": (Aerostack, lambda it: it.services.invoke("echo", 1), {"success": True, "result": None}, ()),
    "heard": (Khaya, lambda it: it.transcribe(b"RIFF", "twi"), HEARD, ("$.text",)),
    "said": (Kelly, lambda it: it.chat("hi"), {"message": "hello"}, ("$.message",)),
}
