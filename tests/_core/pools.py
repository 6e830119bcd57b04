"""The connections that a client's session holds, read from private attributes here and nowhere else."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp


def session_of(client: Any) -> aiohttp.ClientSession:
    """Return the session that a client uses in the running loop."""
    session, _ = client._connection.transport._sessions[asyncio.get_running_loop()]
    return session  # type: ignore[no-any-return]  # the client may be any


def in_use(client: Any) -> int:
    """Count the connections that a call uses now."""
    return len(session_of(client).connector._acquired)  # type: ignore[union-attr]  # aiohttp has no public name for it


def in_pool(client: Any) -> int:
    """Count the connections that wait for the next call."""
    return sum(map(len, session_of(client).connector._conns.values()))  # type: ignore[union-attr]  # nor for this
