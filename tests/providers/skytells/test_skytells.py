"""Skytells' exact requests, the shapes of its predictions, and following them."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import AS_IT_IS, respond

from kellyapi import (
    DecodingError,
    Image,
    KellyAPIError,
    NotFoundError,
    Prediction,
    PredictionFailedError,
    ServerError,
    Skytells,
    WaitTimeoutError,
    Webhook,
)

BASE = "https://api.skytells.ai/v1"
KEY = {"x-api-key": "key"}
JSON = {**KEY, "Content-Type": "application/json"}
OUTPUT = "https://delivery.skytells.cloud/us/a-output.png"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x03\x00\x00\x00\x02\x08\x02\x00\x00\x00"
LIVE = {
    "id": "a1",
    "status": "succeeded",
    "stream": False,
    "type": "inference",
    "input": {"prompt": "a wolf"},
    "output": [OUTPUT],
    "created_at": "2026-03-04T21:20:58.000000Z",
    "started_at": "2026-03-04T21:20:58+00:00",
    "completed_at": "2026-03-04T21:21:02+00:00",
    "updated_at": None,
    "privacy": "private",
    "source": "api",
    "model": {"name": "truefusion", "type": "image"},
    "webhook": {"url": None, "events": []},
    "metrics": {"image_count": 1, "predict_time": 3.9, "progress": 100},
    "metadata": {
        "billing": {"credits_used": 0.03},
        "storage": {"files": [{"name": "a.png", "type": "image/png", "size": 9, "url": OUTPUT}]},
    },
    "urls": {"get": f"{BASE}/predictions/a1"},
}


# Create


@pytest.mark.parametrize(
    ("options", "data"),
    [
        ({}, {"await": False}),
        ({"wait": True}, {"await": True}),
        ({"stream": True}, {"await": False, "stream": True}),
        (
            {"webhook": "https://h.example/x"},
            {
                "await": False,
                "webhook": {"url": "https://h.example/x", "events": ["started", "completed", "failed", "canceled"]},
            },
        ),
        (
            {"webhook": Webhook("https://h.example/x", ["prediction.failed"])},
            {"await": False, "webhook": {"url": "https://h.example/x", "events": ["failed"]}},
        ),
    ],
)
async def test_create_posts_the_model_the_input_and_the_options(
    wire: Responses, skytells: Skytells, options: Any, data: Any
) -> None:
    sent = respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    prediction = await skytells.predictions.create("truefusion-pro", {"prompt": "a wolf"}, **options)
    assert prediction == Prediction(id="a1", status="pending")
    assert not prediction.ended
    asked = {"model": "truefusion-pro", "input": {"prompt": "a wolf"}, **data}
    assert [(one.headers, one.json) for one in sent] == [(JSON, asked)]


async def test_a_blank_model_is_refused_before_anything_is_sent(wire: Responses, skytells: Skytells) -> None:
    with pytest.raises(ValueError, match="model is empty"):
        await skytells.predictions.create(" ", {})
    with pytest.raises(ValueError, match="prompt is empty"):
        await skytells.generate_image("")
    with pytest.raises(TypeError, match="webhook must be a Webhook, or a dict with its fields url, events"):
        await skytells.predictions.create("truefusion", {}, webhook={"uri": "https://h.example/x"})
    assert not wire.requests


async def test_a_queued_prediction_of_the_older_generation_is_a_success(wire: Responses, skytells: Skytells) -> None:
    respond(wire, "POST", f"{BASE}/predict", json={"status": False, "id": "a1", "response": "queued"})
    prediction = await skytells.predictions.create("truefusion-pro", {})
    assert prediction == Prediction(id="a1", status="pending", response="queued")


# Get


async def test_get_reads_every_field(wire: Responses, skytells: Skytells) -> None:
    sent = respond(wire, "GET", f"{BASE}/predictions/a1", json=LIVE)
    prediction = await skytells.predictions.get("a1")
    assert [(one.headers, one.body) for one in sent] == [(KEY, b"")]
    assert (prediction.id, prediction.status, prediction.model, prediction.type) == (
        "a1",
        "succeeded",
        "truefusion",
        "inference",
    )
    assert (prediction.input, prediction.output, prediction.outputs) == ({"prompt": "a wolf"}, [OUTPUT], (OUTPUT,))
    assert (prediction.ended, prediction.progress, prediction.credits_used) == (True, 100.0, 0.03)
    assert (prediction.metrics.image_count, prediction.metrics.predict_time) == (1, 3.9)
    assert [(file.url, file.size) for file in prediction.metadata.storage.files] == [(OUTPUT, 9)]
    assert (prediction.created_at, prediction.updated_at) == ("2026-03-04T21:20:58.000000Z", None)
    assert prediction.urls == {"get": f"{BASE}/predictions/a1"}


async def test_a_prediction_names_itself(wire: Responses, skytells: Skytells) -> None:
    sent = respond(wire, "GET", f"{BASE}/predictions/a1", json=LIVE, repeat=True)
    await skytells.predictions.get(await skytells.predictions.get("a1"))
    assert len(sent) == 2


async def test_an_id_is_one_encoded_segment(wire: Responses, skytells: Skytells) -> None:
    sent = respond(wire, "GET", f"{BASE}/predictions/..%2Fmodels%3Fx%3D1", json=LIVE)
    await skytells.predictions.get("../models?x=1")
    assert len(sent) == 1


@pytest.mark.parametrize("id", ["", ".", "..", "a\r\nb"])
async def test_an_id_that_is_no_path_segment_is_refused(wire: Responses, skytells: Skytells, id: str) -> None:
    with pytest.raises(ValueError, match="prediction must not"):
        await skytells.predictions.get(id)
    assert not wire.requests


@pytest.mark.parametrize(
    ("changes", "seen"),
    [
        ({"model": "truefusion"}, {"model": "truefusion"}),
        ({"model": None}, {"model": None}),
        ({"output": None}, {"outputs": ()}),
        ({"output": "text"}, {"outputs": ("text",), "output": "text"}),
        ({"output": [OUTPUT, None, {"x": 1}]}, {"outputs": (OUTPUT,)}),
        ({"output": {"images": [OUTPUT, "text"], "seed": 1}}, {"outputs": (OUTPUT,)}),
        ({"output": [["text"], {"url": OUTPUT, "id": "x"}]}, {"outputs": ("text", OUTPUT)}),
        ({"status": "canceled"}, {"ended": True}),
        ({"status": "cancelled"}, {"ended": True}),
        ({"status": "queued"}, {"ended": False}),
        ({"status": "dreaming"}, {"ended": False, "status": "dreaming"}),
        ({"status": " Succeeded"}, {"ended": True, "status": "succeeded"}),
        ({"status": "COMPLETED"}, {"ended": True, "status": "succeeded"}),
        ({"status": "Aborted"}, {"ended": True, "status": "Aborted"}),
        ({"status": "failed", "response": "no GPU"}, {"ended": True, "error": "no GPU"}),
        ({"status": "failed", "error": ["no GPU"]}, {"error": "no GPU"}),
        ({"status": "failed", "error": [{"message": "no GPU"}]}, {"error": "no GPU"}),
        ({"status": "failed", "response": "no GPU", "error": []}, {"error": "no GPU"}),
        ({"status": "failed", "response": "no", "error": "no GPU"}, {"error": "no GPU", "response": "no"}),
        ({"metrics": None, "metadata": None, "urls": None}, {"progress": None, "credits_used": None, "urls": {}}),
        ({"metrics": {"progress": "50"}}, {"progress": 50.0}),
        ({"something_new": [1]}, {"id": "a1"}),
    ],
)
async def test_each_form_of_a_prediction_is_understood(
    wire: Responses, skytells: Skytells, changes: Any, seen: Any
) -> None:
    respond(wire, "GET", f"{BASE}/predictions/a1", json={**LIVE, **changes})
    prediction = await skytells.predictions.get("a1")
    assert {name: getattr(prediction, name) for name in seen} == seen


def test_outputs_are_found_in_any_depth() -> None:
    output: Any = "https://example.com/a.png"
    for _ in range(1000):  # more than Python calls functions
        output = [output]
    assert Prediction("p1", "succeeded", output=output).outputs == ("https://example.com/a.png",)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("null", r"\$"),
        ("[]", r"\$"),
        ("{}", r"\$\.(id|status)"),
        ('{"id": 1, "status": "failed"}', r"\$\.id"),
        ('{"id": "a1", "status": null}', r"\$\.status"),
    ],
)
async def test_the_error_of_a_malformed_prediction_names_the_path(
    wire: Responses, skytells: Skytells, body: str, where: str
) -> None:
    respond(wire, "GET", f"{BASE}/predictions/a1", body=body)
    with pytest.raises(DecodingError, match=where):
        await skytells.predictions.get("a1")


async def test_an_unknown_prediction_is_requested_once(wire: Responses) -> None:
    """502 with PREDICTION_FAILED is the response to an unknown id, not an outage."""
    error = {"http_status": 502, "message": "not found", "error_id": "PREDICTION_FAILED"}
    sent = respond(
        wire, "GET", f"{BASE}/predictions/a1", status=502, json={"status": False, "error": error}, repeat=True
    )
    async with Skytells("key") as skytells:
        with pytest.raises(ServerError) as caught:
            await skytells.predictions.get("a1")
    assert caught.value.code == "PREDICTION_FAILED"
    assert len(sent) == 1


# Follow, wait, run


def states(wire: Responses, *states: dict[str, Any]) -> None:
    """Respond to the next polls of prediction a1, in order."""
    for state in states:
        respond(wire, "GET", f"{BASE}/predictions/a1", json={"id": "a1", **state})


async def test_follow_yields_each_state_once_and_ends_with_the_prediction(wire: Responses, skytells: Skytells) -> None:
    states(wire, {"status": "queued"}, {"status": "queued"}, {"status": "processing"}, {"status": "canceled"})
    seen = [state.status async for state in skytells.predictions.follow("a1", interval=0)]
    assert seen == ["queued", "processing", "canceled"]


async def test_a_failed_poll_is_not_a_failed_prediction(wire: Responses, skytells: Skytells) -> None:
    respond(wire, "GET", f"{BASE}/predictions/a1", status=503, body="down", content_type="text/plain")
    respond(wire, "GET", f"{BASE}/predictions/a1", status=429, json={"error_id": "RATE_LIMITED", "message": "slower"})
    wire.get(f"{BASE}/predictions/a1", exception=ConnectionResetError("reset"))
    states(wire, {"status": "succeeded"})
    assert (await skytells.predictions.wait("a1", interval=0)).status == "succeeded"


async def test_a_poll_that_can_never_succeed_ends_the_following(wire: Responses, skytells: Skytells) -> None:
    respond(wire, "GET", f"{BASE}/predictions/a1", status=404, json={"error": {"message": "no such thing"}})
    with pytest.raises(NotFoundError):
        await skytells.predictions.wait("a1", interval=0)
    error = {"error_id": "PREDICTION_FAILED", "message": "no such prediction"}
    respond(wire, "GET", f"{BASE}/predictions/a1", status=502, json=error)
    with pytest.raises(ServerError, match="no such prediction"):
        await skytells.predictions.wait("a1", interval=0)


@pytest.mark.parametrize("status", ["failed", "cancelled", "canceled"])
async def test_a_prediction_that_does_not_succeed_raises_with_its_last_state(
    wire: Responses, skytells: Skytells, status: str
) -> None:
    states(wire, {"status": "processing"}, {"status": status, "response": "no GPU"})
    with pytest.raises(PredictionFailedError, match=f"a1 {status}: no GPU") as caught:
        await skytells.predictions.wait("a1", interval=0)
    assert caught.value.prediction.status == status
    assert (caught.value.code, caught.value.provider) == ("PREDICTION_FAILED", "skytells")


async def test_waiting_too_long_raises_with_the_last_state(wire: Responses, skytells: Skytells) -> None:
    states(wire, {"status": "processing"})
    with pytest.raises(WaitTimeoutError, match="continues") as caught:
        await skytells.predictions.wait("a1", interval=5, timeout=0.2)
    assert caught.value.prediction.status == "processing"
    assert (caught.value.code, caught.value.provider) == ("WAIT_TIMEOUT", "skytells")


async def test_run_creates_without_await_and_polls(wire: Responses, skytells: Skytells) -> None:
    created = respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    states(wire, {"status": "succeeded", "output": OUTPUT})
    done = await skytells.run("truefusion-pro", {"prompt": "a wolf"})
    assert done.outputs == (OUTPUT,)
    assert [one.json for one in created] == [{"model": "truefusion-pro", "input": {"prompt": "a wolf"}, "await": False}]


async def test_an_error_after_the_creation_has_the_prediction(wire: Responses, skytells: Skytells) -> None:
    respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    respond(wire, "GET", f"{BASE}/predictions/a1", status=401, json={"status": False, "response": "Unauthorized"})
    with pytest.raises(KellyAPIError) as caught:
        await skytells.run("truefusion-pro", {})
    assert caught.value.prediction == Prediction(id="a1", status="pending")


# Images


async def test_generate_image_downloads_the_output_without_the_key(wire: Responses, skytells: Skytells) -> None:
    created = respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    states(wire, {"status": "succeeded", "output": [OUTPUT]})
    fetched = respond(wire, "GET", OUTPUT, body=PNG, content_type="image/png")
    image = await skytells.generate_image("a wolf", input={"aspect_ratio": "1:1"})
    assert image == Image(data=PNG, mime="image/png", prediction_id="a1", provider="skytells")
    assert (image.width, image.height) == (3, 2)
    asked = {"model": "truefusion-pro", "input": {"prompt": "a wolf", "aspect_ratio": "1:1"}, "await": False}
    assert [one.json for one in created] == [asked]
    assert [one.headers for one in fetched] == [AS_IT_IS]


@pytest.mark.parametrize(
    ("output", "fetched"),
    [
        (None, {}),
        ([], {}),
        ([OUTPUT], {"status": 403, "body": "<title>Expired</title>", "content_type": "text/html"}),
        ([OUTPUT], {"body": b"", "content_type": "image/png"}),
        ([OUTPUT], {"body": "<html>", "content_type": "text/html"}),
        (["no URL at all"], {}),
    ],
)
async def test_the_error_of_an_image_that_cannot_be_downloaded_has_the_prediction(
    wire: Responses, skytells: Skytells, output: Any, fetched: Any
) -> None:
    respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    states(wire, {"status": "succeeded", "output": output})
    if fetched:
        respond(wire, "GET", OUTPUT, **fetched)
    with pytest.raises(KellyAPIError) as caught:
        await skytells.generate_image("a wolf")
    assert caught.value.prediction is not None
    assert (caught.value.prediction.id, caught.value.provider) == ("a1", "skytells")
