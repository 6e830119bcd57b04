"""Addresses and bodies of the tests of conflicts between the sources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aioresponses import aioresponses as Responses
from exchanges import Sent, respond

from kellyapi import Skytells

KELLY, KHAYA = "https://api.kellyai.pro", "https://translation-api.ghananlp.org"
SKYTELLS, AEROSTACK = "https://api.skytells.ai/v1", "https://api.aerostack.ai/v1"
PREDICT, A1 = f"{SKYTELLS}/predict", f"{SKYTELLS}/predictions/a1"
CHAT = f"{AEROSTACK}/ai/chat"
DONE = {"id": "a1", "status": "succeeded"}
EVENTS = ["started", "completed", "failed", "canceled"]
WAV = b"RIFF\x00\x00\x00\x00WAVE"
Call = Callable[[Any], Awaitable[Any]]


async def status(it: Skytells) -> str:
    return (await it.predictions.create("m", {})).status


def reply(wire: Responses, method: str, url: str, body: Any) -> list[Sent]:
    """Respond with JSON, or with audio."""
    if isinstance(body, bytes):
        return respond(wire, method, url, body=body, content_type="audio/wav")
    return respond(wire, method, url, json=body)
