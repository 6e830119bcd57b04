"""A server of one file, whose responses can break off, and clients that download from it."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import define, field
from servers import AT_ONCE, Exchange, Server

from kellyapi import Skytells

DATA = os.urandom(300_000)
DAY = "Sat, 07 Mar 2026 12:00:00 GMT"
TAG = '"fox-1"'


@define
class Delivery:
    """A file of the server, and how it is sent: where responses break off, and with which headers."""

    data: bytes = DATA
    tag: str | None = TAG
    cuts: list[int] = field(factory=list)
    """Bytes after which each of the first responses breaks off."""
    ranges: bool = True
    headers: dict[str, str] = field(factory=dict)
    asked: list[dict[str, str]] = field(factory=list)
    before: Callable[[Delivery], None] = lambda _: None
    """Called before each response."""
    hang: bool = False
    """Stay silent where a response would break off."""

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.read()
        self.before(self)
        asked = {name: exchange.seen.headers[name] for name in ("range", "if-range") if name in exchange.seen.headers}
        self.asked.append(asked)
        found = re.fullmatch(r"bytes=(\d+)-", asked.get("range", ""))
        start = int(found[1]) if found and self.ranges and asked.get("if-range", self.tag) == self.tag else None
        headers = {"Content-Type": "image/png", **({"ETag": self.tag} if self.tag else {}), **self.headers}
        if start is not None and start >= len(self.data):
            headers |= {"Content-Range": f"bytes */{len(self.data)}", "Content-Length": "0"}
            return await exchange.write(head(416, headers))
        body = self.data[start or 0 :]
        if start is not None:
            headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        if self.ranges:
            headers["Accept-Ranges"] = "bytes"
        if "Transfer-Encoding" not in headers:
            headers["Content-Length"] = str(len(body))
        await exchange.write(head(200 if start is None else 206, headers))
        if not self.cuts:
            return await exchange.write(body)
        await exchange.write(body[: self.cuts.pop(0)])
        if self.hang:
            return await exchange.left()
        exchange.writer.close()
        return None


def head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def delivered(delivery: Any, **options: Any) -> AsyncIterator[tuple[Skytells, str, Server]]:
    async with Server(delivery) as server, Skytells("key", **{"retry": AT_ONCE, **options}) as skytells:
        yield skytells, f"{server.url}/us/fox.png?sig=1", server


def only(folder: Path) -> Path:
    """Return the only path in a folder."""
    (path,) = folder.iterdir()
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


HALF = len(DATA) // 2
