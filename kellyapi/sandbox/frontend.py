"""The parts that all four providers of the sandbox share: key checks, error bodies, JSON bodies, calls to the engines.

A `Frontend` is one provider as a client sees it. A `Route` is a row of the table in the module of the provider's name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container
from typing import Any, Literal

from aiohttp import web
from attrs import frozen

from .._data.result import NOTE_HEADER
from .._data.text import clip
from .engines.errors import BadInput
from .engines.supervisor import EngineSupervisor
from .json_body import MAX_SIZE, parse_object
from .store import Store

Hearing = Literal["english", "marked"]
"""What speech recognition does with languages that it has no model of: refuse them, or mark their sounds."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@frozen(kw_only=True)
class SandboxContext:
    """Objects that the handlers of one sandbox share."""

    engines: EngineSupervisor
    store: Store
    keys: Container[str] | None
    """API keys to accept; `None` accepts every key that is not blank."""
    hear: Hearing
    prediction_turns: asyncio.Semaphore
    """As many predictions are made at once as the engines have processes."""


CLIENT_CHECK_INTERVAL = 1.0
"""Seconds between two checks that the client of an engine's work is still connected: aiohttp does not tell a handler
when it leaves."""
CONTEXT = web.AppKey("context", SandboxContext)
_MAX_MESSAGE = 1000
"""Characters of an error message, which may quote the request."""


class ApiError(Exception):
    """An error response of the provider."""

    def __init__(self, status: int, code: str, message: str, **details: Any) -> None:
        self.message = clip(message, _MAX_MESSAGE)
        super().__init__(self.message)
        self.status = status
        self.code = code
        self.details = details


@frozen(kw_only=True)
class Frontend:
    """A provider, or a part of it with rules of its own, as its clients see it: its key and its error bodies."""

    provider: str
    base_path: str = ""
    """Path of the provider's base URL."""
    key_header: str
    """Header of the key. `Authorization` has `Bearer` before it."""
    bearer: bool = False
    """Whether `Authorization: Bearer` is accepted when the key header is missing."""
    keys: Literal["ours", "any", "none"] = "ours"
    """Which keys are accepted: "ours" are those of the sandbox, "any" all that are not blank; "none" needs no key."""
    error_response: Callable[[ApiError], web.Response]
    """Makes the response for an error, in the provider's form."""
    input_error: Callable[[BadInput], ApiError]
    """Makes the error for an input that an engine or `read_json_object` refuses."""
    key_error: Callable[[bool], ApiError]
    """Makes the error for a key that is wrong (True) or missing (False)."""

    def has_key_header(self, request: web.Request) -> bool:
        """Return whether a request for a path that no provider has was meant for this one."""
        is_openai = self.bearer and request.path.startswith(f"{self.base_path}/") and "Authorization" in request.headers
        return is_openai or self.key_header in request.headers

    def check_key(self, request: web.Request) -> None:
        """Raise the provider's error if the key is missing or wrong."""
        if self.keys == "none":
            return
        header = "Authorization" if self.bearer and self.key_header not in request.headers else self.key_header
        key = bearer_key(request) if header == "Authorization" else request.headers.get(header, "").strip()
        known = request.app[CONTEXT].keys
        if not key or (self.keys == "ours" and known is not None and key not in known):
            raise self.key_error(bool(key))


@frozen
class Route:
    """A row in the table of a provider's routes."""

    operations: str
    """Numbers of the operations in the protocol reference that use this route, such as "K3" or "S11 S12"."""
    frontend: Frontend
    definition: web.RouteDef


def bearer_key(request: web.Request) -> str:
    """Return the key of the `Authorization` header, or an empty string."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


async def read_json_object(request: web.Request) -> dict[str, Any]:
    """Read the body as a JSON object.

    Raises:
        BadInput: If the body is not a JSON object, or has another content type.
    """
    kind = request.content_type  # application/octet-stream if there is no header
    if not kind.endswith(("/json", "+json", "/octet-stream")):
        raise BadInput("body", f"The Content-Type must be application/json, not {kind}.")
    size = request.content_length or 0
    data = await request.read() if size <= MAX_SIZE else b""
    if max(size, len(data)) > MAX_SIZE:
        raise web.HTTPRequestEntityTooLarge(MAX_SIZE, size)
    # Not in a thread: what other requests keep would lie among a million short-lived values, and hold their memory.
    # After 4,300 hostile requests the process had 108 MB and still grew; without the thread it stays at 74 MB.
    return parse_object(data)


async def run_engine(request: web.Request, function: str, **arguments: Any) -> Any:
    """Run a function of the engines, such as "voice.synthesis.synthesize", in one of their processes.

    Raises:
        ConnectionResetError: If the client disconnected. The work is cancelled.
    """
    work = asyncio.create_task(request.app[CONTEXT].engines.run(function, **arguments))
    try:
        while True:
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError("the client has disconnected")
            if (await asyncio.wait([work], timeout=CLIENT_CHECK_INTERVAL))[0]:
                return work.result()
    finally:
        work.cancel()


def note_header(note: str | None) -> dict[str, str]:
    """Return the header that says how the sandbox's response differs from the provider's."""
    # A header is one line of ASCII, and a note may quote the request.
    return {NOTE_HEADER: " ".join(note.split()).encode("ascii", "replace").decode()} if note else {}
