"""Servers of webhooks in processes of their own, which can be killed, and what killed ones leave."""

from __future__ import annotations

import sqlite3
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from processes import AsyncScript, plain_python, run_script

from .webhook_calls import PATH

KEY = "p1:succeeded"
"""The id of the delivery of `BODY`."""
SERVER = """
import asyncio, os, sys
from aiohttp import web
from kellyapi import SQLiteDeliveries, WebhookReceiver

file, answer_first, hangs = sys.argv[1], sys.argv[2] == "answer first", sys.argv[3] == "hangs"
receiver = WebhookReceiver("sk-test-key", store=SQLiteDeliveries(file), answer_first=answer_first)

@receiver.on("*")
async def handle(delivery):
    print(delivery.id, flush=True)
    if hangs:
        await asyncio.Event().wait()

async def main():
    app = web.Application()
    app.add_routes(receiver.routes("/webhooks/skytells"))
    app.cleanup_ctx.append(receiver.cleanup_context)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the test closes it
    await runner.cleanup()

asyncio.run(main())
"""


class Server:
    """An aiohttp server with a receiver, in a process of its own."""

    def __init__(self, process: AsyncScript, lines: list[str], port: int) -> None:
        self._process = process
        self._lines = lines
        self._port = port

    async def post(self, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Send a delivery."""
        url = f"http://127.0.0.1:{self._port}{PATH}"
        async with ClientSession() as session, session.post(url, headers=headers, data=body) as response:
            return response.status, await response.json()

    async def handled(self) -> str:
        """Wait for the next delivery that reaches the handler, and return its id."""
        if self._lines:
            return self._lines.pop(0)
        return (await self._process.stdout.readline()).decode().strip()

    async def kill(self) -> None:
        """End the process as `kill -9` does."""
        self._process.kill()
        await self._process.communicate()

    async def stop(self) -> list[str]:
        """End the process by its own clean-up, and return the ids that have reached the handler meanwhile."""
        out, _ = await self._process.communicate()  # which closes its stdin
        assert self._process.returncode == 0
        return self._lines + out.decode().split()


class Servers:
    """Starts servers on one file, and ends those that are left."""

    def __init__(self, file: Path, stack: AsyncExitStack) -> None:
        self.file = file
        self._stack = stack

    async def start(self, *, answer_first: bool = True, hangs: bool = False) -> Server:
        options = "answer first" if answer_first else "", "hangs" if hangs else ""
        process = await AsyncScript.start(plain_python(), SERVER, str(self.file), *options)
        self._stack.push_async_callback(_end, process)
        lines = []
        while not (line := (await process.stdout.readline()).decode().strip()).isdigit():
            assert line  # otherwise the server could not start
            lines.append(line)
        return Server(process, lines, int(line))

    def owner_files(self) -> set[str]:
        return {path.name for path in self.file.parent.iterdir() if "-owner-" in path.name}


async def _end(process: AsyncScript) -> None:
    if process.returncode is None:
        process.kill()
        await process.communicate()


def unfinished(file: Path) -> int:
    """Count the deliveries whose bodies are kept."""
    connection = sqlite3.connect(file)
    try:
        return int(connection.execute("SELECT count(*) FROM unfinished").fetchone()[0])
    finally:
        connection.close()


async def leave_unfinished(file: Path, *bodies: bytes) -> None:
    """Leave deliveries as a process does that was killed while it handled them."""
    code = """
import asyncio, os, sys
from kellyapi import SQLiteDeliveries, verify_webhook
from kellyapi.providers.skytells.webhooks.verification import read_delivery

async def main():
    store = SQLiteDeliveries(sys.argv[1])
    for body in map(str.encode, sys.argv[2:]):
        await store.claim(read_delivery(body).id, body)
    os._exit(0)  # no clean-up of the interpreter

asyncio.run(main())
"""
    await run_script(code, str(file), *(body.decode() for body in bodies))
