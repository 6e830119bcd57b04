"""Handlers of a webhook receiver: when they run, which are called, what they raise."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from pathlib import Path
from typing import Any

import pytest
from processes import run_script

from kellyapi import Deliveries, MemoryDeliveries, SQLiteDeliveries, WebhookDelivery, WebhookReceiver

from .webhook_calls import BODY, HEADERS, OK, PATH, SECRET, call, listening, serving

# Before or after the response


async def test_handlers_run_after_the_response_by_default(receiver: WebhookReceiver) -> None:
    order: list[str] = []
    responded = asyncio.Event()

    @receiver.on("succeeded")
    async def handle(event: WebhookDelivery) -> None:
        await responded.wait()
        order.append("handled")

    async with serving(receiver) as post:
        assert await post(HEADERS, BODY) == OK
        order.append("responded")
        responded.set()
    assert order == ["responded", "handled"]


async def test_the_response_is_sent_before_a_plain_handler_begins(receiver: WebhookReceiver) -> None:
    read, done = list[bytes](), asyncio.Event()

    async with serving(receiver) as post:
        with socket.create_connection(("127.0.0.1", post.port), timeout=20) as caller:

            @receiver.on("succeeded")
            def handle(event: WebhookDelivery) -> None:
                read.append(caller.recv(2**16))  # blocks the loop: nothing can be sent meanwhile
                done.set()

            signature = f"X-Skytells-Signature: {HEADERS['X-Skytells-Signature']}\r\nContent-Length: {len(BODY)}"
            caller.sendall(f"POST {PATH} HTTP/1.1\r\nHost: h\r\n{signature}\r\n\r\n".encode() + BODY)
            await done.wait()
    assert read[0].startswith(b"HTTP/1.1 200 ")
    assert read[0].endswith(b'{"ok": true}')


async def test_handlers_can_run_before_the_response(seen: list[WebhookDelivery]) -> None:
    receiver = WebhookReceiver(SECRET, answer_first=False)
    begun, may_end = asyncio.Event(), asyncio.Event()

    @receiver.on("succeeded")
    async def handle(event: WebhookDelivery) -> None:
        begun.set()
        await may_end.wait()
        seen.append(event)

    async with serving(receiver) as post:
        first = asyncio.create_task(post(HEADERS, BODY))
        await begun.wait()
        assert await post(*call("started")) == OK  # after another complete request, the first has no response
        assert not first.done()
        may_end.set()
        assert await first == OK
        assert len(seen) == 1


async def test_an_error_of_a_handler_after_the_response_is_logged_and_stops_nothing(
    seen: list[WebhookDelivery], caplog: pytest.LogCaptureFixture
) -> None:
    receiver = WebhookReceiver(SECRET)

    @receiver.on("succeeded")
    def fail(event: WebhookDelivery) -> None:
        raise OSError("the disk is full")

    receiver.on("succeeded")(seen.append)
    async with serving(receiver) as post:
        for _ in range(2):
            assert await post(HEADERS, BODY) == OK
        assert await post(*call("failed")) == OK
    assert len(seen) == 1
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "a handler of succeeded failed for prediction p1"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], OSError)


async def test_an_error_of_a_handler_before_the_response_is_500_and_the_delivery_may_be_repeated(
    seen: list[WebhookDelivery],
) -> None:
    receiver = listening(seen, answer_first=False)

    @receiver.on("succeeded")
    async def fail_once(event: WebhookDelivery) -> None:
        if len(seen) < 2:
            raise OSError("the disk is full")

    async with serving(receiver) as post:
        status, said = await post(HEADERS, BODY)
        assert (status, said) == (500, {"ok": False, "error": "a handler failed"})
        assert [await post(HEADERS, BODY) for _ in range(2)] == [OK, OK]
    assert len(seen) == 2


async def test_a_repeated_delivery_while_handlers_run_shares_their_outcome(seen: list[WebhookDelivery]) -> None:
    receiver = listening(seen, answer_first=False)
    begun, may_fail = asyncio.Event(), asyncio.Event()

    @receiver.on("succeeded")
    async def fail(event: WebhookDelivery) -> None:
        begun.set()
        await may_fail.wait()
        raise OSError

    calls = [asyncio.create_task(receiver.handle(HEADERS, BODY)) for _ in range(3)]
    await begun.wait()
    may_fail.set()
    assert [status for status, _ in await asyncio.gather(*calls)] == [500] * 3
    assert len(seen) == 1


@pytest.mark.parametrize("answer_first", [True, False])
async def test_a_sender_that_disconnects_does_not_stop_the_handlers(
    seen: list[WebhookDelivery], answer_first: bool
) -> None:
    receiver = WebhookReceiver(SECRET, answer_first=answer_first)
    begun, may_end = asyncio.Event(), asyncio.Event()

    @receiver.on("*")
    async def handle(event: WebhookDelivery) -> None:
        begun.set()
        await may_end.wait()
        seen.append(event)

    calls = [asyncio.create_task(receiver.handle(HEADERS, BODY)) for _ in range(2)]
    if not answer_first:
        await begun.wait()
    else:
        await asyncio.sleep(0)  # it is at the store
    for calling in reversed(calls):
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
    gc.collect()
    may_end.set()
    await receiver.close()
    assert len(seen) == 1


async def test_the_end_of_the_application_waits_for_handlers(
    receiver: WebhookReceiver, seen: list[WebhookDelivery]
) -> None:
    steps: list[int] = []

    @receiver.on("succeeded")
    async def handle(event: WebhookDelivery) -> None:
        for step in range(50):
            await asyncio.sleep(0)
            steps.append(step)

    async with serving(receiver) as post:
        await post(HEADERS, BODY)
    assert steps == list(range(50))
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("answer_first", [True, False])
async def test_a_handler_that_never_ends_is_stopped_and_its_event_may_be_repeated(answer_first: bool) -> None:
    store = MemoryDeliveries()
    receiver = WebhookReceiver(SECRET, store=store, answer_first=answer_first)
    begun = asyncio.Event()

    @receiver.on("*")
    async def handle(event: WebhookDelivery) -> None:
        begun.set()
        await asyncio.Event().wait()

    calling = asyncio.create_task(receiver.handle(HEADERS, BODY))
    await begun.wait()
    await receiver.close(timeout=0)
    outcome = (await asyncio.gather(calling, return_exceptions=True))[0]
    assert outcome == OK if answer_first else isinstance(outcome, asyncio.CancelledError)
    assert await store.claim("p1:succeeded")


async def test_the_end_of_the_loop_stops_a_handler_quietly_and_its_event_may_be_repeated(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from kellyapi import SQLiteDeliveries, WebhookReceiver

async def main():
    receiver = WebhookReceiver("sk-test-key", store=SQLiteDeliveries(sys.argv[1]))
    begun = asyncio.Event()

    @receiver.on("*")
    async def handle(event):
        begun.set()
        await asyncio.Event().wait()

    print(await receiver.handle({"X-Skytells-Signature": sys.argv[2]}, sys.argv[3].encode()))
    await begun.wait()

asyncio.run(main())
"""
    path = str(tmp_path / "deliveries.db")
    assert await run_script(code, path, HEADERS["X-Skytells-Signature"], BODY.decode()) == str(OK)
    assert await SQLiteDeliveries(path).claim("p1:succeeded")


