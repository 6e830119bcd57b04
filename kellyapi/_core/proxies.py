"""HTTP proxies: their addresses, and which requests go through those of the environment.

Source: https://pkg.go.dev/golang.org/x/net/http/httpproxy
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes, urlsplit

from attrs import frozen

from .._data.hosts import IPAddress, is_loopback, read_address
from ..errors import ConfigurationError
from .secrets import Secret

_DEFAULT_PORTS = {"http": 80, "https": 443}
_RIGHT = "give the URL of an HTTP proxy, such as http://proxy.example:3128"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def proxy_problem(proxy: str) -> str | None:
    """Return why a proxy cannot be used and what would be right, without its password; `None` if it can be used."""
    try:
        parts = urlsplit(_with_scheme(proxy))
        host, port = parts.hostname, parts.port
    except ValueError:
        return f"is malformed: {_RIGHT}"
    if parts.scheme.startswith("socks"):
        return "is a SOCKS proxy: pass a session of your own whose connector supports it"
    if parts.scheme not in _DEFAULT_PORTS:
        return f"has the scheme {parts.scheme}://, which no proxy has: {_RIGHT}"
    if not host or port == 0 or not proxy.isprintable() or " " in proxy:
        return f"is malformed: {_RIGHT}"
    return None


@lru_cache(maxsize=256)
def split_proxy(proxy: str) -> tuple[str, dict[str, str]]:
    """Split the address of a proxy into one without user and password, and the header that has them.

    aiohttp takes them apart too, and shows them in the locals of its frames.
    Source: https://www.rfc-editor.org/rfc/rfc7617#section-2
    """
    parts = urlsplit(_with_scheme(proxy))
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if parts.username is None:
        return address, {}
    login = unquote_to_bytes(parts.username) + b":" + unquote_to_bytes(parts.password or "")
    return address, {"Proxy-Authorization": Secret("Basic " + base64.b64encode(login).decode())}


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"


@frozen
class _Exemption:
    """An entry of `NO_PROXY`."""

    network: Network | None = None
    domain: str = ""
    """Begins with a dot."""
    subdomains_only: bool = False
    port: int | None = None

    def covers(self, host: str, address: IPAddress | None, port: int) -> bool:
        if self.port not in (None, port):
            return False
        if self.network is not None:
            return address is not None and address in self.network
        return (host if self.subdomains_only else f".{host}").endswith(self.domain)


@frozen(cache_hash=True)
class EnvironmentProxies:
    """The proxies of the environment, as they were when the client was made."""

    by_scheme: tuple[tuple[str, str, Secret], ...] = ()
    """Scheme, name of the variable, address."""
    exemptions: tuple[_Exemption, ...] = ()

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> EnvironmentProxies:
        """Read `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper and lower case."""
        found = []
        for scheme in _DEFAULT_PORTS:
            names = [f"{scheme.upper()}_PROXY", f"{scheme}_proxy", "ALL_PROXY", "all_proxy"]
            if environment.get("REQUEST_METHOD"):  # under CGI a client sets it by a header: https://httpoxy.org
                names = [name for name in names if name != "HTTP_PROXY"]
            name = next((name for name in names if environment.get(name, "").strip()), None)
            if name is not None:
                found.append((scheme, name, Secret(environment[name].strip())))
        exempt = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
        return cls(tuple(found), _read_exemptions(exempt) if found else ())

    def find(self, scheme: str, host: str, port: int | None) -> Secret | None:
        """Return the proxy of a request; `None` for exempt hosts and for this machine.

        Raises:
            ConfigurationError: The proxy cannot be used.
        """
        return self._find(scheme, host, port) if self.by_scheme else None

    @lru_cache(maxsize=256)  # noqa: B019  frozen and compared by value, so that it keeps few
    def _find(self, scheme: str, host: str, port: int | None) -> Secret | None:
        name, proxy = next(((name, proxy) for each, name, proxy in self.by_scheme if each == scheme), ("", None))
        host = host.lower().rstrip(".")
        if proxy is None or is_loopback(host):
            return None
        address, port = read_address(host), port or _DEFAULT_PORTS[scheme]
        if any(each.covers(host, address, port) for each in self.exemptions):
            return None
        if problem := proxy_problem(proxy):
            raise ConfigurationError(f"the proxy in {name} {problem}")
        return proxy


def _read_exemptions(text: str) -> tuple[_Exemption, ...]:
    """Read the hosts, addresses and ranges of `NO_PROXY`; `*` stands for all."""
    entries = [each for each in re.split(r"[,\s]+", text.lower()) if each]
    if "*" in entries:
        return (_Exemption(),)
    return tuple(each for entry in entries if (each := _read_exemption(entry)) is not None)


def _read_exemption(entry: str) -> _Exemption | None:
    if "/" in entry:
        try:
            return _Exemption(network=ipaddress.ip_network(entry, strict=False))
        except ValueError:
            return None
    found = re.fullmatch(r"(\[[^\]]*\]|[^:]*):(\d{1,5})", entry)  # more colons than one are an IPv6 address
    host, port = (found[1], int(found[2])) if found else (entry, None)
    host = host.removeprefix("[").removesuffix("]")
    if (address := read_address(host)) is not None:
        return _Exemption(network=ipaddress.ip_network(address), port=port)
    subdomains_only = host.startswith((".", "*."))
    domain = host.removeprefix("*").strip(".")
    return _Exemption(domain=f".{domain}", subdomains_only=subdomains_only, port=port) if domain else None
