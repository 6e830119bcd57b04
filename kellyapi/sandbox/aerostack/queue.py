"""Aerostack's queue. There is no worker: a job is "queued" for its delay and `SECONDS_OF_WORK`, then "completed"."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from ..frontend import CONTEXT, read_json_object
from ..store import Store
from .body_fields import (
    invalid_field,
    iso8601,
    optional_field,
    optional_number,
    read_cursor,
    required_json,
    required_text,
    write_cursor,
)

SECONDS_OF_WORK = 5
RETENTION_SECONDS = 7 * 86400
STATUSES = ("queued", "processing", "completed", "failed", "cancelled")


async def enqueue(request: web.Request) -> web.Response:
    """Add a job."""
    body = await read_json_object(request)
    required_json(body, "data")
    type, data, delay = required_text(body, "type"), body["data"], optional_number(body, "delay", 0, least=0)
    store = request.app[CONTEXT].store
    now, id = store.clock(), str(uuid.uuid4())
    job = {"id": id, "type": type, "data": data, "projectId": "sandbox", "createdAt": iso8601(now)}
    await store.put("job", id, {"job": job, "created": now, "done": now + delay + SECONDS_OF_WORK, "cancelled": False})
    return web.json_response({"jobId": id, "success": True}, status=201)


async def get_job(request: web.Request) -> web.Response:
    """Return a job with its status."""
    id = required_text(await read_json_object(request), "jobId")
    store = request.app[CONTEXT].store
    job = _job_at(await store.get("job", id), store.clock())
    return web.json_response({"job": job, "exists": job is not None})


async def list_jobs(request: web.Request) -> web.Response:
    """Return a page of jobs, newest first."""
    body = await read_json_object(request)
    limit = optional_number(body, "limit", 50, whole=True, least=1, most=200)
    status, type, last_id = optional_field(body, "status", str), optional_field(body, "type", str), read_cursor(body)
    if status is not None and status not in STATUSES:
        raise invalid_field("status", f"must be one of {', '.join(STATUSES)}")
    jobs = await _load_jobs(request.app[CONTEXT].store)
    ids = [job["id"] for job in jobs]
    if last_id and last_id not in ids:
        raise invalid_field("cursor", "was not returned by a list")
    jobs = jobs[ids.index(last_id) + 1 :] if last_id else jobs
    matching = [job for job in jobs if status in (None, job["status"]) and type in (None, job["type"])]
    complete = len(matching) <= limit
    cursor = None if complete else write_cursor(matching[limit - 1]["id"])
    return web.json_response({"jobs": matching[:limit], "list_complete": complete, "cursor": cursor})


async def cancel_job(request: web.Request) -> web.Response:
    """Cancel a job that is still queued."""
    id = required_text(await read_json_object(request), "jobId")
    store = request.app[CONTEXT].store
    record = await store.get("job", id)
    job = _job_at(record, store.clock())
    if job is None:
        return web.json_response({"success": False, "note": "There is no such job"})
    if job["status"] != "queued":
        return web.json_response({"success": False, "note": f"The job is {job['status']} already"})
    await store.put("job", id, {**record, "cancelled": True})
    return web.json_response({"success": True, "note": "Advisory: a worker that has begun may still finish the job"})


async def _load_jobs(store: Store) -> list[dict[str, Any]]:
    """Return all jobs, newest first, and delete those that are too old."""
    now, jobs = store.clock(), []
    for record in await store.newest("job"):
        if job := _job_at(record, now):
            jobs.append(job)
        else:
            await store.delete("job", record["job"]["id"])
    return jobs


def _job_at(record: dict[str, Any] | None, now: float) -> dict[str, Any] | None:
    """Return a job with its status at the time `now`, or `None` if it is missing or too old."""
    if record is None or record["created"] + RETENTION_SECONDS <= now:
        return None
    status = "cancelled" if record["cancelled"] else "completed" if record["done"] <= now else "queued"
    return {**record["job"], "status": status}
