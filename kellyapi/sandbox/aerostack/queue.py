"""The queue. Nobody works on it: a job is queued for its delay and `WORK` seconds more, then completed."""

from __future__ import annotations

import uuid
from typing import Any

from aiohttp import web

from ..face import SHARED, read_object
from ..store import Store
from .fields import after, cursor_of, encoded, invalid, maybe, number, text, written

WORK = 5
KEPT = 7 * 86400
STATES = ("queued", "processing", "completed", "failed", "cancelled")


async def _enqueue(request: web.Request) -> web.Response:
    body = await read_object(request)
    encoded(body, "data")
    type, data, delay = text(body, "type"), body["data"], number(body, "delay", 0, least=0)
    store = request.app[SHARED].store
    now, id = store.clock(), str(uuid.uuid4())
    job = {"id": id, "type": type, "data": data, "projectId": "sandbox", "createdAt": written(now)}
    await store.put("job", id, {"job": job, "created": now, "done": now + delay + WORK, "cancelled": False})
    return web.json_response({"jobId": id, "success": True}, status=201)


async def _job(request: web.Request) -> web.Response:
    id = text(await read_object(request), "jobId")
    store = request.app[SHARED].store
    job = _seen(await store.get("job", id), store.clock())
    return web.json_response({"job": job, "exists": job is not None})


async def _jobs(request: web.Request) -> web.Response:
    body = await read_object(request)
    limit = number(body, "limit", 50, whole=True, least=1, most=200)
    status, type, last = maybe(body, "status", str), maybe(body, "type", str), after(body)
    if status is not None and status not in STATES:
        raise invalid("status", f"must be one of {', '.join(STATES)}")
    jobs = await _all(request.app[SHARED].store)
    ids = [job["id"] for job in jobs]
    if last and last not in ids:
        raise invalid("cursor", "is none that a list gave")
    jobs = jobs[ids.index(last) + 1 :] if last else jobs
    found = [job for job in jobs if status in (None, job["status"]) and type in (None, job["type"])]
    complete = len(found) <= limit
    cursor = None if complete else cursor_of(found[limit - 1]["id"])
    return web.json_response({"jobs": found[:limit], "list_complete": complete, "cursor": cursor})


async def _cancel(request: web.Request) -> web.Response:
    id = text(await read_object(request), "jobId")
    store = request.app[SHARED].store
    kept = await store.get("job", id)
    job = _seen(kept, store.clock())
    if job is None:
        return web.json_response({"success": False, "note": "There is no such job"})
    if job["status"] != "queued":
        return web.json_response({"success": False, "note": f"The job is {job['status']} already"})
    await store.put("job", id, {**kept, "cancelled": True})
    return web.json_response({"success": True, "note": "Advisory: a worker that has begun may still finish the job"})


async def _all(store: Store) -> list[dict[str, Any]]:
    """Give the jobs that are kept, the newest first, and forget the others."""
    now, jobs = store.clock(), []
    for kept in await store.newest("job"):
        if job := _seen(kept, now):
            jobs.append(job)
        else:
            await store.delete("job", kept["job"]["id"])
    return jobs


def _seen(kept: dict[str, Any] | None, now: float) -> dict[str, Any] | None:
    """Give a job as it is at a time."""
    if kept is None or kept["created"] + KEPT <= now:
        return None
    state = "cancelled" if kept["cancelled"] else "completed" if kept["done"] <= now else "queued"
    return {**kept["job"], "status": state}


ROUTES = (
    ("POST", "/queue/enqueue", _enqueue),
    ("POST", "/queue/job", _job),
    ("POST", "/queue/jobs", _jobs),
    ("POST", "/queue/cancel", _cancel),
)
