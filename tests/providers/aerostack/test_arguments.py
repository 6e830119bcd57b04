"""Arguments of Aerostack's operations that are refused before anything is sent."""

from __future__ import annotations

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import Aerostack, Authentication, CacheItem

from .messages import Call


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda it: it.db.query(" "), ValueError),
        (lambda it: it.db.query("SELECT ?", "a"), TypeError),
        (lambda it: it.db.batch([("SELECT 1", ())] * 25 + [("", ())]), ValueError),
        (lambda it: it.cache.get_many("abc"), TypeError),
        (lambda it: it.cache.delete_many("abc"), TypeError),
        (lambda it: it.cache.delete_many([*"abc"] * 200 + [""]), ValueError),
        (lambda it: it.cache.set_many({**{str(n): n for n in range(100)}, " ": 1}), ValueError),
        (lambda it: it.cache.set_many([CacheItem("", 1)]), ValueError),
        (lambda it: it.cache.set("a", float("nan")), ValueError),
        (lambda it: it.cache.set("a", object()), TypeError),
        (lambda it: it.queue.enqueue("", {}), ValueError),
        (lambda it: it.search.query(" "), ValueError),
        (lambda it: it.search.ingest("", "faq"), ValueError),
        (lambda it: it.search.ingest("text", ""), ValueError),
        (lambda it: it.search.update("d1", ""), ValueError),
        (lambda it: it.auth.sign_up("", "longenough"), ValueError),
        (lambda it: it.auth.sign_in(" ", "longenough"), ValueError),
        (lambda it: it.gateway.chat("my-api", [], consumer="ask"), ValueError),
    ],
)
async def test_a_wrong_argument_is_refused_before_anything_is_sent(
    wire: Responses, aerostack: Aerostack, call: Call, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await call(aerostack)
    assert not wire.requests


def test_a_users_token_is_not_shown() -> None:
    assert "secret" not in repr(Authentication(token="secret"))


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("PRODUCTION", "https://api.aerostack.ai/v1"),
        ("DEV", "https://api.aerostack.dev/v1"),
        ("LOCAL", "http://localhost:8787/v1"),
    ],
)
async def test_each_named_address_works(wire: Responses, name: str, url: str) -> None:
    sent = respond(wire, "POST", f"{url}/cache/get", json={"value": 1, "exists": True})
    async with Aerostack("key", base_url=getattr(Aerostack, name)) as aerostack:
        await aerostack.cache.get("a")
    assert len(sent) == 1
