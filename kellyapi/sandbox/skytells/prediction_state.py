"""State of a prediction at one moment, computed from its stored record, its stored result and the time.

The stored prediction is a JSON object: "id", "model" (its slug), "input", "stream", "webhook", "created" and
"cancelled" (times in seconds since 1970) and "seconds" (how long the prediction takes at least). The stored result is
written when the work is done: "id", "finished" (a time), "credits", and "failure", "text" or "files", each with its
"name", "type" and "size".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from .models import MODELS

STARTING, PROCESSING = 0.1, 0.25
"""Shares of its time after which a prediction is starting, and processing."""
LINK_LIFETIME = 300.0
"""Seconds for which an output can be downloaded after its prediction has ended."""
STATUSES = {
    "queued": "pending",
    "canceled": "cancelled",
    **{name: name for name in ("pending", "starting", "started", "processing", "succeeded", "failed", "cancelled")},
}
"""Status by each name that the filter of a list accepts."""

StoredPrediction = dict[str, Any]
StoredResult = dict[str, Any]


def earliest_end(prediction: StoredPrediction) -> float:
    """Return the time before which a prediction does not end unless it is cancelled."""
    return float(prediction["created"] + prediction["seconds"])


def ended_at(prediction: StoredPrediction, result: StoredResult | None, now: float) -> float | None:
    """Return the time at which a prediction ended, or `None` if it has not ended."""
    if prediction["cancelled"] is not None:
        return float(prediction["cancelled"])
    if result is None:
        return None
    end = max(earliest_end(prediction), result["finished"])
    return end if now >= end else None


def status(prediction: StoredPrediction, result: StoredResult | None, now: float) -> str:
    """Return the status of a prediction at the time `now`."""
    if prediction["cancelled"] is not None:
        return "cancelled"
    if result is not None and ended_at(prediction, result, now) is not None:
        return "succeeded" if result["failure"] is None else "failed"
    share = _time_share(prediction, now)
    return "pending" if share < STARTING else "starting" if share < PROCESSING else "processing"


def to_wire(prediction: StoredPrediction, result: StoredResult | None, now: float, origin: str) -> dict[str, Any]:
    """Return a prediction in its wire form; `origin` is the scheme, host and port of the sandbox."""
    end, state = ended_at(prediction, result, now), status(prediction, result, now)
    last_moment = now if end is None else end
    processing_at = prediction["created"] + PROCESSING * prediction["seconds"]
    has_started = _time_share(prediction, last_moment) >= PROCESSING or state in ("succeeded", "failed")
    started = processing_at if has_started else None
    success = result if result is not None and state == "succeeded" else None
    failure = result["failure"] if result is not None and state == "failed" else None
    files = [{**file, "url": f"{origin}/delivery/{file['name']}"} for file in output_files(success)]
    own_url = f"{origin}/v1/predictions/{prediction['id']}"
    return {
        "id": prediction["id"],
        "status": state,
        "type": "inference",
        "stream": prediction["stream"],
        "input": prediction["input"],
        "output": ([file["url"] for file in files] or success["text"]) if success else None,
        "response": failure,  # the SDKs read the reason here, the vendor's command reads it in `error`
        "error": failure,
        "created_at": _timestamp(prediction["created"]),
        "started_at": _timestamp(started),
        "completed_at": _timestamp(end),
        "updated_at": _timestamp(end or started or prediction["created"]),
        "privacy": "private",
        "source": "api",
        "model": {"name": prediction["model"], "type": MODELS[prediction["model"]]["type"]},
        "webhook": prediction["webhook"],
        "metrics": {
            "progress": 100 if success else _progress(prediction, last_moment),
            **_count_files(files),
            **({} if started is None or end is None else {"predict_time": round(end - started, 3)}),
            **({} if end is None else {"total_time": round(end - prediction["created"], 3)}),
        },
        "metadata": {
            "billing": {"credits_used": success["credits"] if success else 0},
            "storage": {"files": files},
            "data_available": bool(files) and now < last_moment + LINK_LIFETIME,
        },
        "urls": {
            "get": own_url,
            "cancel": f"{own_url}/cancel",
            "stream": f"{own_url}/stream",
            "delete": f"{own_url}/delete",
        },
    }


def output_files(result: StoredResult | None) -> list[dict[str, Any]]:
    """Return the files of a stored result."""
    if result is None:
        return []
    if "file" in result:  # as earlier versions stored it
        return [result["file"]] if result["file"] else []
    return list(result["files"])


def _count_files(files: list[dict[str, Any]]) -> dict[str, int]:
    if not files:
        return {}
    return {"image_count" if files[0]["type"].startswith("image/") else "asset_count": len(files)}


def created_day(prediction: StoredPrediction) -> str:
    """Return the day (UTC) on which a prediction was created, as YYYY-MM-DD."""
    return datetime.fromtimestamp(prediction["created"], UTC).date().isoformat()


def _time_share(prediction: StoredPrediction, now: float) -> float:
    return (now - prediction["created"]) / prediction["seconds"] if prediction["seconds"] else 0.0


def _progress(prediction: StoredPrediction, now: float) -> int:
    share = _time_share(prediction, now)
    return 0 if share < PROCESSING else min(99, int(100 * share))


def _timestamp(time: float | None) -> str | None:
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
