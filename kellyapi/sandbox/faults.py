"""Faults that a test asks for: what fails, on which requests, how often.

`fault_injection` carries a fault out on a connection.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import Annotated, Any

from attrs import define, evolve, field, frozen, validators

from .._data.arguments import Count, NotNegative, Range, checked

_ROUTE = re.compile(r"(?:(?P<method>[A-Z]+) )?(?P<path>\*|/[^?#\s]*)")
_RESERVED_HEADERS = frozenset({"content-length", "transfer-encoding", "connection"})
_BODYLESS_STATUSES = frozenset({204, 304})
_REPLACEMENTS = ("body", "html", "redirect_to", "gzip_bomb")
_ENDINGS = ("cut_after", "reset_after", "length_off_by")


_Offset = Annotated[int, Range(0)]


def _copied(headers: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if headers is None else dict(headers)


def _check_route(_: object, __: object, route: str) -> None:
    if not isinstance(route, str) or not _ROUTE.fullmatch(route):
        raise ValueError(
            'a route is a path without its query, such as "/v1/translate", "/v1/predictions/*", "POST /v1/predict" '
            f'or "*", not {route!r}'
        )


def _check_headers(_: object, __: object, headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not (isinstance(name, str) and isinstance(value, str) and name and (name + value).isprintable()):
            raise ValueError(f"headers must be printable strings by name, not {name!r}: {value!r}")
        if name.lower() in _RESERVED_HEADERS:
            raise ValueError(f"the header {name} is the sandbox's own: use length_off_by, cut_after or reset_after")


@checked
@frozen
class Fault:
    """A failure of a request, for `Sandbox(faults=[…])`; `sandbox.fail_next` takes the same arguments.

    There are three kinds. A fault can replace the provider's response (`status`, `body`, `html`, `redirect_to`,
    `gzip_bomb`), send no response (`reset`, `hang`), or change the provider's own response. `headers`, `delay`, `drip`,
    `cut_after`, `reset_after` and `length_off_by` work with every response.

    Raises:
        ValueError: If the arguments cannot be combined; the message says what is right.
    """

    route: str = field(default="*", validator=_check_route)
    """Path with or without a method: "/v1/translate", "POST /v1/predict". `*` stands for any characters."""
    times: Count | None = field(default=None, kw_only=True)
    """Number of requests to affect. The default is all of them, and one in `fail_next`."""
    probability: Annotated[float, Range(0, 1, open=True)] | None = field(default=None, kw_only=True)
    """Share of the route's requests to affect, above 0 and up to 1, chosen by the random numbers of
    `Sandbox(seed=…)`."""
    status: Annotated[int, Range(200, 599)] | None = field(default=None, kw_only=True)
    """Status of the response. From 400 on, and without `body` or `html`, the body is the provider's own error body."""
    headers: Mapping[str, str] | None = field(
        default=None, kw_only=True, converter=_copied, validator=validators.optional(_check_headers)
    )
    """Headers to add to the response, or to replace there."""
    body: Any = field(default=None, kw_only=True)
    """Body to send: bytes and strings as they are, anything else as JSON. The default status is 200."""
    html: str | None = field(default=None, kw_only=True)
    """HTML page to send. The default status is 200."""
    redirect_to: str | None = field(default=None, kw_only=True)
    """`Location` of a redirect. The default status is 307."""
    gzip_bomb: Count | None = field(default=None, kw_only=True)
    """Size of the body in bytes after decompression: spaces, about a thousandth of it on the wire."""
    length_off_by: int | None = field(default=None, kw_only=True)
    """Bytes to add to `Content-Length`, or to take off if negative. The connection is closed after the body."""
    delay: NotNegative = field(default=0.0, kw_only=True)
    """Seconds to wait before the headers, or before the reset."""
    drip: tuple[Count, NotNegative] | None = field(default=None, kw_only=True)
    """Bytes of the body to send at a time, and seconds between them."""
    cut_after: _Offset | None = field(default=None, kw_only=True)
    """Bytes of the body to send before the connection is closed normally."""
    reset_after: _Offset | None = field(default=None, kw_only=True)
    """Bytes of the body to send before the connection is reset; 0 is after the headers."""
    reset: bool = field(default=False, kw_only=True)
    """Whether to read the request and then reset the connection without a response."""
    hang: bool = field(default=False, kw_only=True)
    """Whether to read the request and never respond."""
    carried_out: bool | None = field(default=None, kw_only=True)
    """Whether the sandbox does the work before the response is replaced or lost. By default it does so only if the
    fault needs the provider's own response."""

    def __attrs_post_init__(self) -> None:
        for is_wrong, message in self._contradictions():
            if is_wrong:
                raise ValueError(message)

    @property
    def replaces(self) -> bool:
        """Whether the fault replaces the provider's response."""
        return bool(self._set_fields("status", *_REPLACEMENTS))

    @property
    def silent(self) -> bool:
        """Whether the fault sends no response."""
        return self.reset or self.hang

    @property
    def does_the_work(self) -> bool:
        """Whether the request reaches the provider's handler."""
        return bool(self.carried_out) or not (self.replaces or self.silent)

    def matches(self, method: str, path: str) -> bool:
        """Return whether a request belongs to the route."""
        route = _ROUTE.fullmatch(self.route)
        assert route is not None
        pattern = ".*".join(map(re.escape, route["path"].split("*")))
        return route["method"] in (None, method) and re.fullmatch(pattern, path, re.DOTALL) is not None

    def _set_fields(self, *names: str) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]

    def _contradictions(self) -> Iterator[tuple[bool, str]]:
        replacements, endings = self._set_fields(*_REPLACEMENTS), self._set_fields(*_ENDINGS)
        need_response = self._set_fields("status", *_REPLACEMENTS, "headers", "drip", *_ENDINGS)
        silence = "reset" if self.reset else "hang"
        yield (
            not (need_response or self.silent or self.delay),
            "the fault does nothing: say what happens, such as status=503, delay=2, reset=True or cut_after=10",
        )
        yield len(replacements) > 1, f"{' and '.join(replacements)} each replace the response: choose one"
        yield self.reset and self.hang, "reset and hang both leave out the response: choose one"
        yield (
            self.silent and bool(need_response),
            f"{silence} sends no response: leave out {', '.join(need_response)}, or use reset_after or delay instead",
        )
        yield self.hang and self.delay > 0, "hang waits for ever: leave delay out, or use delay alone to respond late"
        yield len(endings) > 1, f"{' and '.join(endings)} each end the connection: choose one"
        yield self.length_off_by == 0, "length_off_by=0 is the right length: say 5 for too many bytes, -5 for too few"
        yield (
            self.redirect_to is not None and self.status is not None and not 300 <= self.status <= 399,
            f"a redirect has a status from 300 to 399, not {self.status}",
        )
        yield (
            self.status in _BODYLESS_STATUSES
            and bool(self._set_fields("body", "html", "gzip_bomb", "drip", *_ENDINGS)),
            f"a response with status {self.status} has no body",
        )
        yield (
            self.carried_out is False and not (self.replaces or self.silent),
            "carried_out=False needs a response that is replaced or left out: add status, body, reset or hang",
        )


