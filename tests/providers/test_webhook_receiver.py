"""`WebhookReceiver`: what is answered, who is called and how often, and waiting for a call. Issue 5, promise 19."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import flask
import httpx
import pytest
from aiohttp import ClientSession, web
from aioresponses import aioresponses as Responses
from exchanges import respond
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from flask import Flask
from servers import run_script

from kellyapi import (
    NO_RETRY,
    AuthenticationError,
    ConfigurationError,
    Deliveries,
    MemoryDeliveries,
    Prediction,
    PredictionFailedError,
    Skytells,
    SQLiteDeliveries,
    WaitTimeoutError,
    WebhookDelivery,
    WebhookReceiver,
    run_sync,
)
from kellyapi.providers.skytells.webhooks.receiver import MAX_BODY
from kellyapi.providers.skytells.webhooks.waiting import MAX_KNOWN_STATES

from .skytells.test_webhooks import BODY, HEADERS, SECRET, signed

PATH = "/webhooks/skytells"
OK = (200, {"ok": True})
JOB = "https://api.skytells.ai/v1/predictions/p1"


@pytest.fixture
def seen() -> list[WebhookDelivery]:
    return []


@pytest.fixture
def receiver(seen: list[WebhookDelivery]) -> WebhookReceiver:
    return listening(seen)


def listening(seen: list[WebhookDelivery], *secrets: str, **options: Any) -> WebhookReceiver:
    """Make a receiver that writes down what it hands on."""
    receiver = WebhookReceiver(*(secrets or (SECRET,)), **options)
    receiver.on("*")(seen.append)
    return receiver


def call(status: str = "succeeded", id: str = "p1", secret: str = SECRET, **more: Any) -> tuple[dict[str, str], bytes]:
    return signed({"id": id, "status": status, **more}, secret)


class Post(Protocol):
    """Sends one call."""

    port: int

    def __call__(self, headers: dict[str, str], body: Any) -> Awaitable[tuple[int, Any]]: ...


@asynccontextmanager
async def serving(receiver: WebhookReceiver, **options: Any) -> AsyncIterator[Post]:
    """Put a receiver into an application, and give what posts to it."""
    app = web.Application(**options)
    app.add_routes(receiver.routes(PATH))
    app.cleanup_ctx.append(receiver.cleanup_context)
    # Whoever was refused in the middle of a body may send the rest for 10 s: the end does not wait for that.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with ClientSession(f"http://127.0.0.1:{port}") as session:

        async def post(headers: dict[str, str], body: Any) -> tuple[int, Any]:
            data = io.BytesIO(body) if isinstance(body, bytes) else body
            async with session.post(PATH, headers=headers, data=data) as response:
                return response.status, await response.json()

        sends: Any = post
        sends.port = port  # for those who write the bytes themselves
        try:
            yield sends
        finally:
            await runner.cleanup()


async def talk(post: Post, head: str, *pieces: bytes, end: bool = True) -> bytes:
    """Send a request piece by piece, and read the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", post.port)
    try:
        for piece in (f"POST {PATH} HTTP/1.1\r\nHost: h\r\n{head}\r\n\r\n".encode(), *pieces):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if not end:
            return b""
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


# What is answered


LONG = b"[" + b" " * MAX_BODY + b"]"
CALLS: list[tuple[dict[str, str], bytes, int]] = [
    (HEADERS, BODY, 200),
    (*call("failed"), 200),
    (*signed({"type": "prediction.succeeded", "data": json.loads(BODY)}), 200),
    ({}, BODY, 401),
    (HEADERS, BODY + b" ", 401),
    (*call(secret="another"), 401),
    ({}, b"{", 401),
    (*signed(b"{"), 400),
    (*signed({}), 400),
    ({}, LONG, 413),
    (*signed(LONG), 413),
]


