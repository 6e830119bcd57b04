"""One prediction at Skytells: which is meant, its webhook, its named addresses."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import KellyAPIError, Prediction, Skytells, Webhook, WebhookEvent

from .messages import BASE, DONE, GONE, KEY

PREDICTION = Prediction(id="a1", status="processing")


# One prediction


Call = Callable[[Skytells, Any], Awaitable[Any]]
ONE_JOB: list[tuple[Call, str, str, Any, Any]] = [
    (lambda it, id: it.predictions.get(id), "GET", "", DONE, Prediction(id="a1", status="succeeded")),
    (lambda it, id: it.predictions.wait(id), "GET", "", DONE, Prediction(id="a1", status="succeeded")),
    (
        lambda it, id: it.predictions.stream_info(id),
        "GET",
        "/stream",
        {**DONE, "urls": {"stream": "https://s.example", "cancel": None}},
        Prediction(id="a1", status="succeeded", urls={"stream": "https://s.example"}),
    ),
    (lambda it, id: it.predictions.cancel(id), "POST", "/cancel", GONE, Prediction(id="a1", status="cancelled")),
    (lambda it, id: it.predictions.cancel(id), "POST", "/cancel", {"success": True}, None),
    (lambda it, id: it.predictions.delete(id), "DELETE", "/delete", GONE, Prediction(id="a1", status="cancelled")),
    (lambda it, id: it.predictions.delete(id), "DELETE", "/delete", {"success": True}, None),
]


@pytest.mark.parametrize("id", ["a1", PREDICTION], ids=["id", "prediction"])
@pytest.mark.parametrize(("call", "method", "path", "reply", "result"), ONE_JOB)
async def test_a_prediction_is_named_by_its_id_or_an_earlier_state(
    wire: Responses, skytells: Skytells, id: Any, call: Call, method: str, path: str, reply: Any, result: Any
) -> None:
    sent = respond(wire, method, f"{BASE}/predictions/a1{path}", json=reply)
    assert await call(skytells, id) == result
    assert [(one.headers, one.body) for one in sent] == [(KEY, b"")]


async def test_following_and_downloading_take_a_prediction_too(
    wire: Responses, skytells: Skytells, tmp_path: Path
) -> None:
    respond(wire, "GET", f"{BASE}/predictions/a1", json=DONE, repeat=True)
    assert [state.status async for state in skytells.predictions.follow(PREDICTION)] == ["succeeded"]
    assert await skytells.predictions.download(PREDICTION, tmp_path) == ()


@pytest.mark.parametrize("id", [None, 1, {"id": "a1"}, b"a1"])
async def test_an_argument_that_names_no_prediction_is_a_type_error(
    wire: Responses, skytells: Skytells, id: Any
) -> None:
    with pytest.raises(TypeError, match="prediction must be a string or a Prediction"):
        await skytells.predictions.get(id)
    assert not wire.requests


# Webhooks


async def test_a_webhook_in_the_form_of_the_official_package_is_accepted(wire: Responses, skytells: Skytells) -> None:
    sent = respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    await skytells.predictions.create("m", {}, webhook={"url": "https://h.example", "events": ["failed"]})
    assert json.loads(sent[0].body)["webhook"] == {"url": "https://h.example", "events": ["failed"]}


ALL = ["started", "completed", "failed", "canceled"]


@pytest.mark.parametrize(
    ("events", "sent"),
    [
        (ALL, ALL),
        (list(WebhookEvent), ALL),
        (["prediction.started", "prediction.succeeded", "prediction.failed", "prediction.cancelled"], ALL),
        (["prediction.canceled", "cancelled", "canceled"], ["canceled"]),
        (["succeeded", "completed", "prediction.completed"], ["completed"]),
        (("failed",), ["failed"]),
        (iter(["failed"]), ["failed"]),
        ("failed", ["failed"]),
        (["prediction.paused", "*"], ["prediction.paused", "*"]),
        ([], []),
    ],
)
def test_event_names_of_either_family_are_sent_in_the_short_form(events: Any, sent: list[str]) -> None:
    assert Webhook("https://h.example/x", events).to_wire() == {"url": "https://h.example/x", "events": sent}


def test_a_webhook_without_events_is_for_all_of_them() -> None:
    assert Webhook("https://h.example/x").to_wire()["events"] == ALL
    with pytest.raises(TypeError):
        Webhook({"url": "https://h.example/x"})  # type: ignore[arg-type]  # the wrong type is the point


# Addresses


@pytest.mark.parametrize(
    ("name", "url"), [("PRODUCTION", "https://api.skytells.ai/v1"), ("EDGE", "https://edge.skytells.ai/v1")]
)
async def test_each_named_address_works(wire: Responses, name: str, url: str) -> None:
    sent = respond(wire, "GET", f"{url}/predictions/a1", json=DONE)
    async with Skytells("key", base_url=getattr(Skytells, name)) as skytells:
        await skytells.predictions.get("a1")
    assert [one.headers for one in sent] == [KEY]


async def test_run_passes_on_webhook_and_stream(wire: Responses, skytells: Skytells) -> None:
    created = respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    respond(wire, "GET", f"{BASE}/predictions/a1", json=DONE)
    await skytells.run("m", {}, webhook="https://h.example/x", stream=True)
    hook = {"url": "https://h.example/x", "events": ALL}
    assert created[0].json == {"model": "m", "input": {}, "await": False, "webhook": hook, "stream": True}


async def test_a_failed_creation_is_an_error_without_a_prediction(wire: Responses, skytells: Skytells) -> None:
    respond(wire, "POST", f"{BASE}/predict", status=402, json={"error_id": "INSUFFICIENT_CREDITS", "message": "no"})
    with pytest.raises(KellyAPIError) as caught:
        await skytells.run("m", {})
    assert caught.value.prediction is None
