"""The webhooks that the sandbox calls: which events, in which form, in order, and again until they are taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from http_client import Ask, Clock
from servers import OK, Server, answer, reset

from kellyapi import KellyAPI, Sandbox, Webhook, WebhookDelivery, WebhookReceiver, verify_webhook
from kellyapi.sandbox.skytells.outgoing_webhooks import deliver_webhooks, reported_states

KEY = {"x-api-key": "sk-mine"}
INPUT = {"prompt": "a fox", "width": 64, "height": 64}
NOON = 1_772_625_600.0
"""2026-03-04 12:00 UTC."""
SECONDS = 100


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(clock=clock, prediction_time=SECONDS, webhook_retries=(0, 0)) as sandbox:
        yield sandbox


def watchers() -> list[asyncio.Task[Any]]:
    """Give the tasks that tell webhooks."""
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("webhook of")]


Create = Callable[..., Awaitable[Any]]


@pytest.fixture
def create(ask: Ask) -> Create:
    async def create(url: str, *events: str, prompt: str = INPUT["prompt"]) -> Any:  # type: ignore[assignment]
        webhook = {"url": url, "events": list(events)}
        order = {"model": "truefusion", "input": {**INPUT, "prompt": prompt}, "webhook": webhook}
        made = await ask("POST", "/v1/predictions", headers=KEY, json=order)
        assert made.status == 200, made
        return made.json

    return create


async def called(server: Server, times: int) -> list[WebhookDelivery]:
    """Wait for some calls, and read them."""
    await server.until(lambda: len(server.requests) == times and server.open == 0)
    return [verify_webhook(seen.headers, bytes(seen.body), "sk-mine") for seen in server.requests]


async def finish(ask: Ask, clock: Clock, id: str) -> Any:
    """Let a job's time pass, and wait until its work is done too."""
    clock.now += SECONDS
    while not (seen := (await ask("GET", f"/v1/predictions/{id}", headers=KEY)).json)["completed_at"]:
        pass
    return seen


async def test_a_job_tells_of_its_start_and_its_end_as_the_clock_goes(create: Create, ask: Ask, clock: Clock) -> None:
    async with Server(answer(204)) as server:
        made = await create(f"{server.url}/hook?job=1")
        clock.now += 10
        [started] = await called(server, 1)
        assert (started.prediction.id, started.type, started.prediction.ended) == (made["id"], "started", False)
        done = await finish(ask, clock, made["id"])
        _, end = await called(server, 2)
        assert end.type == "succeeded"
    first, second = server.requests
    assert (first.method, first.target, first.headers["content-type"]) == ("POST", "/hook?job=1", "application/json")
    assert json.loads(second.body) == done  # a bare prediction, as asking for it gives


@pytest.mark.parametrize("how", ["succeeded", "failed", "cancelled"])
@pytest.mark.parametrize(
    ("events", "family"),
    [
        ((), "started completed failed canceled"),
        (("started", "completed", "failed", "canceled"), "started completed failed canceled"),
        (
            tuple(f"prediction.{state}" for state in ("started", "succeeded", "failed", "cancelled")),
            "prediction.started prediction.succeeded prediction.failed prediction.cancelled",
        ),
    ],
)
async def test_both_families_of_events_are_told_each_in_its_form(
    create: Create, ask: Ask, clock: Clock, how: str, events: tuple[str, ...], family: str
) -> None:
    names = dict(zip(["started", "succeeded", "failed", "cancelled"], family.split(), strict=True))
    async with Server(OK) as server:
        made = await create(server.url, *events, prompt="fail please" if how == "failed" else "a fox")
        clock.now += SECONDS / 2
        await called(server, 1)
        if how == "cancelled":
            await ask("POST", f"/v1/predictions/{made['id']}/cancel", headers=KEY)
        await finish(ask, clock, made["id"])
        told = await called(server, 2)
    assert [event.type for event in told] == ["started", how]
    assert {event.prediction.id for event in told} == {made["id"]}
    bodies = [json.loads(seen.body) for seen in server.requests]
    if events and events[0].startswith("prediction."):
        assert [body["type"] for body in bodies] == [names["started"], names[how]]
        assert [sorted(body) for body in bodies] == [["created_at", "data", "type"]] * 2
        assert bodies[0]["created_at"] < bodies[1]["created_at"]
    else:
        assert [body["status"] for body in bodies] == ["started", how]