@pytest.mark.parametrize(("headers", "body", "status"), CALLS)
async def test_a_call_is_answered_by_what_it_is(
    receiver: WebhookReceiver, seen: list[WebhookDelivery], headers: dict[str, str], body: bytes, status: int
) -> None:
    said = await receiver.handle(headers, body)
    assert (said[0], said[1]["ok"]) == (status, status == 200)
    await receiver.close()
    assert len(seen) == (status == 200)
    async with serving(listening(seen)) as post:
        assert await post(headers, body) == said
    assert len(seen) == 2 * (status == 200)


async def test_a_mebibyte_is_taken_whatever_the_application_takes(seen: list[WebhookDelivery]) -> None:
    headers, body = signed(BODY.ljust(MAX_BODY))
    async with serving(listening(seen), client_max_size=10) as post:
        assert await post(headers, body) == OK
    assert [event.id for event in seen] == ["p1:succeeded"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_two_mebibytes_are_413_however_they_are_sent(seen: list[WebhookDelivery], chunked: bool) -> None:
    headers, body = signed(BODY.ljust(2 * MAX_BODY))

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 2**16):
            yield body[start : start + 2**16]

    async with serving(listening(seen)) as post:
        assert (await post(headers, pieces() if chunked else body))[0] == 413
        assert await post(HEADERS, BODY) == OK  # and the server goes on
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("head", "pieces"),
    [
        (f"Content-Length: {2 * MAX_BODY}", ()),
        ("Transfer-Encoding: chunked", (b"%x\r\n" % (MAX_BODY + 1), b" " * (MAX_BODY + 1))),
    ],
)
async def test_a_long_body_is_refused_before_it_has_arrived(
    receiver: WebhookReceiver, head: str, pieces: tuple[bytes, ...]
) -> None:
    async with serving(receiver) as post:
        assert (await talk(post, head, *pieces)).startswith(b"HTTP/1.1 413 ")


async def test_a_body_may_come_one_byte_at_a_time(receiver: WebhookReceiver, seen: list[WebhookDelivery]) -> None:
    head = f"x-skytells-SIGNATURE: {HEADERS['X-Skytells-Signature']}\r\nContent-Length: {len(BODY)}"
    async with serving(receiver) as post:
        assert (await talk(post, head, *(bytes([byte]) for byte in BODY))).startswith(b"HTTP/1.1 200 ")
    assert [event.id for event in seen] == ["p1:succeeded"]


@pytest.mark.parametrize("head", [f"Content-Length: {len(BODY) + 1}", "Transfer-Encoding: chunked"])
async def test_a_body_that_breaks_off_reaches_nobody(
    receiver: WebhookReceiver, seen: list[WebhookDelivery], caplog: pytest.LogCaptureFixture, head: str
) -> None:
    signature = f"X-Skytells-Signature: {HEADERS['X-Skytells-Signature']}"
    body = BODY if "Length" in head else b"%x\r\n%b\r\n" % (len(BODY), BODY)
    async with serving(receiver) as post:
        await talk(post, f"{signature}\r\n{head}", body, end=False)
        assert await post(*call("failed")) == OK
    assert [event.id for event in seen] == ["p1:failed"]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


# How often


@pytest.mark.parametrize("answer_first", [True, False])
async def test_a_hundred_repeats_at_once_are_one_event(seen: list[WebhookDelivery], answer_first: bool) -> None:
    async with serving(listening(seen, answer_first=answer_first)) as post:
        assert await asyncio.gather(*(post(HEADERS, BODY) for _ in range(100))) == [OK] * 100
    assert len(seen) == 1


async def test_one_state_is_one_event_in_each_form_and_spelling(
    receiver: WebhookReceiver, seen: list[WebhookDelivery]
) -> None:
    job = {"id": "p1", "status": "canceled"}
    for body in (job, job | {"status": "cancelled"}, {"type": "prediction.cancelled", "data": job}):
        assert await receiver.handle(*signed(body)) == OK
    await receiver.close()
    assert [event.name for event in seen] == ["canceled"]


async def test_other_states_and_other_jobs_are_other_events(
    receiver: WebhookReceiver, seen: list[WebhookDelivery]
) -> None:
    for status, id in [("started", "p1"), ("succeeded", "p1"), ("succeeded", "p2"), ("started", "p1")]:
        assert await receiver.handle(*call(status, id)) == OK
    await receiver.close()
    assert [event.id for event in seen] == ["p1:started", "p1:succeeded", "p2:succeeded"]


