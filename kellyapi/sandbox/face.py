"""What the four systems of the sandbox have in common: a key is asked for, failures become error bodies, JSON is read.

A face is one system as a client sees it. The routes themselves are in one module a system.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Container
from typing import Any

from aiohttp import web
from attrs import frozen

from .engines.failures import BadInput, EngineMissing
from .engines.process import Engines
from .store import Store

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@frozen(kw_only=True)
class Shared:
    """What the handlers of one sandbox work with."""

    engines: Engines
    store: Store
    keys: Container[str] | None
    """The keys that are accepted; `None` accepts any that is not blank."""


SHARED = web.AppKey("shared", Shared)


class Refused(Exception):
    """A request that the system answers with one of its error bodies."""

    def __init__(self, status: int, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


@frozen(kw_only=True)
class Face:
    """One system: how it reads its key, how it says no, what it answers."""

    key_header: str
    key_prefix: str = ""
    bearer: bool = False
    """Whether `Authorization: Bearer` will do where the key's own header is missing."""
    refuse: Callable[[Refused], web.Response]
    """Puts a refusal into the system's words."""
    bad_input: Callable[[BadInput], Refused]
    """Puts what is wrong with an input, as an engine or `read_object` says it, into the system's codes."""
    bad_key: Callable[[bool], Refused]
    """Refuses a key that is wrong (True) or missing (False)."""
    routes: tuple[tuple[str, str, Handler], ...]
    open_routes: tuple[tuple[str, str, Handler], ...] = ()
    """Those that ask for no key and fail in nobody's words."""

    def guarded(self, handler: Handler) -> Handler:
        """Wrap a handler so that it asks for the key and fails in the words of the system."""

        async def guard(request: web.Request) -> web.StreamResponse:
            try:
                self._check_key(request)
                return await handler(request)
            except Refused as refusal:
                return self.refuse(refusal)
            except BadInput as error:
                return self.refuse(self.bad_input(error))
            except EngineMissing as error:
                return self.refuse(Refused(503, "SERVICE_UNAVAILABLE", str(error)))
            except RuntimeError as error:  # what Engines.run raises when an engine breaks
                return self.refuse(Refused(500, "INTERNAL_ERROR", f"the sandbox's engine failed: {error}"))

        return guard

    def _check_key(self, request: web.Request) -> None:
        header, prefix = self.key_header, self.key_prefix
        if self.bearer and header not in request.headers:
            header, prefix = "Authorization", "Bearer "
        sent = request.headers.get(header, "")
        key = sent.removeprefix(prefix).strip() if sent.startswith(prefix) else ""
        keys = request.app[SHARED].keys
        if not key or (keys is not None and key not in keys):
            raise self.bad_key(bool(key))


async def read_object(request: web.Request) -> dict[str, Any]:
    """Read a JSON object, or say that the body is none."""
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise BadInput("body", "The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise BadInput("body", "The body must be a JSON object.")
    return body


async def run_engine(request: web.Request, function: str, **arguments: Any) -> Any:
    """Have the engines' process do something."""
    return await request.app[SHARED].engines.run(function, **arguments)


def noted(note: str | None) -> dict[str, str]:
    """Give the header that says how the sandbox's answer differs from a real one."""
    # On one line and in ASCII: a note may quote the request.
    return {"X-Sandbox-Note": " ".join(note.split()).encode("ascii", "replace").decode()} if note else {}
