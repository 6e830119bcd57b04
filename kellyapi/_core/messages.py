"""Calls, requests and responses: the values that travel between a resource, its connection and the transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from attrs import evolve, field, frozen

from .._data.arguments import NotNegative, Positive, checked
from .._data.media import Chunks
from .._data.quick_maker import quick_maker
from .._data.secret_names import without_secret_parameters
from .._data.text import excerpt
from ..errors import KellyAPIError
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


@checked
@frozen(cache_hash=True)
class Timeout:
    """How long a call may take, in seconds; `None` in a field means no limit of that kind.

    Source: https://docs.aiohttp.org/en/stable/client_quickstart.html#timeouts
    """

    total: NotNegative | None = 60.0
    """From the first wait for a connection to the last byte, with every attempt and pause."""
    connect: Positive | None = 10.0
    """TCP and TLS of one connection."""
    idle: Positive | None = None
    """The longest silence while a body moves, and before the response unless `head` is set."""
    head: Positive | None = None
    """The longest wait for the head of the response after the body was sent; `None` means that `idle` limits it."""


NO_TIMEOUT = Timeout(total=None, connect=None, idle=None)
DEFAULT_TIMEOUT = Timeout()
DEFAULT_MAX_RESPONSE_BYTES = 64 * 2**20
TRANSFER_TIMEOUT = Timeout(total=None, idle=60.0)
"""For streams, downloads and streamed uploads: a slow line is fine, a silent one is not."""
TRANSCRIPTION_TIMEOUT = Timeout(total=None, idle=60.0, head=600.0)
"""For speech recognition, whose server reads the whole recording before it responds: Khaya's own tools wait 600 s."""

_EMPTY: Mapping[str, str] = {}  # a read-only proxy takes 0.5 us longer to merge


def time_left(timeout: Timeout, seconds: float) -> Timeout:
    """Return what is left of a timeout when some seconds have passed; less than a millisecond does not count."""
    if timeout.total is None or seconds < 0.001:
        return timeout
    return evolve(timeout, total=max(timeout.total - seconds, 0.0))


@frozen(kw_only=True)
class Call:
    """One use of an operation: what a resource asks of its provider."""

    method: str
    url: str
    """A path such as `/v1/translate`, already encoded; with `keyless` a whole URL."""
    query: Mapping[str, str] | tuple[tuple[str, str], ...] = _EMPTY
    """By name, or as pairs where a name may be repeated."""
    headers: Headers = _EMPTY
    json: Any = None
    body: bytes | Chunks | tuple[FormField, ...] | None = None
    """The body where it is not JSON."""
    repeatable: bool
    """Sending it twice is free: nothing is billed, and the second time changes nothing."""
    one_shot: bool = False
    """The body can be read only once."""
    timeout: Timeout = DEFAULT_TIMEOUT
    """The limits that hold if the client was given none."""
    bearer: Key | None = field(default=None, repr=False)
    """A key that is sent as a bearer token in place of the provider's own."""
    keyless: bool = False
    """The address is not the provider's own, and must not get its key."""


@frozen(kw_only=True)
class PreparedRequest:
    """One request of a call as it is sent: with its address, its key, its body and the time that is left."""

    call: Call = field(repr=False)
    url: str = field(repr=lambda url: repr(without_secret_parameters(url)))
    headers: Headers
    body: bytes | Chunks | tuple[FormField, ...] | None = field(default=None, repr=False)
    timeout: Timeout = DEFAULT_TIMEOUT
    proxy: str | None = None
    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.call.method

    @property
    def shown_url(self) -> str:
        """The address for logs and errors, without the secrets in its query."""
        return without_secret_parameters(self.url)


make_call = quick_maker(Call)
make_request = quick_maker(PreparedRequest)


class Received(Protocol):
    """What has arrived of a response and was read whole."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Headers:
        """The headers."""

    @property
    def body(self) -> bytes:
        """The whole body."""


@frozen(kw_only=True)
class Response:
    """One whole response."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)  # both may repeat the key
    error: KellyAPIError | None = None
    """Why the attempt failed, if it did; only `on_response` gets such a response."""

    @property
    def content_type(self) -> str:
        """The media type in lower case, without its parameters; empty if the server sent none."""
        return media_type(self.headers)

    @property
    def beginning(self) -> str:
        """The first 200 characters of the body, for error messages."""
        return beginning_of(self.body)


def beginning_of(body: bytes) -> str:
    """Return the first 200 characters of a body, for error messages."""
    return excerpt(body) or "nothing"


def media_type(headers: Headers) -> str:
    """Return the media type of a body in lower case, without its parameters; empty if the server sent none."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


@frozen
class FromResponse(Generic[T]):
    """Makes a result from a whole response, for a body that is not JSON."""

    read: Callable[[Response], T]


class RaisedByUser(Exception):
    """Carries an error that code of the user raised past the retries: a hook, a key function, a source.

    It may be an error of ours, of another call, which says nothing about this one.
    """

    def __init__(self, error: KellyAPIError) -> None:
        super().__init__(error)
        self.error = error


OnBytes = Callable[[int, int | None], Awaitable[None] | None]
"""Called with (bytes that have moved, bytes of the whole or `None` if they are not known); plain or async."""

OnResponse = Callable[[PreparedRequest, Response], Awaitable[None] | None]
"""The `on_response` option: called with the request of each attempt and its response; plain or async."""