async def test_a_restart_forgets_nothing_that_is_in_a_file(seen: list[WebhookDelivery], tmp_path: Path) -> None:
    for _ in range(2):
        async with serving(listening(seen, store=SQLiteDeliveries(tmp_path / "seen.db"))) as post:
            assert await post(HEADERS, BODY) == OK
    assert len(seen) == 1


# Before the answer, or after


async def test_handlers_run_after_the_answer_by_default(receiver: WebhookReceiver) -> None:
    order: list[str] = []
    answered = asyncio.Event()

    @receiver.on("succeeded")
    async def handle(event: WebhookDelivery) -> None:
        await answered.wait()
        order.append("handled")

    async with serving(receiver) as post:
        assert await post(HEADERS, BODY) == OK
        order.append("answered")
        answered.set()
    assert order == ["answered", "handled"]


async def test_the_answer_is_on_the_wire_when_a_plain_handler_begins(receiver: WebhookReceiver) -> None:
    read, done = list[bytes](), asyncio.Event()

    async with serving(receiver) as post:
        with socket.create_connection(("127.0.0.1", post.port), timeout=20) as caller:

            @receiver.on("succeeded")
            def handle(event: WebhookDelivery) -> None:
                read.append(caller.recv(2**16))  # holds the loop: nothing can be sent meanwhile
                done.set()

            signature = f"X-Skytells-Signature: {HEADERS['X-Skytells-Signature']}\r\nContent-Length: {len(BODY)}"
            caller.sendall(f"POST {PATH} HTTP/1.1\r\nHost: h\r\n{signature}\r\n\r\n".encode() + BODY)
            await done.wait()
    assert read[0].startswith(b"HTTP/1.1 200 ")
    assert read[0].endswith(b'{"ok": true}')


async def test_handlers_run_before_the_answer_by_choice(seen: list[WebhookDelivery]) -> None:
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
        assert await post(*call("started")) == OK  # a whole exchange later, the first has no answer
        assert not first.done()
        may_end.set()
        assert await first == OK
        assert len(seen) == 1


