"""Long heads of responses: up to 64 KiB in a header and 1,000 headers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from servers import Server, Shop, asked, make_response

from kellyapi import TransportError

KIB = 2**10


def many(number: int) -> dict[str, str]:
    """Return so many headers, with the two that each response has."""
    return {f"X_{place}": "a" for place in range(number - 2)}


HEADS = {
    "a long header": make_response(X_Long="a" * 64 * KIB),
    "two long headers": make_response(X_Long="a" * 64 * KIB, X_Long_Too="a" * 64 * KIB),
    "many headers": make_response(**many(990)),
    "many cookies": make_response(**{f"Set_Cookie_{place}": "a" * 400 for place in range(300)}),
    "a long reason": b"HTTP/1.1 200 " + b"a" * 60 * KIB + b"\r\nContent-Length: 2\r\n\r\n{}",
}
TOO_LONG = {
    "a longer header": (make_response(X_Long="a" * 70 * KIB), "cannot be read: Got more than"),
    "more headers": (make_response(**many(1100)), "cannot be read: Too many headers"),
}


@asynccontextmanager
async def asked_over(kind: str, script: bytes) -> AsyncIterator[tuple[Shop, Server]]:
    """Yield a client with its own session, or with one of the user."""
    if kind == "our session":
        async with asked(script) as pair:
            yield pair
        return
    limits: dict[str, Any] = {"max_field_size": 100, "max_headers": 10} if kind == "a narrow session" else {}
    async with aiohttp.ClientSession(**limits) as session, asked(script, session=session) as pair:
        yield pair


each_session = pytest.mark.parametrize("kind", ["our session", "a user's session", "a narrow session"])


@each_session
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
async def test_a_long_head_is_read(kind: str, head: bytes) -> None:
    async with asked_over(kind, head) as (shop, server):
        assert await shop.buy() == {}
        assert len(server.requests) == 1


@each_session
@pytest.mark.parametrize("case", TOO_LONG)
async def test_a_longer_head_is_a_transport_error_that_says_so(kind: str, case: str) -> None:
    head, problem = TOO_LONG[case]
    async with asked_over(kind, head) as (shop, server):
        with pytest.raises(TransportError, match=problem) as caught:
            await shop.buy()
        assert (caught.value.outcome_unknown, len(server.requests)) == (True, 1)


async def test_a_session_that_allows_more_keeps_its_limits() -> None:
    script = make_response(X_Long="a" * 100 * KIB)
    async with aiohttp.ClientSession(max_field_size=200 * KIB) as session, asked(script, session=session) as (shop, _):
        assert await shop.buy() == {}
