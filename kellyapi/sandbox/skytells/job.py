"""A job of Skytells as it is at one moment, computed from what is kept of it and the time; nothing is counted along.

A job is a JSON object: "id", "model" (its slug), "input", "stream", "webhook", "created" and "cancelled" (times in
seconds since 1970), "seconds" (how long it takes at least). Its result, when the work is done, is another: "id",
"finished" (a time), "credits", and "failure", "text" or "file" with its "name", "type" and "size".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .models import MODELS

STARTING, PROCESSING = 0.1, 0.25
"""The shares of its time after which a job is starting, and processing."""
LINK_LIFE = 300.0
"""Seconds for which an output can be fetched after its job has ended."""
STATUSES = {
    "queued": "pending",
    "canceled": "cancelled",
    **{name: name for name in ("pending", "starting", "started", "processing", "succeeded", "failed", "cancelled")},
}
"""What a list may be filtered by, in both families of names."""

Job = dict[str, Any]
Result = dict[str, Any]


def due(job: Job) -> float:
    """Give the time before which a job does not end by itself."""
    return float(job["created"] + job["seconds"])


def ended_at(job: Job, result: Result | None, now: float) -> float | None:
    """Give the time at which a job ended, or `None` while it has not."""
    if job["cancelled"] is not None:
        return float(job["cancelled"])
    if result is None:
        return None
    end = max(due(job), result["finished"])
    return end if now >= end else None


def status(job: Job, result: Result | None, now: float) -> str:
    """Give the state of a job at a time."""
    if job["cancelled"] is not None:
        return "cancelled"
    if result is not None and ended_at(job, result, now) is not None:
        return "succeeded" if result["failure"] is None else "failed"
    share = _share(job, now)
    return "pending" if share < STARTING else "starting" if share < PROCESSING else "processing"


def write(job: Job, result: Result | None, now: float, origin: str) -> dict[str, Any]:
    """Give a job in its wire form; `origin` is where the server is asked."""
    end, state = ended_at(job, result, now), status(job, result, now)
    last = now if end is None else end
    begun = job["created"] + PROCESSING * job["seconds"]
    started = begun if _share(job, last) >= PROCESSING or state in ("succeeded", "failed") else None
    done = result if result is not None and state == "succeeded" else None
    failure = result["failure"] if result is not None and state == "failed" else None
    file = done["file"] if done else None
    url = f"{origin}/delivery/{file['name']}" if file else None
    here = f"{origin}/v1/predictions/{job['id']}"
    return {
        "id": job["id"],
        "status": state,
        "type": "inference",
        "stream": job["stream"],
        "input": job["input"],
        "output": ([url] if url else done["text"]) if done else None,
        "response": failure,  # the SDKs read the reason here, the vendor's command in `error`
        "error": failure,
        "created_at": _stamp(job["created"]),
        "started_at": _stamp(started),
        "completed_at": _stamp(end),
        "updated_at": _stamp(end or started or job["created"]),
        "privacy": "private",
        "source": "api",
        "model": {"name": job["model"], "type": MODELS[job["model"]]["type"]},
        "webhook": job["webhook"],
        "metrics": {
            "progress": 100 if done else _progress(job, last),
            **({"image_count": 1} if file else {}),
            **({} if started is None or end is None else {"predict_time": round(end - started, 3)}),
            **({} if end is None else {"total_time": round(end - job["created"], 3)}),
        },
        "metadata": {
            "billing": {"credits_used": done["credits"] if done else 0},
            "storage": {"files": [{**file, "url": url}] if file else []},
            "data_available": bool(file) and now < last + LINK_LIFE,
        },
        "urls": {"get": here, "cancel": f"{here}/cancel", "stream": f"{here}/stream", "delete": f"{here}/delete"},
    }


def day(job: Job) -> str:
    """Give the day on which a job was created, as YYYY-MM-DD."""
    return datetime.fromtimestamp(job["created"], UTC).date().isoformat()


def _share(job: Job, now: float) -> float:
    return (now - job["created"]) / job["seconds"] if job["seconds"] else 0.0


def _progress(job: Job, now: float) -> int:
    share = _share(job, now)
    return 0 if share < PROCESSING else min(99, int(100 * share))


def _stamp(time: float | None) -> str | None:
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
