"""Sessions of our own: how their connections are given out again, and how they are closed.

What is sent over them is the transport's.
"""

from __future__ import annotations

import asyncio
import os
import platform
import select
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection

from .. import __version__
from .._data.threads import never_finalize
from . import aiohttp_compat

SessionHolder = AsyncGenerator[aiohttp.ClientSession, None]
USER_AGENT = f"kellyapi/{__version__} python/{platform.python_version()} aiohttp/{aiohttp.__version__}"
NEVER_ROUND = float("inf")
HEADER_LIMITS: dict[str, Any] = {"max_line_size": 65 * 2**10, "max_field_size": 65 * 2**10, "max_headers": 1000}
"""Of a response: bytes of its first line, bytes of a header with its name, and headers. aiohttp has 8 KiB and 128."""
_READ_SIZE = 96 * 2**10
"""Bytes that are read at once. asyncio asks for 256 KiB, and glibc maps and unmaps what is larger than 128 KiB, which
takes 10 to 15 % of a call (`translate`, 1 and 64 at once). https://man7.org/linux/man-pages/man3/mallopt.3.html
"""
NOTHING_SENT = "there was no connection yet"
"""A note on the exception of an attempt without a connection; the error mapping of the transport reads it."""


class _LateResolver(AbstractResolver):
    """aiohttp's resolver, made for the first name. An address needs none, and to make and close one takes 1 ms."""

    def __init__(self) -> None:
        self._resolver: AbstractResolver | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self._resolver is None:
            self._resolver = aiohttp.DefaultResolver()
        return await self._resolver.resolve(host, port, family)

    async def close(self) -> None:
        if self._resolver is not None:
            await self._resolver.close()


class _Connector(aiohttp.TCPConnector):
    """Never returns a connection that the server has closed, even if the loop has had no time to notice it.

    Without it 43 of 300 calls failed on a server that closes after each response; with it 1, for 1 us a call.
    """

    def __init__(self, **options: Any) -> None:
        self._names = _LateResolver()
        super().__init__(resolver=self._names, **options)
        self._given: WeakKeyDictionary[Any, Callable[[], Any]] = WeakKeyDictionary()

    async def close(self, *, abort_ssl: bool = False) -> None:
        await super().close(abort_ssl=abort_ssl)
        await self._names.close()

    async def connect(self, *arguments: Any, **options: Any) -> Connection:
        while True:
            try:
                connection = await super().connect(*arguments, **options)
            except BaseException as error:  # a timeout cancels the task, and a proxy may break the connection off
                error.add_note(NOTHING_SENT)
                raise
            protocol = connection.protocol
            has_news = self._given.get(protocol)
            if has_news is None:
                aiohttp_compat.limit_read_size(connection.transport, _READ_SIZE)
                self._given[protocol] = _make_idle_check(connection.transport)
                return connection
            if not (aiohttp_compat.wants_to_close(connection) or has_news()):
                return connection
            connection.close()


def _make_idle_check(transport: asyncio.Transport | None) -> Callable[[], Any]:
    """Return a function that tells whether anything has arrived on an idle connection, such as its end."""
    assert transport is not None  # it is open
    connected = transport.get_extra_info("socket")
    if sys.platform == "win32":  # it has no `poll`
        return lambda: select.select([connected], [], [], 0)[0]
    poll = select.poll()
    poll.register(connected.fileno(), select.POLLIN)
    return partial(poll.poll, 0)


def make_session(max_connections: int) -> aiohttp.ClientSession:
    """Make a session of our own: without cookies, with connections that are checked before they are used again."""
    connector = _Connector(limit=max_connections, timeout_ceil_threshold=NEVER_ROUND)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT},
        **HEADER_LIMITS,
    )
    aiohttp_compat.disable_resending(session)
    return session


_open_sessions: set[aiohttp.ClientSession] = set()
"""Keeps the collector from a session until its generator has closed it: it would warn of one that is open."""


def _leave_sessions_to_parent() -> None:
    for session in _open_sessions:
        never_finalize(session)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_leave_sessions_to_parent)


async def keep_open(session: aiohttp.ClientSession) -> SessionHolder:
    """Keep a session open as long as something refers to this generator.

    A generator, since loops and the collector finish those with `await`, and nothing else: `__del__` cannot close a
    session silently.
    """
    _open_sessions.add(session)
    try:
        yield session
    finally:
        _open_sessions.discard(session)
        await session.close()
