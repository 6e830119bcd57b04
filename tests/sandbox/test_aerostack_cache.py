"""Aerostack's cache, A5 and A6."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from http_client import Clock, Response, Send

from kellyapi import Aerostack, Sandbox

NOON = 1_800_000_000.0


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def post(send: Send) -> Callable[[str, Any], Awaitable[Response]]:
    request = partial(send, "POST", headers={"X-Aerostack-Key": "key"})
    return lambda path, json: request(f"/v1/cache/{path}", json=json)


@pytest.mark.parametrize("value", [None, "", "Akwaaba", 0, 1.5, False, [1, "a"], {"a": {"b": None}}, "ü\u0000€"])
async def test_any_json_comes_back_as_it_was_set(aerostack: Aerostack, value: Any) -> None:
    assert await aerostack.cache.set("key", value)
    entry = await aerostack.cache.get("key")
    assert (entry.value, entry.exists) == (value, True)
    assert type(entry.value) is type(value)


@pytest.mark.parametrize(
    "key", ["../models?x=1", "a/b", "ü", ".", "..", "a b#c", "x" * 300, "a&b+c", "'; --", "a\x00b"]
)
async def test_any_key_is_only_a_name(aerostack: Aerostack, key: str) -> None:
    await aerostack.cache.set(key, 1)
    assert await aerostack.cache.keys(prefix=key) == (key,)
    assert [item.key async for item in aerostack.cache.iterate()] == [key]
    assert await aerostack.cache.delete(key)
    assert not (await aerostack.cache.get(key)).exists


async def test_the_response_bodies_are_exact(post: Any) -> None:
    cases: list[tuple[str, Any, Any]] = [
        ("set", {"key": "a", "value": 1, "ttl": 60}, {"success": True}),
        ("get", {"key": "a"}, {"value": 1, "exists": True}),
        ("get", {"key": "none"}, {"value": None, "exists": False}),
        (
            "setMany",
            {"entries": [{"key": "b", "value": "B"}, {"key": "c", "value": []}]},
            {"success": True, "count": 2},
        ),
        (
            "getMany",
            {"keys": ["c", "none", "c"]},
            {
                "results": [
                    {"key": "c", "value": [], "exists": True},
                    {"key": "none", "value": None, "exists": False},
                    {"key": "c", "value": [], "exists": True},
                ]
            },
        ),
        ("keys", {}, {"keys": ["a", "b", "c"], "truncated": False}),
        (
            "list",
            {},
            {
                "keys": [
                    {"key": "a", "expiration": NOON + 60},
                    {"key": "b", "expiration": None},
                    {"key": "c", "expiration": None},
                ],
                "list_complete": True,
                "cursor": None,
            },
        ),
        ("increment", {"key": "n"}, {"value": 1}),
        ("increment", {"key": "n", "amount": -3}, {"value": -2}),
        ("increment", {"key": "m", "amount": 0.5, "initialValue": 10}, {"value": 10.5}),
        ("expire", {"key": "b", "ttl": 5}, {"success": True}),
        ("expire", {"key": "none", "ttl": 5}, {"success": False}),
        ("deleteMany", {"keys": ["m", "none"]}, {"success": True, "count": 2, "deleted": 1}),
        ("delete", {"key": "c"}, {"success": True}),
        ("delete", {"key": "c"}, {"success": True}),
        ("flush", {"prefix": "n"}, {"success": True, "deleted": 1}),
        ("flush", {}, {"success": True, "deleted": 2}),
    ]
    for path, body, expected in cases:
        response = await post(path, body)
        assert (response.status, response.json) == (200, expected), path


async def test_a_key_is_there_until_its_time_and_not_after(aerostack: Aerostack, clock: Clock) -> None:
    await aerostack.cache.set("short", 1, ttl=10)
    await aerostack.cache.set("long", 1, ttl=20)
    await aerostack.cache.expire("long", 10.5)
    clock.now += 9.9
    assert await aerostack.cache.keys() == ("long", "short")
    clock.now = NOON + 10
    assert not (await aerostack.cache.get("short")).exists
    assert await aerostack.cache.keys() == ("long",)
    clock.now = NOON + 10.5
    assert await aerostack.cache.flush() == 0


async def test_setting_again_without_a_time_keeps_it_for_good(aerostack: Aerostack, clock: Clock) -> None:
    await aerostack.cache.set("key", 1, ttl=10)
    await aerostack.cache.set("key", 2)
    clock.now += 1e6
    assert (await aerostack.cache.get("key")).value == 2


async def test_the_time_of_an_increment_is_that_of_a_new_key(aerostack: Aerostack, clock: Clock) -> None:
    await aerostack.cache.increment("count", ttl=10)
    clock.now += 5
    assert await aerostack.cache.increment("count", ttl=10) == 2
    clock.now += 5
    assert await aerostack.cache.increment("count", 1, initial=100) == 101


async def test_a_list_is_read_page_by_page(aerostack: Aerostack) -> None:
    keys = [f"k{i:04}" for i in range(1203)]
    assert await aerostack.cache.set_many(dict.fromkeys([*keys, "other"], 1)) == 1204
    page = await aerostack.cache.list(prefix="k", limit=1000)
    assert [item.key for item in page.items] == keys[:1000]
    assert [item.key for item in (await aerostack.cache.list(prefix="k", cursor=page.cursor)).items] == keys[1000:1100]
    assert [item.key async for item in aerostack.cache.iterate(prefix="k")] == keys
    assert [entry.value for entry in await aerostack.cache.get_many([*keys, "none"])] == [1] * 1203 + [None]
    assert await aerostack.cache.delete_many([*keys, "none"]) == 1203
    assert await aerostack.cache.keys() == ("other",)


async def test_keys_and_flush_stop_at_ten_thousand(sandbox: Sandbox, post: Any) -> None:
    for start in range(0, 10_050, 100):
        entries = [{"key": f"{i:06}", "value": i} for i in range(start, min(start + 100, 10_050))]
        await post("setMany", {"entries": entries})
    listed = (await post("keys", {})).json
    assert (len(listed["keys"]), listed["truncated"]) == (10_000, True)
    assert [(await post("flush", {})).json["deleted"] for _ in range(3)] == [10_000, 50, 0]


@pytest.mark.parametrize(
    ("path", "body", "field", "message"),
    [
        ("get", {}, "key", "key is required"),
        ("get", {"key": None}, "key", "key is required"),
        ("get", {"key": " "}, "key", "key must not be empty"),
        ("get", {"key": 5}, "key", "key must be a string"),
        ("set", {"key": "a"}, "value", "value is required"),
        ("set", {"key": "a", "value": 1, "ttl": 0}, "ttl", "ttl must be more than 0"),
        ("set", {"key": "a", "value": 1, "ttl": "60"}, "ttl", "ttl must be a number"),
        ("set", {"key": "a", "value": 1, "ttl": True}, "ttl", "ttl must be a number"),
        ("expire", {"key": "a"}, "ttl", "ttl is required"),
        ("getMany", {}, "keys", "keys is required"),
        ("getMany", {"keys": "a"}, "keys", "keys must be an array"),
        ("getMany", {"keys": []}, "keys", "keys must have 1 to 100 items, not 0"),
        ("getMany", {"keys": ["a"] * 101}, "keys", "keys must have 1 to 100 items, not 101"),
        ("getMany", {"keys": ["a", 1]}, "keys[1]", "keys[1] must be a string"),
        ("deleteMany", {"keys": ["a"] * 501}, "keys", "keys must have 1 to 500 items, not 501"),
        (
            "setMany",
            {"entries": [{"key": "a", "value": 1}] * 101},
            "entries",
            "entries must have 1 to 100 items, not 101",
        ),
        (
            "setMany",
            {"entries": [{"key": "a", "value": 1}, {"value": 1}]},
            "entries[1].key",
            "entries[1].key is required",
        ),
        ("setMany", {"entries": [{"key": "a"}]}, "entries[0].value", "entries[0].value is required"),
        ("setMany", {"entries": [[]]}, "entries[0]", "entries[0] must be an object"),
        ("keys", {"prefix": 1}, "prefix", "prefix must be a string"),
        ("list", {"limit": 1001}, "limit", "limit must be at least 1 and at most 1000"),
        ("list", {"limit": 0}, "limit", "limit must be at least 1 and at most 1000"),
        ("list", {"limit": 1.5}, "limit", "limit must be an integer"),
        ("list", {"cursor": "ü"}, "cursor", "cursor was not returned by a list"),
        ("list", {"cursor": "_w=="}, "cursor", "cursor was not returned by a list"),
        ("increment", {"key": "text"}, "key", "key has a value that is not a number"),
        ("increment", {"key": "true"}, "key", "key has a value that is not a number"),
        ("increment", {"key": "a", "amount": "1"}, "amount", "amount must be a number"),
    ],
)
async def test_wrong_input_is_a_400_that_names_the_field(
    post: Any, path: str, body: Any, field: str, message: str
) -> None:
    await post("setMany", {"entries": [{"key": "text", "value": "1"}, {"key": "true", "value": True}]})
    response = await post(path, body)
    expected = {"code": "VALIDATION_ERROR", "message": message, "details": {"field": field}}
    assert (response.status, response.json) == (400, expected)
    assert (await post("keys", {})).json["keys"] == ["text", "true"]
