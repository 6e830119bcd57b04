"""A loopback server that plays scripts byte by byte, and a small provider that sends it requests."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self

from attrs import define, field, frozen

from kellyapi._core.messages import FormField, Headers, Response
from kellyapi._core.provider import ErrorBody, Provider
from kellyapi._core.provider_client import ProviderClient
from kellyapi._core.resource import ByteStream
from kellyapi._core.retry import RetryPolicy
from kellyapi._data.media import MediaSource, open_media


@frozen
class Seen:
    """A request as the server received it."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By names in lower case."""
    connection: int
    """Counts the server's connections from 1."""
    body: bytearray = field(factory=bytearray)


@define
class Exchange:
    """A request whose headers have arrived; a script responds to it."""

    seen: Seen
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read(self) -> None:
        """Read the body, by its length or in its chunks."""
        if self.seen.headers.get("transfer-encoding") != "chunked":
            self.seen.body.extend(await self.reader.readexactly(int(self.seen.headers.get("content-length", 0))))
            return
        while size := int(await self.reader.readline(), 16):
            self.seen.body.extend((await self.reader.readexactly(size + 2))[:-2])
        await self.reader.readline()

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def left(self) -> None:
        """Wait until the client has disconnected."""
        with suppress(ConnectionError):
            while await self.reader.read(2**16):
                pass


Script = bytes | Callable[[Exchange], Awaitable[None]]
"""The response to a request: bytes, sent after the body was read, or a function that may read the body."""


def make_response(status: int = 200, body: bytes = b"{}", kind: str = "application/json", **headers: str) -> bytes:
    """Make the bytes of a response; `Retry_After="1"` is a header."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if "Transfer_Encoding" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


OK = make_response()


async def reset(exchange: Exchange) -> None:
    """Read the complete request, then reset the connection."""
    await exchange.read()
    _abort(exchange.writer)


async def hang(exchange: Exchange) -> None:
    """Never respond."""
    await exchange.left()


def cut(data: bytes) -> Script:
    """Send these bytes and close."""

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(data)
        exchange.writer.close()

    return script


def pausing(data: bytes) -> Script:
    """Send these bytes and no more, and keep the connection open."""

    async def script(exchange: Exchange) -> None:
        await exchange.write(data)
        await exchange.left()

    return script


def late(seconds: float, data: bytes) -> Script:
    """Respond after some seconds."""

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await asyncio.sleep(seconds)
        await exchange.write(data)

    return script


class Server:
    """`async with Server(first, second, …) as server`: the n-th script responds to the n-th request, and the last
    one to all later requests. Without scripts every connection is reset before it is read.
    """

    def __init__(self, *scripts: Script) -> None:
        self.requests: list[Seen] = []
        self.connections = 0
        self.open = 0
        self._scripts = scripts
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until a condition of the server is true."""
        async with asyncio.timeout(20):
            while not true():
                self._changed.clear()
                await self._changed.wait()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        number = self.connections
        self._changed.set()
        try:
            while self._scripts:
                seen = _read_head(await reader.readuntil(b"\r\n\r\n"), number)
                self.requests.append(seen)
                self._changed.set()
                script = self._scripts[min(len(self.requests), len(self._scripts)) - 1]
                exchange = Exchange(seen, reader, writer)
                if isinstance(script, bytes):
                    await exchange.read()
                    await exchange.write(script)
                else:
                    await script(exchange)
            _abort(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            self._changed.set()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


def _read_head(head: bytes, connection: int) -> Seen:
    first, *lines = head.decode().rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    return Seen(
        method, target, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, connection
    )


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close the connection with a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _read_error(status: int, headers: Headers, body: Any) -> ErrorBody | None:
    if isinstance(body, dict) and "problem" in body:
        return ErrorBody(message=body["problem"], code=body.get("code"), status=body.get("status"))
    return None


KEY = "the-secret-key"
SHOP = Provider(
    name="shop",
    title="Shop",
    base_url="https://shop.example",
    variables="SHOP",
    key_header="X-Key",
    key_prefix="Key ",
    read_error=_read_error,
)


class Shop(ProviderClient):
    """A provider with one operation for each HTTP method."""

    PROVIDER = SHOP

    async def look(self, path: str = "/look", query: Mapping[str, str] | None = None, *, into: Any = object) -> Any:
        return await self._fetch(path, query, into=into)

    async def buy(self, *, into: Any = object) -> Any:
        return await self._post_json("/buy", {"what": "a fox"}, into=into)

    async def put(self, *, into: Any = object) -> Any:
        return await self._post_json("/put", {"what": "a fox"}, into=into, repeatable=True)

    async def cancel(self) -> Any:
        return await self._post_json("/cancel", None, into=object, repeatable=True)

    async def fill(self, *parts: FormField, into: Any = object) -> Any:
        return await self._post_form("/fill", *parts, into=into)

    async def send(self, source: MediaSource, *, repeatable: bool = False) -> Any:
        return await self._post_bytes("/send", await open_media(source, "audio"), into=object, repeatable=repeatable)

    async def remove(self, *, into: Any = None.__class__) -> Any:
        return await self._delete("/remove", into=into)

    async def download(self, url: str) -> Response:
        return await self._download(url)

    def listen(self, accepts: Callable[[Headers], bool] = lambda headers: True) -> ByteStream:
        return self._stream("/listen", {}, accepts=accepts)


AT_ONCE = RetryPolicy(base=0, throttle_base=0)
"""Three attempts without pauses."""


@asynccontextmanager
async def asked(*scripts: Script, **options: Any) -> AsyncIterator[tuple[Shop, Server]]:
    """Yield a client and its server."""
    async with Server(*scripts) as server, Shop(KEY, base_url=server.url, **{"retry": AT_ONCE, **options}) as shop:
        yield shop, server
