"""The frozen values that travel between a service, its connection and the transport.

It owns what a request and an answer are, how ids go into a path, and how a key hides itself. It sends nothing and reads
no settings.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from attrs import define, evolve, field, frozen, validators

T = TypeVar("T")
Headers = Mapping[str, str]
Chunks = Callable[[], AsyncIterable[bytes]]
"""Opens a body that arrives in pieces; called anew for every attempt."""

Key = str | Callable[[], str | Awaitable[str]]
"""A key, or a function (plain or async) that is asked for it at every request."""


class Secret(str):
    """A string that works as itself on the wire and shows nothing of itself in logs and tracebacks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def hidden(value: T) -> T:
    """Give a string as a `Secret` and anything else as it is."""
    return Secret(value) if isinstance(value, str) else value  # type: ignore[return-value]  # a Secret is a string


@frozen
class Part:
    """One field of a multipart form."""

    name: str
    body: bytes | Chunks
    filename: str | None = None
    """A file needs one; a field without it is text."""
    content_type: str | None = None


_FINITE = validators.lt(float("inf"))
_SECONDS: Any = validators.optional(validators.and_(validators.gt(0), _FINITE))
_SECONDS_OR_NONE_LEFT: Any = validators.optional(validators.and_(validators.ge(0), _FINITE))


@frozen(cache_hash=True)
class Timeout:
    """How long a call may take, in seconds; `None` in a field means no limit of that kind.

    Source: https://docs.aiohttp.org/en/stable/client_quickstart.html#timeouts
    """

    total: float | None = field(default=60.0, validator=_SECONDS_OR_NONE_LEFT)
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


_NONE: Mapping[str, str] = MappingProxyType({})


@define(kw_only=True)  # not frozen, since each call makes two: 0.4 us instead of 1.1
class Request:
    """One request: what a service asks, and after the connection has prepared it, what goes over the wire.

    Nobody changes one.
    """

    method: str
    url: str
    """A path such as `/v1/translate`, already encoded; the connection puts the address before it."""
    query: Mapping[str, str] = _NONE
    """Joined to the URL, encoded, when the connection prepares the request."""
    headers: Headers = _NONE
    json: Any = None
    body: bytes | Chunks | tuple[Part, ...] | None = None
    repeatable: bool
    """Sending it twice is free: nothing is billed, and the second time changes nothing."""
    one_shot: bool = False
    """The body can be read only once."""
    transfer: bool = False
    """The body or the answer is long: time is measured by silence, not in total."""
    bearer: Key | None = field(default=None, repr=False)
    """A key of somebody else's, sent as a bearer token in place of the system's own."""
    keyless: bool = False
    """The address is not the system's own, and must not see its key."""
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


Into = type[T] | Callable[[Any], T]
"""What JSON becomes: an attrs class, `str`, `dict[str, str]`, `object` for any JSON, …, or a function that reads it."""


@frozen
class Raw(Generic[T]):
    """Marks a reader of the answer itself, for a body that is not JSON."""

    read: Callable[[Response], T]


def _word(value: Any) -> str | None:
    return printable(str(value)) if value and isinstance(value, (str, int)) else None


def _line(value: Any) -> str:
    return printable(" ".join(str(value).split()))


def _status(value: Any) -> int | None:
    return value if isinstance(value, int) and 100 <= value <= 599 else None


@frozen(kw_only=True)
class ErrorBody:
    """What a system's error body says, in one shape for all of them; what is of another type than it should be is left
    out.
    """

    message: str = field(converter=_line)
    code: str | None = field(default=None, converter=_word)
    status: int | None = field(default=None, converter=_status)
    """The status that the code or the body stands for; `None` leaves it to the HTTP status."""
    details: Any = None
    request_id: str | None = field(default=None, converter=_word)
    final: bool = False
    """Asking again would give the same, whatever the status says."""


ReadError = Callable[[int, Headers, Any], ErrorBody | None]
"""Reads an error out of (status, headers, body: parsed JSON, else text); `None` when the body is no error of this
system.
"""


ReadAllowance = Callable[[Headers], tuple[float, float, float] | None]
"""Reads (calls left, calls in a window, seconds of the window) out of an answer's headers; `None` when they are absent.
"""


@frozen(kw_only=True)
class System:
    """What distinguishes one of the four systems on the wire."""

    name: str
    title: str
    base_url: str
    variables: str
    """The prefix of its variables in the environment: `KHAYA` stands for `KHAYA_API_KEY` and `KHAYA_BASE_URL`."""
    key_header: str
    key_prefix: str = ""
    read_error: ReadError
    read_allowance: ReadAllowance | None = None


def check_id(id: str) -> None:
    """Refuse what no path can name: an empty id, `.`, `..` and control characters raise `ValueError`."""
    if not isinstance(id, str):
        raise TypeError(f"an id must be a string, not {type(id).__name__}")
    if id in ("", ".", ".."):
        raise ValueError(f"an id must not be empty, '.' or '..': {id!r}")
    if not id.isprintable():
        raise ValueError(f"an id must not contain control characters: {id!r}")


def encode_path(template: str, *ids: str) -> str:
    """Put ids into a path, each as one percent-encoded segment.

    Those that `check_id` refuses are refused: servers read `%2E%2E` as a step up.
    """
    return template.format(*map(_segment, ids))


_UNRESERVED = re.compile(r"[\w.~-]+", re.ASCII)


def _segment(id: str) -> str:
    check_id(id)
    return id if _UNRESERVED.fullmatch(id) else quote(id, safe="")


def origin(url: str) -> str:
    """Give scheme, host and port of a URL; empty when it has none or is malformed."""
    try:
        parts = urlsplit(url)
        usable = parts.netloc and parts.port != 0  # a port that is none is a `ValueError`
    except ValueError:
        return ""
    if not usable:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


REDIRECTS = frozenset({301, 302, 303, 307, 308})


def follow(request: Request, status: int, location: str) -> Request | None:
    """Give the request that a redirect asks for; `None` when it must not be followed.

    A request with a key stays on its origin, one without goes anywhere but from https to http; the method is never
    changed.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-redirection-3xx
    """
    if status not in REDIRECTS or request.one_shot or not (status in (307, 308) or request.method == "GET"):
        return None
    try:
        target = quote(urljoin(request.url, location), safe="%!#$&'()*+,/:;=?@[]~", errors="surrogateescape")
    except ValueError:
        return None
    here, there = origin(request.url), origin(target)
    safe = there == here or (request.keyless and there.startswith(("https://", f"{here.partition(':')[0]}://")))
    return evolve(request, url=target) if location and safe else None


def without_credentials(text: str) -> str:
    """Take user names and passwords out of the URLs in a text."""
    # A match starts where a word does: from everywhere in it, 250 KiB of a server's zeros would take an hour.
    return re.sub(r"(?<![^\s/'\"])[^\s/'\"]*@", "***@", text)


def excerpt(text: str) -> str:
    """Give the first 200 characters on one line, for error messages."""
    return printable(" ".join(text[:1000].split()))[:200]


def printable(text: str) -> str:
    """Take out what would command a terminal or has no UTF-8."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in text)


def not_blank(text: str, what: str) -> str:
    """Give a text back that says something; `ValueError` for a blank one."""
    if not isinstance(text, str):
        raise TypeError(f"the {what} must be a string, not {type(text).__name__}")
    if not text.strip():
        raise ValueError(f"the {what} is empty")
    return text


def given(**fields: Any) -> dict[str, Any]:
    """Leave out the optional fields that were not given (`None`)."""
    return {name: value for name, value in fields.items() if value is not None}
