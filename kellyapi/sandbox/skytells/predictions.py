"""Skytells' predictions in the sandbox: created, looked at, listed, cancelled, deleted, and their outputs fetched.

A picture is drawn, a text is written; video and music are not made, and such a job fails and says so. A job whose
prompt contains the words "fail please" fails too, for trying what a program does then.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from datetime import date
from functools import partial
from typing import Any

from aiohttp import web

from ..engines.failures import BadInput, EngineMissing
from ..face import SHARED, Refused, Shared, noted, read_object
from . import job as jobs
from . import outputs
from .callbacks import WEBHOOK_RETRIES, call_back, is_called
from .job import Job, Result
from .models import check_input, find, kind_of, price

PREDICTION_TIME = web.AppKey("prediction_time", float)
"""Seconds that a job takes at least."""
FAIL = "fail please"
PER_PAGE, MOST_PER_PAGE = 20, 50
_JOBS, _RESULTS = "prediction", "result"
_GLANCE = 0.05
"""Seconds after which a job that is awaited is looked at again: it may have been cancelled."""
_NAME = re.compile(r"([0-9a-f-]{36})-output\.png")


async def create(request: web.Request) -> web.Response:
    """Answer POST /predict and POST /predictions. Like the system, do not wait for a video, even when asked to."""
    body = await read_object(request)
    name, input = body.get("model"), body.get("input")
    if not isinstance(name, str) or not name or not isinstance(input, dict):
        missing = "input" if isinstance(name, str) and name else "model"
        raise Refused(422, "VALIDATION_ERROR", f"The {missing} field is required.")
    model = find(name)
    if kind_of(model) == "embedding":
        raise Refused(422, "MODEL_NOT_SUPPORTED", f"Model {name!r} makes no predictions; ask /embeddings.")
    check_input(model, input)
    shared = request.app[SHARED]
    job = {
        "id": str(uuid.uuid4()),
        "model": model["namespace"],
        "input": input,
        "stream": bool(body.get("stream")),
        "webhook": _webhook(body.get("webhook")),
        "created": shared.store.clock(),
        "seconds": request.app[PREDICTION_TIME],
        "cancelled": None,
    }
    await shared.store.put(_JOBS, job["id"], job)
    _start(shared, job)
    note = _call_back(request, job)
    if not body.get("await") or kind_of(model) == "video":
        written = jobs.write(job, None, job["created"], str(request.url.origin()))
        return web.json_response(written, headers=noted(note))
    await _end(shared, job["id"])
    return await _answer(request, job["id"])


def _webhook(given: Any) -> dict[str, Any]:
    webhook = {"url": given} if isinstance(given, str) else {} if given is None else given
    if not isinstance(webhook, dict):
        raise Refused(422, "VALIDATION_ERROR", "The webhook field must be an object.")
    url = webhook.get("url")
    if webhook and not (isinstance(url, str) and url.startswith(("https://", "http://"))):
        raise Refused(422, "VALIDATION_ERROR", "The webhook.url field must be a valid URL.")
    events = webhook.get("events") or []
    if not (isinstance(events, list) and all(isinstance(event, str) for event in events)):
        raise Refused(422, "VALIDATION_ERROR", "The webhook.events field must be an array of strings.")
    return {"url": None, **webhook, "events": events}


def _call_back(request: web.Request, job: Job) -> str | None:
    """Let a job tell its webhook, with the key that created it, or say why it will not. The key is not kept on disk."""
    url, shared = job["webhook"]["url"], request.app[SHARED]
    if url is None:
        return None
    if not is_called(url):
        return "The sandbox calls webhooks on this machine only."
    calls = call_back(
        partial(_find, shared, job["id"]),
        shared.store.clock,
        key=request.headers["x-api-key"].strip(),
        origin=str(request.url.origin()),
        retries=request.app[WEBHOOK_RETRIES],
    )
    _keep(shared, asyncio.create_task(calls, name=f"webhook of {job['id']}"))
    return None


def _start(shared: Shared, job: Job) -> None:
    _keep(shared, asyncio.create_task(_work(shared, job), name=job["id"]))


def _keep(shared: Shared, task: asyncio.Task[None]) -> None:
    shared.store.work.add(task)
    task.add_done_callback(shared.store.work.discard)


def _running(shared: Shared, id: str) -> list[asyncio.Task[None]]:
    return [task for task in shared.store.work if task.get_name() == id]


async def _work(shared: Shared, job: Job) -> None:
    result: Result = {"id": job["id"], "failure": None, "text": None, "file": None, "credits": 0}
    try:
        result |= await _make(shared, job)
    except (BadInput, EngineMissing, RuntimeError) as error:
        result["failure"] = str(error)
    await shared.store.put(_RESULTS, job["id"], {**result, "finished": shared.store.clock()})


async def _make(shared: Shared, job: Job) -> Result:
    model, input = find(job["model"]), job["input"]
    kind, prompt = kind_of(model), input["prompt"]
    if FAIL in prompt.lower():
        return {"failure": f"The prompt says “{FAIL}”, and so the sandbox lets the job fail."}
    if kind == "image":
        given = {name: input[name] for name in ("width", "height", "negative_prompt") if input.get(name) is not None}
        picture = await shared.engines.run("images.draw", prompt=prompt, **given)
        name = f"{job['id']}-output.png"
        await shared.store.save(shared.store.path("outputs", name), picture)
        file = {"name": name, "type": "image/png", "size": len(picture)}
        return {"file": file, "credits": price(model, input, 0)}
    if kind in ("text", "code"):
        messages = [
            {"role": "system", "content": input.get("system_prompt") or ""},
            {"role": "user", "content": prompt},
        ]
        text = await shared.engines.run("chat.reply", messages=messages, model=job["model"])
        return {"text": text, "credits": price(model, input, len(f"{prompt} {text}".split()))}
    return {"failure": f"The sandbox makes no {kind}."}


async def _end(shared: Shared, id: str) -> None:
    """Wait until a job has ended, by itself or not."""
    while (found := await _find(shared, id)) and jobs.ended_at(*found, shared.store.clock()) is None:
        job, result = found
        if tasks := _running(shared, id):
            await asyncio.wait(tasks)
        elif result is not None:
            await asyncio.sleep(min(_GLANCE, max(0.0, jobs.due(job) - shared.store.clock())))
        else:  # the sandbox is closing
            return


async def _find(shared: Shared, id: str) -> tuple[Job, Result | None] | None:
    job = await shared.store.get(_JOBS, id)
    return None if job is None else (job, await shared.store.get(_RESULTS, id))


async def _look(shared: Shared, id: str) -> tuple[Job, Result | None] | None:
    """Find a job, and take it up again if a sandbox before this one left it undone."""
    found = await _find(shared, id)
    if found is None or found[1] is not None or found[0]["cancelled"] is not None or _running(shared, id):
        return found
    job, result = found[0], await shared.store.get(_RESULTS, id)  # which its task may have put there meanwhile
    if result is None and not _running(shared, id):
        _start(shared, job)
    return job, result


async def _known(request: web.Request, id: str) -> tuple[Job, Result | None]:
    found = await _look(request.app[SHARED], id)
    if found is None:  # the system's own words for an id that it does not know; it is never a 404
        raise Refused(502, "PREDICTION_FAILED", f"Prediction {id} could not be found.")
    return found


async def _answer(request: web.Request, id: str, **more: Any) -> web.Response:
    found = await _known(request, id)
    return web.json_response(jobs.write(*found, request.app[SHARED].store.clock(), str(request.url.origin())) | more)


async def get(request: web.Request) -> web.Response:
    """Answer GET /predictions/{id} and GET /predictions/{id}/stream."""
    return await _answer(request, request.match_info["id"])


async def cancel(request: web.Request) -> web.Response:
    """Answer POST /predictions/{id}/cancel: the prediction, and the `success` that some clients look for."""
    shared, id = request.app[SHARED], request.match_info["id"]
    job, result = await _known(request, id)
    now = shared.store.clock()
    if jobs.ended_at(job, result, now) is not None:
        state = jobs.status(job, result, now)
        raise Refused(400, "INVALID_REQUEST", f"Prediction {id} has ended ({state}) and cannot be cancelled.")
    await shared.store.put(_JOBS, id, {**job, "cancelled": now})
    await _stop(shared, id)
    return await _answer(request, id, success=True)


async def delete(request: web.Request) -> web.Response:
    """Answer DELETE /predictions/{id}/delete and DELETE /predictions/{id}: the last state, and `success`."""
    shared, id = request.app[SHARED], request.match_info["id"]
    answer = await _answer(request, id, success=True)
    await _stop(shared, id)
    for kind in (_JOBS, _RESULTS):
        await shared.store.delete(kind, id)
    await asyncio.to_thread(shared.store.path("outputs", f"{id}-output.png").unlink, missing_ok=True)
    return answer


async def _stop(shared: Shared, id: str) -> None:
    tasks = _running(shared, id)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def list_predictions(request: web.Request) -> web.Response:
    """Answer GET /predictions, the newest first. Days are of UTC and both included."""
    query, shared = request.query, request.app[SHARED]
    page = _number(query, "page", 1, None)
    per_page = _number(query, "per_page", PER_PAGE, MOST_PER_PAGE)
    since, until = _day(query, "from"), _day(query, "to")
    if since and until and since > until:
        raise Refused(400, "INVALID_DATE_RANGE", "from must not be after to.")
    model = find(query["model"])["namespace"] if query.get("model") else None
    state = query.get("status")
    if state and state not in jobs.STATUSES:
        raise Refused(400, "INVALID_PARAMETER", f"status must be one of {', '.join(jobs.STATUSES)}.")
    results = {each["id"]: each for each in await shared.store.newest(_RESULTS)} if state else {}
    now = shared.store.clock()
    found = [
        job
        for job in await shared.store.newest(_JOBS)
        if (not since or jobs.day(job) >= since)
        and (not until or jobs.day(job) <= until)
        and (not model or job["model"] == model)
        and (not state or jobs.status(job, results.get(job["id"]), now) == jobs.STATUSES[state])
    ]
    last = max(1, -(-len(found) // per_page))
    if page > last:
        raise Refused(400, "INVALID_PARAMETER", f"page must be between 1 and {last}.")
    shown = found[(page - 1) * per_page : page * per_page]
    origin = str(request.url.origin())
    data = [jobs.write(*each, now, origin) for job in shown if (each := await _look(shared, job["id"]))]
    pagination = {"current_page": page, "per_page": per_page, "total": len(found), "last_page": last}
    return web.json_response({"data": data, "pagination": pagination})


def _number(query: Any, name: str, default: int, most: int | None) -> int:
    text = query.get(name) or str(default)
    value = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if value < 1 or (most is not None and value > most):
        wanted = "a whole number from 1" if most is None else f"between 1 and {most}"
        raise Refused(400, "INVALID_PARAMETER", f"{name} must be {wanted}.")
    return value


def _day(query: Any, name: str) -> str | None:
    text = query.get(name) or None
    if text is not None:
        try:
            if date.fromisoformat(text).isoformat() != text:  # which also takes 20260304 and 2026-W10-3
                raise ValueError(text)
        except ValueError:
            raise Refused(400, "INVALID_DATE_FORMAT", f"{name} must be a date in the format YYYY-MM-DD.") from None
    return text


async def deliver(request: web.Request) -> web.StreamResponse:
    """Answer GET /delivery/{name}, for everybody, until the link has expired."""
    shared, name = request.app[SHARED], _NAME.fullmatch(request.match_info["name"])
    found = await _find(shared, name[1]) if name else None
    if name is None or found is None:
        raise web.HTTPNotFound
    now = shared.store.clock()
    end = jobs.ended_at(*found, now)
    if end is None or jobs.status(*found, now) != "succeeded":
        raise web.HTTPNotFound
    if now >= end + jobs.LINK_LIFE:
        raise web.HTTPGone
    return await outputs.serve(request, shared.store.path("outputs", name[0]), "image/png")
