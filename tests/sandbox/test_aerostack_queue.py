"""Aerostack's queue, A7 and A8."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from http_client import Clock

from kellyapi import Aerostack, Sandbox

NOON = 1_800_000_000.0


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(clock=clock) as sandbox:
        yield sandbox


async def test_a_job_is_returned_as_it_was_enqueued(post: Any) -> None:
    response = await post("/v1/queue/enqueue", json={"type": "send-email", "data": {"to": ["ama"]}})
    assert response.status == 201
    id = response.json["jobId"]
    assert response.json == {"jobId": id, "success": True}
    job = {
        "id": id,
        "type": "send-email",
        "data": {"to": ["ama"]},
        "status": "queued",
        "projectId": "sandbox",
        "createdAt": "2027-01-15T08:00:00.000Z",
    }
    assert (await post("/v1/queue/job", json={"jobId": id})).json == {"job": job, "exists": True}
    assert (await post("/v1/queue/jobs", json={})).json == {"jobs": [job], "list_complete": True, "cursor": None}


@pytest.mark.parametrize("data", [None, 0, False, "text", [1], {"a": None}])
async def test_data_can_be_any_json(aerostack: Aerostack, data: Any) -> None:
    job = await aerostack.queue.job(await aerostack.queue.enqueue("any", data))
    assert job is not None
    assert job.data == data


async def test_a_job_is_completed_five_seconds_after_its_delay(aerostack: Aerostack, clock: Clock) -> None:
    now, later = await aerostack.queue.enqueue("now", 1), await aerostack.queue.enqueue("later", 1, delay=60)

    async def states() -> list[str]:
        return [job.status async for job in aerostack.queue.iterate()]

    assert await states() == ["queued", "queued"]
    clock.now += 5
    assert (await aerostack.queue.job(now)).status == "completed"
    assert await states() == ["queued", "completed"]
    clock.now += 60
    assert (await aerostack.queue.job(later)).status == "completed"


async def test_jobs_are_deleted_after_seven_days(aerostack: Aerostack, clock: Clock) -> None:
    id = await aerostack.queue.enqueue("old", 1)
    clock.now += 7 * 86400 - 1
    assert await aerostack.queue.job(id)
    clock.now += 1
    assert await aerostack.queue.job(id) is None
    assert (await aerostack.queue.jobs()).items == ()


async def test_jobs_are_listed_newest_first_and_filtered(aerostack: Aerostack) -> None:
    ids = [await aerostack.queue.enqueue("even" if i % 2 == 0 else "odd", i) for i in range(7)]
    await aerostack.queue.cancel(ids[2])
    page = await aerostack.queue.jobs(type="even", limit=2)
    assert [job.data for job in page.items] == [6, 4]
    rest = await aerostack.queue.jobs(type="even", limit=2, cursor=page.cursor)
    assert ([job.data for job in rest.items], rest.cursor) == ([2, 0], None)
    assert [job.data async for job in aerostack.queue.iterate(status="queued", type="even")] == [6, 4, 0]
    assert [job.data async for job in aerostack.queue.iterate(status="cancelled")] == [2]


async def test_a_queued_job_is_cancelled_with_a_note(aerostack: Aerostack, post: Any) -> None:
    id = await aerostack.queue.enqueue("mail", 1)
    note = "Advisory: a worker that has begun may still finish the job"
    assert (await post("/v1/queue/cancel", json={"jobId": id})).json == {"success": True, "note": note}
    assert (await aerostack.queue.job(id)).status == "cancelled"
    again = await aerostack.queue.cancel(id)
    assert (again.success, again.note) == (False, "The job is cancelled already")


async def test_a_job_that_is_done_or_missing_is_not_cancelled(aerostack: Aerostack, clock: Clock) -> None:
    id = await aerostack.queue.enqueue("mail", 1)
    clock.now += 5
    done, missing = await aerostack.queue.cancel(id), await aerostack.queue.cancel("none")
    assert (done.success, done.note) == (False, "The job is completed already")
    assert (missing.success, missing.note) == (False, "There is no such job")


async def test_a_missing_job_is_null(aerostack: Aerostack, post: Any) -> None:
    assert await aerostack.queue.job("../x y#z") is None
    assert (await post("/v1/queue/job", json={"jobId": "none"})).json == {"job": None, "exists": False}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("enqueue", {"data": 1}, "type"),
        ("enqueue", {"type": "", "data": 1}, "type"),
        ("enqueue", {"type": "a"}, "data"),
        ("enqueue", {"type": "a", "data": 1, "delay": -1}, "delay"),
        ("enqueue", {"type": "a", "data": 1, "delay": "5"}, "delay"),
        ("job", {}, "jobId"),
        ("job", {"jobId": 5}, "jobId"),
        ("cancel", {}, "jobId"),
        ("jobs", {"limit": 201}, "limit"),
        ("jobs", {"limit": 0}, "limit"),
        ("jobs", {"status": "done"}, "status"),
        ("jobs", {"type": 5}, "type"),
        ("jobs", {"cursor": "bm9uZQ=="}, "cursor"),
        ("jobs", {"cursor": 5}, "cursor"),
    ],
)
async def test_wrong_input_is_a_400_that_names_the_field(post: Any, path: str, body: Any, field: str) -> None:
    response = await post(f"/v1/queue/{path}", json=body)
    assert (response.status, response.json["code"]) == (400, "VALIDATION_ERROR")
    assert response.json["details"] == {"field": field}
