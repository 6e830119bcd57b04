"""Waiting for predictions and webhooks is cancelled at any moment."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing
from itertools import count
from random import Random
from typing import Any

import pytest
from _core.cancelled_calls import (
    EVENTS,
    LINES,
    TURNS,
    WAITS_CANCELLED,
    Reply,
    cancel_each,
    closed_but,
    open_files,
    slow,
    tasks_but_the_servers,
)
from attrs import field, frozen
from servers import KEY, Seen, Server, make_response

from kellyapi import NO_RETRY, Skytells, WebhookReceiver
from kellyapi.providers.skytells.webhooks.verification import SIGNATURE_HEADER

POLLS = 2
"""Polls of a prediction that find it running."""
RUNNING, DONE, CANCELED = "processing", "succeeded", "canceled"


def prediction_server() -> Reply:
    """Make the responses of a provider whose predictions run for a few polls, and then succeed."""
    polls: Counter[str] = Counter()
    numbers = count()

    def prediction(id: str, status: str) -> bytes:
        return make_response(body=json.dumps({"id": id, "status": status, "output": ["https://a.example/a"]}).encode())

    def reply(seen: Seen) -> bytes:
        if seen.target in EVENTS:
            said = [f"data: {json.dumps(event)}\n\n" for event in EVENTS[seen.target]]
            return make_response(body="".join([*said, "data: [DONE]\n\n"]).encode(), kind="text/event-stream")
        if seen.target == "/predict":
            return prediction(f"created-{next(numbers)}", RUNNING)
        id, _, cancels = seen.target.removeprefix("/predictions/").partition("/")
        polls[id] += 1
        return prediction(id, CANCELED if cancels else RUNNING if polls[id] <= POLLS else DONE)

    return reply


@frozen
class Waiting:
    """Clients that wait for a prediction."""

    skytells: Skytells
    polling: WebhookReceiver
    """It polls if no delivery comes."""
    not_polling: WebhookReceiver
    """It does not poll."""
    numbers: Iterator[int] = field(factory=count)

    def prediction(self) -> str:
        return f"prediction-{next(self.numbers)}"


async def follow(one: Waiting) -> bool:
    async with aclosing(one.skytells.predictions.follow(one.prediction(), interval=0)) as states:
        return [state.status async for state in states] == [RUNNING, DONE]


async def wait(one: Waiting) -> bool:
    return (await one.skytells.predictions.wait(one.prediction(), interval=0)).ended


async def wait_or_cancel(one: Waiting) -> bool:
    return (await one.skytells.predictions.wait(one.prediction(), interval=0, cancel_on_exit=True)).ended


async def run(one: Waiting) -> bool:
    return (await one.skytells.run("m", {}, interval=0, cancel_on_exit=True)).ended


async def wait_for_delivery(one: Waiting) -> bool:
    """Wait for a delivery that comes after a few turns of the loop."""
    id = one.prediction()
    body = json.dumps({"id": id, "status": DONE}).encode()
    headers = {SIGNATURE_HEADER: hmac.digest(KEY.encode(), body, "sha256").hex()}

    async def call() -> None:
        for _ in range(TURNS // 3):
            await asyncio.sleep(0)
        await one.not_polling.handle(headers, body)

    async with asyncio.TaskGroup() as group:
        group.create_task(call())
        return (await one.not_polling.wait_for(id)).ended


async def poll_after_all(one: Waiting) -> bool:
    return (await one.polling.wait_for(one.prediction(), poll_after=0)).ended


async def talk(one: Waiting) -> bool:
    async with one.skytells.chat.stream("m", "hi") as stream:
        return "".join([piece async for piece in stream]) == "Good morning"


async def respond(one: Waiting) -> bool:
    async with one.skytells.responses.stream("m", "hi") as stream:
        return len([event async for event in stream]) == len(EVENTS["/responses"])


WAITS = (follow, wait, wait_or_cancel, run, wait_for_delivery, poll_after_all, talk, respond)


@pytest.mark.parametrize("wait", WAITS)
async def test_every_kind_of_waiting_can_be_cancelled_at_any_moment_and_leaves_nothing(
    wait: Callable[[Waiting], Coroutine[Any, Any, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "kellyapi.providers.skytells.predictions.polling.FIRST_PAUSE", 0.0
    )  # `wait_for` has no interval
    random = Random(3)
    async with Server(slow(random, prediction_server())) as server:
        tasks, files = tasks_but_the_servers(), open_files()
        async with Skytells(KEY, base_url=server.url, max_connections=LINES, retry=NO_RETRY) as skytells:
            one = Waiting(skytells, WebhookReceiver(skytells=skytells), WebhookReceiver(KEY))
            ends: list[Any] = []
            for _ in range(WAITS_CANCELLED // 25):
                ends += await cancel_each([wait(one) for _ in range(25)], random)
            cancelled = [end for end in ends if isinstance(end, asyncio.CancelledError)]
            assert len(cancelled) > WAITS_CANCELLED / 10
            assert [end for end in ends if not (end is True or isinstance(end, asyncio.CancelledError))] == []
            for _ in range(1000):  # those that cancel a prediction run a little longer
                if tasks_but_the_servers() <= tasks:
                    break
                await asyncio.sleep(0)
            assert tasks_but_the_servers() <= tasks
            assert not one.polling._waiters._waiting
            assert not one.not_polling._waiters._waiting
            await server.until(lambda: server.open <= LINES)
            assert await asyncio.gather(*(wait(one) for _ in range(10 * LINES))) == [True] * (10 * LINES)
        await server.until(lambda: server.open == 0)
        await closed_but(files)
