"""Faults that a test orders: what can go wrong, on which requests, how often.

How a fault is carried out on a connection is in `breaking`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import Any

from attrs import converters, define, evolve, field, frozen, validators

_ROUTE = re.compile(r"(?:(?P<method>[A-Z]+) )?(?P<path>\*|/[^?#\s]*)")
_OURS = frozenset({"content-length", "transfer-encoding", "connection"})
_EMPTY = frozenset({204, 304})
"""Statuses whose answers end with their headers."""
_ANSWERS = ("body", "html", "redirect_to", "gzip_bomb")
_ENDS = ("cut_after", "reset_after", "length_off_by")


def _whole(least: int, most: float = float("inf")) -> Any:
    rules: list[Any] = [validators.instance_of(int), validators.ge(least), validators.le(most)]
    return validators.optional(rules)


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
        if name.lower() in _OURS:
            raise ValueError(f"the header {name} is the sandbox's own: use length_off_by, cut_after or reset_after")


def _check_drip(_: object, __: object, drip: Any) -> None:
    if drip is not None:
        count, seconds = drip if isinstance(drip, tuple) and len(drip) == 2 else (0, 0)
        if not (isinstance(count, int) and count > 0 and 0 <= seconds < float("inf")):
            raise ValueError(f"drip is (bytes at a time, seconds between), such as (1, 0.5), not {drip!r}")


@frozen
class Fault:
    """What goes wrong with a request, for `Sandbox(faults=[…])`, and in the arguments of `sandbox.fail_next`.

    A fault answers in place of the service (`status`, `body`, `html`, `redirect_to`, `gzip_bomb`), or gives no answer
    (`reset`, `hang`), or lets the service answer and spoils that answer. `headers`, `delay`, `drip`, `cut_after`,
    `reset_after` and `length_off_by` go with any answer. A combination that cannot be is a `ValueError`.
    """

    route: str = field(default="*", validator=_check_route)
    """The path, after a method if only that one is meant: "/v1/translate", "POST /v1/predict"; `*` stands for any
    characters."""
    times: int | None = field(default=None, kw_only=True, validator=_whole(1))
    """How many requests it spoils; `None` is all of them, and in `fail_next` one."""
    probability: float | None = field(
        default=None, kw_only=True, validator=validators.optional([validators.gt(0), validators.le(1)])
    )
    """The share of the requests of its route, from 0 to 1, that it spoils, by the dice of `Sandbox(seed=…)`."""
    status: int | None = field(default=None, kw_only=True, validator=_whole(200, 599))
    """From 400 on, and without a body, it comes with an error in the words of the service that was asked."""
    headers: Mapping[str, str] | None = field(
        default=None, kw_only=True, converter=converters.optional(dict), validator=validators.optional(_check_headers)
    )
    """They are added to those of the answer, or replace them."""
    body: Any = field(default=None, kw_only=True)
    """Bytes and strings go out as they are, anything else as JSON. The status is 200 unless it is given."""
    html: str | None = field(default=None, kw_only=True)
    """A page in place of the answer. The status is 200 unless it is given."""
    redirect_to: str | None = field(default=None, kw_only=True)
    """A `Location`. The status is 307 unless it is given."""
    gzip_bomb: int | None = field(default=None, kw_only=True, validator=_whole(1))
    """A body of this many bytes after its decompression: blanks, about a thousandth of it on the wire."""
    length_off_by: int | None = field(
        default=None, kw_only=True, validator=validators.optional(validators.instance_of(int))
    )
    """Bytes by which `Content-Length` says more than there are, or less. The connection is closed after the body."""
    delay: float = field(default=0.0, kw_only=True, validator=[validators.ge(0), validators.lt(float("inf"))])
    """Seconds before the headers, or before the reset."""
    drip: tuple[int, float] | None = field(default=None, kw_only=True, validator=_check_drip)
    """Bytes of the body at a time, and seconds between."""
    cut_after: int | None = field(default=None, kw_only=True, validator=_whole(0))
    """Bytes of the body after which the connection is closed in good order."""
    reset_after: int | None = field(default=None, kw_only=True, validator=_whole(0))
    """Bytes of the body after which the connection is reset; 0 is after the headers."""
    reset: bool = field(default=False, kw_only=True)
    """The request is read, and the connection reset without an answer."""
    hang: bool = field(default=False, kw_only=True)
    """The request is read, and never answered."""
    carried_out: bool | None = field(default=None, kw_only=True)
    """Whether the service does the work before the answer is replaced or lost. It does not, unless this is true or its
    own answer is needed."""

    def __attrs_post_init__(self) -> None:
        for wrong, right in self._contradictions():
            if wrong:
                raise ValueError(right)

    @property
    def replaces(self) -> bool:
        """Whether there is an answer in place of the service's."""
        return bool(self._given("status", *_ANSWERS))

    @property
    def silent(self) -> bool:
        """Whether there is no answer."""
        return self.reset or self.hang

    @property
    def does_the_work(self) -> bool:
        """Whether the request reaches the service."""
        return bool(self.carried_out) or not (self.replaces or self.silent)

    def matches(self, method: str, path: str) -> bool:
        """Tell whether a request is of the route."""
        route = _ROUTE.fullmatch(self.route)
        assert route is not None
        pattern = ".*".join(map(re.escape, route["path"].split("*")))
        return route["method"] in (None, method) and re.fullmatch(pattern, path, re.DOTALL) is not None

    def _given(self, *names: str) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]

    def _contradictions(self) -> Iterator[tuple[bool, str]]:
        answers, ends = self._given(*_ANSWERS), self._given(*_ENDS)
        of_an_answer = self._given("status", *_ANSWERS, "headers", "drip", *_ENDS)
        silence = "reset" if self.reset else "hang"
        yield (
            not (of_an_answer or self.silent or self.delay),
            "the fault does nothing: say what happens, such as status=503, delay=2, reset=True or cut_after=10",
        )
        yield len(answers) > 1, f"{' and '.join(answers)} are answers: choose one"
        yield self.reset and self.hang, "reset and hang are both ends: choose one"
        yield (
            self.silent and bool(of_an_answer),
            f"{silence} gives no answer: leave out {', '.join(of_an_answer)}, or spoil it with reset_after or delay",
        )
        yield self.hang and self.delay > 0, "hang waits for ever: leave delay out, or use delay alone to answer late"
        yield len(ends) > 1, f"{' and '.join(ends)} each end the connection: choose one"
        yield self.length_off_by == 0, "length_off_by=0 is the right length: say 5 for too many bytes, -5 for too few"
        yield (
            self.redirect_to is not None and self.status is not None and not 300 <= self.status <= 399,
            f"a redirect has a status from 300 to 399, not {self.status}",
        )
        yield (
            self.status in _EMPTY and bool(self._given("body", "html", "gzip_bomb", "drip", *_ENDS)),
            f"an answer with status {self.status} has no body",
        )
        yield (
            self.carried_out is False and not (self.replaces or self.silent),
            "carried_out=False needs an answer in place of the service's, or none: add status, body, reset or hang",
        )


