"""Keys, addresses and proxies, from arguments and the environment.

No file is read: neither `.env` nor `~/.netrc`. What is wrong with an address is found here and raised at the first
call, by the connection.
"""

from __future__ import annotations

import functools
import ipaddress
import os
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .wire import Key, Secret, System


def variable(system: System, name: str) -> str | None:
    """Read `KHAYA_<name>` and its like; an empty variable counts as unset."""
    return os.environ.get(f"{system.variables}_{name}") or None


def find_key(system: System, given: Key | None) -> Key | None:
    """Choose the given key, else the environment's; `None` when there is neither."""
    key = variable(system, "API_KEY") if given is None else given
    if isinstance(key, str):
        return Secret(key)
    if key is None or callable(key):
        return key
    raise TypeError(f"api_key must be a string or a function, not {type(key).__name__}")


def find_address(system: System, given: str | None) -> str:
    """Choose the given address, else the environment's, else the system's own; without the trailing slash."""
    address = variable(system, "BASE_URL") or system.base_url if given is None else given
    if not isinstance(address, str):
        raise TypeError(f"base_url must be a string, not {type(address).__name__}")
    return address.strip().rstrip("/")


def find_problem(system: System, address: str, *, allow_http: bool) -> str | None:
    """Say why an address cannot be used and what would be right; `None` when it can."""
    right = f"give a base URL for {system.title} such as {system.base_url}"
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  its getter is what refuses a port that is no number
    except ValueError as error:
        return f"the address {address!r} is malformed ({error}): {right}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"the address {address!r} has no https:// and host: {right}"
    if parts.username is not None or parts.query or parts.fragment or not address.isprintable() or " " in address:
        return f"the address must be scheme, host and path only, without credentials, query or spaces: {right}"
    if parts.scheme == "http" and not (allow_http or is_loopback(parts.hostname)):
        return f"the address {address!r} would send the key unencrypted: use https://, or pass allow_http=True"
    return None


@functools.lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@functools.cache
def proxies() -> dict[str, str]:
    """Read `HTTP_PROXY` and its like once: looking them up for every call costs 1 ms with aiohttp's `trust_env`."""
    return getproxies()


@functools.lru_cache(maxsize=256)
def find_proxy(scheme: str, host: str) -> str | None:
    """Choose the environment's proxy for a host, honouring `NO_PROXY`; never one for loopback."""
    if is_loopback(host) or proxy_bypass(host):
        return None
    return proxies().get(scheme) or proxies().get("all")
