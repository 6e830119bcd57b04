"""Skytells' predictions in the sandbox over time, S4 to S7, S10, S18: status, cancel, delete, restart and lists."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from http_client import Clock, Send
from PIL import Image

from kellyapi import BadRequestError, KellyAPI, PredictionRequest, Sandbox, ServerError, StatusError

KEY = {"x-api-key": "key"}
FOX = {"model": "truefusion", "input": {"prompt": "a fox", "width": 64, "height": 64}}
NOON = 1_772_625_600.0
"""2026-03-04 12:00 UTC."""
DAY = 86_400
SECONDS = 100


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(keep_engines=True, clock=clock, prediction_time=SECONDS) as sandbox:
        yield sandbox


async def create(skytells: Send, **more: Any) -> Any:
    response = await skytells("POST", "/v1/predict", json={**FOX, **more})
    assert response.status == 200, response
    return response.json


async def get_prediction(skytells: Send, id: str) -> Any:
    return (await skytells("GET", f"/v1/predictions/{id}")).json


async def wait_until_finished(skytells: Send, clock: Clock, id: str) -> Any:
    """Let the time of a prediction pass, and poll it until its work is done."""
    clock.now += SECONDS
    while not (prediction := await get_prediction(skytells, id))["completed_at"]:  # noqa: ASYNC110  another process works
        await asyncio.sleep(0.01)
    return prediction


@pytest.mark.parametrize("prediction_time", [-1, float("inf"), float("nan")])
def test_prediction_time_must_be_seconds(prediction_time: float) -> None:
    with pytest.raises(ValueError, match="prediction_time must be "):
        Sandbox(prediction_time=prediction_time)


@pytest.mark.parametrize(
    ("after", "status", "progress", "started"),
    [
        (0, "pending", 0, None),
        (9.9, "pending", 0, None),
        (10, "starting", 0, None),
        (24.9, "starting", 0, None),
        (25, "processing", 25, "2026-03-04T12:00:25.000000Z"),
        (60, "processing", 60, "2026-03-04T12:00:25.000000Z"),
        (99.9, "processing", 99, "2026-03-04T12:00:25.000000Z"),
    ],
)
async def test_the_status_of_a_prediction_follows_the_clock(
    skytells: Send, clock: Clock, after: float, status: str, progress: int, started: str | None
) -> None:
    created = await create(skytells)
    clock.now += after
    prediction = await get_prediction(skytells, created["id"])
    assert (prediction["status"], prediction["metrics"], prediction["started_at"]) == (
        status,
        {"progress": progress},
        started,
    )
    assert (prediction["created_at"], prediction["completed_at"], prediction["output"]) == (
        "2026-03-04T12:00:00.000000Z",
        None,
        None,
    )
    assert prediction["updated_at"] == (started or prediction["created_at"])


async def test_a_prediction_that_has_succeeded_has_its_times_and_its_file(
    skytells: Send, send: Send, clock: Clock
) -> None:
    created = await create(skytells)
    prediction = await wait_until_finished(skytells, clock, created["id"])
    assert (prediction["status"], prediction["completed_at"]) == ("succeeded", "2026-03-04T12:01:40.000000Z")
    assert prediction["metrics"] == {"progress": 100, "image_count": 1, "predict_time": 75, "total_time": 100}
    assert (
        prediction
        == await get_prediction(skytells, created["id"])
        == (await skytells("GET", f"/v1/predictions/{created['id']}/stream")).json
    )
    [url] = prediction["output"]
    assert Image.open(io.BytesIO((await send("GET", "", url=url)).body)).size == (64, 64)


async def test_an_output_is_available_for_five_minutes(skytells: Send, send: Send, clock: Clock) -> None:
    created = await create(skytells)
    prediction = await wait_until_finished(skytells, clock, created["id"])
    [url] = prediction["output"]
    clock.now += 299
    assert (await send("GET", "", url=url)).status == 200
    assert (await get_prediction(skytells, created["id"]))["metadata"]["data_available"] is True
    clock.now += 1
    assert (await send("GET", "", url=url)).status == 410
    assert (await get_prediction(skytells, created["id"]))["metadata"]["data_available"] is False


async def test_an_output_is_not_available_before_its_prediction_has_ended(skytells: Send, send: Send) -> None:
    created = await create(skytells)
    assert (await send("GET", f"/delivery/{created['id']}-output.png")).status == 404


async def test_a_running_prediction_can_be_cancelled_for_good(skytells: Send, clock: Clock) -> None:
    created = await create(skytells)
    clock.now += 40
    response = await skytells("POST", f"/v1/predictions/{created['id']}/cancel")
    cancelled = response.json
    assert (response.status, cancelled.pop("success"), cancelled["status"]) == (200, True, "cancelled")
    assert (cancelled["completed_at"], cancelled["output"]) == ("2026-03-04T12:00:40.000000Z", None)
    assert cancelled["metadata"]["billing"] == {"credits_used": 0}
    clock.now += SECONDS
    assert await get_prediction(skytells, created["id"]) == cancelled


@pytest.mark.parametrize("how", ["succeeded", "failed", "cancelled"])
async def test_a_prediction_that_has_ended_cannot_be_cancelled(
    api: KellyAPI, skytells: Send, clock: Clock, how: str
) -> None:
    prompt = {"input": {"prompt": "fail please"}} if how == "failed" else {}
    created = await create(skytells, **prompt)
    if how == "cancelled":
        await api.skytells.predictions.cancel(created["id"])
    else:
        assert (await wait_until_finished(skytells, clock, created["id"]))["status"] == how
    with pytest.raises(BadRequestError, match=rf"has ended \({how}\) and cannot be cancelled") as raised:
        await api.skytells.predictions.cancel(created["id"])
    assert raised.value.code == "INVALID_REQUEST"


@pytest.mark.parametrize("path", ["/v1/predictions/{}/delete", "/v1/predictions/{}"])
@pytest.mark.parametrize("ended", [True, False])
async def test_a_deleted_prediction_and_its_file_are_unknown(
    skytells: Send, send: Send, clock: Clock, path: str, ended: bool
) -> None:
    created = await create(skytells)
    last = (
        await wait_until_finished(skytells, clock, created["id"])
        if ended
        else await get_prediction(skytells, created["id"])
    )
    response = await skytells("DELETE", path.format(created["id"]))
    assert (response.status, response.json) == (200, {**last, "success": True})
    for method, more in (("GET", ""), ("GET", "/stream"), ("POST", "/cancel"), ("DELETE", "/delete"), ("DELETE", "")):
        missing = await skytells(method, f"/v1/predictions/{created['id']}{more}")
        assert (missing.status, missing.json["error"]["error_id"]) == (502, "PREDICTION_FAILED")
    assert (await send("GET", f"/delivery/{created['id']}-output.png")).status == 404
    assert (await skytells("GET", "/v1/predictions")).json["data"] == []


async def test_the_list_is_newest_first_and_in_pages(skytells: Send, clock: Clock) -> None:
    ids = []
    for _ in range(5):
        ids.insert(0, (await create(skytells, input={"prompt": "fail please"}))["id"])
    page = (await skytells("GET", "/v1/predictions?page=2&per_page=2")).json
    assert [each["id"] for each in page["data"]] == ids[2:4]
    assert page["pagination"] == {"current_page": 2, "per_page": 2, "total": 5, "last_page": 3}
    assert page["data"][0] == await get_prediction(skytells, ids[2])
    everything = (await skytells("GET", "/v1/predictions")).json
    assert everything["pagination"] == {"current_page": 1, "per_page": 20, "total": 5, "last_page": 1}


async def test_an_empty_list_has_one_page(skytells: Send) -> None:
    response = (await skytells("GET", "/v1/predictions")).json
    assert response == {"data": [], "pagination": {"current_page": 1, "per_page": 20, "total": 0, "last_page": 1}}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "edcba"),
        ("from=2026-03-05", "edc"),
        ("to=2026-03-05", "cba"),
        ("from=2026-03-05&to=2026-03-05", "c"),
        ("from=2026-03-09", ""),
        ("model=flux-pro", "b"),
        ("model=black-forest-labs%2Fflux-pro", "b"),
        ("status=cancelled", "d"),
        ("status=canceled", "d"),
        ("status=failed", "cba"),
        ("status=succeeded", ""),
        ("status=pending", "e"),
        ("status=queued&model=truefusion&from=&page=", "e"),
    ],
)
async def test_a_list_can_be_filtered(skytells: Send, clock: Clock, query: str, expected: str) -> None:
    ids: dict[str, str] = {}
    for name, day, model in (("a", 0, "truefusion"), ("b", 0, "flux-pro"), ("c", 1, "truefusion")):
        clock.now = NOON + day * DAY
        created = await create(skytells, model=model, input={"prompt": "fail please"})
        await wait_until_finished(skytells, clock, created["id"])
        ids[created["id"]] = name
    for name in "de":
        clock.now = NOON + 2 * DAY
        ids[(await create(skytells))["id"]] = name
    cancelled = next(id for id, name in ids.items() if name == "d")
    await skytells("POST", f"/v1/predictions/{cancelled}/cancel")
    page = (await skytells("GET", f"/v1/predictions?{query}")).json
    assert "".join(ids[each["id"]] for each in page["data"]) == expected


@pytest.mark.parametrize(
    ("query", "status", "code", "message"),
    [
        *(
            (f"from={text}", 400, "INVALID_DATE_FORMAT", "from must be a date in the format YYYY-MM-DD.")
            for text in ("yesterday", "2026-02-30", "20260304", "2026-W10-3", "2026-3-4")
        ),
        ("to=04.03.2026", 400, "INVALID_DATE_FORMAT", "to must be a date in the format YYYY-MM-DD."),
        ("from=2026-03-05&to=2026-03-04", 400, "INVALID_DATE_RANGE", "from must not be after to."),
        *(
            (f"page={text}", 400, "INVALID_PARAMETER", "page must be a whole number from 1.")
            for text in ("0", "-1", "x")
        ),
        ("page=2", 400, "INVALID_PARAMETER", "page must be between 1 and 1."),
        *((f"per_page={text}", 400, "INVALID_PARAMETER", "per_page must be between 1 and 50.") for text in ("0", "51")),
        ("model=gpt-0", 404, "MODEL_NOT_FOUND", "Model 'gpt-0' was not found."),
    ],
)
async def test_a_wrong_query_is_refused(skytells: Send, query: str, status: int, code: str, message: str) -> None:
    response = await skytells("GET", f"/v1/predictions?{query}")
    error = {"http_status": status, "message": message, "details": None, "error_id": code}
    assert (response.status, response.json) == (status, {"status": False, "response": message, "error": error})


async def test_an_unknown_status_is_refused(api: KellyAPI) -> None:
    with pytest.raises(BadRequestError, match="status must be one of queued, canceled, pending") as raised:
        await api.skytells.predictions.list(status="happy")
    assert raised.value.code == "INVALID_PARAMETER"


async def test_the_client_iterates_over_all_pages(api: KellyAPI) -> None:
    created = await api.skytells.predictions.create_many(
        [PredictionRequest("truefusion", {"prompt": "fail please"})] * 5
    )
    ids = {each.id for each in created if not isinstance(each, Exception)}
    assert len(ids) == 5
    pages = [page async for page in api.skytells.predictions.pages(per_page=2)]
    assert [len(page.items) for page in pages] == [2, 2, 1]
    assert {each.id async for each in api.skytells.predictions.iterate(per_page=2)} == ids


async def test_one_failure_of_many_loses_no_ids(api: KellyAPI) -> None:
    requests = [("truefusion", FOX["input"]), ("gpt-0", {}), ("flux-pro", FOX["input"])]
    first, second, third = await api.skytells.predictions.create_many(requests)
    assert isinstance(second, StatusError)
    assert second.code == "MODEL_NOT_FOUND"
    assert [getattr(each, "model", None) for each in (first, third)] == ["truefusion", "flux-pro"]


async def test_the_client_sees_each_state_once(api: KellyAPI, clock: Clock) -> None:
    prediction = await api.skytells.predictions.create("truefusion", FOX["input"])
    states = []
    async for state in api.skytells.predictions.follow(prediction, interval=0.01):
        states.append((state.status, state.progress))
        clock.now = max(clock.now, NOON + {"pending": 10, "starting": 50, "processing": 100}.get(state.status, 0))
    assert states[:3] == [("pending", 0), ("starting", 0), ("processing", 50)]
    assert states[-1] == ("succeeded", 100)


async def test_the_client_cancels_deletes_and_reads_stream_info(api: KellyAPI) -> None:
    predictions = api.skytells.predictions
    prediction = await predictions.create("truefusion", FOX["input"], stream=True)
    info = await predictions.stream_info(prediction)
    assert (info.id, info.stream, info.urls["stream"]) == (prediction.id, True, f"{prediction.urls['get']}/stream")
    cancelled = await predictions.cancel(prediction)
    assert cancelled is not None
    assert cancelled.status == "cancelled"
    assert await predictions.delete(prediction) == cancelled
    with pytest.raises(ServerError) as raised:
        await predictions.get(prediction)
    assert raised.value.code == "PREDICTION_FAILED"


async def test_outputs_are_downloaded_into_a_folder(
    api: KellyAPI, skytells: Send, clock: Clock, tmp_path: Path
) -> None:
    created = await create(skytells)
    await wait_until_finished(skytells, clock, created["id"])
    [path] = await api.skytells.predictions.download(created["id"], tmp_path / "new")
    assert (path.name, Image.open(io.BytesIO(path.read_bytes())).size) == (f"{created['id']}-output.png", (64, 64))


async def test_an_awaited_prediction_ends_when_it_is_cancelled(send: Send, api: KellyAPI) -> None:
    waiting = asyncio.create_task(send("POST", "/v1/predict", headers=KEY, json={**FOX, "await": True}))
    while not (page := await api.skytells.predictions.list()).items:
        pass
    await api.skytells.predictions.cancel(page.items[0])
    assert (await waiting).json["status"] == "cancelled"


async def test_an_awaited_prediction_ends_by_the_clock(send: Send, clock: Clock) -> None:
    waiting = asyncio.create_task(send("POST", "/v1/predict", headers=KEY, json={**FOX, "await": True}))
    while not (await send("GET", "/v1/predictions", headers=KEY)).json["data"]:
        pass
    clock.now += SECONDS
    assert (await waiting).json["status"] == "succeeded"


@pytest.mark.parametrize("done", [True, False])
async def test_a_prediction_is_kept_over_a_restart_and_resumed(
    send: Send, clock: Clock, tmp_path: Path, done: bool
) -> None:
    def make_sandbox() -> Sandbox:
        return Sandbox(keep_engines=True, data=tmp_path, clock=clock, prediction_time=SECONDS)

    async with make_sandbox() as first:
        created = await create(partial(send, url=first.url, headers=KEY))
        if done:
            await wait_until_finished(partial(send, url=first.url, headers=KEY), clock, created["id"])
    if not done:  # as if the sandbox had been killed
        with sqlite3.connect(tmp_path / "state.db") as records:
            records.execute("DELETE FROM records WHERE kind = 'result'")
        records.close()
    async with make_sandbox() as second:
        skytells = partial(send, url=second.url, headers=KEY)
        prediction = await wait_until_finished(skytells, clock, created["id"])
        assert (prediction["status"], prediction["created_at"]) == ("succeeded", created["created_at"])
        assert prediction["output"] == [f"{second.url}/delivery/{created['id']}-output.png"]
        assert (await send("GET", "", url=prediction["output"][0])).status == 200
