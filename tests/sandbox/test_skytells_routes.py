"""Skytells' predictions in the sandbox, S1 to S3: creation, results, outputs and error bodies."""

from __future__ import annotations

import io
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from http_client import Send
from PIL import Image

from kellyapi import PredictionFailedError, Sandbox, ServerError

KEY = {"x-api-key": "key"}
FOX = {"model": "truefusion-pro", "input": {"prompt": "a fox", "width": 80, "height": 64}}
FISH = {"input": {"prompt": "a fish"}}
FIELDS = (
    "id status type stream input output response error created_at started_at completed_at updated_at privacy source"
    " model webhook metrics metadata urls"
)


SANDBOX = {"prediction_time": 0}


def error_body(status: int, code: str, message: str) -> dict[str, Any]:
    error = {"http_status": status, "message": message, "details": None, "error_id": code}
    return {"status": False, "response": message, "error": error}


@pytest.mark.parametrize("headers", [{}, {"x-api-key": " "}, {"Authorization": "Bearer key"}])
async def test_a_missing_key_is_a_401(send: Send, headers: dict[str, str]) -> None:
    response = await send("POST", "/v1/predict", headers=headers, json=FOX)
    assert (response.status, response.json) == (401, error_body(401, "UNAUTHORIZED", "The x-api-key header is missing"))


async def test_a_wrong_key_is_a_401_and_a_right_key_is_accepted(send: Send) -> None:
    async with Sandbox(keys=["right"], keep_engines=True) as restricted:
        create = partial(send, "POST", "/v1/predict", url=restricted.url, json=FOX)
        refused = await create(headers=KEY)
        assert (refused.status, refused.json) == (401, error_body(401, "UNAUTHORIZED", "Invalid API key"))
        assert (await create(headers={"x-api-key": "right", "Authorization": "Bearer right"})).status == 200


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predictions"])
async def test_a_new_prediction_is_pending_and_has_all_fields(sandbox: Sandbox, skytells: Send, path: str) -> None:
    created = (await skytells("POST", path, json={**FOX, "await": False, "stream": True})).json
    assert list(created) == FIELDS.split()
    assert UUID(created["id"])
    assert datetime.fromisoformat(created["created_at"]).tzinfo
    here = f"{sandbox.url}/v1/predictions/{created['id']}"
    assert created == created | {
        "status": "pending",
        "type": "inference",
        "stream": True,
        "input": FOX["input"],
        "output": None,
        "model": {"name": "truefusion-pro", "type": "image"},
        "webhook": {"url": None, "events": []},
        "urls": {"get": here, "cancel": f"{here}/cancel", "stream": f"{here}/stream", "delete": f"{here}/delete"},
    }


async def test_an_awaited_prediction_has_succeeded_and_its_output_needs_no_key(send: Send, skytells: Send) -> None:
    prediction = (await skytells("POST", "/v1/predict", json={**FOX, "await": True})).json
    assert list(prediction) == FIELDS.split()
    assert (prediction["status"], prediction["metrics"]["image_count"], prediction["metrics"]["progress"]) == (
        "succeeded",
        1,
        100,
    )
    assert prediction["completed_at"] >= prediction["started_at"] >= prediction["created_at"]
    assert prediction["metadata"]["billing"] == {"credits_used": 0.05}
    assert prediction["metadata"]["data_available"] is True
    assert (await skytells("GET", f"/v1/predictions/{prediction['id']}")).json == prediction
    [url], [file] = prediction["output"], prediction["metadata"]["storage"]["files"]
    output = await send("GET", "", url=url)
    assert (output.status, output.headers["Content-Type"]) == (200, "image/png")
    assert file == {"name": url.rpartition("/")[2], "type": "image/png", "size": len(output.body), "url": url}
    assert Image.open(io.BytesIO(output.body)).size == (80, 64)


@pytest.mark.parametrize("vendor", ["", "skytells/", "black-forest-labs/"])
async def test_a_model_name_may_include_its_vendor(skytells: Send, vendor: str) -> None:
    created = (await skytells("POST", "/v1/predict", json={**FOX, "model": f"{vendor}flux-pro"})).json
    assert created["model"] == {"name": "flux-pro", "type": "image"}


