"""The checks of where a request comes from. It must be for a known host. A page of another site cannot change anything.

A page of a web site can send requests to this machine. If its DNS name is then pointed at 127.0.0.1, the browser even
lets it read the responses. Such a request has the site's name as its `Host`. A change that a page of another origin
sends has that origin as its `Origin`.

Source: https://www.rfc-editor.org/rfc/rfc9110#name-host-and-authority, https://fetch.spec.whatwg.org/#origin-header
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated

from aiohttp import web

from .._data.hosts import is_loopback, read_address
from .frontend import ApiError

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\s]+)(?::([0-9]{1,5}))?", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def check_host(host: str, name: str) -> None:
    """Raise `ValueError` for what is neither a name nor an address alone; `name` is that of the argument."""
    found = _HOST.fullmatch(f"[{host}]" if ":" in host and read_address(host) else host)
    if found is None or found[2] or "*" in host:
        raise ValueError(f"{name} must be a name or an address without a port, such as 'sandbox', not {host!r}")


Host = Annotated[str, check_host]


def is_known(host: str, allowed: Collection[str]) -> bool:
    """Return whether a host is this machine or allowed."""
    name = normalize_host(host)
    return is_loopback(name) or name in allowed


def refuse_stranger(request: web.Request, allowed: Collection[str]) -> ApiError | None:
    """Return the error for a request that is not answered, or `None`."""
    own = request.headers.get("Host", "")
    for host in (own, request.host):  # the second is that of an absolute request target, if there is one
        found = _HOST.fullmatch(host)
        if found is None or int(found[2] or 0) > 65535 or not is_known(found[1], allowed):
            message = f"The sandbox answers requests for this machine, not for the host {host[:100]!r}."
            return ApiError(403, "FORBIDDEN", f"{message} Allow it with allow_hosts or --allow-host.")
    origins: list[str] = request.headers.getall("Origin", [])
    if request.method not in _SAFE_METHODS and not all(_is_same_origin(origin, own) for origin in origins):
        message = f"The sandbox changes nothing for a page of another origin: {origins[0][:100]!r}."
        return ApiError(403, "FORBIDDEN", message)
    return None


def _is_same_origin(origin: str, host: str) -> bool:
    scheme, _, authority = origin.partition("://")
    default = _DEFAULT_PORTS.get(scheme)
    ours, theirs = _HOST.fullmatch(host), _HOST.fullmatch(authority)
    if default is None or ours is None or theirs is None:
        return False
    return (normalize_host(ours[1]), ours[2] or default) == (normalize_host(theirs[1]), theirs[2] or default)


def normalize_host(host: str) -> str:
    """Return the form of a name or address in which hosts are compared."""
    name = host.strip("[]").lower().removesuffix(".")
    address = read_address(name)
    return name if address is None else str(address)
