"""The server's side of the engines: child processes that run one call at a time.

The child runs `worker_main`. It starts with the first call and ends with its sandbox. A test suite can keep it for its
next sandbox, since starting one takes longer than most calls (0.2 to 1.5 s of CPU).
"""

from __future__ import annotations

import asyncio
import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .worker_main import LENGTH

_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no SIGKILL; SIGTERM kills there


class _Child:
    """A child process, which runs one call at a time."""

    def __init__(self, origin: _Origin) -> None:
        self.origin = origin
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kellyapi.sandbox.engines.worker_main"],  # -P: not from the working folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def call(self, request: bytes) -> bytes | None:
        """Send a request and return the reply, or `None` if the child ended."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(len(request).to_bytes(LENGTH) + request)
            self._process.stdin.flush()
        except OSError:
            return None
        length = self._process.stdout.read(LENGTH)
        reply = self._process.stdout.read(int.from_bytes(length))
        return reply if len(length) == LENGTH and len(reply) == int.from_bytes(length) else None

    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.send_signal(_KILL)  # does nothing if it has ended

    def end(self) -> int:
        """Kill the child if it still runs, and return its exit code."""
        self.kill()
        with self._process:  # closes the pipes and waits
            pass
        return self._process.returncode


_Origin = tuple[int, list[str]]
_idle: list[_Child] = []
"""At most one child, kept by a supervisor that has closed."""


def _get_origin() -> _Origin:
    """Return what two sandboxes must have in common to use one child after another: the process and `sys.path`."""
    return os.getpid(), list(sys.path)


def _take_child() -> _Child:
    """Return the idle child, or start one."""
    try:
        child = _idle.pop()
    except IndexError:
        return _Child(_get_origin())
    if child.origin == _get_origin() and child.is_running():
        return child
    _end_unused(child)
    return _Child(_get_origin())


def _keep_child(child: _Child) -> None:
    _idle.append(child)
    while len(_idle) > 1:
        _end_unused(_idle.pop(0))


def _end_unused(child: _Child) -> None:
    if child.origin[0] == os.getpid():  # in a fork, it is the child of the parent
        child.end()


@atexit.register
def _end_idle_child() -> None:
    while _idle:
        _end_unused(_idle.pop())


class EngineSupervisor:
    """Runner of the functions in the modules of `package`, in a child process.

    With `keep`, the child is kept at `close` for the next supervisor of this program. With `fresh`, no kept
    child is used.
    """

    def __init__(self, package: str = "kellyapi.sandbox.engines", *, keep: bool = False, fresh: bool = False) -> None:
        self._package = package
        self._keep = keep
        self._fresh = fresh
        self._thread = ThreadPoolExecutor(1, "kellyapi-engines")  # one thread: one call at a time
        self._child: _Child | None = None
        self._lock = threading.Lock()  # around the two below
        self._working = False
        self._closed = False

    async def run(self, function: str, **arguments: Any) -> Any:
        """Run `"module.function"` with these arguments.

        If a call is cancelled, its work continues in the child, and the next call waits for it.

        Raises:
            BadInput: As the function raised it.
            EngineMissing: If the function's package is not installed.
            RuntimeError: If the function raised anything else, or if the child ended. The next call starts a new child.
        """
        if self._closed:
            raise RuntimeError("the engines are closed")
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(self._thread, self._call_child, f"{self._package}.{function}", arguments)
        call.add_done_callback(_read_error)
        return await asyncio.shield(call)

    async def close(self) -> None:
        """End the work of the child. Calls in progress raise `RuntimeError`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._working and self._child:
                self._child.kill()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._give_back)
        self._thread.shutdown(wait=False)

    def _call_child(self, function: str, arguments: dict[str, Any]) -> Any:
        request = pickle.dumps((function, arguments))
        self._child = child = self._child or (_Child(_get_origin()) if self._fresh else _take_child())
        with self._lock:
            if self._closed:
                raise RuntimeError("the engines are closed")
            self._working = True
        reply = child.call(request)
        with self._lock:
            self._working = False
        if reply is None:
            self._child = None
            raise RuntimeError(f"the engines' process ended with code {child.end()} in {function}")
        succeeded, value = pickle.loads(reply)
        if not succeeded:
            raise value
        return value

    def _give_back(self) -> None:
        child, self._child = self._child, None
        if child and self._keep and child.is_running():
            _keep_child(child)
        elif child:
            child.end()


def _read_error(call: asyncio.Future[Any]) -> None:
    """Read the error of a call whose caller was cancelled: asyncio would log that nothing reads it."""
    if not call.cancelled():
        call.exception()
