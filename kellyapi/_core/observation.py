"""The `on_response` hook: what it is called with, and its own errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import KellyAPIError
from .callbacks import run_callback
from .messages import OnResponse, PreparedRequest, RaisedByUser, Response
from .secrets import redact_text

if TYPE_CHECKING:  # it imports aiohttp, which the first client does
    from .transport import IncomingResponse


async def show_outcome(
    hook: OnResponse, request: PreparedRequest, incoming: IncomingResponse | None, error: KellyAPIError | None = None
) -> None:
    """Call the hook with what has arrived, and with the error of the attempt if there is one."""
    if incoming is None:
        response = Response(status=0, headers={}, body=b"", error=error)
    else:
        response = Response(status=incoming.status, headers=incoming.headers, body=incoming.body, error=error)
    try:
        await _call_hook(hook, request, response)
    except BaseException:
        if incoming is not None:  # a stream is still open
            incoming.close()
        raise


async def _call_hook(hook: OnResponse, request: PreparedRequest, response: Response) -> None:
    """Call the hook. If it raises, a note of the exception has the response, which may have the id of paid work."""
    try:
        await run_callback(hook, request, response)
    except BaseException as error:
        body = redact_text(response.beginning, request.headers)
        outcome = (
            f"got a response with status {response.status}: {body}" if response.status else f"failed: {response.error}"
        )
        error.add_note(f"{request.method} {request.shown_url} {outcome}")
        if isinstance(error, KellyAPIError):
            raise RaisedByUser(error) from None
        raise
