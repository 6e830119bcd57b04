"""The User-Agent of every request."""

from __future__ import annotations

import platform
from typing import Any

import aiohttp
import pytest
from servers import KEY, OK, Server, Shop, asked

import kellyapi

OURS = f"kellyapi/{kellyapi.__version__} python/{platform.python_version()} aiohttp/{aiohttp.__version__}"


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({}, OURS),
        ({"headers": {"X-Other": "a"}}, OURS),
        ({"headers": {"User-Agent": "bot/1.0 (+https://bot.example)"}}, f"bot/1.0 (+https://bot.example) {OURS}"),
        ({"headers": {"user-agent": "bot/1.0"}}, f"bot/1.0 {OURS}"),
    ],
)
async def test_the_library_names_itself_behind_the_name_of_the_user(options: Any, sent: str) -> None:
    async with asked(OK, **options) as (shop, server):
        await shop.buy()
        await shop.with_options(timeout=5).look()
        async with shop.listen() as stream:
            assert [piece async for piece in stream]
        assert [seen.headers["user-agent"] for seen in server.requests] == [sent] * 3


async def test_a_name_for_one_request_replaces_that_of_the_client() -> None:
    async with asked(OK, headers={"User-Agent": "bot/1.0"}) as (shop, server):
        await shop.request("GET", "/a", headers={"user-agent": "other/2.0"})
        assert server.requests[0].headers["user-agent"] == f"other/2.0 {OURS}"


async def test_a_download_from_elsewhere_names_the_library_only() -> None:
    async with asked(OK, headers={"User-Agent": "bot/1.0"}) as (shop, server):
        await shop.download(f"{server.url}/a")
        assert server.requests[0].headers["user-agent"] == OURS


@pytest.mark.parametrize(
    ("of_session", "options", "sent"),
    [
        ({}, {}, OURS),
        ({"User-Agent": "mine/1"}, {}, "mine/1"),
        ({"User-Agent": "mine/1"}, {"headers": {"User-Agent": "bot/1.0"}}, f"bot/1.0 {OURS}"),
    ],
)
async def test_the_name_of_a_session_of_the_user_stays(of_session: Any, options: Any, sent: str) -> None:
    async with aiohttp.ClientSession(headers=of_session) as session, Server(OK) as server:
        await Shop(KEY, base_url=server.url, session=session, **options).look()
        assert server.requests[0].headers["user-agent"] == sent
