"""Aerostack's queue. There is no worker: a job is "queued" for its delay and `SECONDS_OF_WORK`, then "completed"."""

from __future__ import annotations

import json
import uuid
from typing import Any

from aiohttp import web

from ..frontend import CONTEXT, read_json_object
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
MAX_PAGE = 32 * 2**20
"""Characters of jobs after which a page ends."""
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
    store = request.app[CONTEXT].store
    now = store.clock()

    def keep(record: dict[str, Any]) -> tuple[str, bool | None]:
        """Return the id of a job and whether it is asked for, `None` if it is too old."""
        job = _job_at(record, now)
        is_asked_for = job and status in (None, job["status"]) and type in (None, job["type"])
        return record["job"]["id"], None if job is None else bool(is_asked_for)

    jobs = dict(await store.newest("job", keep))
    for id in [id for id, matches in jobs.items() if matches is None]:
        await store.delete("job", id)
        del jobs[id]
    if last_id and last_id not in jobs:
        raise invalid_field("cursor", "was not returned by a list")
    ids = list(jobs)
    rest = [id for id in (ids[ids.index(last_id) + 1 :] if last_id else ids) if jobs[id]]
    page: list[dict[str, Any]] = []
    size = 0
    while rest and len(page) < limit and size <= MAX_PAGE:
        record = await store.get("job", rest.pop(0))
        if job := _job_at(record, now):
            page.append(job)
            size += len(json.dumps(job))
    cursor = write_cursor(page[-1]["id"]) if rest and page else None
    return web.json_response({"jobs": page, "list_complete": cursor is None, "cursor": cursor})


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


def _job_at(record: dict[str, Any] | None, now: float) -> dict[str, Any] | None:
    """Return a job with its status at the time `now`, or `None` if it is missing or too old."""
    if record is None or record["created"] + RETENTION_SECONDS <= now:
        return None
    status = "cancelled" if record["cancelled"] else "completed" if record["done"] <= now else "queued"
    return {**record["job"], "status": status}
