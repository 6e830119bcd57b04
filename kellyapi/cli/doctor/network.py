"""The check of the connection to each provider: proxy, DNS, TLS, and the clock."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from kellyapi import PROVIDERS, ConnectionCheck

from .findings import Finding, State

_CLOCK_TOLERANCE = 60.0
"""Seconds. A proxy may delay or repeat a response."""


async def check_network(clients: Mapping[str, Any], seconds: float) -> list[Finding]:
    """Connect to each provider at the same time, without a key."""
    limited = {name: client.with_options(timeout=seconds) for name, client in clients.items()}
    found = await asyncio.gather(*(client.check_connection() for client in limited.values()))
    checks = dict(zip(limited, found, strict=True))
    no_keys = not any(client.configured for client in clients.values())
    findings: list[Finding] = []
    for name, check in checks.items():
        findings += connection_findings(name, check, used=no_keys or clients[name].configured)
    tried = [check for check in checks.values() if check.failed != "address"]
    if len(tried) > 1 and all(check.failed in ("name", "connection") for check in tried):
        remedy = "check the connection of this machine; behind a proxy set HTTPS_PROXY"
        findings.append(
            Finding(check="network", state="problem", message="no provider can be reached: no network", remedy=remedy)
        )
    return findings


def connection_findings(provider: str, check: ConnectionCheck, *, used: bool) -> Iterator[Finding]:
    """Yield the findings about the connection of a client to its provider.

    Args:
        provider: The name of the provider.
        check: What the client found.
        used: Whether the user has a key of the provider, or no key at all.
    """
    about = PROVIDERS[provider].PROVIDER
    variable = f"{about.variables}_BASE_URL"
    if check.address and os.environ.get(variable, "").startswith(check.address):
        message = f"requests and the key go to {check.address}"
        remedy = f"if this is not what you want, unset {variable}"
        yield Finding(check="address", provider=provider, state="note", message=message, remedy=remedy)
    if check.proxy:
        yield Finding(check="proxy", provider=provider, state="note", message=f"through the proxy {check.proxy}")
    bad: State = "problem" if used else "warning"
    if check.failed:
        where = {"name": "DNS", "address": "settings"}.get(check.failed, check.failed)
        yield Finding(check=where, provider=provider, state=bad, message=check.problem or "failed", remedy=check.remedy)
        return
    message = f"reached {'through the proxy' if check.proxy else 'directly'}, {check.tls or 'without TLS'}"
    yield Finding(check="connection", provider=provider, state="ok", message=message)
    offset = check.clock_offset
    if offset is not None and abs(offset) > _CLOCK_TOLERANCE:
        message = f"the clock of this machine is {_duration(abs(offset))} {'ahead' if offset > 0 else 'behind'}"
        remedy = "set the clock, and turn on its synchronisation (NTP)"
        yield Finding(check="clock", provider=provider, state=bad, message=message, remedy=remedy)
    elif offset is not None:
        message = f"differs by at most {ceil(abs(offset) + 0.5)} s"  # the server sends whole seconds
        yield Finding(check="clock", provider=provider, state="ok", message=message)


def _duration(seconds: float) -> str:
    """Format a time that is long enough to be a mistake: "1 h 0 min"."""
    minutes = round(seconds / 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    return f"{days} days" if days > 1 else f"{24 * days + hours} h {minutes % 60} min"
