"""Deliveries of processes that end while they handle them: another process handles them again, and only one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kellyapi import Prediction, SQLiteDeliveries, WebhookDelivery, WebhookReceiver

from .webhook_calls import BODY, HEADERS, OK, SECRET, signed
from .webhook_servers import KEY, Servers, leave_unfinished, unfinished


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        yield Servers(tmp_path / "deliveries.db", stack)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deliveries.db"


def receiver_of(file: Path, seen: list[WebhookDelivery], **options: Any) -> WebhookReceiver:
    receiver = WebhookReceiver(SECRET, store=SQLiteDeliveries(file), **options)
    receiver.on("*")(seen.append)
    return receiver


# Servers that are killed


@pytest.mark.parametrize("answer_first", [True, False])
async def test_a_delivery_whose_server_is_killed_is_handled_by_the_next_one(
    servers: Servers, answer_first: bool
) -> None:
    first = await servers.start(answer_first=answer_first, hangs=True)
    posting = asyncio.create_task(first.post(HEADERS, BODY))
    assert await first.handled() == KEY
    await first.kill()
    await asyncio.gather(posting, return_exceptions=True)
    second = await servers.start(answer_first=answer_first)
    assert await second.handled() == KEY
    assert await second.post(HEADERS, BODY) == OK  # repeated by the provider
    assert await second.stop() == []
    assert (unfinished(servers.file), servers.owner_files()) == (0, set())


@pytest.mark.parametrize("repeated", [True, False])
async def test_a_server_that_runs_handles_it_at_its_next_delivery(servers: Servers, repeated: bool) -> None:
    first, second = await servers.start(hangs=True), await servers.start()
    assert await first.post(HEADERS, BODY) == OK
    assert await first.handled() == KEY
    await first.kill()
    other = signed({"id": "p2", "status": "succeeded"})
    assert await second.post(*((HEADERS, BODY) if repeated else other)) == OK
    assert sorted(await second.stop()) == ([KEY] if repeated else [KEY, "p2:succeeded"])
    assert (unfinished(servers.file), servers.owner_files()) == (0, set())


async def test_a_repeat_reaches_no_other_server_while_the_first_still_handles_it(servers: Servers) -> None:
    first, second = await servers.start(hangs=True), await servers.start()
    assert await first.post(HEADERS, BODY) == OK
    assert await first.handled() == KEY
    for _ in range(3):
        assert await second.post(HEADERS, BODY) == OK
    assert await second.stop() == []
    third = await servers.start()
    assert await third.stop() == []
    assert len(servers.owner_files()) == 1
    assert unfinished(servers.file) == 1


async def test_of_several_servers_one_handles_each_delivery_of_a_killed_one(servers: Servers) -> None:
    first = await servers.start(hangs=True)
    calls = [signed({"id": f"p{number}", "status": "succeeded"}) for number in range(6)]
    for call in calls:
        assert await first.post(*call) == OK
    ids = sorted([await first.handled() for _ in calls])
    await first.kill()
    others = await asyncio.gather(*(servers.start() for _ in range(3)))
    repeats = [server.post(*call) for call in calls for server in others]
    assert await asyncio.gather(*repeats) == [OK] * len(repeats)
    handled = await asyncio.gather(*(server.stop() for server in others))
    assert sorted(id for ids_of_one in handled for id in ids_of_one) == ids
    assert servers.owner_files() == set()


async def test_the_owner_file_of_a_server_that_is_killed_while_it_does_nothing_is_removed(servers: Servers) -> None:
    first = await servers.start()
    before = servers.owner_files()
    assert len(before) == 1
    await first.kill()
    second = await servers.start()
    assert len(servers.owner_files()) == 1
    assert not servers.owner_files() & before
    await second.stop()
    assert servers.owner_files() == set()


async def test_a_delivery_that_is_finished_is_not_handled_again_after_a_kill(servers: Servers) -> None:
    first = await servers.start(answer_first=False)
    assert await first.post(HEADERS, BODY) == OK
    await first.kill()
    second = await servers.start()
    assert await second.post(HEADERS, BODY) == OK
    assert await second.stop() == []


# What is recovered


async def test_a_recovered_delivery_is_the_one_that_was_sent_and_ends_the_waiting(file: Path) -> None:
    seen: list[WebhookDelivery] = []
    body = (
        b'{"type": "prediction.failed", "created_at": "2026-03-04", "data": {"id": "p1", "status": "failed", "x": 1}}'
    )
    await leave_unfinished(file, BODY.replace(b"p1", b"p0"), body)
    receiver = receiver_of(file, seen)
    waiting = asyncio.create_task(receiver.wait_for("p0", timeout=None))
    await asyncio.sleep(0)
    await receiver.recover()
    assert await waiting == Prediction(id="p0", status="succeeded")
    await receiver.close()
    assert [(event.id, event.name, event.created_at) for event in seen] == [
        ("p0:succeeded", "succeeded", None),
        ("p1:failed", "prediction.failed", "2026-03-04"),
    ]
    assert seen[1].prediction.raw == {"id": "p1", "status": "failed", "x": 1}


async def test_a_repeat_shares_the_outcome_of_the_recovered_delivery(file: Path) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()
    seen: list[WebhookDelivery] = []
    await leave_unfinished(file, BODY)
    receiver = receiver_of(file, seen, answer_first=False)

    @receiver.on("*")
    async def fail_once(event: WebhookDelivery) -> None:
        begun.set()
        await may_end.wait()
        if len(seen) == 1:
            raise OSError

    await receiver.recover()
    await begun.wait()
    repeat = asyncio.create_task(receiver.handle(HEADERS, BODY))
    await asyncio.sleep(0)
    may_end.set()
    assert (await repeat)[0] == 500
    assert await receiver.handle(HEADERS, BODY) == OK  # released: the provider's retry is handled
    await receiver.close()
    assert (len(seen), unfinished(file)) == (2, 0)


async def test_with_the_response_first_a_handler_that_raises_is_not_called_again(file: Path) -> None:
    seen: list[WebhookDelivery] = []
    receiver = receiver_of(file, seen)
    receiver.on("*")(lambda event: 1 / 0)
    assert await receiver.handle(HEADERS, BODY) == OK
    await receiver.close()
    again = receiver_of(file, seen)
    await again.recover()
    assert await again.handle(HEADERS, BODY) == OK
    await again.close()
    assert (len(seen), unfinished(file)) == (1, 0)


async def test_a_delivery_that_is_stopped_is_handled_by_the_next_receiver(file: Path) -> None:
    begun, seen = asyncio.Event(), list[WebhookDelivery]()
    receiver = WebhookReceiver(SECRET, store=SQLiteDeliveries(file))

    @receiver.on("*")
    async def handle(event: WebhookDelivery) -> None:
        begun.set()
        await asyncio.Event().wait()

    assert await receiver.handle(HEADERS, BODY) == OK
    await begun.wait()
    await receiver.close(timeout=0)
    again = receiver_of(file, seen)
    await again.recover()
    await again.close()
    assert [event.id for event in seen] == [KEY]


async def test_a_stored_body_that_cannot_be_read_is_logged_and_stops_no_other(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[WebhookDelivery] = []
    await leave_unfinished(file, BODY.replace(b"p1", b"p0"), BODY)
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE unfinished SET body = ? WHERE key = 'p0:succeeded'", (b"{}",))
    connection.close()
    receiver = receiver_of(file, seen)
    await receiver.recover()
    await receiver.close()
    assert [event.id for event in seen] == [KEY]
    assert "the stored delivery of p0:succeeded cannot be read" in caplog.text
    assert unfinished(file) == 0


async def test_an_error_of_recovering_does_not_stop_the_delivery_that_has_arrived(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(SQLiteDeliveries):
        async def recover(self) -> list[tuple[str, bytes]]:
            raise OSError("the disk is gone")

        async def finish(self, key: str) -> None:
            raise OSError("the disk is full")

    seen: list[WebhookDelivery] = []
    receiver = WebhookReceiver(SECRET, store=Failing(":memory:"), answer_first=False)
    receiver.on("*")(seen.append)
    assert await receiver.handle(HEADERS, BODY) == OK
    await receiver.close()
    assert len(seen) == 1
    assert "cannot be recovered" in caplog.text
    assert "the end of the delivery of p1:succeeded cannot be stored" in caplog.text


# The application


async def test_an_application_does_not_start_with_a_store_that_cannot_be_used(tmp_path: Path) -> None:
    store = SQLiteDeliveries(tmp_path / "missing" / "deliveries.db")
    app = web.Application()
    app.cleanup_ctx.append(WebhookReceiver(SECRET, store=store).cleanup_context)
    runner = web.AppRunner(app)
    with pytest.raises(sqlite3.OperationalError, match=f"but there is no folder {tmp_path}/missing"):
        await runner.setup()
    await runner.cleanup()
