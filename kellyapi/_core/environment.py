"""Keys and addresses, from arguments and the environment.

No file is read: neither `.env` nor `~/.netrc`. What is wrong with an address is found here and raised at the first
call, by the connection.
"""

from __future__ import annotations

import os
from contextlib import suppress
from urllib.parse import urlsplit

from .._data.hosts import is_loopback
from .._data.links import encode_url
from .._data.text import without_credentials
from .provider import Problem, Provider
from .secrets import Key, Secret, WrongSecret, as_secret

_SWITCHES = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def read_variable(provider: Provider, name: str) -> str | None:
    """Read `KHAYA_<name>` and its like; an empty variable counts as unset."""
    return os.environ.get(f"{provider.variables}_{name}") or None


def read_switch(text: str) -> bool:
    """Read a variable that is on or off.

    Raises:
        ValueError: It is neither.
    """
    if (word := text.strip().lower()) not in _SWITCHES:
        raise ValueError(f"neither on nor off: {text!r}")
    return _SWITCHES[word]


def find_key(provider: Provider, given: Key | None) -> Key | None:
    """Return the given key, or the environment's; `None` if there is neither."""
    key: Key | WrongSecret | None = as_secret(read_variable(provider, "API_KEY") if given is None else given)
    if isinstance(key, WrongSecret):
        raise TypeError(f"api_key must be a string or a function, not {key!r}")
    return key


def find_address(provider: Provider, given: str | None) -> str:
    """Return the given address, or the environment's, or the provider's own, in ASCII and without the last slash."""
    address = read_variable(provider, "BASE_URL") or provider.base_url if given is None else given
    if not isinstance(address, str):
        raise TypeError(f"base_url must be a string, not {type(address).__name__}")
    address = address.strip().rstrip("/")
    if address.isprintable() and " " not in address:  # any other address is refused later
        with suppress(ValueError):
            address = encode_url(address)
    return Secret(address) if "@" in address else address  # credentials are refused later, and must not show until then


def address_problem(provider: Provider, address: str, *, allow_http: bool) -> Problem | None:
    """Return why an address cannot be used and what would be right; `None` if it can be used."""
    shown = without_credentials(address)
    right = f"give a base URL for {provider.title} such as {provider.base_url}"
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  its getter refuses a port that is not a number
    except ValueError:
        return Problem(f"the address {shown!r} is malformed: {right}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return Problem(f"the address {shown!r} has no https:// and host: {right}")
    if parts.username is not None or parts.query or parts.fragment or not address.isprintable() or " " in address:
        return Problem(f"the address must be scheme, host and path only, without credentials, query or spaces: {right}")
    if parts.scheme == "http" and not (allow_http or is_loopback(parts.hostname)):
        remedy = f"or pass allow_http=True, or set {provider.variables}_ALLOW_HTTP=1"
        return Problem(f"the address {shown!r} would send the key unencrypted: use https://", remedy)
    try:
        encode_url(address, "base URL")
    except ValueError as error:
        return Problem(f"{error}: {right}")
    return None
