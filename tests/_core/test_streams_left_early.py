"""Streams that are left early free their connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from servers import Shop, asked, make_response

from kellyapi import ResponseStream
from kellyapi.services.chat_replies import ChatEventStream

from .cancelled_calls import tasks_but_the_servers, unfinished


async def leave_by_break(stream: AsyncIterator[bytes]) -> None:
    async for _ in stream:
        break


async def leave_by_an_error(stream: AsyncIterator[bytes]) -> None:
    async for _ in stream:
        raise LookupError


async def leave_unread(stream: AsyncIterator[bytes]) -> None:
    pass


async def leave_by_aclose(stream: Any) -> None:
    await anext(stream)
    await stream.aclose()


async def leave_by_a_timeout(stream: AsyncIterator[bytes]) -> None:
    async with asyncio.timeout(0.01):
        async for _ in stream:
            pass


async def leave_by_cancellation(stream: AsyncIterator[bytes]) -> None:
    task = asyncio.current_task()
    assert task is not None
    async for _ in stream:
        task.cancel()


LEAVINGS = (
    leave_by_break, leave_by_an_error, leave_unread, leave_by_aclose, leave_by_a_timeout, leave_by_cancellation
)  # fmt: skip
OPENINGS: dict[str, Callable[[Shop], Any]] = {
    "bytes": lambda shop: shop.listen(),
    "chat": lambda shop: shop._stream_events("/chat/completions", {}, into=ChatEventStream),
    "a response": lambda shop: shop._stream_events("/responses", {}, into=ResponseStream),
}


@pytest.mark.parametrize("leave", LEAVINGS)
@pytest.mark.parametrize("opening", OPENINGS)
async def test_leaving_a_stream_early_frees_its_connection_at_once(
    opening: str, leave: Callable[[Any], Awaitable[None]]
) -> None:
    async def use(shop: Shop) -> None:
        async with OPENINGS[opening](shop) as stream:
            await leave(stream)

    async with asked(unfinished, unfinished, make_response(), max_connections=1) as (shop, server):
        tasks = tasks_but_the_servers()
        for number in (1, 2):
            await asyncio.gather(asyncio.create_task(use(shop)), return_exceptions=True)
            await server.until(lambda: server.open == 0)
            assert (server.connections, tasks_but_the_servers()) == (number, tasks)
        async with asyncio.timeout(20):
            assert await shop.look() == {}
