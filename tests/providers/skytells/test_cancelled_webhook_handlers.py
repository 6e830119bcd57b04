"""Handlers of webhooks that are cancelled: by themselves, or with their receiver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kellyapi import (
    SQLiteDeliveries,
    WebhookDelivery,
    WebhookReceiver,
)

from .webhook_calls import BODY, HEADERS, OK, SECRET
from .webhook_servers import KEY


def cancel_plainly(event: WebhookDelivery) -> None:
    raise asyncio.CancelledError("my own")


async def cancel_itself(event: WebhookDelivery) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def await_a_cancelled_task(event: WebhookDelivery) -> None:
    task = asyncio.create_task(asyncio.sleep(0))
    task.cancel()
    await task


@pytest.mark.parametrize("handler", [cancel_plainly, cancel_itself, await_a_cancelled_task])
@pytest.mark.parametrize("answer_first", [True, False])
async def test_a_handler_that_is_cancelled_by_itself_does_not_stop_those_after_it(
    handler: Callable[[WebhookDelivery], Any], answer_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[WebhookDelivery] = []
    receiver = WebhookReceiver(SECRET, answer_first=answer_first)
    receiver.on("*")(handler)
    receiver.on("*")(handler)
    receiver.on("*")(seen.append)
    assert (await receiver.handle(HEADERS, BODY))[0] == (200 if answer_first else 500)
    await receiver.close()
    assert len(seen) == 1
    assert caplog.text.count("a handler of succeeded failed for prediction p1") == 2


@pytest.mark.parametrize("error", [asyncio.CancelledError, OSError])
async def test_the_end_of_the_receiver_stops_the_handlers_after_a_cancelled_one(error: type[BaseException]) -> None:
    begun, seen = asyncio.Event(), list[WebhookDelivery]()
    store = SQLiteDeliveries(":memory:")
    receiver = WebhookReceiver(SECRET, store=store)

    @receiver.on("*")
    async def handle(event: WebhookDelivery) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise error

    receiver.on("*")(seen.append)
    assert await receiver.handle(HEADERS, BODY) == OK
    await begun.wait()
    await receiver.close(timeout=0)
    assert seen == []
    assert await store.recover() == [(KEY, BODY)]
    await store.close()
