"""Requests and responses: the values that travel between a resource, its connection and the transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from attrs import define, field, frozen, validators

from .._data.media import Chunks
from .._data.text import excerpt
from .secrets import Key

T = TypeVar("T")
Headers = Mapping[str, str]


@frozen
class FormField:
    """One field of a multipart form."""

    name: str
    body: bytes | Chunks
    filename: str | None = None
    """A file needs one; a field without it is text."""
    content_type: str | None = None


_FINITE = validators.lt(float("inf"))
_SECONDS: Any = validators.optional(validators.and_(validators.gt(0), _FINITE))
_SECONDS_LEFT: Any = validators.optional(validators.and_(validators.ge(0), _FINITE))


@frozen(cache_hash=True)
class Timeout:
    """How long a call may take, in seconds; `None` in a field means no limit of that kind.

    Source: https://docs.aiohttp.org/en/stable/client_quickstart.html#timeouts
    """

    total: float | None = field(default=60.0, validator=_SECONDS_LEFT)
    """From the first wait for a connection to the last byte, every attempt and pause included."""
    connect: float | None = field(default=10.0, validator=_SECONDS)
    """TCP and TLS of one connection."""
    idle: float | None = field(default=None, validator=_SECONDS)
    """The longest silence while a body moves."""

    def after(self, seconds: float) -> Timeout:
        """Give what is left when some seconds have passed; a millisecond is not counted."""
        if self.total is None or seconds < 0.001:
            return self
        return Timeout(total=max(self.total - seconds, 0.0), connect=self.connect, idle=self.idle)


NO_TIMEOUT = Timeout(total=None, connect=None, idle=None)
DEFAULT_TIMEOUT = Timeout()
DEFAULT_MAX_RESPONSE_BYTES = 64 * 2**20
TRANSFER_TIMEOUT = Timeout(total=None, idle=60.0)
"""Streams, downloads and streamed uploads: a slow line is fine, a silent one is not."""


_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@define(kw_only=True)  # not frozen, since each call makes two: 0.4 us instead of 1.1
class Request:
    """One request: what a service asks, and after the connection has prepared it, what goes over the wire.

    Nobody changes one.
    """

    method: str
    url: str
    """A path such as `/v1/translate`, already encoded; the connection puts the address before it."""
    query: Mapping[str, str] = _NO_HEADERS
    """Joined to the URL, encoded, when the connection prepares the request."""
    headers: Headers = _NO_HEADERS
    json: Any = None
    body: bytes | Chunks | tuple[FormField, ...] | None = None
    repeatable: bool
    """Sending it twice is free: nothing is billed, and the second time changes nothing."""
    one_shot: bool = False
    """The body can be read only once."""
    transfer: bool = False
    """The body or the answer is long: time is measured by silence, not in total."""
    bearer: Key | None = field(default=None, repr=False)
    """A key of somebody else's, sent as a bearer token in place of the provider's own."""
    keyless: bool = False
    """The address is not the provider's own, and must not see its key."""
    timeout: Timeout = DEFAULT_TIMEOUT
    proxy: str | None = None
    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES


def media_type(headers: Headers) -> str:
    """Give the media type of a body in lower case, without its parameters; empty when the server named none."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


@define(kw_only=True)
class Response:
    """One whole answer; nobody changes it."""

    status: int
    headers: Headers
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type in lower case, without its parameters; empty when the server named none."""
        return media_type(self.headers)

    @property
    def beginning(self) -> str:
        """The first 200 characters of the body, for error messages."""
        return excerpt(self.body[:2000].decode(errors="replace")) or "nothing"


@frozen
class FromResponse(Generic[T]):
    """Marks a reader of the answer itself, for a body that is not JSON."""

    read: Callable[[Response], T]


OnResponse = Callable[[Request, Response], Awaitable[None] | None]
