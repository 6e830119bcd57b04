"""One call of each provider, and the error that a response makes of it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import NO_RETRY, Aerostack, Kelly, KellyAPIError, Khaya, Skytells

CALLS: dict[str, tuple[str, str, Callable[[], Any], Callable[[Any], Awaitable[Any]]]] = {
    "kelly": (
        "POST",
        "https://api.kellyai.pro/chat/chatgpt",
        lambda: Kelly("sk-secret", retry=NO_RETRY),
        lambda client: client.chat("x"),
    ),
    "khaya": (
        "POST",
        "https://translation-api.ghananlp.org/v1/translate",
        lambda: Khaya("sk-secret", retry=NO_RETRY),
        lambda client: client.translate("x", "en-tw"),
    ),
    "skytells": (
        "POST",
        "https://api.skytells.ai/v1/predict",
        lambda: Skytells("sk-secret", retry=NO_RETRY),
        lambda client: client.predictions.create("truefusion", {}),
    ),
    "aerostack": (
        "POST",
        "https://api.aerostack.ai/v1/ai/chat",
        lambda: Aerostack("sk-secret", retry=NO_RETRY),
        lambda client: client.ai.chat("x"),
    ),
}


async def fail(wire: Responses, provider: str, status: int, headers: dict[str, str], body: Any) -> KellyAPIError:
    """Return the error of a call to a provider."""
    method, url, make, call = CALLS[provider]
    text = body if isinstance(body, str) else json.dumps(body)
    content_type = "text/html" if text.startswith("<") else "application/json"
    respond(wire, method, url, status=status, headers=headers, body=text, content_type=content_type)
    async with make() as client:
        with pytest.raises(KellyAPIError) as caught:
            await call(client)
    assert caught.value.provider == provider
    assert "sk-secret" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"
    return caught.value
