"""Outgoing webhooks of the sandbox: which events are sent, their bodies, signatures and retries.

Only webhooks on this machine are called, and those on the hosts that `Sandbox(webhook_hosts=…)` names. No redirect is
followed.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from ..._data.links import encode_url
from ..access import is_known
from . import prediction_state
from .prediction_state import StoredPrediction, StoredResult

WEBHOOK_HOSTS = web.AppKey("webhook_hosts", frozenset[str])
"""Hosts of other machines whose webhooks are called."""
WEBHOOK_RETRIES = web.AppKey("webhook_retries", tuple[float, ...])
"""Seconds before each retry of a delivery that got no 2xx response."""
SHORT_EVENT_NAMES = {"started": "started", "succeeded": "completed", "failed": "failed", "cancelled": "canceled"}
"""Name of the event for each state, in the short family. The long family has "prediction." before the state."""
_STATE_BY_NAME = {
    **{state: state for state in SHORT_EVENT_NAMES},
    **{name: state for state, name in SHORT_EVENT_NAMES.items()},
}
_CHECK_INTERVAL = 0.05
"""Seconds between two checks of a prediction."""
_RESPONSE_TIMEOUT = 10.0
"""Seconds in which the webhook must respond."""
_log = logging.getLogger("kellyapi.sandbox")


def is_called(url: str, hosts: frozenset[str]) -> bool:
    """Return whether a webhook is on this machine or on one of these hosts."""
    return is_known(urlsplit(encode_url(url)).hostname or "", hosts)


def is_url(address: object) -> bool:
    """Return whether the address of a webhook is an http or https URL that can be called."""
    if not isinstance(address, str):
        return False
    try:
        parts = urlsplit(encode_url(address))
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


async def deliver_webhooks(
    find: Callable[[], Awaitable[tuple[StoredPrediction, StoredResult | None] | None]],
    clock: Callable[[], float],
    *,
    key: str,
    origin: str,
    retries: tuple[float, ...],
) -> None:
    """Poll a prediction until it has ended or is deleted, and send the requested events to its webhook, in order.

    Args:
        find: Returns the stored prediction and its result, or `None` if it was deleted.
        clock: Returns the time in seconds since 1970.
        key: API key that signs the deliveries.
        origin: Scheme, host and port of the sandbox.
        retries: Seconds before each retry of a delivery that fails.
    """
    reported = 0
    while (record := await find()) is not None:
        prediction, result = record
        now = clock()
        states = reported_states(prediction, result, now)
        for state in states[reported:]:
            if name := _requested_name(prediction["webhook"]["events"], state):
                body = _write_body(prediction, result, now, origin, state, name)
                await _send(prediction["webhook"]["url"], body, key, retries)
        reported = len(states)
        if prediction_state.ended_at(prediction, result, now) is not None:
            return
        await asyncio.sleep(_CHECK_INTERVAL)


def reported_states(prediction: StoredPrediction, result: StoredResult | None, now: float) -> list[str]:
    """Return the states that a prediction reports until `now`, in order."""
    end = prediction_state.ended_at(prediction, result, now)
    started = ["started"] if (now if end is None else end) >= _starting_time(prediction) else []
    return started if end is None else [*started, prediction_state.status(prediction, result, now)]


def _starting_time(prediction: StoredPrediction) -> float:
    return float(prediction["created"] + prediction_state.STARTING * prediction["seconds"])


def _requested_name(events: list[str], state: str) -> str | None:
    """Return the name under which a state was requested, or `None` if it was not."""
    names = events or SHORT_EVENT_NAMES.values()
    return next((name for name in names if _STATE_BY_NAME.get(name.removeprefix("prediction.")) == state), None)


def _write_body(
    prediction: StoredPrediction, result: StoredResult | None, now: float, origin: str, state: str, name: str
) -> bytes:
    """Write the prediction alone for a short event name, in an envelope for a long one."""
    if state == "started":
        begun = {**prediction, "cancelled": None}
        wire_form = prediction_state.to_wire(begun, None, _starting_time(prediction), origin) | {"status": state}
    else:
        wire_form = prediction_state.to_wire(prediction, result, now, origin)
    envelope = {"type": name, "created_at": wire_form["updated_at"], "data": wire_form}
    return json.dumps(envelope if name.startswith("prediction.") else wire_form).encode()


async def _send(url: str, body: bytes, key: str, retries: tuple[float, ...]) -> None:
    signature = hmac.digest(key.encode(), body, "sha256").hex()
    for pause in (*retries, None):
        try:
            async with asyncio.timeout(_RESPONSE_TIMEOUT):
                status = await _post(url, body, {"X-Skytells-Signature": signature})
        except (OSError, ValueError, LookupError) as error:
            problem = f"{type(error).__name__} {error}"
        else:
            if 200 <= status < 300:
                return
            problem = f"status {status}"
        _log.warning("the webhook %s did not accept a delivery: %s", url, problem)
        if pause is not None:
            await asyncio.sleep(pause)


async def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """POST JSON on a new connection and return the status."""
    parts = urlsplit(encode_url(url))
    secure = parts.scheme == "https"
    # DNS may know any name that ends in .localhost.
    host = "localhost" if (parts.hostname or "").endswith(".localhost") else parts.hostname
    reader, writer = await asyncio.open_connection(host, parts.port or (443 if secure else 80), ssl=secure)
    try:
        target = f"{parts.path or '/'}?{parts.query}".removesuffix("?")
        all_headers: dict[str, Any] = {
            "Host": parts.netloc.rpartition("@")[2],
            "Content-Type": "application/json",
            "Content-Length": len(body),
            "Connection": "close",
            **headers,
        }
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
