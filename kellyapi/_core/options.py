"""The options of a client, and their checks."""

from __future__ import annotations

import logging
import math
import re
import sys
import warnings
from collections.abc import Mapping
from typing import Any, TypedDict

from .._data.arguments import Count, NotBlank
from .limits import Rate
from .messages import OnBytes, OnResponse, Timeout
from .proxies import proxy_problem
from .retry import RetryPolicy
from .secrets import as_secret, hide_headers

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # https://www.rfc-editor.org/rfc/rfc9110#name-tokens


def check_headers(headers: Mapping[str, str], argument: str = "headers") -> None:
    """Refuse headers that cannot be sent."""
    for name, value in headers.items():
        if not (isinstance(name, str) and _TOKEN.fullmatch(name) and isinstance(value, str) and value.isprintable()):
            raise ValueError(f"{argument} must be printable strings by name; that of {name!r} is not")


def read_timeout(value: float | Timeout | None) -> Timeout | None:
    """Read the `timeout` option: seconds become a total."""
    if value is None or isinstance(value, Timeout):
        return value
    return Timeout(total=check_seconds(value, "a Timeout or NO_TIMEOUT"))


def check_seconds(value: float, otherwise: str) -> float:
    """Return a timeout in seconds as it is, and warn of one that looks like milliseconds.

    `otherwise` says in errors what else may be given.
    """
    if not 0 < value < math.inf:
        raise ValueError(f"timeout must be more than 0 seconds, {otherwise}, not {value!r}")
    if value > 3600:
        message = f"timeout={value} is in seconds, which is {value / 3600:.1f} hours"
        warnings.warn(message, stacklevel=_caller_stacklevel())
    return float(value)


def _caller_stacklevel() -> int:
    """Count the frames up to the code that uses the library, for a warning to point at."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "kellyapi":
        frame, level = frame.f_back, level + 1
    return level


class Options(TypedDict, total=False):
    """What can be set for a client and varied by `with_options`; the same list for `KellyAPI` and the four providers.

    A wrong value raises `ValueError` or `TypeError` at once.
    """

    timeout: float | Timeout | None
    """Seconds for a whole call, or `Timeout(total, connect, idle, head)`. `None` is the default: 60 s; streams,
    downloads and streamed uploads have no total and may be silent for 60 s; `transcribe` also waits 600 s for the
    response. `NO_TIMEOUT` sets no limit.
    """
    retry: RetryPolicy
    """How often and how fast a failed call is retried; with `NO_RETRY` never."""
    headers: Mapping[str, str]
    """Sent with every request, in addition to the key."""
    proxy: NotBlank | None
    """The URL of an HTTP proxy, in place of `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`."""
    max_connections: Count
    """The most open connections of a session that the client opens (100). Not for `with_options`, which keeps the
    session.
    """
    max_concurrency: Count | None
    """Requests at once, for each provider; others wait in order. A stream counts until its headers have arrived."""
    rate: Rate | None
    """The most requests in a period, for each provider, such as `Rate(10, per=1.0)`; others wait in order."""
    max_response_bytes: Count
    """The largest response that is read into memory, after decompression (64 MiB)."""
    allow_http: bool
    """Send the key over plain `http://` to hosts other than this machine. The default is that of `KHAYA_ALLOW_HTTP` and
    its like.
    """
    on_response: OnResponse | None
    """Called with the request and the response of each attempt, also of one that failed; plain or async."""
    on_upload: OnBytes | None
    """Called while a file, or a body of more than 64 KiB, is sent: with the bytes sent, and the size in bytes or `None`
    if it is not known; plain or async. Each attempt counts from 0. An exception ends the call.
    """
    logger: logging.Logger
    """Replaces the logger `kellyapi.<provider>`."""
    log_bodies: bool
    """Log the bodies of requests and responses too, at DEBUG, without keys, passwords and media."""


def hide_secrets(options: Options) -> Options:
    """Hide headers and the password of a proxy before something fails whose traceback shows `options`."""
    for name, hide in (("proxy", as_secret), ("headers", hide_headers)):
        if name in options:
            options[name] = hide(options[name])  # type: ignore[literal-required]  # mypy does not know the names
    return options


def read_options(options: Options) -> dict[str, Any]:
    """Check options, and return them as fields of a `Connection`."""
    hide_secrets(options)
    fields: dict[str, Any] = dict(options)
    check_headers(fields.get("headers", {}))
    if fields.get("proxy") is not None and (problem := proxy_problem(fields["proxy"])):
        raise ValueError(f"the proxy {problem}")
    if "timeout" in fields:
        fields["timeout"] = read_timeout(fields["timeout"])
    return fields
