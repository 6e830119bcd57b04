"""Keys, addresses and proxies, from arguments and the environment.

No file is read: neither `.env` nor `~/.netrc`. What is wrong with an address is found here and raised at the first
call, by the connection.
"""

from __future__ import annotations

import base64
import functools
import ipaddress
import math
import os
import re
import sys
import warnings
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from .wire import Key, Secret, System, Timeout, without_credentials


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
    address = address.strip().rstrip("/")
    return Secret(address) if "@" in address else address  # credentials are refused later, and must not show until then


def find_problem(system: System, address: str, *, allow_http: bool) -> str | None:
    """Say why an address cannot be used and what would be right; `None` when it can."""
    shown = without_credentials(address)
    right = f"give a base URL for {system.title} such as {system.base_url}"
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  its getter is what refuses a port that is no number
    except ValueError:
        return f"the address {shown!r} is malformed: {right}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"the address {shown!r} has no https:// and host: {right}"
    if parts.username is not None or parts.query or parts.fragment or not address.isprintable() or " " in address:
        return f"the address must be scheme, host and path only, without credentials, query or spaces: {right}"
    if parts.scheme == "http" and not (allow_http or is_loopback(parts.hostname)):
        return f"the address {shown!r} would send the key unencrypted: use https://, or pass allow_http=True"
    return None


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # https://www.rfc-editor.org/rfc/rfc9110#name-tokens


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that cannot be sent."""
    for name, value in headers.items():
        if not (isinstance(name, str) and _TOKEN.fullmatch(name) and isinstance(value, str) and value.isprintable()):
            raise ValueError(f"headers must be printable strings by name, not {name!r}: {value!r}")


def read_timeout(value: float | Timeout | None) -> Timeout | None:
    """Read the `timeout` option: seconds become a total."""
    if value is None or isinstance(value, Timeout):
        return value
    return Timeout(total=check_seconds(value, "a Timeout or NO_TIMEOUT"))


def check_seconds(value: float, otherwise: str) -> float:
    """Give a timeout back that is seconds, and warn of one that looks like milliseconds.

    `otherwise` says in errors what else may be given.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"timeout must be seconds, {otherwise}, not {value!r}")
    if not 0 < value < math.inf:
        raise ValueError(f"timeout must be more than 0 seconds, {otherwise}, not {value!r}")
    if value > 3600:
        message = f"timeout={value} is in seconds, which is {value / 3600:.1f} hours"
        warnings.warn(message, stacklevel=_level_of_the_caller())
    return float(value)


def _level_of_the_caller() -> int:
    """Count the frames up to the code that uses the library, for a warning to point at."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "kellyapi":
        frame, level = frame.f_back, level + 1
    return level


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
def split_proxy(proxy: str) -> tuple[str, dict[str, str]]:
    """Give the address of a proxy without its user and password, and the header that says them.

    aiohttp takes them apart too, and shows them in the locals of its frames.
    Source: https://www.rfc-editor.org/rfc/rfc7617#section-2
    """
    parts = urlsplit(proxy)
    if parts.username is None:
        return proxy, {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return address, {"Proxy-Authorization": Secret("Basic " + base64.b64encode(login.encode()).decode())}


@functools.lru_cache(maxsize=256)
def find_proxy(scheme: str, host: str) -> Secret | None:
    """Choose the environment's proxy for a host, honouring `NO_PROXY`; never one for loopback."""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxy = proxies().get(scheme) or proxies().get("all")
    return Secret(proxy) if proxy else None
