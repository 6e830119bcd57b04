"""Skytells' predictions in the sandbox: create, get, list, cancel, delete, and download of their outputs.

`generation` makes their outputs. A prediction fails if its prompt contains the words "fail please", so that a program
can be tested with it, and if the package that its output needs is not installed; its error says what to install.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import uuid
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from ..engines.errors import BadInput, EngineMissing
from ..frontend import CONTEXT, ApiError, SandboxContext, note_header, read_json_object
from ..json_stream import send_json
from . import outputs, prediction_state
from .generation import generate
from .models import check_input, find_model, model_kind, prediction_price
from .outgoing_webhooks import WEBHOOK_HOSTS, WEBHOOK_RETRIES, deliver_webhooks, is_called, is_url
from .prediction_state import StoredPrediction, StoredResult

PREDICTION_TIME = web.AppKey("prediction_time", float)
"""Least seconds that a prediction takes."""
FAIL_WORDS = "fail please"
PER_PAGE, MAX_PER_PAGE = 20, 50
_PREDICTIONS, _RESULTS = "prediction", "result"
_NOTHING: StoredResult = {"failure": None, "text": None, "files": [], "credits": 0}
_CHECK_INTERVAL = 0.05
"""Seconds between two checks of a prediction that a request waits for: it may have been cancelled."""


# -- routes ------------------------------------------------------------------------------------------------------------


async def create(request: web.Request) -> web.Response:
    """Handle POST /predict and POST /predictions. Like the provider, never wait for a video."""
    body = await read_json_object(request)
    for field, kind, right in (("model", str, "a string"), ("input", dict, "an object")):
        if body.get(field) in (None, ""):
            raise ApiError(422, "VALIDATION_ERROR", f"The {field} field is required.")
        if not isinstance(body[field], kind):
            raise ApiError(422, "VALIDATION_ERROR", f"The {field} field must be {right}.")
    name, input = body["model"], body["input"]
    model = find_model(name)
    if model_kind(model) == "embedding":
        raise ApiError(422, "MODEL_NOT_SUPPORTED", f"Model {name!r} makes no predictions; use /embeddings.")
    check_input(model, input)
    context = request.app[CONTEXT]
    prediction = {
        "id": str(uuid.uuid4()),
        "model": model["namespace"],
        "input": input,
        "stream": bool(body.get("stream")),
        "webhook": _read_webhook(body.get("webhook")),
        "created": context.store.clock(),
        "seconds": request.app[PREDICTION_TIME],
        "cancelled": None,
    }
    await context.store.put(_PREDICTIONS, prediction["id"], prediction)
    _start_work(context, prediction["id"])
    note = _start_webhooks(request, prediction)
    if not body.get("await") or model_kind(model) == "video":
        new = prediction_state.to_wire(prediction, None, prediction["created"], str(request.url.origin()))
        return web.json_response(new, headers=note_header(note))
    await _wait_until_ended(context, prediction["id"])
    return await _respond(request, prediction["id"])


async def get(request: web.Request) -> web.Response:
    """Handle GET /predictions/{id} and GET /predictions/{id}/stream."""
    return await _respond(request, request.match_info["id"])


async def list_predictions(request: web.Request) -> web.StreamResponse:
    """Handle GET /predictions: newest first. The days of a filter are in UTC and both included."""
    query, context = request.query, request.app[CONTEXT]
    page = _read_number(query, "page", 1, None)
    per_page = _read_number(query, "per_page", PER_PAGE, MAX_PER_PAGE)
    since, until = _read_day(query, "from"), _read_day(query, "to")
    if since and until and since > until:
        raise ApiError(400, "INVALID_DATE_RANGE", "from must not be after to.")
    model = find_model(query["model"])["namespace"] if query.get("model") else None
    status = query.get("status")
    if status and status not in prediction_state.STATUSES:
        raise ApiError(400, "INVALID_PARAMETER", f"status must be one of {', '.join(prediction_state.STATUSES)}.")
    results = (
        {each["id"]: each for each in await context.store.newest(_RESULTS, partial(_without, "text"))} if status else {}
    )
    now = context.store.clock()

    def matches(prediction: StoredPrediction) -> bool:
        day = prediction_state.created_day(prediction)
        if (since and day < since) or (until and day > until) or (model and prediction["model"] != model):
            return False
        if not status:
            return True
        state = prediction_state.status(prediction, results.get(prediction["id"]), now)
        return state == prediction_state.STATUSES[status]

    matching = [each for each in await context.store.newest(_PREDICTIONS, partial(_without, "input")) if matches(each)]
    last_page = max(1, -(-len(matching) // per_page))
    if page > last_page:
        raise ApiError(400, "INVALID_PARAMETER", f"page must be between 1 and {last_page}.")
    origin = str(request.url.origin())
    data = (
        prediction_state.to_wire(*record, now, origin)
        for prediction in matching[(page - 1) * per_page : page * per_page]
        if (record := await _find_and_resume(context, prediction["id"]))
    )
    pagination = {"current_page": page, "per_page": per_page, "total": len(matching), "last_page": last_page}
    return await send_json(request, {"data": data, "pagination": pagination})


async def cancel(request: web.Request) -> web.Response:
    """Handle POST /predictions/{id}/cancel. Some clients read the `success` in the response."""
    context, id = request.app[CONTEXT], request.match_info["id"]
    prediction, result = await _require(request, id)
    now = context.store.clock()
    if prediction_state.ended_at(prediction, result, now) is not None:
        state = prediction_state.status(prediction, result, now)
        raise ApiError(400, "INVALID_REQUEST", f"Prediction {id} has ended ({state}) and cannot be cancelled.")
    await context.store.put(_PREDICTIONS, id, {**prediction, "cancelled": now})
    await _stop_work(context, id)
    return await _respond(request, id, success=True)


async def delete(request: web.Request) -> web.Response:
    """Handle DELETE /predictions/{id}/delete and DELETE /predictions/{id}. The response has the last state."""
    context, id = request.app[CONTEXT], request.match_info["id"]
    response = await _respond(request, id, success=True)
    await _stop_work(context, id)
    for kind in (_PREDICTIONS, _RESULTS):
        await context.store.delete(kind, id)
    await asyncio.to_thread(_delete_files, context.store.path("outputs", ""), id)
    return response


async def serve_output(request: web.Request) -> web.StreamResponse:
    """Handle GET /delivery/{name}, which needs no key, until the link has expired."""
    context, name = request.app[CONTEXT], request.match_info["name"]
    id = outputs.read_id(name)
    record = await _find(context, id) if id else None
    if record is None:
        raise web.HTTPNotFound
    now = context.store.clock()
    end = prediction_state.ended_at(*record, now)
    types = {file["name"]: file["type"] for file in prediction_state.output_files(record[1])}
    if end is None or prediction_state.status(*record, now) != "succeeded" or name not in types:
        raise web.HTTPNotFound
    if now >= end + prediction_state.LINK_LIFETIME:
        raise web.HTTPGone
    return await outputs.serve_file(request, context.store.path("outputs", name), types[name])


# -- fields of requests ------------------------------------------------------------------------------------------------


def _read_webhook(value: Any) -> dict[str, Any]:
    webhook = {"url": value} if isinstance(value, str) else {} if value is None else value
    if not isinstance(webhook, dict):
        raise ApiError(422, "VALIDATION_ERROR", "The webhook field must be an object.")
    if webhook and not is_url(webhook.get("url")):
        raise ApiError(422, "VALIDATION_ERROR", "The webhook.url field must be a valid URL.")
    events = webhook.get("events") or []
    if not (isinstance(events, list) and all(isinstance(event, str) for event in events)):
        raise ApiError(422, "VALIDATION_ERROR", "The webhook.events field must be an array of strings.")
    return {"url": None, **webhook, "events": events}


def _read_number(query: Any, name: str, default: int, most: int | None) -> int:
    text = query.get(name) or str(default)
    value = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    if value < 1 or (most is not None and value > most):
        expected = "a whole number from 1" if most is None else f"between 1 and {most}"
        raise ApiError(400, "INVALID_PARAMETER", f"{name} must be {expected}.")
    return value


def _read_day(query: Any, name: str) -> str | None:
    text = query.get(name) or None
    if text is not None:
        try:
            if date.fromisoformat(text).isoformat() != text:  # fromisoformat also takes 20260304 and 2026-W10-3
                raise ValueError(text)
        except ValueError:
            raise ApiError(400, "INVALID_DATE_FORMAT", f"{name} must be a date in the format YYYY-MM-DD.") from None
    return text


# -- work --------------------------------------------------------------------------------------------------------------


def _start_work(context: SandboxContext, id: str) -> None:
    _keep_task(context, asyncio.create_task(_do_work(context, id), name=id))


def _start_webhooks(request: web.Request, prediction: StoredPrediction) -> str | None:
    """Start the webhook deliveries of a prediction.

    Deliveries are signed with the key that created the prediction, which is never written to disk.

    Returns:
        A note for the user if the sandbox does not call this webhook.
    """
    url, context = prediction["webhook"]["url"], request.app[CONTEXT]
    if url is None:
        return None
    if not is_called(url, request.app[WEBHOOK_HOSTS]):
        return "The sandbox calls webhooks on this machine only, and on the hosts that webhook_hosts names."
    deliveries = deliver_webhooks(
        partial(_find, context, prediction["id"]),
        context.store.clock,
        key=request.headers["x-api-key"].strip(),
        origin=str(request.url.origin()),
        retries=request.app[WEBHOOK_RETRIES],
    )
    _keep_task(context, asyncio.create_task(deliveries, name=f"webhook of {prediction['id']}"))
    return None


def _keep_task(context: SandboxContext, task: asyncio.Task[None]) -> None:
    context.store.background_tasks.add(task)
    task.add_done_callback(context.store.background_tasks.discard)


def _running_tasks(context: SandboxContext, id: str) -> list[asyncio.Task[None]]:
    return [task for task in context.store.background_tasks if task.get_name() == id]


async def _stop_work(context: SandboxContext, id: str) -> None:
    tasks = _running_tasks(context, id)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _wait_until_ended(context: SandboxContext, id: str) -> None:
    """Wait until a prediction has ended, was cancelled or was deleted."""
    while record := await _find(context, id):
        prediction, result = record
        if prediction_state.ended_at(prediction, result, context.store.clock()) is not None:
            return
        if tasks := _running_tasks(context, id):
            await asyncio.wait(tasks)
        elif result is not None:
            remaining = prediction_state.earliest_end(prediction) - context.store.clock()
            await asyncio.sleep(min(_CHECK_INTERVAL, max(0.0, remaining)))
        else:  # the sandbox is closing
            return


async def _do_work(context: SandboxContext, id: str) -> None:
    """Make the output of a prediction when it is its turn. Until then, its input is on disk only."""
    async with context.prediction_turns:
        prediction = await context.store.get(_PREDICTIONS, id)
        if prediction is None:  # deleted
            return
        result: StoredResult = {"id": id, **_NOTHING}
        try:
            result |= await _make_output(context, prediction)
        except (BadInput, EngineMissing, RuntimeError, OSError) as error:  # OSError: the disk may be full
            result["failure"] = str(error)
        result["finished"] = context.store.clock()
        try:
            await context.store.put(_RESULTS, id, result)
        except (OSError, sqlite3.Error, BadInput) as error:  # without a result it would be in progress for ever
            failed = {**_NOTHING, "failure": f"The sandbox cannot store the output: {error}"}
            context.store.hold(_RESULTS, id, result | failed)


async def _make_output(context: SandboxContext, prediction: StoredPrediction) -> StoredResult:
    """Make the output, and return the fields that it adds to the stored result."""
    model, input = find_model(prediction["model"]), prediction["input"]
    if FAIL_WORDS in input["prompt"].lower():
        return {"failure": f"The prompt says “{FAIL_WORDS}”, and so the sandbox lets the prediction fail."}
    made = await generate(context, model, input)
    files = []
    for place, (ending, content_type, data) in enumerate(made.files):
        name = outputs.output_name(prediction["id"], place, ending)
        await context.store.save(context.store.path("outputs", name), data)
        files.append({"name": name, "type": content_type, "size": len(data)})
    return {"text": made.text, "files": files, "credits": prediction_price(model, input, made.units)}


def _delete_files(folder: Path, id: str) -> None:
    """Delete the outputs of a prediction, also those that its interrupted work has left."""
    for path in folder.glob(f"{id}-output*"):
        path.unlink(missing_ok=True)


# -- stored records ----------------------------------------------------------------------------------------------------


async def _respond(request: web.Request, id: str, **fields: Any) -> web.Response:
    record = await _require(request, id)
    now, origin = request.app[CONTEXT].store.clock(), str(request.url.origin())
    return web.json_response(prediction_state.to_wire(*record, now, origin) | fields)


async def _require(request: web.Request, id: str) -> tuple[StoredPrediction, StoredResult | None]:
    record = await _find_and_resume(request.app[CONTEXT], id)
    if record is None:  # the provider's own response to an id that it does not know; it is never a 404
        raise ApiError(502, "PREDICTION_FAILED", f"Prediction {id} could not be found.")
    return record


async def _find_and_resume(context: SandboxContext, id: str) -> tuple[StoredPrediction, StoredResult | None] | None:
    """Find a prediction, and start its work again if an earlier sandbox left it unfinished."""
    record = await _find(context, id)
    if record is None:
        return None
    prediction, result = record
    if result is not None or prediction["cancelled"] is not None or _running_tasks(context, id):
        return record
    result = await context.store.get(_RESULTS, id)  # again: the task may have stored it in the meantime
    if result is None and not _running_tasks(context, id):
        _start_work(context, id)
    return prediction, result


def _without(field: str, record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without a field that may be long."""
    return {**record, field: None}


async def _find(context: SandboxContext, id: str) -> tuple[StoredPrediction, StoredResult | None] | None:
    prediction = await context.store.get(_PREDICTIONS, id)
    return None if prediction is None else (prediction, await context.store.get(_RESULTS, id))