@pytest.mark.parametrize(
    ("webhook", "expected"),
    [
        ({"url": "https://a.test/h", "events": ["completed"]}, {"url": "https://a.test/h", "events": ["completed"]}),
        ({"url": "https://a.test/h", "secret": "s"}, {"url": "https://a.test/h", "events": [], "secret": "s"}),
        ("https://a.test/h", {"url": "https://a.test/h", "events": []}),
        ({}, {"url": None, "events": []}),
    ],
)
async def test_the_response_includes_the_webhook(skytells: Send, webhook: Any, expected: dict[str, Any]) -> None:
    assert (await skytells("POST", "/v1/predict", json={**FOX, "webhook": webhook})).json["webhook"] == expected


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({}, 422, "VALIDATION_ERROR", "The model field is required."),
        ({"model": 3, "input": {}}, 422, "VALIDATION_ERROR", "The model field must be a string."),
        ({"model": "truefusion"}, 422, "VALIDATION_ERROR", "The input field is required."),
        ({"model": "truefusion", "input": "a fox"}, 422, "VALIDATION_ERROR", "The input field must be an object."),
        ({"model": "truefusion", "input": {}}, 422, "VALIDATION_ERROR", "The prompt field is required."),
        ({"model": "truefusion", "input": {"prompt": " "}}, 422, "VALIDATION_ERROR", "The prompt field is required."),
        ({"model": "truefusion", "input": {"prompt": None}}, 422, "VALIDATION_ERROR", "The prompt field is required."),
        (
            {"model": "truefusion", "input": {"prompt": 5}},
            422,
            "VALIDATION_ERROR",
            "The prompt field must be a string.",
        ),
        (
            {"model": "truefusion", "input": {"prompt": "a", "width": True}},
            422,
            "VALIDATION_ERROR",
            "The width field must be an integer.",
        ),
        *(
            (
                {"model": "truefusion", "input": {"prompt": "a", "height": height}},
                422,
                "VALIDATION_ERROR",
                "The height field must be between 64 and 2048.",
            )
            for height in (-1, 63, 2049, 10**30)
        ),
        (
            {"model": "truefusion", "input": {"prompt": "a"}, "webhook": ["https://example.org"]},
            422,
            "VALIDATION_ERROR",
            "The webhook field must be an object.",
        ),
        (
            {"model": "truefusion", "input": {"prompt": "a"}, "webhook": {"url": "example.org"}},
            422,
            "VALIDATION_ERROR",
            "The webhook.url field must be a valid URL.",
        ),
        (
            {"model": "text-embedding-3-small", "input": {"input": "a"}},
            422,
            "MODEL_NOT_SUPPORTED",
            "Model 'text-embedding-3-small' makes no predictions; use /embeddings.",
        ),
        (
            {"model": "someone/truefusion", "input": {"prompt": "a"}},
            404,
            "MODEL_NOT_FOUND",
            "Model 'someone/truefusion' was not found.",
        ),
        ({"model": "gpt-0", "input": {"prompt": "a"}}, 404, "MODEL_NOT_FOUND", "Model 'gpt-0' was not found."),
    ],
)
async def test_an_invalid_request_gets_an_error_in_skytells_form(
    skytells: Send, body: dict[str, Any], status: int, code: str, message: str
) -> None:
    response = await skytells("POST", "/v1/predict", json=body)
    assert (response.status, response.json) == (status, error_body(status, code, message))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 100_000])
