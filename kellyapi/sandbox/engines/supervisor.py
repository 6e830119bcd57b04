"""The server's side of the engines: one child process, started on first use and asked one thing at a time.

What goes on in the child is worker.py's matter.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from typing import Any

from .worker_main import LENGTH

_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows, which lacks the one, ends a process by the other


class EngineSupervisor:
    """Runs functions of the modules in `package` in a child process. Belongs to one event loop."""

    def __init__(self, package: str = "kellyapi.sandbox.engines") -> None:
        self._package = package
        self._child: Process | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    async def run(self, function: str, **arguments: Any) -> Any:
        """Run `"module.function"` with these arguments.

        `BadInput` and `EngineMissing` arrive as they were raised, anything else as `RuntimeError`, also the end of the
        child: the next call starts another. When a call is cancelled, its work goes on for nobody, and the next call
        waits for that.
        """
        await self._turn.acquire()
        exchange = asyncio.create_task(self._exchange(f"{self._package}.{function}", arguments))
        exchange.add_done_callback(self._end_turn)
        return await asyncio.shield(exchange)

    def _end_turn(self, exchange: asyncio.Task[Any]) -> None:
        self._turn.release()
        if not exchange.cancelled():
            exchange.exception()  # a cancelled caller no longer looks, and asyncio would complain

    async def close(self) -> None:
        """End the child, whatever it is doing: whoever waits for it gets a `RuntimeError`."""
        self._closed = True
        self._kill()
        async with self._turn:
            await self._end()

    async def _exchange(self, function: str, arguments: dict[str, Any]) -> Any:
        if self._closed:
            raise RuntimeError("the engines are closed")
        request = pickle.dumps((function, arguments))
        child = await self._living()
        assert child.stdin
        assert child.stdout
        try:
            child.stdin.write(len(request).to_bytes(LENGTH))
            child.stdin.write(request)
            await child.stdin.drain()
            length = await child.stdout.readexactly(LENGTH)
            done, value = pickle.loads(await child.stdout.readexactly(int.from_bytes(length)))
        except (ConnectionError, asyncio.IncompleteReadError):
            raise RuntimeError(f"the engines' process ended with code {await self._end()} in {function}") from None
        except asyncio.CancelledError:  # only the end of the loop gets here; an answer must not wait for the next call
            await self._end()
            raise
        if not done:
            raise value
        return value

    async def _living(self) -> Process:
        if self._child and self._child.returncode is None:
            return self._child
        await self._end()
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "kellyapi.sandbox.engines.worker_main"),  # -P: no working folder before the path given below
            stdin=PIPE,
            stdout=PIPE,
            limit=1 << 20,  # bytes; with the default of 64 KB a picture stops and restarts the reading many times
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        if self._closed:  # meanwhile
            self._kill()
        return self._child

    def _kill(self) -> None:
        # Not Process.kill(): of a child that has just died it takes the exit code away from asyncio, which then warns.
        if self._child and self._child.returncode is None:
            with suppress(OSError):
                os.kill(self._child.pid, _KILL)

    async def _end(self) -> int | None:
        """Kill the child and wait until its pipes are closed too, which leaves asyncio nothing to warn of."""
        self._kill()
        child, self._child = self._child, None
        if child is None:
            return None
        assert child.stdout
        await child.stdout.read()
        return await child.wait()
