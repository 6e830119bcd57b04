"""Skytells' predictions, S1 to S3: created, looked at, done, and their outputs. What time does to them is elsewhere."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from http_client import Ask
from PIL import Image

from kellyapi import PredictionFailedError, Sandbox, ServerError

KEY = {"x-api-key": "key"}
FOX = {"model": "truefusion-pro", "input": {"prompt": "a fox", "width": 80, "height": 64}}
FISH = {"input": {"prompt": "a fish"}}
FIELDS = (
    "id status type stream input output response error created_at started_at completed_at updated_at privacy source"
    " model webhook metrics metadata urls"
)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(prediction_time=0) as sandbox:
        yield sandbox


@pytest.fixture
def skytells(ask: Ask) -> Ask:
    return partial(ask, headers=KEY)


def refusal(status: int, code: str, message: str) -> dict[str, Any]:
    error = {"http_status": status, "message": message, "details": None, "error_id": code}
    return {"status": False, "response": message, "error": error}


@pytest.mark.parametrize("headers", [{}, {"x-api-key": " "}, {"Authorization": "Bearer key"}])
async def test_without_a_key_the_answer_is_401(ask: Ask, headers: dict[str, str]) -> None:
    answer = await ask("POST", "/v1/predict", headers=headers, json=FOX)
    assert (answer.status, answer.json) == (401, refusal(401, "UNAUTHORIZED", "The x-api-key header is missing"))


async def test_a_wrong_key_is_401_and_a_right_one_is_let_in(ask: Ask) -> None:
    async with Sandbox(keys=["right"]) as narrow:
        create = partial(ask, "POST", "/v1/predict", url=narrow.url, json=FOX)
        refused = await create(headers=KEY)
        assert (refused.status, refused.json) == (401, refusal(401, "UNAUTHORIZED", "Invalid API key"))
        assert (await create(headers={"x-api-key": "right", "Authorization": "Bearer right"})).status == 200


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/predictions"])
async def test_a_new_prediction_is_pending_and_complete_in_form(sandbox: Sandbox, skytells: Ask, path: str) -> None:
    made = (await skytells("POST", path, json={**FOX, "await": False, "stream": True})).json
    assert list(made) == FIELDS.split()
    assert UUID(made["id"])
    assert datetime.fromisoformat(made["created_at"]).tzinfo
    here = f"{sandbox.url}/v1/predictions/{made['id']}"
    assert made == made | {
        "status": "pending",
        "type": "inference",
        "stream": True,
        "input": FOX["input"],
        "output": None,
        "model": {"name": "truefusion-pro", "type": "image"},
        "webhook": {"url": None, "events": []},
        "urls": {"get": here, "cancel": f"{here}/cancel", "stream": f"{here}/stream", "delete": f"{here}/delete"},
    }


async def test_awaited_it_comes_back_done_with_an_output_that_asks_for_no_key(ask: Ask, skytells: Ask) -> None:
    done = (await skytells("POST", "/v1/predict", json={**FOX, "await": True})).json
    assert list(done) == FIELDS.split()
    assert (done["status"], done["metrics"]["image_count"], done["metrics"]["progress"]) == ("succeeded", 1, 100)
    assert done["completed_at"] >= done["started_at"] >= done["created_at"]
    assert done["metadata"]["billing"] == {"credits_used": 0.05}
    assert done["metadata"]["data_available"] is True
    assert (await skytells("GET", f"/v1/predictions/{done['id']}")).json == done
    [url], [file] = done["output"], done["metadata"]["storage"]["files"]
    output = await ask("GET", "", url=url)
    assert (output.status, output.headers["Content-Type"]) == (200, "image/png")
    assert file == {"name": url.rpartition("/")[2], "type": "image/png", "size": len(output.body), "url": url}
    assert Image.open(io.BytesIO(output.body)).size == (80, 64)


@pytest.mark.parametrize("vendor", ["", "skytells/", "black-forest-labs/"])
async def test_a_model_may_have_its_vendor_before_it(skytells: Ask, vendor: str) -> None:
    made = (await skytells("POST", "/v1/predict", json={**FOX, "model": f"{vendor}flux-pro"})).json
    assert made["model"] == {"name": "flux-pro", "type": "image"}


@pytest.mark.parametrize(
    ("webhook", "kept"),
    [
        ({"url": "https://a.test/h", "events": ["completed"]}, {"url": "https://a.test/h", "events": ["completed"]}),
        ({"url": "https://a.test/h", "secret": "s"}, {"url": "https://a.test/h", "events": [], "secret": "s"}),
        ("https://a.test/h", {"url": "https://a.test/h", "events": []}),
        ({}, {"url": None, "events": []}),
    ],
)
async def test_a_webhook_is_given_back(skytells: Ask, webhook: Any, kept: dict[str, Any]) -> None:
    assert (await skytells("POST", "/v1/predict", json={**FOX, "webhook": webhook})).json["webhook"] == kept


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({}, 422, "VALIDATION_ERROR", "The model field is required."),
        ({"model": 5, "input": {}}, 422, "VALIDATION_ERROR", "The model field is required."),
        ({"model": "truefusion"}, 422, "VALIDATION_ERROR", "The input field is required."),
        ({"model": "truefusion", "input": "a fox"}, 422, "VALIDATION_ERROR", "The input field is required."),
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
            "Model 'text-embedding-3-small' makes no predictions; ask /embeddings.",
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
async def test_an_invalid_request_is_refused_in_the_unified_shape(
    skytells: Ask, body: dict[str, Any], status: int, code: str, message: str
) -> None:
    answer = await skytells("POST", "/v1/predict", json=body)
    assert (answer.status, answer.json) == (status, refusal(status, code, message))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_a_400(skytells: Ask, body: bytes) -> None:
    answer = await skytells("POST", "/v1/predict", data=body)
    assert (answer.status, answer.json["error"]["error_id"]) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("model", "prompt", "reason"),
    [
        ("truefusion", "a fox, FAIL please", "The prompt says “fail please”, and so the sandbox lets the job fail."),
        ("gpt-5", "fail please", "The prompt says “fail please”, and so the sandbox lets the job fail."),
        ("beatfusion-2.0", "a song", "The sandbox makes no music."),
    ],
)
async def test_a_failed_job_is_a_200_and_says_why_twice(skytells: Ask, model: str, prompt: str, reason: str) -> None:
    failed = await skytells("POST", "/v1/predict", json={"model": model, "input": {"prompt": prompt}, "await": True})
    assert (failed.status, list(failed.json)) == (200, FIELDS.split())
    assert (failed.json["status"], failed.json["output"]) == ("failed", None)
    assert failed.json["response"] == failed.json["error"] == reason
    assert failed.json["metadata"]["billing"] == {"credits_used": 0}


async def test_a_video_is_not_waited_for_and_fails(sandbox: Sandbox, skytells: Ask) -> None:
    made = await skytells("POST", "/v1/predict", json={"model": "truefusion-video-pro", **FISH, "await": True})
    assert made.json["status"] == "pending"
    async with sandbox.api() as api:
        with pytest.raises(PredictionFailedError, match="The sandbox makes no video"):
            await api.skytells.predictions.wait(made.json["id"], interval=0)


async def test_a_language_model_gives_its_text_as_the_output(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        done = await api.skytells.run("gpt-5-nano", {"prompt": "2 + 3"})
    assert (done.output, done.outputs) == ("[sandbox] 2 + 3 = 5", ("[sandbox] 2 + 3 = 5",))


@pytest.mark.usefixtures("no_packages")
async def test_a_missing_package_fails_the_prediction_and_says_what_to_install(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        with pytest.raises(PredictionFailedError, match=r'pip install "kellyapi\[sandbox\]"'):
            await api.skytells.run("truefusion", {"prompt": "a fox"})


@pytest.mark.parametrize("id", ["nobody", "..%2Fmodels", "%00"])
async def test_an_unknown_id_is_a_502_and_never_a_404(skytells: Ask, id: str) -> None:
    answer = await skytells("GET", f"/v1/predictions/{id}")
    assert (answer.status, answer.json["error"]["error_id"]) == (502, "PREDICTION_FAILED")


async def test_the_client_knows_an_unknown_id(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        with pytest.raises(ServerError) as raised:
            await api.skytells.predictions.get("nobody")
    assert raised.value.code == "PREDICTION_FAILED"


async def test_an_output_that_is_not_there_is_a_404_for_everybody(ask: Ask) -> None:
    assert (await ask("GET", "/delivery/nothing.png")).status == 404


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nothing", 404), ("DELETE", "/v1/predict", 405)])
async def test_a_route_that_is_not_there_says_so_in_skytells_words(
    ask: Ask, method: str, path: str, status: int
) -> None:
    answer = await ask(method, path, headers={**KEY, "Authorization": "Bearer key"})
    code = {404: "ENDPOINT_NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}[status]
    assert (answer.status, answer.json["status"], answer.json["error"]["error_id"]) == (status, False, code)


async def test_the_client_creates_follows_and_fetches(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        done = await api.skytells.run("truefusion", FOX["input"])
        assert (done.status, done.credits_used, len(done.outputs)) == ("succeeded", 0.03, 1)
        image = await api.skytells.generate_image("a fox", input={"width": 80, "height": 64})
    assert (image.mime, image.width, image.height) == ("image/png", 80, 64)


async def test_a_sandbox_may_close_while_its_predictions_are_at_work() -> None:
    async with Sandbox() as sandbox, sandbox.api() as api:
        jobs = [await api.skytells.predictions.create("truefusion", {"prompt": "a fox"}) for _ in range(5)]
    assert len({job.id for job in jobs}) == 5
