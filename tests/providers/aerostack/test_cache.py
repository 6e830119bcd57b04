"""Aerostack's batches, split at the limits of the provider, and its pages with their two opposite flags."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import Sent, respond

from kellyapi import Aerostack, BatchedResult, CacheEntry, ServerError

BASE = "https://api.aerostack.ai/v1"


def respond_in_order(wire: Responses, path: str, *replies: Any) -> list[list[Sent]]:
    """Respond to the next requests to one path, in order."""
    return [respond(wire, "POST", f"{BASE}{path}", json=reply) for reply in replies]


def bodies(sent: list[list[Sent]]) -> list[Any]:
    """Return the bodies that were sent, in order."""
    return [one.json for each in sent for one in each]


# Batches


KEYS = [f"k{number}" for number in range(1001)]


@pytest.mark.parametrize(("number", "sizes"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
async def test_more_than_100_keys_are_read_in_several_requests_and_in_order(
    wire: Responses, aerostack: Aerostack, number: int, sizes: list[int]
) -> None:
    keys = KEYS[:number]
    parts = [keys[start : start + 100] for start in range(0, number, 100)]
    sent = respond_in_order(
        wire, "/cache/getMany", *({"results": [{"key": k, "value": k} for k in part]} for part in parts)
    )
    assert await aerostack.cache.get_many(iter(keys)) == tuple(CacheEntry(key, key=key) for key in keys)
    assert bodies(sent) == [{"keys": part} for part in parts]
    assert [len(part) for part in parts] == sizes


async def test_more_than_100_entries_are_set_in_several_requests_and_counted_together(
    wire: Responses, aerostack: Aerostack
) -> None:
    sent = respond_in_order(wire, "/cache/setMany", {"success": True, "count": 100}, {"success": True, "count": 7})
    assert await aerostack.cache.set_many(dict.fromkeys(KEYS[:107], 1)) == 107
    entries = [{"key": key, "value": 1} for key in KEYS[:107]]
    assert bodies(sent) == [{"entries": entries[:100]}, {"entries": entries[100:]}]


async def test_more_than_500_keys_are_deleted_in_several_requests_and_counted_together(
    wire: Responses, aerostack: Aerostack
) -> None:
    replies = [{"success": True, "count": 500, "deleted": number} for number in (500, 3, 1)]
    sent = respond_in_order(wire, "/cache/deleteMany", *replies)
    assert await aerostack.cache.delete_many(KEYS) == 504
    assert bodies(sent) == [{"keys": KEYS[:500]}, {"keys": KEYS[500:1000]}, {"keys": KEYS[1000:]}]


async def test_more_than_25_queries_are_sent_in_several_requests_and_one_failure_fails_the_whole_batch(
    wire: Responses, aerostack: Aerostack
) -> None:
    good, bad = {"success": True, "results": [{"a": 1}]}, {"success": False, "error": "no such table"}
    sent = respond_in_order(
        wire,
        "/db/batch",
        {"success": False, "results": [bad] + [good] * 24},
        {"success": True, "results": [good] * 25},
        {"success": True, "results": [good]},
    )
    done = await aerostack.db.batch((f"SELECT {number}", (number,)) for number in range(51))
    assert (done.success, len(done.results)) == (False, 51)
    assert done.results[0] == BatchedResult(False, error="no such table")
    queries = [{"sql": f"SELECT {number}", "params": [number]} for number in range(51)]
    assert bodies(sent) == [{"queries": queries[start : start + 25]} for start in (0, 25, 50)]


async def test_an_empty_batch_succeeds_without_a_request(wire: Responses, aerostack: Aerostack) -> None:
    assert (await aerostack.db.batch([])).success
    assert await aerostack.cache.set_many({}) == await aerostack.cache.delete_many([]) == 0
    assert not wire.requests


async def test_a_truncated_list_of_keys_is_logged(
    wire: Responses, aerostack: Aerostack, caplog: pytest.LogCaptureFixture
) -> None:
    respond_in_order(wire, "/cache/keys", {"keys": ["a"], "truncated": True})
    with caplog.at_level(logging.WARNING):
        assert await aerostack.cache.keys() == ("a",)
    assert "the first 1 keys only" in caplog.text


# Pages


Iterate = Callable[[Aerostack], AsyncIterator[Any]]
LISTS: dict[str, tuple[Iterate, str, dict[str, Any], Callable[[list[str], bool, str | None], dict[str, Any]]]] = {
    "cache": (
        lambda it: it.cache.iterate(prefix="a"),
        "/cache/list",
        {"prefix": "a", "limit": 1000},
        lambda names, more, cursor: {"keys": [{"key": n} for n in names], "list_complete": not more, "cursor": cursor},
    ),
    "queue": (
        lambda it: it.queue.iterate(status="queued", type="mail"),
        "/queue/jobs",
        {"status": "queued", "type": "mail", "limit": 200},
        lambda names, more, cursor: {
            "jobs": [{"id": n, "status": "queued"} for n in names],
            "list_complete": not more,
            "cursor": cursor,
        },
    ),
    "storage": (
        lambda it: it.storage.iterate(prefix="a"),
        "/storage/list",
        {"prefix": "a", "limit": 1000},
        lambda names, more, cursor: {"objects": [{"key": n} for n in names], "truncated": more, "cursor": cursor},
    ),
}


def names(items: list[Any]) -> list[str]:
    """Return the name of each item."""
    return [getattr(item, "key", None) or item.id for item in items]


@pytest.mark.parametrize("which", LISTS)
async def test_all_pages_are_iterated_with_either_flag_for_more(
    wire: Responses, aerostack: Aerostack, which: str
) -> None:
    iterate, path, asked, page = LISTS[which]
    sent = respond_in_order(
        wire, path, page(["a1", "a2"], True, "c1"), page([], True, "c2"), page(["a3"], False, "left over")
    )
    assert names([item async for item in iterate(aerostack)]) == ["a1", "a2", "a3"]
    assert bodies(sent) == [asked, {**asked, "cursor": "c1"}, {**asked, "cursor": "c2"}]


@pytest.mark.parametrize("which", LISTS)
async def test_a_page_without_a_new_cursor_is_the_last(wire: Responses, aerostack: Aerostack, which: str) -> None:
    iterate, path, _, page = LISTS[which]
    respond_in_order(wire, path, page(["a1"], True, None))
    assert names([item async for item in iterate(aerostack)]) == ["a1"]
    sent = respond_in_order(wire, path, page(["a1"], True, "c1"), page(["a2"], True, "c1"))
    assert names([item async for item in iterate(aerostack)]) == ["a1", "a2"]
    assert len(bodies(sent)) == 2


@pytest.mark.parametrize("which", LISTS)
async def test_no_page_is_requested_before_it_is_needed(wire: Responses, aerostack: Aerostack, which: str) -> None:
    iterate, path, _, page = LISTS[which]
    sent = respond_in_order(wire, path, page(["a1"], True, "c1"))
    async for _ in iterate(aerostack):
        break
    assert len(bodies(sent)) == 1


async def test_a_failure_in_the_middle_ends_the_iteration(wire: Responses, aerostack: Aerostack) -> None:
    iterate, path, _, page = LISTS["cache"]
    respond_in_order(wire, path, page(["a1"], True, "c1"))
    respond(wire, "POST", f"{BASE}{path}", status=500, json={"code": "INTERNAL_ERROR", "message": "no"})
    seen = []

    async def read() -> None:
        async for item in iterate(aerostack):
            seen.append(item)

    with pytest.raises(ServerError):
        await read()
    assert names(seen) == ["a1"]


@pytest.mark.parametrize("exists", [True, False])
async def test_an_entry_has_its_key_and_a_key_is_known_to_exist(
    wire: Responses, aerostack: Aerostack, exists: bool
) -> None:
    body = {"value": None, "exists": exists}
    sent = respond(wire, "POST", f"{BASE}/cache/get", json=body)
    entry = await aerostack.cache.get("a")
    assert (entry.key, entry.exists, entry.raw) == ("a", exists, body)
    respond(wire, "POST", f"{BASE}/cache/get", json=body)
    assert await aerostack.cache.exists("a") is exists
    assert sent[0].json == {"key": "a"}
