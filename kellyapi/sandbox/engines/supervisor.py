"""The server's side of the engines: one child process, started on first use, that runs one call at a time.

The child runs `worker_main`.
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

_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no SIGKILL; SIGTERM kills there


class EngineSupervisor:
    """Runner of the functions in the modules of `package`, in a child process. It belongs to one event loop."""

    def __init__(self, package: str = "kellyapi.sandbox.engines") -> None:
        self._package = package
        self._child: Process | None = None
        self._lock = asyncio.Lock()
        self._closed = False

    async def run(self, function: str, **arguments: Any) -> Any:
        """Run `"module.function"` with these arguments.

        If a call is cancelled, its work continues in the child, and the next call waits for it.

        Raises:
            BadInput: As the function raised it.
            EngineMissing: If the function's package is not installed.
            RuntimeError: If the function raised anything else, or if the child ended. The next call starts a new child.
        """
        await self._lock.acquire()
        call = asyncio.create_task(self._call_child(f"{self._package}.{function}", arguments))
        call.add_done_callback(self._release_lock)
        return await asyncio.shield(call)

    def _release_lock(self, call: asyncio.Task[Any]) -> None:
        self._lock.release()
        if not call.cancelled():
            call.exception()  # if the caller was cancelled, nothing else reads it, and asyncio would log that

    async def close(self) -> None:
        """Kill the child, even if it is working. Calls in progress raise `RuntimeError`."""
        self._closed = True
        self._kill()
        async with self._lock:
            await self._end_child()

    async def _call_child(self, function: str, arguments: dict[str, Any]) -> Any:
        if self._closed:
            raise RuntimeError("the engines are closed")
        request = pickle.dumps((function, arguments))
        child = await self._get_child()
        assert child.stdin
        assert child.stdout
        try:
            child.stdin.write(len(request).to_bytes(LENGTH))
            child.stdin.write(request)
            await child.stdin.drain()
            length = await child.stdout.readexactly(LENGTH)
            succeeded, value = pickle.loads(await child.stdout.readexactly(int.from_bytes(length)))
        except (ConnectionError, asyncio.IncompleteReadError):
            exit_code = await self._end_child()
            raise RuntimeError(f"the engines' process ended with code {exit_code} in {function}") from None
        except asyncio.CancelledError:  # only the end of the loop cancels this; the next call must not read this reply
            await self._end_child()
            raise
        if not succeeded:
            raise value
        return value

    async def _get_child(self) -> Process:
        """Return the running child; start one if there is none."""
        if self._child and self._child.returncode is None:
            return self._child
        await self._end_child()
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "kellyapi.sandbox.engines.worker_main"),  # -P keeps the working folder off sys.path
            stdin=PIPE,
            stdout=PIPE,
            limit=1 << 20,  # bytes; with the default of 64 KB a picture pauses and resumes reading many times
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        if self._closed:  # `close` was called while the child started
            self._kill()
        return self._child

    def _kill(self) -> None:
        # Not Process.kill(): if the child has just died, it takes the exit code away from asyncio, which then warns.
        if self._child and self._child.returncode is None:
            with suppress(OSError):
                os.kill(self._child.pid, _KILL)

    async def _end_child(self) -> int | None:
        """Kill the child, wait until its pipes are closed, and return its exit code. asyncio warns about open pipes."""
        self._kill()
        child, self._child = self._child, None
        if child is None:
            return None
        assert child.stdout
        await child.stdout.read()
        return await child.wait()
