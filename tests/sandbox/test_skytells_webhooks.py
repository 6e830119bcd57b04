"""Outgoing webhooks of the sandbox: events, bodies, order and retries; and the library's receiver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from http_client import Clock, Send
from servers import OK, Server, make_response, reset

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
    async with Sandbox(keep_engines=True, clock=clock, prediction_time=SECONDS, webhook_retries=(0, 0)) as sandbox:
        yield sandbox


def webhook_tasks() -> list[asyncio.Task[Any]]:
    """Return the running tasks that deliver webhooks."""
    return [task for task in asyncio.all_tasks() if task.get_name().startswith("webhook of")]


Create = Callable[..., Awaitable[Any]]


@pytest.fixture
def create(send: Send) -> Create:
    async def create(url: str, *events: str, prompt: str = INPUT["prompt"]) -> Any:  # type: ignore[assignment]
        webhook = {"url": url, "events": list(events)}
        order = {"model": "truefusion", "input": {**INPUT, "prompt": prompt}, "webhook": webhook}
        created = await send("POST", "/v1/predictions", headers=KEY, json=order)
        assert created.status == 200, created
        return created.json

    return create


async def wait_for_deliveries(server: Server, times: int) -> list[WebhookDelivery]:
    """Wait for a number of deliveries, and verify them."""
    await server.until(lambda: len(server.requests) == times and server.open == 0)
    return [verify_webhook(request.headers, bytes(request.body), "sk-mine") for request in server.requests]


async def finish(send: Send, clock: Clock, id: str) -> Any:
    """Let the time of a prediction pass, and poll it until its work is done."""
    clock.now += SECONDS
    while not (prediction := (await send("GET", f"/v1/predictions/{id}", headers=KEY)).json)["completed_at"]:  # noqa: ASYNC110  another process works
        await asyncio.sleep(0.01)
    return prediction


async def test_a_prediction_sends_events_when_it_starts_and_ends(create: Create, send: Send, clock: Clock) -> None:
    async with Server(make_response(204)) as server:
        created = await create(f"{server.url}/hook?job=1")
        clock.now += 10
        [started] = await wait_for_deliveries(server, 1)
        assert (started.prediction.id, started.type, started.prediction.ended) == (created["id"], "started", False)
        done = await finish(send, clock, created["id"])
        _, end = await wait_for_deliveries(server, 2)
        assert end.type == "succeeded"
    first, second = server.requests
    assert (first.method, first.target, first.headers["content-type"]) == ("POST", "/hook?job=1", "application/json")
    assert json.loads(second.body) == done  # the prediction itself, without an envelope


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
async def test_each_family_of_event_names_has_its_own_body(
    create: Create, send: Send, clock: Clock, how: str, events: tuple[str, ...], family: str
) -> None:
    names = dict(zip(["started", "succeeded", "failed", "cancelled"], family.split(), strict=True))
    async with Server(OK) as server:
        created = await create(server.url, *events, prompt="fail please" if how == "failed" else "a fox")
        clock.now += SECONDS / 2
        await wait_for_deliveries(server, 1)
        if how == "cancelled":
            await send("POST", f"/v1/predictions/{created['id']}/cancel", headers=KEY)
        await finish(send, clock, created["id"])
        deliveries = await wait_for_deliveries(server, 2)
    assert [event.type for event in deliveries] == ["started", how]
    assert {event.prediction.id for event in deliveries} == {created["id"]}
    bodies = [json.loads(request.body) for request in server.requests]
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
async def test_only_requested_events_are_sent(
    create: Create, send: Send, clock: Clock, events: list[str], types: list[str]
) -> None:
    async with Server(OK) as server:
        created = await create(server.url, *events)
        [webhook_task] = webhook_tasks()
        await finish(send, clock, created["id"])
        await webhook_task
        deliveries = await wait_for_deliveries(server, len(server.requests))
    assert [event.type for event in deliveries] == types


async def test_a_prediction_that_is_cancelled_before_it_starts_sends_one_event(create: Create, send: Send) -> None:
    async with Server(OK) as server:
        created = await create(server.url)
        await send("POST", f"/v1/predictions/{created['id']}/cancel", headers=KEY)
        [delivery] = await wait_for_deliveries(server, 1)
    assert delivery.type == "cancelled"


@pytest.mark.parametrize(
    "failure", [make_response(500), make_response(401), make_response(302, Location="/"), b"no http\r\n\r\n", reset]
)
async def test_a_failed_delivery_is_retried_before_later_events_are_sent(
    create: Create, send: Send, clock: Clock, failure: Any
) -> None:
    async with Server(failure, failure, OK) as server:
        created = await create(server.url)
        await finish(send, clock, created["id"])
        deliveries = await wait_for_deliveries(server, 4)
    assert [event.type for event in deliveries] == ["started"] * 3 + ["succeeded"]
    assert len({(bytes(request.body), request.headers["x-skytells-signature"]) for request in server.requests}) == 2


PREDICTION = {
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
def test_the_reported_states_depend_on_the_times_of_a_prediction(
    cancelled: float | None, failure: str | None, finished: float | None, now: float, states: list[str]
) -> None:
    prediction = PREDICTION | {"cancelled": None if cancelled is None else NOON + cancelled}
    result = None if finished is None else {"id": "p1", "finished": NOON + finished, "failure": failure}
    assert reported_states(prediction, result, NOON + now) == states


async def test_a_late_started_event_has_the_state_of_the_start() -> None:
    async with Server(OK) as server:
        prediction = PREDICTION | {"cancelled": NOON + 50, "webhook": {"url": server.url, "events": []}}

        async def find() -> tuple[dict[str, Any], None]:
            return prediction, None

        await deliver_webhooks(find, Clock(NOON + 60), key="sk-mine", origin="http://h", retries=())
        started, end = await wait_for_deliveries(server, 2)
    assert (started.type, started.prediction.completed_at) == ("started", None)
    assert (end.type, end.prediction.completed_at) == ("cancelled", "2026-03-04T12:00:50.000000Z")


async def test_after_its_retries_a_delivery_is_given_up_and_the_next_is_sent(
    create: Create, send: Send, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with Server(make_response(500)) as server:
        created = await create(server.url)
        await finish(send, clock, created["id"])
        deliveries = await wait_for_deliveries(server, 6)
    assert [event.type for event in deliveries] == ["started"] * 3 + ["succeeded"] * 3
    assert f"the webhook {server.url} did not accept a delivery: status 500" in caplog.messages


async def test_a_refused_connection_is_a_failed_delivery(
    create: Create, send: Send, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with Server() as closed_server:
        pass
    created = await create(closed_server.url)
    await finish(send, clock, created["id"])
    async with Server(OK) as server:
        other = await create(server.url)
        await finish(send, clock, other["id"])
        await wait_for_deliveries(server, 2)
    problem = f"{closed_server.url} did not accept a delivery: Connection"
    assert [message for message in caplog.messages if problem in message]


async def test_a_webhook_may_have_any_letters_and_spaces(create: Create, clock: Clock) -> None:
    async with Server(OK) as server:
        await create(f"{server.url}/ɛ b%20c?n=100% ŋ", "started")
        clock.now += 10
        await wait_for_deliveries(server, 1)
        assert server.requests[0].target == "/%C9%9B%20b%20c?n=100%25%20%C5%8B"


@pytest.mark.parametrize("pauses", [[-1], [0.1, float("nan")], [float("inf")]])
def test_webhook_retries_must_be_seconds(pauses: list[float]) -> None:
    with pytest.raises(ValueError, match=r"webhook_retries\[\d\] must be "):
        Sandbox(webhook_retries=pauses)


async def test_closing_the_sandbox_cancels_deliveries() -> None:
    sandbox = Sandbox(prediction_time=0, webhook_retries=(3600,))
    async with Server(make_response(500)) as server, sandbox, sandbox.api() as api:
        await api.skytells.predictions.create("truefusion", INPUT, webhook=server.url)
        await server.until(lambda: len(server.requests) == 1)
        assert webhook_tasks()
        await sandbox.close()
        assert not webhook_tasks()


async def test_a_deleted_prediction_sends_no_more_events(
    create: Create, send: Send, clock: Clock, sandbox: Sandbox
) -> None:
    async with Server(OK) as server:
        created = await create(server.url)
        assert (await send("DELETE", f"/v1/predictions/{created['id']}", headers=KEY)).status == 200
        await asyncio.gather(*webhook_tasks())
        assert not server.requests


@pytest.mark.parametrize(
    ("url", "has_note"),
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
async def test_webhooks_on_other_machines_are_not_called_and_a_note_says_so(
    send: Send, url: str, has_note: bool
) -> None:
    order = {"model": "truefusion", "input": INPUT, "webhook": url}
    created = await send("POST", "/v1/predict", headers=KEY, json=order)
    assert (created.status, created.json["webhook"]["url"]) == (200, url)
    assert ("this machine only" in created.headers.get("X-Sandbox-Note", "")) is has_note
    assert bool(webhook_tasks()) is not has_note


@pytest.mark.parametrize("events", ["completed", {"completed": True}, [1], 5])
async def test_events_must_be_an_array_of_strings(send: Send, events: Any) -> None:
    order = {"model": "truefusion", "input": INPUT, "webhook": {"url": "http://localhost:1/", "events": events}}
    created = await send("POST", "/v1/predict", headers=KEY, json=order)
    assert (created.status, created.json["response"]) == (422, "The webhook.events field must be an array of strings.")


# -- with the receiver -------------------------------------------------------------------------------------------------


@asynccontextmanager
async def receiving(receiver: WebhookReceiver) -> AsyncIterator[str]:
    """Serve a receiver, and yield its URL."""
    app = web.Application()
    app.add_routes(receiver.routes("/webhooks/skytells"))
    app.cleanup_ctx.append(receiver.cleanup_context)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/skytells"
    await runner.cleanup()


async def test_the_receiver_waits_for_the_delivery_of_a_prediction(api: KellyAPI, clock: Clock) -> None:
    receiver, deliveries = WebhookReceiver(skytells=api.skytells), []
    receiver.on("started", "succeeded")(lambda event: deliveries.append(event.type))
    async with receiving(receiver) as url:
        prediction = await api.skytells.predictions.create("truefusion", INPUT, webhook=Webhook(url))
        clock.now += SECONDS
        done = await receiver.wait_for(prediction, poll_after=600)
        assert (done.id, done.status) == (prediction.id, "succeeded")
    assert deliveries == ["started", "succeeded"]


async def test_a_handler_that_fails_is_called_again(
    api: KellyAPI, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    receiver, deliveries = WebhookReceiver("sandbox", answer_first=False), list[str]()
    done = asyncio.Event()

    @receiver.on("succeeded")
    async def fail_once(event: WebhookDelivery) -> None:
        deliveries.append(event.id)
        if len(deliveries) == 1:
            raise OSError("the disk is full")
        done.set()

    async with receiving(receiver) as url:
        prediction = await api.skytells.predictions.create("truefusion", INPUT, webhook=Webhook(url, ["completed"]))
        clock.now += SECONDS
        await done.wait()
    assert deliveries == [f"{prediction.id}:succeeded"] * 2
    assert caplog.messages.count(f"a handler of succeeded failed for prediction {prediction.id}") == 1


async def test_the_receiver_polls_when_no_delivery_comes(api: KellyAPI, clock: Clock) -> None:
    receiver = WebhookReceiver(skytells=api.skytells)
    prediction = await api.skytells.predictions.create("truefusion", INPUT)
    clock.now += SECONDS
    assert (await receiver.wait_for(prediction, poll_after=0)).status == "succeeded"