@define
class _Order:
    fault: Fault
    left: float


class Orders:
    """The faults that are still to happen. It may be used from any thread."""

    def __init__(self, standing: Iterable[Fault], seed: int) -> None:
        self._lock = threading.Lock()
        self._dice = Random(seed)
        self._next: list[_Order] = []
        self._standing = [_order(fault) for fault in standing]

    def add(self, fault: Fault) -> None:
        """Let a fault happen before the standing ones, and after those that were added before it."""
        with self._lock:
            self._next.append(_order(fault))

    def take(self, method: str, path: str) -> Fault | None:
        """Choose the fault of a request, and count it."""
        with self._lock:
            for orders in (self._next, self._standing):
                for order in orders:
                    fault = order.fault
                    if fault.matches(method, path) and (
                        fault.probability is None or self._dice.random() < fault.probability
                    ):
                        order.left -= 1
                        if not order.left:
                            orders.remove(order)
                        return fault
        return None

    def pending(self) -> tuple[Fault, ...]:
        """Give what is still to happen, with the times that are left."""
        with self._lock:
            return tuple(
                order.fault if order.fault.times is None else evolve(order.fault, times=int(order.left))
                for order in (*self._next, *self._standing)
            )

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._next.clear()
            self._standing.clear()


def _order(fault: Fault) -> _Order:
    if not isinstance(fault, Fault):
        raise TypeError(f"faults must be Fault values, such as Fault(status=503), not {fault!r}")
    return _Order(fault, float("inf") if fault.times is None else fault.times)