async def test_a_body_that_is_not_a_json_object_is_a_400(skytells: Send, body: bytes) -> None:
    response = await skytells("POST", "/v1/predict", data=body)
    assert (response.status, response.json["error"]["error_id"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("model", "prompt", "reason"),
    [
        (
            "truefusion",
            "a fox, FAIL please",
            "The prompt says “fail please”, and so the sandbox lets the prediction fail.",
        ),
        ("gpt-5", "fail please", "The prompt says “fail please”, and so the sandbox lets the prediction fail."),
    ],
)
async def test_a_failed_prediction_is_a_200_with_its_reason_in_two_fields(
    skytells: Send, model: str, prompt: str, reason: str
) -> None:
    response = await skytells("POST", "/v1/predict", json={"model": model, "input": {"prompt": prompt}, "await": True})
    assert (response.status, list(response.json)) == (200, FIELDS.split())
    assert (response.json["status"], response.json["output"]) == ("failed", None)
    assert response.json["response"] == response.json["error"] == reason
    assert response.json["metadata"]["billing"] == {"credits_used": 0}


async def test_a_video_is_not_waited_for(skytells: Send) -> None:
    created = await skytells("POST", "/v1/predict", json={"model": "truefusion-video-pro", **FISH, "await": True})
    assert (created.status, created.json["status"]) == (200, "pending")


async def test_a_language_model_gives_its_text_as_the_output(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        prediction = await api.skytells.run("gpt-5-nano", {"prompt": "2 + 3"})
    assert (prediction.output, prediction.outputs) == ("[sandbox] 2 + 3 = 5", ("[sandbox] 2 + 3 = 5",))


@pytest.mark.usefixtures("no_packages")
@pytest.mark.parametrize(
    ("model", "input", "extra"),
    [
        ("truefusion", {}, "sandbox"),
        ("truefusion-video-pro", {}, "audio"),
        ("beatfusion-2.0", {"audio_format": "mp3"}, "sandbox"),
    ],
)
async def test_a_missing_package_fails_the_prediction_and_says_what_to_install(
    sandbox: Sandbox, model: str, input: dict[str, Any], extra: str
) -> None:
    async with sandbox.api() as api:
        with pytest.raises(PredictionFailedError, match=rf'pip install "kellyapi\[{extra}\]"'):
            await api.skytells.run(model, {"prompt": "a fox", **input})


@pytest.mark.usefixtures("no_packages")
async def test_music_needs_no_package(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        song = await api.skytells.run("beatfusion-2.0", {"prompt": "a song", "duration_seconds": 5})
        assert (song.status, song.metadata.storage.files[0].type) == ("succeeded", "audio/wav")


@pytest.mark.parametrize("id", ["nobody", "..%2Fmodels", "%00"])
async def test_an_unknown_id_is_a_502_and_never_a_404(skytells: Send, id: str) -> None:
    response = await skytells("GET", f"/v1/predictions/{id}")
    assert (response.status, response.json["error"]["error_id"]) == (502, "PREDICTION_FAILED")


async def test_an_unknown_id_is_a_server_error_in_the_client(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        with pytest.raises(ServerError) as raised:
            await api.skytells.predictions.get("nobody")
    assert raised.value.code == "PREDICTION_FAILED"


async def test_an_unknown_output_is_a_404_without_a_key(send: Send) -> None:
    assert (await send("GET", "/delivery/nothing.png")).status == 404


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nothing", 404), ("DELETE", "/v1/predict", 405)])
async def test_an_unknown_route_is_an_error_in_skytells_form(send: Send, method: str, path: str, status: int) -> None:
    response = await send(method, path, headers={**KEY, "Authorization": "Bearer key"})
    code = {404: "ENDPOINT_NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}[status]
    assert (response.status, response.json["status"], response.json["error"]["error_id"]) == (status, False, code)


async def test_the_client_runs_a_prediction_and_downloads_an_image(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        prediction = await api.skytells.run("truefusion", FOX["input"])
        assert (prediction.status, prediction.credits_used, len(prediction.outputs)) == ("succeeded", 0.03, 1)
        image = await api.skytells.generate_image("a fox", input={"width": 80, "height": 64})
    assert (image.mime, image.width, image.height) == ("image/png", 80, 64)


async def test_a_sandbox_can_close_while_predictions_are_running() -> None:
    async with Sandbox() as sandbox, sandbox.api() as api:
        predictions = [await api.skytells.predictions.create("truefusion", {"prompt": "a fox"}) for _ in range(5)]
    assert len({prediction.id for prediction in predictions}) == 5