@define
class _QueuedFault:
    fault: Fault
    remaining: float
    """Number of requests that are still to be affected."""


class FaultQueue:
    """Faults that have not happened yet. Thread-safe.

    Faults that are added come first, in the order in which they were added, then the permanent ones.
    """

    def __init__(self, permanent: Iterable[Fault], seed: int) -> None:
        self._lock = threading.Lock()
        self._random = Random(seed)
        self._added: list[_QueuedFault] = []
        self._permanent = [_queue_fault(fault) for fault in permanent]

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        with self._lock:
            self._added.append(_queue_fault(fault))

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault for a request, if any, and count it."""
        with self._lock:
            for queue in (self._added, self._permanent):
                for queued in queue:
                    fault = queued.fault
                    if fault.matches(method, path) and (
                        fault.probability is None or self._random.random() < fault.probability
                    ):
                        queued.remaining -= 1
                        if not queued.remaining:
                            queue.remove(queued)
                        return fault
        return None

    def pending(self) -> tuple[Fault, ...]:
        """Return the faults that have not happened yet, with their remaining `times`."""
        with self._lock:
            return tuple(
                queued.fault if queued.fault.times is None else evolve(queued.fault, times=int(queued.remaining))
                for queued in (*self._added, *self._permanent)
            )

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._added.clear()
            self._permanent.clear()


def _queue_fault(fault: Fault) -> _QueuedFault:
    if not isinstance(fault, Fault):
        raise TypeError(f"faults must be Fault values, such as Fault(status=503), not {fault!r}")
    return _QueuedFault(fault, float("inf") if fault.times is None else fault.times)
