"""Find out whether a provider can be reached, and which step fails. No key is sent.

It uses asyncio's streams in place of aiohttp, to know which step failed: the name, the proxy, the connection, TLS.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, parse_headers
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from attrs import evolve, frozen

from .._data.text import excerpt
from ..errors import ConfigurationError
from .messages import Headers
from .provider import Problem
from .proxies import split_proxy

Step = Literal["address", "proxy", "name", "connection", "TLS", "response"]

_PORTS = {"http": 80, "https": 443}
_CLOCK = "set the clock of this machine; if it is right, the provider must renew its certificate"
_AUTHORITY = (
    "if a proxy or a virus scanner replaces certificates, set SSL_CERT_FILE to a file with its root certificate; "
    "otherwise install the root certificates of the system"
)
_CERTIFICATE_REMEDIES = {
    **dict.fromkeys((9, 10), _CLOCK),
    **dict.fromkeys((18, 19, 20, 21), _AUTHORITY),
    **dict.fromkeys((62, 64), "check the address of the provider, and whether a login page of the network responds"),
}
"""By the codes of https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/"""
_REMEDIES: dict[Step, str] = {
    "address": "correct base_url and allow_http, or the variables of the provider that set them",
    "proxy": "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY, and whether the proxy runs",
    "name": "check the network and its DNS; behind a proxy set HTTPS_PROXY",
    "connection": "check the network and the firewall; behind a proxy set HTTPS_PROXY",
    "TLS": "check whether a proxy or a firewall responds in place of the provider",
    "response": "check whether a proxy or a firewall responds in place of the provider",
}


@frozen
class ConnectionCheck:
    """How a client reaches its provider. It has no key and no password."""

    address: str
    """Scheme, host and port of the provider."""
    proxy: str | None = None
    """The address of the proxy, without user and password."""
    failed: Step | None = None
    """The step that failed: "address", "proxy", "name" (DNS), "connection", "TLS" or "response"; `None` if none did."""
    problem: str | None = None
    """What is wrong, if anything."""
    remedy: str | None = None
    """What to change."""
    tls: str | None = None
    """The version of TLS, such as "TLSv1.3"."""
    clock_offset: float | None = None
    """Seconds by which the clock of this machine is ahead of the server's; `None` if the server does not send its time.
    """


async def check_connection(
    address: str, wrong: Problem | None, find_proxy: Callable[[SplitResult], str | None], seconds: float | None
) -> ConnectionCheck:
    """Connect to a provider, request the head of one response, and say which step fails.

    Args:
        address: The address of the provider.
        wrong: What is wrong with the settings of the client, if anything.
        find_proxy: Returns the proxy for the address.
        seconds: How long all steps may take together.
    """
    if wrong is not None:
        return ConnectionCheck("", failed="address", problem=wrong.message, remedy=wrong.remedy or _REMEDIES["address"])
    target = urlsplit(address)
    found = ConnectionCheck(f"{target.scheme}://{target.netloc}")
    try:
        given = find_proxy(target)
    except ConfigurationError as error:
        return evolve(found, failed="proxy", problem=error.message, remedy=_REMEDIES["proxy"])
    proxy, login = split_proxy(given) if given else (None, {})
    found = evolve(found, proxy=proxy)
    context = await asyncio.to_thread(ssl.create_default_context)  # it reads the certificates of the system
    probe = _Probe(target, urlsplit(proxy) if proxy else None, login, context)
    try:
        async with asyncio.timeout(seconds):
            tls, offset = await probe.run()
        return evolve(found, tls=tls, clock_offset=offset)
    except ssl.SSLCertVerificationError as error:
        now = f" ({datetime.now(UTC):%Y-%m-%d} by the clock of this machine)" if error.verify_code in (9, 10) else ""
        problem = f"the certificate of {probe.host} is refused: {error.verify_message}{now}"
        remedy = _CERTIFICATE_REMEDIES.get(error.verify_code, _AUTHORITY)
        return evolve(found, failed="TLS", problem=problem, remedy=remedy)
    except (OSError, EOFError, asyncio.LimitOverrunError, HTTPException, ValueError) as error:
        step: Step = "TLS" if isinstance(error, ssl.SSLError) else probe.step
        return evolve(found, failed=step, problem=_explain(error, probe, seconds), remedy=_REMEDIES[step])
    finally:
        await probe.close()


def _explain(error: Exception, probe: _Probe, seconds: float | None) -> str:
    where = f"the proxy {probe.host}" if probe.step == "proxy" else probe.host
    match error:
        case TimeoutError():
            return f"no response from {where}" + (f" within {seconds:g} s" if seconds else "")
        case socket.gaierror():
            return f"the name {probe.host} cannot be found"
        case ssl.SSLError():
            return f"TLS with {where} fails: {error.reason}"
        case OSError():  # asyncio puts the address into the text
            return f"no connection to {where}: {os.strerror(error.errno) if error.errno else excerpt(str(error))}"
    return f"{where} does not respond in HTTP"


class _Probe:
    """The steps to a server, directly or through a proxy."""

    def __init__(self, target: SplitResult, proxy: SplitResult | None, login: Headers, context: ssl.SSLContext) -> None:
        self._target, self._proxy, self._login, self._context = target, proxy, login, context
        self._writer: asyncio.StreamWriter | None = None
        self.step: Step = "name"
        self.host = ""
        """The host of the current step."""

    async def run(self) -> tuple[str | None, float | None]:
        """Connect, and return the version of TLS and how far the clock is ahead."""
        first = self._proxy or self._target
        port = first.port or _PORTS[first.scheme]
        self.host = first.hostname or ""
        self.step = "proxy" if self._proxy else "name"
        await _resolve(self.host, port)
        if not self._proxy:
            self.step = "connection"
        reader, self._writer = await asyncio.open_connection(
            self.host, port, ssl=self._context if first.scheme == "https" else None, happy_eyeballs_delay=0.25
        )
        if self._proxy and self._target.scheme == "https":
            await self._open_tunnel(reader)
        self.step, self.host = "response", self._target.hostname or ""
        started = time.time()
        through_proxy = self._proxy is not None and self._target.scheme == "http"
        path, login = (f"http://{self._target.netloc}/", self._login) if through_proxy else ("/", {})
        status, headers = await self._request(reader, f"HEAD {path}", self._target.netloc, login)
        if status == 407:
            raise self._refused_by_proxy(status)
        encryption = self._writer.get_extra_info("ssl_object")
        return encryption and encryption.version(), _clock_offset(headers, (started + time.time()) / 2)

    async def _open_tunnel(self, reader: asyncio.StreamReader) -> None:
        assert self._writer
        host, port = self._target.hostname or "", self._target.port or _PORTS[self._target.scheme]
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        status, _ = await self._request(reader, f"CONNECT {authority}", authority, self._login)
        if status // 100 != 2:
            raise self._refused_by_proxy(status)
        self.step, self.host = "TLS", host
        await self._writer.start_tls(self._context, server_hostname=host)

    async def _request(
        self, reader: asyncio.StreamReader, beginning: str, host: str, headers: Headers
    ) -> tuple[int, Message]:
        assert self._writer
        lines = [f"{beginning} HTTP/1.1", f"Host: {host}", "User-Agent: kellyapi", "Connection: close"]
        lines += [f"{name}: {value!s}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        await self._writer.drain()
        first, _, rest = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        found = re.match(rb"HTTP/\S+ (\d{3})", first)
        if found is None:
            raise ValueError("the first line is not HTTP")
        return int(found[1]), parse_headers(io.BytesIO(rest))

    def _refused_by_proxy(self, status: int) -> OSError:
        self.step, self.host = "proxy", self._proxy.hostname or "" if self._proxy else self.host
        return OSError(f"it refuses with status {status}" + (" and needs a password" if status == 407 else ""))

    async def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.transport.abort()  # `wait_closed` never ends after `start_tls`: Python 3.11
            await asyncio.sleep(0)


async def _resolve(host: str, port: int) -> None:
    """Look a name up in a thread that ends with the program: the resolver of the system may take a minute."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def finish(error: Exception | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(None)

    def look_up() -> None:
        failure: Exception | None = None
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            failure = error
        with suppress(RuntimeError):  # the loop has ended in the meantime
            loop.call_soon_threadsafe(finish, failure)

    threading.Thread(target=look_up, name="kellyapi-dns", daemon=True).start()
    await done


def _clock_offset(headers: Message, now: float) -> float | None:
    """Return how many seconds `now` is ahead of the time in the headers, which has whole seconds."""
    try:
        sent = parsedate_to_datetime(headers["Date"])
        age = int(headers.get("Age", "0"))
    except (TypeError, ValueError):
        return None
    return round(now - (sent.replace(tzinfo=sent.tzinfo or UTC).timestamp() + age + 0.5), 1)
