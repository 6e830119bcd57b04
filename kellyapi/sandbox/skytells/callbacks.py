"""The sandbox's calls to webhooks: of what a job tells, in which form, signed how, and sent until it is taken.

Only this machine is called: the sandbox needs no network, and tells nobody else what it was asked.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import web

from . import job as jobs
from .job import Job, Result

WEBHOOK_RETRIES = web.AppKey("webhook_retries", tuple[float, ...])
"""Seconds before each further try of a call that was not answered with 2xx."""
SHORT_NAMES = {"started": "started", "succeeded": "completed", "failed": "failed", "cancelled": "canceled"}
"""Of each state that is told of its event in the short family; the other has "prediction." before the state."""
_ALL = {**{name: name for name in SHORT_NAMES}, **{short: name for name, short in SHORT_NAMES.items()}}
_GLANCE = 0.05
"""Seconds between two looks at a job."""
_PATIENCE = 10.0
"""Seconds in which a call must be answered."""
_log = logging.getLogger("kellyapi.sandbox")


def is_called(url: str) -> bool:
    """Tell whether a URL is on this machine."""
    host = urlsplit(url).hostname or ""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


async def call_back(
    find: Callable[[], Awaitable[tuple[Job, Result | None] | None]],
    clock: Callable[[], float],
    *,
    key: str,
    origin: str,
    retries: tuple[float, ...],
) -> None:
    """Watch a job until it has ended or is deleted, and tell its webhook of what it asked for, in order."""
    told = 0
    while (found := await find()) is not None:
        job, result = found
        now = clock()
        states = happened(job, result, now)
        for state in states[told:]:
            if name := _asked_name(job["webhook"]["events"], state):
                await _send(job["webhook"]["url"], _write(job, result, now, origin, state, name), key, retries)
        told = len(states)
        if jobs.ended_at(job, result, now) is not None:
            return
        await asyncio.sleep(_GLANCE)


def happened(job: Job, result: Result | None, now: float) -> list[str]:
    """Give the states of which a job has had to tell until now, in order."""
    end = jobs.ended_at(job, result, now)
    begun = job["created"] + jobs.STARTING * job["seconds"]
    started = ["started"] if (now if end is None else end) >= begun else []
    return started if end is None else [*started, jobs.status(job, result, now)]


def _asked_name(events: list[str], state: str) -> str | None:
    asked = events or SHORT_NAMES.values()
    return next((name for name in asked if _ALL.get(name.removeprefix("prediction.")) == state), None)


def _write(job: Job, result: Result | None, now: float, origin: str, state: str, name: str) -> bytes:
    """Write a bare prediction, or for an event of the longer family one in an envelope."""
    if state == "started":
        begun = job["created"] + jobs.STARTING * job["seconds"]
        prediction = jobs.write({**job, "cancelled": None}, None, begun, origin) | {"status": state}
    else:
        prediction = jobs.write(job, result, now, origin)
    envelope = {"type": name, "created_at": prediction["updated_at"], "data": prediction}
    return json.dumps(envelope if name.startswith("prediction.") else prediction).encode()


async def _send(url: str, body: bytes, key: str, retries: tuple[float, ...]) -> None:
    signature = hmac.digest(key.encode(), body, "sha256").hex()
    for pause in (*retries, None):
        try:
            async with asyncio.timeout(_PATIENCE):
                status = await _post(url, body, {"X-Skytells-Signature": signature})
        except (OSError, ValueError, LookupError) as error:
            problem = f"{type(error).__name__} {error}"
        else:
            if 200 <= status < 300:
                return
            problem = f"status {status}"
        _log.warning("the webhook %s did not take a call: %s", url, problem)
        if pause is not None:
            await asyncio.sleep(pause)


async def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """POST JSON on a connection of its own and give the status."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or (443 if secure else 80), ssl=secure)
    try:
        target = quote(f"{parts.path or '/'}?{parts.query}".removesuffix("?"), safe="%/?&=:;,@!$'()*+~")
        fields: dict[str, Any] = {
            "Host": parts.netloc.rpartition("@")[2],
            "Content-Type": "application/json",
            "Content-Length": len(body),
            "Connection": "close",
            **headers,
        }
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
