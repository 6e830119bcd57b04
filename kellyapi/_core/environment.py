"""Keys, addresses and proxies, from arguments and the environment.

No file is read: neither `.env` nor `~/.netrc`. What is wrong with an address is found here and raised at the first
call, by the connection.
"""

from __future__ import annotations

import base64
import functools
import ipaddress
import os
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from .._data.text import without_credentials
from .provider import Provider
from .secrets import Key, Secret


def read_variable(provider: Provider, name: str) -> str | None:
    """Read `KHAYA_<name>` and its like; an empty variable counts as unset."""
    return os.environ.get(f"{provider.variables}_{name}") or None


def find_key(provider: Provider, given: Key | None) -> Key | None:
    """Return the given key, or the environment's; `None` if there is neither."""
    key = read_variable(provider, "API_KEY") if given is None else given
    if isinstance(key, str):
        return Secret(key)
    if key is None or callable(key):
        return key
    raise TypeError(f"api_key must be a string or a function, not {type(key).__name__}")


def find_address(provider: Provider, given: str | None) -> str:
    """Return the given address, or the environment's, or the provider's own, without the trailing slash."""
    address = read_variable(provider, "BASE_URL") or provider.base_url if given is None else given
    if not isinstance(address, str):
        raise TypeError(f"base_url must be a string, not {type(address).__name__}")
    address = address.strip().rstrip("/")
    return Secret(address) if "@" in address else address  # credentials are refused later, and must not show until then


def address_problem(provider: Provider, address: str, *, allow_http: bool) -> str | None:
    """Return why an address cannot be used and what would be right; `None` if it can be used."""
    shown = without_credentials(address)
    right = f"give a base URL for {provider.title} such as {provider.base_url}"
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


@functools.lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine."""
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
    """Split the address of a proxy into one without user and password, and the header that has them.

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
    """Return the environment's proxy for a host; none for those in `NO_PROXY` and for this machine."""
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxy = proxies().get(scheme) or proxies().get("all")
    return Secret(proxy) if proxy else None
