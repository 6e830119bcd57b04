"""Creating many predictions at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond
from servers import Server, hang

from kellyapi import NO_RETRY, BadRequestError, Prediction, PredictionRequest, Skytells, Webhook

from .messages import BASE


async def test_one_failure_does_not_lose_the_ids_of_the_others(wire: Responses, skytells: Skytells) -> None:
    bad = {"status": False, "error": {"error_id": "INVALID_INPUT", "message": "no"}}
    first = respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    second = respond(wire, "POST", f"{BASE}/predict", status=400, json=bad)
    wire.post(f"{BASE}/predict", exception=ConnectionResetError("reset"))
    last = respond(wire, "POST", f"{BASE}/predict", json={"id": "a4", "status": "pending"})
    requests = [
        ("m1", {"prompt": "a"}),
        PredictionRequest("m2", {}),
        ("m3", {}),
        PredictionRequest("m4", {}, webhook=Webhook("https://h.example/x", ["completed"]), stream=True),
    ]
    made = await skytells.predictions.create_many(requests)
    assert [one.id if isinstance(one, Prediction) else type(one).__name__ for one in made] == [
        "a1",
        "BadRequestError",
        "TransportError",
        "a4",
    ]
    assert isinstance(made[1], BadRequestError)
    assert [one.json for one in [*first, *second, *last]] == [
        {"model": "m1", "input": {"prompt": "a"}, "await": False},
        {"model": "m2", "input": {}, "await": False},
        {
            "model": "m4",
            "input": {},
            "await": False,
            "webhook": {"url": "https://h.example/x", "events": ["completed"]},
            "stream": True,
        },
    ]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (("", {}), ValueError),
        (("m", {"seed": float("nan")}), ValueError),
        (("m", {"image": object()}), TypeError),
        (("m", None), TypeError),
        (("m",), TypeError),
        (PredictionRequest("m", {}, webhook={"uri": "https://h.example"}), TypeError),
    ],
)
async def test_a_wrong_request_is_refused_before_any_is_sent_and_paid_for(
    wire: Responses, skytells: Skytells, wrong: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await skytells.predictions.create_many([("m", {}), wrong])
    assert not wire.requests


async def test_a_foreign_error_is_raised_with_the_ids_of_all_created_predictions(wire: Responses) -> None:
    keys = iter(["key", OSError("no key store"), "key", "key"])

    def key() -> str:
        given = next(keys)
        if isinstance(given, OSError):
            raise given
        return given

    respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    respond(wire, "POST", f"{BASE}/predict", status=400, json={"status": False, "response": "no"})
    respond(wire, "POST", f"{BASE}/predict", json={"id": "a4", "status": "pending"})
    async with Skytells(key, retry=NO_RETRY) as skytells:
        with pytest.raises(OSError, match="no key store") as raised:
            await skytells.predictions.create_many([("m", {})] * 4)
    assert raised.value.__notes__ == ["predictions that were created: a1, a4"]


async def test_a_foreign_error_has_no_note_if_no_prediction_was_created(wire: Responses) -> None:
    def key() -> str:
        raise OSError("no key store")

    async with Skytells(key, retry=NO_RETRY) as skytells:
        with pytest.raises(OSError, match="no key store") as raised:
            await skytells.predictions.create_many([("m", {})])
    assert not hasattr(raised.value, "__notes__")


async def test_create_many_ends_at_once_when_it_is_cancelled() -> None:
    async with Server(hang) as server, Skytells("key", base_url=server.url) as skytells:
        creating = asyncio.create_task(skytells.predictions.create_many([("m", {})] * 2))
        while len(server.requests) < 2:  # noqa: ASYNC110  the server has no event for it
            await asyncio.sleep(0)
        creating.cancel()
        await asyncio.wait([creating], timeout=5)
        assert creating.cancelled()


async def test_an_empty_list_sends_nothing(wire: Responses, skytells: Skytells) -> None:
    assert await skytells.predictions.create_many([]) == ()
    assert not wire.requests
