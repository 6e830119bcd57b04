"""What every client and every group of operations is made of: the verbs of HTTP, the options, the life of a client.

A service says what it asks in these verbs and nothing else; how it is asked is the connection's.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypedDict, TypeVar, Unpack

from attrs import evolve

from .config import check_headers, find_address, find_key, find_problem, variable
from .config import check_seconds as check_seconds
from .config import read_timeout as read_timeout
from .connection import Connection, OnResponse
from .downloads import OnBytes as OnBytes
from .downloads import save_link
from .limits import Circuit, Limits, Rate
from .media import Media
from .retry import RetryPolicy
from .streams import ByteStream as ByteStream
from .streams import EventStream, Source, is_event_stream
from .wire import Headers, Into, Key, Part, Raw, Request, Response, System, Timeout, hidden, origin

if TYPE_CHECKING:
    from .transport import SessionSource as SessionSource
    from .transport import Transport

T = TypeVar("T")
E = TypeVar("E", bound=EventStream[Any])

logging.getLogger("kellyapi").addHandler(logging.NullHandler())  # a library prints nothing of its own accord


class Options(TypedDict, total=False):
    """What can be set for a client and varied by `with_options`; the same list for `KellyAPI` and the four systems.

    A wrong value raises `ValueError` or `TypeError` at once.
    """

    timeout: float | Timeout | None
    """Seconds for a whole call, or `Timeout(total, connect, idle)`; `None` is the default (60 s; transfers by silence),
    `NO_TIMEOUT` none.
    """
    retry: RetryPolicy
    """How often and how fast a failed call is repeated; `NO_RETRY` never."""
    headers: Mapping[str, str]
    """Sent with every request, beside the key."""
    proxy: str | None
    """The URL of an HTTP proxy, in place of `HTTP_PROXY` and its like."""
    max_connections: int
    """Open connections of a session of ours (100); not for `with_options`, which stays on its session."""
    max_concurrency: int | None
    """Calls at once, for each system; others wait in order. A stream counts until its first byte."""
    rate: Rate | None
    """Calls per time, for each system, such as `Rate(10, per=1.0)`; others wait in order."""
    max_response_bytes: int
    """The largest answer that is read into memory, after decompression (64 MiB)."""
    allow_http: bool
    """Send the key over plain `http://` to hosts other than this machine."""
    on_response: OnResponse | None
    """Called with each raw request and its whole answer; plain or async."""
    logger: logging.Logger
    """Takes the place of `kellyapi.<system>`."""


_CHECKS: dict[str, tuple[Any, str]] = {
    "retry": (RetryPolicy, "a RetryPolicy or NO_RETRY"),
    "headers": (Mapping, "a mapping of strings"),
    "proxy": ((str, type(None)), "a URL"),
    "max_response_bytes": (int, "a number of bytes"),
    "allow_http": (bool, "True or False"),
    "logger": (logging.Logger, "a logging.Logger"),
    "on_response": ((Callable, type(None)), "a function"),
    "rate": ((Rate, type(None)), "a Rate"),
    "max_concurrency": ((int, type(None)), "a number of calls"),
}


def hide_proxy(options: Options) -> Options:
    """Hide the password that a proxy's address may hold, before something fails whose traceback shows `options`."""
    if "proxy" in options:
        options["proxy"] = hidden(options["proxy"])
    return options


def read_options(options: Options) -> dict[str, Any]:
    """Check options and give them as fields of a `Connection`."""
    hide_proxy(options)
    unknown = set(options) - set(Options.__annotations__)
    if unknown:
        raise TypeError(f"unknown option {sorted(unknown)[0]!r}; the options are {', '.join(Options.__annotations__)}")
    fields: dict[str, Any] = dict(options)
    for name, (kind, right) in _CHECKS.items():
        if name in fields and not isinstance(fields[name], kind):
            raise TypeError(f"{name} must be {right}, not {fields[name]!r}")
    if fields.get("max_response_bytes", 1) < 1:
        raise ValueError(f"max_response_bytes must be at least 1, not {fields['max_response_bytes']}")
    check_headers(fields.get("headers", {}))
    if fields.get("proxy") is not None and not origin(fields["proxy"]).startswith(("http://", "https://")):
        raise ValueError("proxy must be a URL such as http://proxy.example:3128")
    if "timeout" in fields:
        fields["timeout"] = read_timeout(fields["timeout"])
    return fields