class Broken(MemoryDeliveries):
    """Fails at the first key."""

    broken = True

    async def claim(self, key: str) -> bool:
        if self.broken:
            raise OSError("the disk is full")
        return await super().claim(key)


async def test_a_delivery_that_cannot_be_stored_is_not_accepted(seen: list[WebhookDelivery]) -> None:
    store: Deliveries = Broken()
    receiver = listening(seen, store=store)
    with pytest.raises(OSError, match="the disk is full"):
        await receiver.handle(HEADERS, BODY)
    store.broken = False  # type: ignore[attr-defined]  # it is a Broken
    assert await receiver.handle(HEADERS, BODY) == OK
    await receiver.close()
    assert len(seen) == 1


# Which handlers are called


STATUSES = ["started", "starting", "succeeded", "failed", "canceled", "cancelled", "processing", "paused"]


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("succeeded", ["succeeded"]),
        ("completed", ["succeeded"]),
        ("prediction.succeeded", ["succeeded"]),
        ("failed", ["failed"]),
        ("prediction.failed", ["failed"]),
        ("canceled", ["canceled", "cancelled"]),
        ("cancelled", ["canceled", "cancelled"]),
        ("prediction.cancelled", ["canceled", "cancelled"]),
        ("started", ["started", "starting"]),
        ("*", ["started", "starting", "succeeded", "failed", "canceled", "cancelled", "processing", "paused"]),
        (
            "prediction.*",
            ["started", "starting", "succeeded", "failed", "canceled", "cancelled", "processing", "paused"],
        ),
    ],
)
async def test_a_handler_is_called_for_its_event_in_any_spelling(
    seen: list[WebhookDelivery], name: str, statuses: list[str]
) -> None:
    receiver = WebhookReceiver(SECRET)
    receiver.on(name)(seen.append)
    for status in ["started", "starting", "succeeded", "failed", "canceled", "cancelled", "processing", "paused"]:
        await receiver.handle(*call(status, f"prediction-{status}"))
    await receiver.close()
    assert sorted(event.prediction.status for event in seen) == sorted(statuses)


async def test_handlers_are_plain_or_async_and_are_called_in_order() -> None:
    receiver, order = WebhookReceiver(SECRET), list[str]()

    @receiver.on("succeeded")
    def first(event: WebhookDelivery) -> None:
        order.append("first")

    @receiver.on("*", "succeeded")
    async def second(event: WebhookDelivery) -> None:
        await asyncio.sleep(0)
        order.append("second")

    @receiver.on("failed", "completed")
    def third(event: WebhookDelivery) -> None:
        order.append("third")

    await receiver.handle(HEADERS, BODY)
    await receiver.close()
    assert order == ["first", "second", "third"]
    assert callable(first)  # the decorator returns it


def test_a_handler_of_an_unknown_event_is_accepted_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="'suceeded' is not a known event; the known ones are .*succeeded") as warned:
        WebhookReceiver(SECRET).on("suceeded")
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("name", "error"), [("", ValueError), (" ", ValueError), (print, TypeError), (None, TypeError)]
)
def test_an_event_name_that_is_no_name_is_refused(name: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        WebhookReceiver(SECRET).on(name)
