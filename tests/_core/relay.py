"""A small proxy, for tests."""

from __future__ import annotations

import asyncio
from typing import Self
from urllib.parse import urlsplit


class Relay:
    """A small proxy: it forwards everything to the server that a request names, and counts its connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.opened: list[str] = []
        """The target of each connection: the address of a server, or host and port of a tunnel."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=1000)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.create_task(self._relay(reader, writer)))

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there: asyncio.StreamWriter | None = None
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.decode().split(" ", 2)
            place = target if method == "CONNECT" else urlsplit(target).netloc
            self.opened.append(place)
            host, _, port = place.rpartition(":")
            back, there = await asyncio.open_connection(host, int(port))
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                there.write(head)  # each server must understand a whole address: RFC 9112, 3.2.2
            async with asyncio.TaskGroup() as group:
                group.create_task(_pipe(reader, there))
                group.create_task(_pipe(back, writer))
        except* (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for end in (writer, there):
                if end is not None:
                    end.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(2**16):
        writer.write(data)
        await writer.drain()
    writer.close()