class Service:
    """Operations of one system over one connection; each verb gives the connection's own coroutine."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _fetch(
        self, path: str, query: Mapping[str, str] | None = None, *, into: Into[T] | Raw[T], bearer: Key | None = None
    ) -> Coroutine[Any, Any, T]:
        """GET, which is always free to repeat."""
        request = Request(method="GET", url=path, query=query or {}, repeatable=True, bearer=bearer)
        return self._connection.call(request, into)

    def _post_json(
        self, path: str, data: Any, *, into: Into[T] | Raw[T], repeatable: bool = False, bearer: Key | None = None
    ) -> Coroutine[Any, Any, T]:
        """POST a JSON body; what may be billed stays unrepeatable. `bearer` goes in place of the system's key."""
        request = Request(method="POST", url=path, json=data, repeatable=repeatable, bearer=bearer)
        return self._connection.call(request, into)

    def _post_form(
        self, path: str, *parts: Part, into: Into[T] | Raw[T], repeatable: bool = False, one_shot: bool = False
    ) -> Coroutine[Any, Any, T]:
        """POST a multipart form; `one_shot` says that a part can be read only once."""
        streamed = any(callable(part.body) for part in parts)
        request = Request(
            method="POST", url=path, body=parts, repeatable=repeatable, one_shot=one_shot, transfer=streamed
        )
        return self._connection.call(request, into)

    def _post_bytes(
        self,
        path: str,
        media: Media,
        query: Mapping[str, str] | None = None,
        *,
        into: Into[T] | Raw[T],
        repeatable: bool = False,
    ) -> Coroutine[Any, Any, T]:
        """POST a file as it is, streamed unless it is in memory."""
        length = {} if media.size is None else {"Content-Length": str(media.size)}
        request = Request(
            method="POST",
            url=path,
            query=query or {},
            headers={"Content-Type": media.mime, **length},
            body=media.body,
            repeatable=repeatable,
            one_shot=media.one_shot,
            transfer=callable(media.body),
        )
        return self._connection.call(request, into)

    def _delete(self, path: str, *, into: Into[T] | Raw[T]) -> Coroutine[Any, Any, T]:
        """DELETE, which is free to repeat."""
        return self._connection.call(Request(method="DELETE", url=path, repeatable=True), into)

    def _stream(
        self,
        path: str,
        data: Any,
        *,
        accepts: Callable[[Headers], bool] = lambda _: True,
        blank: str | None = None,
        repeatable: bool = False,
    ) -> ByteStream:
        """POST a JSON body and give the answer as it arrives, if its head is what is expected.

        `blank` says what is wrong with an answer without a byte.
        """
        request = Request(method="POST", url=path, json=data, repeatable=repeatable, transfer=True)
        return ByteStream(Source(self._connection, request, accepts, blank))

    def _stream_events(self, path: str, data: Any, *, into: type[E], bearer: Key | None = None) -> E:
        """POST a JSON body and give the events of its answer as they arrive; what it asks for is billed."""
        request = Request(
            method="POST",
            url=path,
            json={**data, "stream": True},
            headers={"Accept": "text/event-stream"},
            repeatable=False,
            bearer=bearer,
            transfer=True,
        )
        return into(Source(self._connection, request, is_event_stream))

    async def _save_link(self, url: str, path: str | os.PathLike[str], on_progress: OnBytes | None = None) -> Path:
        """GET an address that is not the system's own, without the key, and stream the answer to a file, resumably."""
        return await save_link(self._connection, _link(url), path, on_progress)

    def _download(self, url: str) -> Coroutine[Any, Any, Response]:
        """GET an address that is not the system's own, without the key."""
        return self._connection.call(_link(url), Raw(lambda response: response))


