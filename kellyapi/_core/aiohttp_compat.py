"""Every use of a non-public name of aiohttp or asyncio, in one place.

Each function says what the name is for, and what happens without it: something slower, or nothing. None of them raises
an `AttributeError`. `tests/_core/test_aiohttp_compat.py` deletes each name in turn, and warns of a missing one.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp


def disable_resending(session: aiohttp.ClientSession) -> None:
    """Prevent a session of ours from resending GET, PUT and DELETE after a reset.

    Uses `ClientSession._retry_connection`. Without it `resends` is true, and each request brings a middleware.
    """
    if hasattr(session, "_retry_connection"):
        session._retry_connection = False


def resends(session: aiohttp.ClientSession) -> bool:
    """Return whether a session resends requests after a reset.

    Uses `ClientSession._retry_connection`. Without it the answer is yes, which costs 4 us a request.
    """
    return bool(getattr(session, "_retry_connection", True))


def middlewares_of(session: aiohttp.ClientSession) -> tuple[aiohttp.ClientMiddlewareType, ...] | None:
    """Return the middlewares of a session, which those of a request would replace; `None` if they are not known.

    Uses `ClientSession._middlewares`. Without it no middleware is added: a repeatable request may be sent again by
    aiohttp itself.
    """
    found = getattr(session, "_middlewares", None)
    return None if found is None else tuple(found)


def widen_header_limits(session: aiohttp.ClientSession, limits: Mapping[str, int]) -> dict[str, int]:
    """Return options of a request that raise the limits of a session's response heads, where they are lower.

    Uses `ClientSession._max_line_size`, `_max_field_size` and `_max_headers`. Without them a session that allows more
    is limited to these.
    """
    return {name: limit for name, limit in limits.items() if getattr(session, f"_{name}", 0) < limit}


def loop_of(session: aiohttp.ClientSession) -> asyncio.AbstractEventLoop | None:
    """Return the event loop of a session, to refuse one that belongs to another loop; `None` if it is not known.

    Uses `ClientSession._loop`. Without it such a session fails at its first request with aiohttp's own error.
    """
    loop: asyncio.AbstractEventLoop | None = getattr(session, "_loop", None)
    return loop


def read_rest(content: aiohttp.StreamReader) -> bytes:
    """Return what had arrived of a body before it broke off; aiohttp withholds it.

    Uses `StreamReader._exception`. Without it nothing is returned: a download resumes from an earlier byte.
    """
    try:
        content._exception = None
        return content.read_nowait()
    except Exception:  # of a stream reader that works in another way: what broke off is raised all the same
        return b""


def limit_silence(response: aiohttp.ClientResponse, seconds: float | None) -> None:
    """Limit the silence while the body of a response arrives, in place of the wait for its head.

    Uses `ResponseHandler.read_timeout`. Without it the limit stays that of the head.
    """
    protocol = response.connection and response.connection.protocol
    if protocol is not None and hasattr(protocol, "read_timeout"):
        protocol.read_timeout = seconds
        protocol.start_timeout()


def wants_to_close(connection: aiohttp.connector.Connection) -> bool:
    """Return whether the protocol of an idle connection wants it closed.

    Uses `ResponseHandler.should_close`. Without it the connection is used: aiohttp's connector has looked at it too.
    """
    return bool(getattr(connection.protocol, "should_close", False))


def is_finishing_generators(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether a loop is at its very end, where no session can be opened any more.

    Uses `BaseEventLoop._asyncgens_shutdown_called`. Without it the attempt is made, and fails with an error of ours.
    """
    return bool(getattr(loop, "_asyncgens_shutdown_called", False))


def hide_task(task: asyncio.Task[Any]) -> None:
    """Keep a task out of `asyncio.all_tasks`, all of which the end of a loop cancels.

    Uses `asyncio.tasks._unregister_task`. Without it the end of the loop cancels the task.
    Source: https://docs.python.org/3/library/asyncio-extending.html#task-lifetime-support
    """
    getattr(asyncio.tasks, "_unregister_task", _do_nothing)(task)


def show_task(task: asyncio.Task[Any]) -> None:
    """Undo `hide_task`.

    Uses `asyncio.tasks._register_task`. Without it the task is still hidden.
    """
    getattr(asyncio.tasks, "_register_task", _do_nothing)(task)


def _do_nothing(task: asyncio.Task[Any]) -> None:
    pass


def cut_off_from_parent(loop: asyncio.AbstractEventLoop) -> None:
    """Replace the descriptors of a loop in a forked child by dead ones.

    The child shares them with its parent: if the child closed a connection, the parent would get no more events of
    it. Uses `_selector` and `_transports` of asyncio's selector loops. Without them nothing is replaced.
    """
    selector = getattr(loop, "_selector", None)
    if selector is None:
        return
    near, far = socket.socketpair()
    for descriptor in {*selector.get_map(), *getattr(loop, "_transports", ())}:
        os.dup2(near.fileno(), descriptor, inheritable=False)
    near.close()
    far.close()
    if hasattr(selector, "fileno"):
        with selectors.DefaultSelector() as fresh:
            os.dup2(fresh.fileno(), selector.fileno(), inheritable=False)


def limit_read_size(transport: Any, size: int) -> None:
    """Limit the bytes of one read from a connection.

    Uses `max_size` of asyncio's transports and `_ssl_protocol` of a TLS transport. Without them asyncio reads 256 KiB
    at a time.
    """
    layers: tuple[Any, ...] = (transport, getattr(transport, "_ssl_protocol", None))
    for layer in layers:
        if hasattr(layer, "max_size"):
            layer.max_size = size
