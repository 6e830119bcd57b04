"""Where the sources of the protocols contradict each other: what is read and sent, in tables."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses as Responses

from kellyapi import NO_RETRY, Aerostack, CacheEntry, Kelly, Khaya, Prediction, Skytells, Wallet, Webhook

from .conflict_messages import (
    A1,
    AEROSTACK,
    CHAT,
    DONE,
    EVENTS,
    KELLY,
    KHAYA,
    PREDICT,
    SKYTELLS,
    WAV,
    Call,
    reply,
    status,
)

HOOK = "https://h.example/x"


async def last(predictions: Any) -> Any:
    """Follow a prediction to its end."""
    return [state.status async for state in predictions.follow("a1", interval=0)]


READ: list[tuple[str, Any, str, str, Any, Call, Any]] = [
    # The responses of both sides are understood.
    (
        "3 canceled",
        Skytells,
        "GET",
        A1,
        {"id": "a1", "status": "canceled"},
        lambda it: last(it.predictions),
        ["canceled"],
    ),
    (
        "3 cancelled",
        Skytells,
        "GET",
        A1,
        {"id": "a1", "status": "cancelled"},
        lambda it: last(it.predictions),
        ["cancelled"],
    ),
    ("11 object", Skytells, "GET", f"{SKYTELLS}/predictions?page=1", {"data": [DONE]}, lambda it: ids(it), ["a1"]),
    ("11 array", Skytells, "GET", f"{SKYTELLS}/predictions?page=1", [DONE], lambda it: ids(it), ["a1"]),
    ("12 success", Skytells, "POST", f"{A1}/cancel", {"success": True}, lambda it: it.predictions.cancel("a1"), None),
    (
        "12 prediction",
        Skytells,
        "POST",
        f"{A1}/cancel",
        DONE,
        lambda it: it.predictions.cancel("a1"),
        Prediction(**DONE),
    ),
    (
        "13 billing",
        Skytells,
        "GET",
        A1,
        {**DONE, "metadata": {"billing": {"credits_used": 0.5}}},
        lambda it: cost(it),
        0.5,
    ),
    (
        "13 other billing",
        Skytells,
        "GET",
        A1,
        {**DONE, "metrics": {"billing": {"credits_used": 0.5}}},
        lambda it: cost(it),
        None,
    ),
    (
        "14 response",
        Skytells,
        "GET",
        A1,
        {"id": "a1", "status": "failed", "response": "no GPU"},
        lambda it: reason(it),
        "no GPU",
    ),
    (
        "14 error",
        Skytells,
        "GET",
        A1,
        {"id": "a1", "status": "failed", "error": "no GPU"},
        lambda it: reason(it),
        "no GPU",
    ),
    ("17", Skytells, "POST", PREDICT, {"status": False, "id": "a1"}, lambda it: status(it), "pending"),
    ("37 response", Aerostack, "POST", CHAT, {"response": "hello"}, lambda it: text(it), "hello"),
    (
        "37 completion",
        Aerostack,
        "POST",
        CHAT,
        {"choices": [{"message": {"content": "hello"}}]},
        lambda it: text(it),
        "hello",
    ),
    (
        "39",
        Aerostack,
        "GET",
        f"{AEROSTACK}/ai/gateway/me/wallet?api_slug=a",
        {"wallet": {"balance": 1, "total_consumed": 2, "total_purchased": 3, "hard_limit": 4, "soft_limit": 5}},
        lambda it: it.gateway.wallet("a", consumer="ask"),
        Wallet(balance=1.0, total_consumed=2.0, total_purchased=3.0, hard_limit=4.0, soft_limit=5.0),
    ),
    *(
        (
            "42",
            Aerostack,
            "POST",
            f"{AEROSTACK}/cache/get",
            {"value": value},
            lambda it: it.cache.get("a"),
            CacheEntry(value, key="a"),
        )
        for value in ("text", 1, [None], {"a": 1}, False, None)
    ),
]
SENT: list[tuple[str, Any, str, Any, Any, Call, set[str]]] = [
    # Of two ways to ask, this one goes out; the fields that are named are seen in the body.
    ("2", Skytells, PREDICT, DONE, {"await": False}, lambda it: it.predictions.create("m", {}), {"wait"}),
    ("2", Skytells, PREDICT, DONE, {"await": True}, lambda it: it.predictions.create("m", {}, wait=True), {"wait"}),
    (
        "4 url",
        Skytells,
        PREDICT,
        DONE,
        {"webhook": {"url": HOOK, "events": EVENTS}},
        lambda it: it.predictions.create("m", {}, webhook=HOOK),
        {"webhook_events_filter"},
    ),
    (
        "5",
        Skytells,
        PREDICT,
        DONE,
        {"webhook": {"url": HOOK, "events": ["completed", "canceled"]}},
        lambda it: it.predictions.create(
            "m", {}, webhook=Webhook(HOOK, ["prediction.succeeded", "prediction.cancelled"])
        ),
        set(),
    ),
    ("7", Skytells, PREDICT, DONE, {"model": "m"}, lambda it: it.predictions.create("m", {}), set()),
    (
        "22",
        Khaya,
        f"{KHAYA}/tts/v1/tts",
        WAV,
        {"speaker_id": "female"},
        lambda it: it.synthesize("hi", "twi", voice="female"),
        {"speaker"},
    ),
    ("24", Khaya, f"{KHAYA}/v1/translate", "x", {"lang": "en-tw"}, lambda it: it.translate("hi", "en-tw"), set()),
    ("24", Khaya, f"{KHAYA}/v1/translate", "x", {"lang": "eng-twi"}, lambda it: it.translate("hi", "eng-twi"), set()),
    (
        "28",
        Khaya,
        f"{KHAYA}/tts/v1/tts",
        WAV,
        {"speaker_id": "twi_speaker_4"},
        lambda it: it.synthesize("hi", "twi", voice="twi_speaker_4"),
        set(),
    ),
    ("31", Kelly, f"{KELLY}/write/notes", {"image": "aGk="}, {"code": "hi"}, lambda it: it.write_notes("hi"), {"text"}),
    ("32", Kelly, f"{KELLY}/chat/chatgpt", {"message": "x"}, {"character": "KelyAI"}, lambda it: it.chat("hi"), set()),
    (
        "38",
        Aerostack,
        f"{AEROSTACK}/ai/gateway/a/chat/completions",
        {"choices": []},
        {},
        lambda it: it.gateway.chat("a", "hi", consumer="ask"),
        set(),
    ),
    (
        "42",
        Aerostack,
        f"{AEROSTACK}/queue/enqueue",
        {"jobId": "j"},
        {"data": [1, None]},
        lambda it: it.queue.enqueue("t", [1, None]),
        set(),
    ),
    (
        "42",
        Aerostack,
        f"{AEROSTACK}/services/invoke",
        {},
        {"data": "text"},
        lambda it: it.services.invoke("s", "text"),
        set(),
    ),
]
HEADERS: list[tuple[str, Any, str, str, Any, Call, dict[str, str]]] = [
    ("18", Skytells, "GET", A1, DONE, lambda it: it.predictions.get("a1"), {"x-api-key": "key"}),
    ("30", Kelly, "GET", f"{KELLY}/sd/models", [], lambda it: it.models("sd"), {"Authorization": "Bearer key"}),
    (
        "36",
        Aerostack,
        "POST",
        f"{AEROSTACK}/cache/get",
        {"exists": False},
        lambda it: it.cache.get("a"),
        {"X-Aerostack-Key": "key", "Content-Type": "application/json"},
    ),
    (
        "38",
        Aerostack,
        "GET",
        f"{AEROSTACK}/ai/gateway/me/wallet?api_slug=a",
        {"wallet": {}},
        lambda it: it.gateway.wallet("a", consumer="ask"),
        {"Authorization": "Bearer ask"},
    ),
]


async def ids(it: Skytells) -> list[str]:
    return [prediction.id for prediction in (await it.predictions.list()).items]


async def cost(it: Skytells) -> float | None:
    return (await it.predictions.get("a1")).credits_used


async def reason(it: Skytells) -> str | None:
    return (await it.predictions.get("a1")).error


async def text(it: Aerostack) -> str:
    return (await it.ai.chat("hi")).text


@pytest.mark.parametrize(
    ("number", "client", "method", "url", "body", "call", "result"), READ, ids=[row[0] for row in READ]
)
async def test_the_responses_of_both_sources_are_understood(
    wire: Responses, number: str, client: Any, method: str, url: str, body: Any, call: Call, result: Any
) -> None:
    reply(wire, method, url, body)
    async with client("key", retry=NO_RETRY) as one:
        assert await call(one) == result


@pytest.mark.parametrize(
    ("number", "client", "url", "body", "fields", "call", "absent"), SENT, ids=[row[0] for row in SENT]
)
async def test_if_sources_differ_the_request_is_that_of_the_code(
    wire: Responses, number: str, client: Any, url: str, body: Any, fields: Any, call: Call, absent: Any
) -> None:
    sent = reply(wire, "POST", url, body)
    async with client("key", retry=NO_RETRY) as one:
        await call(one)
    assert {name: sent[0].json[name] for name in fields} == fields
    assert not absent & sent[0].json.keys()


@pytest.mark.parametrize(
    ("number", "client", "method", "url", "body", "call", "headers"), HEADERS, ids=[row[0] for row in HEADERS]
)
async def test_the_key_is_in_one_header(
    wire: Responses, number: str, client: Any, method: str, url: str, body: Any, call: Call, headers: dict[str, str]
) -> None:
    sent = reply(wire, method, url, body)
    async with client("key", retry=NO_RETRY) as one:
        await call(one)
    assert [one.headers for one in sent] == [headers]