def _link(url: str) -> Request:
    return Request(method="GET", url=url, repeatable=True, keyless=True, transfer=True)


class Client(Service):
    """One system: its connection, its life."""

    SYSTEM: ClassVar[System]

    def __init__(
        self,
        api_key: Key | None = None,
        *,
        base_url: str | None = None,
        session: SessionSource | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Make a client; nothing is opened or sent.

        `api_key` and `base_url` default to the environment (`<SYSTEM>_API_KEY`, `<SYSTEM>_BASE_URL`). `session` is an
        `aiohttp.ClientSession`, which is never closed here, or a function that makes one. For `options` see
        `kellyapi.Options`.
        """
        system = self.SYSTEM
        api_key = find_key(system, api_key)
        fields = read_options(options)
        self._shares = session is None
        address = find_address(system, base_url)
        super().__init__(
            Connection(
                system=system,
                base_url=address,
                key=api_key,
                transport=open_transport(session, fields.pop("max_connections", None)),
                limits=Limits(fields.pop("max_concurrency", None), fields.pop("rate", None)),
                **{"logger": logging.getLogger(f"kellyapi.{system.name}"), **fields},
            )
        )
        self._connection = evolve(self._connection, problem=self._problem())

    @classmethod
    def _variable(cls, name: str) -> str | None:
        """Read a setting of this system from the environment."""
        return variable(cls.SYSTEM, name)

    def _problem(self) -> str | None:
        """Say why the client cannot work as it is set up; the first call raises it."""
        return find_problem(self.SYSTEM, self.base_url, allow_http=self._connection.allow_http)

    @property
    def base_url(self) -> str:
        """The address, without the trailing slash."""
        return self._connection.base_url

    @property
    def api_key(self) -> Key | None:
        """The key as it was given; it shows nothing of itself in `repr`."""
        return self._connection.key

    @property
    def session(self) -> SessionSource:
        """What sessions are made with: what was given, else `aiohttp.ClientSession`."""
        source: SessionSource = self._connection.transport.source
        return source

    @property
    def circuit(self) -> Circuit:
        """Whether the system is worth asking, as the calls of the services found it; siblings share it."""
        return self._connection.limits.circuit

    @property
    def configured(self) -> bool:
        """Whether there is a key, good or bad."""
        return self._connection.key is not None

    def with_options(self, **options: Unpack[Options]) -> Self:
        """Give a sibling on the same session that differs in these options."""
        fields = read_options(options)
        if "max_connections" in fields:
            raise ValueError("max_connections belongs to the session: give it when the client is made")
        gate = {name: fields.pop(name) for name in ("max_concurrency", "rate") if name in fields}
        if gate:
            fields["limits"] = self._connection.limits.vary(**gate)
        return self._variant(**fields)

    def share(self, transport: Transport) -> Self:
        """Give a sibling on another client's session, unless this one was given a session of its own."""
        return self._variant(transport=transport) if self._shares else self

    async def close(self) -> None:
        """Close the session of the running loop if it is ours. A later call opens a new one."""
        await self._connection.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        made = hasattr(self, "_connection")  # not yet, in the traceback of an option that is refused
        return f"{type(self).__name__}({f'base_url={self.base_url!r}' if made else ''})"

    def with_access(self, *, api_key: Key | None = None, base_url: str | None = None) -> Self:
        """Give a sibling on the same session with another key or address."""
        changes: dict[str, Any] = {}
        if api_key is not None:
            changes["key"] = api_key = find_key(self.SYSTEM, api_key)
        if base_url is not None:
            changes["base_url"] = find_address(self.SYSTEM, base_url)
        return self._variant(**changes)

    def _variant(self, **changes: Any) -> Self:
        sibling = copy.copy(self)
        sibling._connection = evolve(self._connection, **changes)
        sibling._connection = evolve(sibling._connection, problem=sibling._problem())
        return sibling


def open_transport(session: SessionSource | None, max_connections: int | None) -> Transport:
    """Make a transport; aiohttp is imported here, at the first client, and not with the package."""
    from .transport import Transport

    return Transport(session, max_connections=max_connections)