@pytest.mark.parametrize(
    ("events", "types"),
    [
        (["completed"], ["succeeded"]),
        (["prediction.completed"], ["succeeded"]),
        (["succeeded"], ["succeeded"]),
        (["failed", "prediction.succeeded"], ["succeeded"]),
        (["started"], ["started"]),
        (["prediction.paused", "succeeded"], ["succeeded"]),
    ],
)
async def test_only_what_was_asked_for_is_told(
    create: Create, ask: Ask, clock: Clock, events: list[str], types: list[str]
) -> None:
    async with Server(OK) as server:
        made = await create(server.url, *events)
        [watching] = watchers()
        await finish(ask, clock, made["id"])
        await watching
        told = await called(server, len(server.requests))
    assert [event.type for event in told] == types


async def test_a_job_that_is_cancelled_before_it_starts_tells_of_that_alone(create: Create, ask: Ask) -> None:
    async with Server(OK) as server:
        made = await create(server.url)
        await ask("POST", f"/v1/predictions/{made['id']}/cancel", headers=KEY)
        [told] = await called(server, 1)
    assert told.type == "cancelled"


@pytest.mark.parametrize("failure", [answer(500), answer(401), answer(302, Location="/"), b"no http\r\n\r\n", reset])
async def test_a_call_that_fails_is_sent_again_and_later_ones_wait(
    create: Create, ask: Ask, clock: Clock, failure: Any
) -> None:
    async with Server(failure, failure, OK) as server:
        made = await create(server.url)
        await finish(ask, clock, made["id"])
        told = await called(server, 4)
    assert [event.type for event in told] == ["started"] * 3 + ["succeeded"]
    assert len({(bytes(seen.body), seen.headers["x-skytells-signature"]) for seen in server.requests}) == 2


JOB = {
    "id": "p1",
    "model": "truefusion",
    "input": INPUT,
    "stream": False,
    "created": NOON,
    "seconds": SECONDS,
    "cancelled": None,
}


@pytest.mark.parametrize(
    ("cancelled", "failure", "finished", "now", "states"),
    [
        (None, None, None, 9.9, []),
        (None, None, None, 10, ["started"]),
        (None, None, 5, 99.9, ["started"]),
        (None, None, 5, 100, ["started", "succeeded"]),
        (None, "no", 5, 100, ["started", "failed"]),
        (9.9, None, None, 50, ["cancelled"]),
        (10, None, 5, 50, ["started", "cancelled"]),
    ],
)
def test_what_a_job_has_to_tell_depends_on_its_times(
    cancelled: float | None, failure: str | None, finished: float | None, now: float, states: list[str]
) -> None:
    job = JOB | {"cancelled": None if cancelled is None else NOON + cancelled}
    result = None if finished is None else {"id": "p1", "finished": NOON + finished, "failure": failure}
    assert reported_states(job, result, NOON + now) == states


async def test_the_start_of_a_job_is_told_as_it_was_however_late() -> None:
    async with Server(OK) as server:
        job = JOB | {"cancelled": NOON + 50, "webhook": {"url": server.url, "events": []}}

        async def find() -> tuple[dict[str, Any], None]:
            return job, None

        await deliver_webhooks(find, Clock(NOON + 60), key="sk-mine", origin="http://h", retries=())
        started, end = await called(server, 2)
    assert (started.type, started.prediction.completed_at) == ("started", None)
    assert (end.type, end.prediction.completed_at) == ("cancelled", "2026-03-04T12:00:50.000000Z")