async def test_after_the_answer_what_a_handler_raises_is_logged_and_stops_nothing(
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


async def test_before_the_answer_what_a_handler_raises_is_500_and_the_call_may_come_again(
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


async def test_a_repeat_that_comes_while_handlers_run_shares_their_outcome(seen: list[WebhookDelivery]) -> None:
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
async def test_a_caller_that_gives_up_does_not_stop_the_handlers(
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
async def test_a_handler_that_never_ends_is_stopped_and_its_event_may_come_again(answer_first: bool) -> None:
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


async def test_the_end_of_the_loop_stops_a_handler_quietly_and_its_event_may_come_again(tmp_path: Path) -> None:
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


async def test_a_call_that_cannot_be_remembered_is_not_accepted(seen: list[WebhookDelivery]) -> None:
    store: Deliveries = Broken()
    receiver = listening(seen, store=store)
    with pytest.raises(OSError, match="the disk is full"):
        await receiver.handle(HEADERS, BODY)
    store.broken = False  # type: ignore[attr-defined]  # it is a Broken
    assert await receiver.handle(HEADERS, BODY) == OK
    await receiver.close()
    assert len(seen) == 1


# Who is called


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
        await receiver.handle(*call(status, f"job-{status}"))
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
    assert callable(first)  # the decorator gives it back


def test_an_unknown_event_is_taken_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="'suceeded' is not a known event; the known ones are .*succeeded") as warned:
        WebhookReceiver(SECRET).on("suceeded")
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("name", "error"), [("", ValueError), (" ", ValueError), (print, TypeError), (None, TypeError)]
)
def test_what_is_no_name_is_refused(name: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        WebhookReceiver(SECRET).on(name)


# Secrets


async def accepts(receiver: WebhookReceiver, *secrets: str) -> list[bool]:
    return [(await receiver.handle(*call(id=secret, secret=secret)))[0] == 200 for secret in secrets]


async def test_secrets_are_rotated() -> None:
    assert await accepts(WebhookReceiver("old", "new"), "old", "new", "other") == [True, True, False]
    assert await accepts(WebhookReceiver("new", ""), "old", "new") == [False, True]
    assert await accepts(WebhookReceiver(" new\n"), "new") == [True]


@pytest.mark.parametrize(
    ("variables", "client", "secret"),
    [
        ({"SKYTELLS_WEBHOOK_SECRET": "hook", "SKYTELLS_API_KEY": "env"}, "client", "hook"),
        ({"SKYTELLS_WEBHOOK_SECRET": "", "SKYTELLS_API_KEY": "env"}, None, "env"),
        ({"SKYTELLS_API_KEY": " env\n"}, None, "env"),
        ({"SKYTELLS_API_KEY": "env"}, "client", "client"),
        ({}, "client", "client"),
        ({}, lambda: "asked", "asked"),
    ],
)
async def test_without_secrets_it_is_the_variable_else_the_key(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], client: Any, secret: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    receiver = WebhookReceiver(skytells=None if client is None else Skytells(client))
    assert receiver.routes(PATH)
    for other in {"hook", "env", "client", "asked"}:
        assert await accepts(receiver, other) == [other == secret]
    assert await accepts(WebhookReceiver("own"), "own", secret) == [True, False]


async def test_a_key_may_be_asked_for_with_await() -> None:
    async def key() -> str:
        return "asked"

    assert await accepts(WebhookReceiver(skytells=Skytells(key)), "asked", "other") == [True, False]


@pytest.mark.parametrize("secrets", [(), ("",), (" ", "")])
async def test_a_receiver_without_a_secret_accepts_nothing_and_makes_no_routes(
    monkeypatch: pytest.MonkeyPatch, secrets: tuple[str, ...]
) -> None:
    if secrets:  # what was given, and is blank, is not replaced
        monkeypatch.setenv("SKYTELLS_API_KEY", SECRET)
    receiver = WebhookReceiver(*secrets)
    with pytest.raises(ConfigurationError, match="no secret to verify webhooks with: pass a secret, or set SKYTELLS_"):
        receiver.routes(PATH)
    with pytest.raises(ConfigurationError):
        await receiver.handle(HEADERS, BODY)


@pytest.mark.parametrize("secret", [None, b"secret", ["secret"]])
def test_a_secret_that_is_no_string_is_a_type_error(secret: Any) -> None:
    with pytest.raises(TypeError, match="a secret must be a string"):
        WebhookReceiver(secret)


# Waiting for a call


class Time:
    """The time of the loop, which can be put forward."""

    ahead = 0.0

    def __init__(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self.ahead)


@pytest.fixture
async def time(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Time]:
    with monkeypatch.context() as patch:
        yield Time(asyncio.get_running_loop(), patch)


DONE = Prediction(id="p1", status="succeeded")
PENDING = Prediction(id="p1", status="pending")


@pytest.mark.parametrize("job", ["p1", PENDING])
async def test_a_call_that_comes_ends_the_waiting(receiver: WebhookReceiver, job: Any) -> None:
    waiting = [asyncio.create_task(receiver.wait_for(job, timeout=None)) for _ in range(3)]
    await asyncio.sleep(0)
    for each in (call("started"), call(id="p2"), ({}, BODY)):
        await receiver.handle(*each)
    assert not any(task.done() for task in waiting)
    await receiver.handle(HEADERS, BODY)
    assert await asyncio.gather(*waiting) == [DONE] * 3


async def test_a_call_that_came_before_counts_also_after_late_ones(receiver: WebhookReceiver) -> None:
    await receiver.handle(HEADERS, BODY)
    await receiver.handle(*call("started"))
    assert await receiver.wait_for("p1") == DONE


async def test_a_repeat_that_no_handler_sees_still_ends_the_waiting(seen: list[WebhookDelivery]) -> None:
    store = MemoryDeliveries()
    await store.claim("p1:succeeded")  # by another process
    receiver = listening(seen, store=store)
    waiting = asyncio.create_task(receiver.wait_for("p1"))
    await asyncio.sleep(0)
    await receiver.handle(HEADERS, BODY)
    assert (await waiting, seen) == (DONE, [])


async def test_a_job_that_has_ended_is_not_waited_for(receiver: WebhookReceiver) -> None:
    assert await receiver.wait_for(DONE) == DONE
    await receiver.handle(*call("started"))
    assert await receiver.wait_for(DONE, timeout=0.01) == DONE  # whatever an older call said


@pytest.mark.parametrize("status", ["failed", "cancelled", "canceled"])
@pytest.mark.parametrize("early", [True, False])
async def test_a_job_that_did_not_succeed_raises(receiver: WebhookReceiver, status: str, early: bool) -> None:
    if early:
        await receiver.handle(*call(status, response="no luck"))
    waiting = asyncio.create_task(receiver.wait_for("p1"))
    await asyncio.sleep(0)
    if not early:
        await receiver.handle(*call(status, response="no luck"))
    with pytest.raises(PredictionFailedError, match=f"prediction p1 {status}: no luck") as raised:
        await waiting
    assert raised.value.prediction.status == status


async def test_without_a_client_and_without_a_call_the_waiting_ends_in_time(
    receiver: WebhookReceiver, time: Time
) -> None:
    async def too_long(job: str | Prediction) -> WaitTimeoutError:
        waiting = asyncio.create_task(receiver.wait_for(job, timeout=60))
        await asyncio.sleep(0)
        time.ahead += 59
        await asyncio.sleep(0)
        assert not waiting.done()
        time.ahead += 1
        with pytest.raises(WaitTimeoutError, match="prediction p1 has not ended within 60 s") as raised:
            await waiting
        return raised.value

    assert (await too_long("p1")).prediction is None
    assert (await too_long(PENDING)).prediction == PENDING
    await receiver.handle(*call("started"))
    assert (await too_long(PENDING)).prediction.status == "started"


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
async def test_a_timeout_is_seconds(receiver: WebhookReceiver, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds, or None"):
        await receiver.wait_for("p1", timeout=timeout)


@pytest.fixture
async def polling(seen: list[WebhookDelivery]) -> AsyncIterator[WebhookReceiver]:
    """A receiver that can ask."""
    async with Skytells("key", retry=NO_RETRY) as skytells:
        yield listening(seen, skytells=skytells)


@pytest.mark.parametrize(("timeout", "after"), [(None, 5), (900, 5), (4, 2)])
async def test_when_no_call_comes_the_system_is_asked(
    wire: Responses, polling: WebhookReceiver, time: Time, timeout: float | None, after: float
) -> None:
    sent = respond(wire, "GET", JOB, json={"id": "p1", "status": "succeeded"})
    waiting = [asyncio.create_task(polling.wait_for("p1", timeout=timeout)) for _ in range(2)]
    await asyncio.sleep(0)
    time.ahead += after - 1
    await asyncio.sleep(0)
    assert not sent
    time.ahead += 1
    assert await waiting[0] == DONE
    assert await waiting[1] == DONE
    assert await polling.wait_for("p1") == DONE  # which is known now


async def test_the_system_is_not_asked_while_a_call_may_come(wire: Responses, polling: WebhookReceiver) -> None:
    waiting = asyncio.create_task(polling.wait_for("p1"))
    await asyncio.sleep(0)
    await polling.handle(HEADERS, BODY)
    assert await waiting == DONE
    assert not wire.requests


async def test_a_call_that_comes_while_the_system_is_asked_ends_the_waiting(
    wire: Responses, polling: WebhookReceiver
) -> None:
    sent = respond(wire, "GET", JOB, json={"id": "p1", "status": "processing"})
    waiting = asyncio.create_task(polling.wait_for("p1", poll_after=0))
    while not sent:  # noqa: ASYNC110  aioresponses tells nobody
        await asyncio.sleep(0)
    await polling.handle(HEADERS, BODY)
    assert await waiting == DONE
    assert asyncio.all_tasks() - polling._tasks == {asyncio.current_task()}


async def test_asking_too_long_carries_the_last_state(wire: Responses, polling: WebhookReceiver, time: Time) -> None:
    sent = respond(wire, "GET", JOB, json={"id": "p1", "status": "processing"}, repeat=True)
    waiting = asyncio.create_task(polling.wait_for("p1", timeout=60, poll_after=0))
    while not sent:  # noqa: ASYNC110  aioresponses tells nobody
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    time.ahead += 60
    with pytest.raises(WaitTimeoutError) as raised:
        await waiting
    assert raised.value.prediction == Prediction(id="p1", status="processing")


async def test_what_asking_raises_is_raised(wire: Responses, polling: WebhookReceiver) -> None:
    respond(wire, "GET", JOB, status=401, json={"status": False, "response": "Unauthorized"})
    with pytest.raises(AuthenticationError):
        await polling.wait_for("p1", poll_after=0)


@pytest.mark.parametrize("timeout", [None, 60])
async def test_a_timeout_of_the_key_function_is_not_taken_for_the_end_of_the_waiting(timeout: float | None) -> None:
    def key() -> str:
        raise TimeoutError("no key in time")

    async with Skytells(key) as skytells:
        with pytest.raises(TimeoutError, match="no key in time") as raised:
            await WebhookReceiver(SECRET, skytells=skytells).wait_for("p1", timeout=timeout, poll_after=0)
    assert raised.type is TimeoutError


@pytest.mark.parametrize("asking", [False, True])
async def test_waiting_that_is_cancelled_leaves_nothing(
    wire: Responses, polling: WebhookReceiver, asking: bool
) -> None:
    sent = respond(wire, "GET", JOB, json={"id": "p1", "status": "processing"}, repeat=True)
    waiting = asyncio.create_task(polling.wait_for("p1", poll_after=0 if asking else 60))
    while asking and not sent:  # noqa: ASYNC110  aioresponses tells nobody
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not polling._waiters._waiting


async def test_of_many_jobs_the_newest_states_are_kept(receiver: WebhookReceiver) -> None:
    for number in range(MAX_KNOWN_STATES + 1):
        await receiver.handle(*call(id=f"p{number}"))
    assert (await receiver.wait_for(f"p{MAX_KNOWN_STATES}")).status == "succeeded"
    forgotten = asyncio.create_task(receiver.wait_for("p0"))
    await asyncio.sleep(0)
    assert not forgotten.done()
    await receiver.handle(*call(id="p0"))
    assert (await forgotten).id == "p0"
    await receiver.close()


# Other servers


async def test_a_server_of_another_make_hands_over_headers_and_bytes(
    receiver: WebhookReceiver, seen: list[WebhookDelivery]
) -> None:
    app = FastAPI()

    @app.post(PATH)
    async def receive(request: Request) -> JSONResponse:
        status, said = await receiver.handle(request.headers, await request.body())
        return JSONResponse(said, status)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app.test") as client:
        answers = [await client.post(PATH, content=body, headers=headers) for headers, body, _ in CALLS]
    await receiver.close()
    assert [answer.status_code for answer in answers] == [status for _, _, status in CALLS]
    assert {event.id for event in seen} == {"p1:succeeded", "p1:failed"}


def test_a_server_without_a_loop_uses_run_sync(receiver: WebhookReceiver, seen: list[WebhookDelivery]) -> None:
    app = Flask("app")

    @app.post(PATH)
    def receive() -> tuple[dict[str, Any], int]:
        status, said = run_sync(receiver.handle(flask.request.headers, flask.request.get_data()))
        return said, status

    client = app.test_client()
    answers = [client.post(PATH, data=body, headers=headers) for headers, body, _ in CALLS]
    run_sync(receiver.close())
    assert [answer.status_code for answer in answers] == [status for _, _, status in CALLS]
    assert {event.id for event in seen} == {"p1:succeeded", "p1:failed"}