async def test_a_call_is_given_up_after_its_retries_and_the_next_is_sent(
    create: Create, ask: Ask, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with Server(answer(500)) as server:
        made = await create(server.url)
        await finish(ask, clock, made["id"])
        told = await called(server, 6)
    assert [event.type for event in told] == ["started"] * 3 + ["succeeded"] * 3
    assert f"the webhook {server.url} did not accept a delivery: status 500" in caplog.messages


async def test_nobody_there_is_a_failure_like_others(
    create: Create, ask: Ask, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with Server() as gone:
        pass
    made = await create(gone.url)
    await finish(ask, clock, made["id"])
    async with Server(OK) as server:
        other = await create(server.url)
        await finish(ask, clock, other["id"])
        await called(server, 2)
    assert [message for message in caplog.messages if f"{gone.url} did not accept a delivery: Connection" in message]


@pytest.mark.parametrize("pauses", [[-1], [0.1, float("nan")], [float("inf")]])
def test_the_pauses_are_seconds(pauses: list[float]) -> None:
    with pytest.raises(ValueError, match="webhook_retries must be seconds, 0 or more"):
        Sandbox(webhook_retries=pauses)


async def test_closing_the_sandbox_ends_the_calls() -> None:
    sandbox = Sandbox(prediction_time=0, webhook_retries=(3600,))
    async with Server(answer(500)) as server, sandbox, sandbox.api() as api:
        await api.skytells.predictions.create("truefusion", INPUT, webhook=server.url)
        await server.until(lambda: len(server.requests) == 1)
        assert watchers()
        await sandbox.close()
        assert not watchers()


async def test_a_deleted_job_tells_nothing_more(create: Create, ask: Ask, clock: Clock, sandbox: Sandbox) -> None:
    async with Server(OK) as server:
        made = await create(server.url)
        assert (await ask("DELETE", f"/v1/predictions/{made['id']}", headers=KEY)).status == 200
        await asyncio.gather(*watchers())
        assert not server.requests


@pytest.mark.parametrize(
    ("url", "noted"),
    [
        ("https://hooks.example/skytells", True),
        ("http://10.0.0.1/skytells", True),
        ("http://127.0.0.1.example/skytells", True),
        ("http://user@hooks.example:80/127.0.0.1", True),
        ("http://localhost:1/", False),
        ("http://hooks.localhost:1/", False),
        ("http://127.8.9.1:1/", False),
        ("http://[::1]:1/", False),
    ],
)
async def test_other_machines_are_not_called_and_a_note_says_so(ask: Ask, url: str, noted: bool) -> None:
    order = {"model": "truefusion", "input": INPUT, "webhook": url}
    made = await ask("POST", "/v1/predict", headers=KEY, json=order)
    assert (made.status, made.json["webhook"]["url"]) == (200, url)
    assert ("this machine only" in made.headers.get("X-Sandbox-Note", "")) is noted
    assert bool(watchers()) is not noted


@pytest.mark.parametrize("events", ["completed", {"completed": True}, [1], 5])
async def test_events_that_are_no_array_of_strings_are_refused(ask: Ask, events: Any) -> None:
    order = {"model": "truefusion", "input": INPUT, "webhook": {"url": "http://localhost:1/", "events": events}}
    made = await ask("POST", "/v1/predict", headers=KEY, json=order)
    assert (made.status, made.json["response"]) == (422, "The webhook.events field must be an array of strings.")


# With the receiver


@asynccontextmanager
async def receiving(receiver: WebhookReceiver) -> AsyncIterator[str]:
    """Serve a receiver, and give its URL."""
    app = web.Application()
    app.add_routes(receiver.routes("/webhooks/skytells"))
    app.cleanup_ctx.append(receiver.cleanup_context)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/skytells"
    await runner.cleanup()


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[KellyAPI]:
    async with sandbox.api() as api:
        yield api


async def test_a_job_is_joined_with_its_call(api: KellyAPI, clock: Clock) -> None:
    receiver, told = WebhookReceiver(skytells=api.skytells), []
    receiver.on("started", "succeeded")(lambda event: told.append(event.type))
    async with receiving(receiver) as url:
        job = await api.skytells.predictions.create("truefusion", INPUT, webhook=Webhook(url))
        clock.now += SECONDS
        done = await receiver.wait_for(job, poll_after=600)
        assert (done.id, done.status) == (job.id, "succeeded")
    assert told == ["started", "succeeded"]


async def test_a_handler_that_fails_is_called_again(
    api: KellyAPI, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    receiver, told = WebhookReceiver("sandbox", answer_first=False), list[str]()
    done = asyncio.Event()

    @receiver.on("succeeded")
    async def fail_once(event: WebhookDelivery) -> None:
        told.append(event.id)
        if len(told) == 1:
            raise OSError("the disk is full")
        done.set()

    async with receiving(receiver) as url:
        job = await api.skytells.predictions.create("truefusion", INPUT, webhook=Webhook(url, ["completed"]))
        clock.now += SECONDS
        await done.wait()
    assert told == [f"{job.id}:succeeded"] * 2
    assert caplog.messages.count(f"a handler of succeeded failed for prediction {job.id}") == 1


async def test_without_a_call_the_sandbox_is_asked(api: KellyAPI, clock: Clock) -> None:
    receiver = WebhookReceiver(skytells=api.skytells)
    job = await api.skytells.predictions.create("truefusion", INPUT)
    clock.now += SECONDS
    assert (await receiver.wait_for(job, poll_after=0)).status == "succeeded"
