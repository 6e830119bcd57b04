"""The server's side of the engines: child processes that each run one call at a time.

The children run `worker_main`. They start on demand and end with their sandbox. A test suite can keep them for its next
sandbox, since starting one takes longer than most calls (0.2 to 1.5 s of CPU).
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
from contextlib import nullcontext, suppress
from typing import Any

from attrs import define

from .errors import TimeLimitExceeded
from .worker_main import LENGTH

RECORDINGS = "voice"
"""Modules of the package whose work may take minutes: recognition and synthesis of speech."""
TIME_LIMITS = {RECORDINGS: 600.0, "video": 300.0}
"""Seconds that a call may take, by the first part of its function's name. Clients wait 600 s for a transcript."""
DEFAULT_TIME_LIMIT = 60.0
# One thread per process: the processes share the cores, and each thread of OpenBLAS reserves memory.
_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no SIGKILL; SIGTERM kills there
_PROCESSOR_LIMIT_REACHED = -signal.SIGXCPU if hasattr(signal, "SIGXCPU") else None
"""Exit code of a child that the kernel ended."""


class _Child:
    """A child process, which runs one call at a time."""

    def __init__(self, origin: _Origin) -> None:
        self.origin = origin
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kellyapi.sandbox.engines.worker_main"],  # -P: not from the working folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | _THREADS | {"PYTHONPATH": os.pathsep.join(sys.path)},
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
        with suppress(OSError), self._process:  # closes the pipes, although a request may be half written, and waits
            pass
        return self._process.returncode


_Origin = tuple[int, list[str]]
_kept: list[_Child] = []
"""Children of supervisors that have closed."""


def _get_origin() -> _Origin:
    """Return what two sandboxes must have in common to use one child after another.

    These are the process, and the paths on which modules and programs such as Apertium are found.
    """
    return os.getpid(), [os.environ.get("PATH", ""), *sys.path]


def _take_child(idle: list[_Child], *, fresh: bool) -> _Child:
    """Return an idle child, one that was kept unless `fresh`, or a new one."""
    origin = _get_origin()
    while child := _pop(idle):
        if child.origin == origin and child.is_running():
            return child
        _end_unused(child)
    for child in [] if fresh else _kept[::-1]:  # others may suit a later sandbox
        if child.origin == origin and _remove(_kept, child):
            if child.is_running():
                return child
            _end_unused(child)
    try:
        return _Child(origin)
    except OSError as error:
        raise RuntimeError(f"the engines' process cannot be started: {error}") from error


def _pop(children: list[_Child]) -> _Child | None:
    try:
        return children.pop()
    except IndexError:  # another thread may have taken the last one
        return None


def _remove(children: list[_Child], child: _Child) -> bool:
    """Remove a child from a list; return whether no other thread has taken it before."""
    try:
        children.remove(child)
    except ValueError:
        return False
    return True


def _keep_child(child: _Child, most: int) -> None:
    _kept.append(child)
    while len(_kept) > most:
        _end_unused(_kept.pop(0))


def _end_unused(child: _Child) -> None:
    if child.origin[0] == os.getpid():  # in a fork, it is the child of the parent
        child.end()


@atexit.register
def _end_kept_children() -> None:
    while child := _pop(_kept):
        _end_unused(child)


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@define(eq=False)
class _Job:
    """A call of a function, from its request to its result."""

    function: str
    arguments: dict[str, Any]
    time_limit: float
    processor_limit: float
    has_begun: bool = False
    child: _Child | None = None
    """The child that works on it now."""
    ended_by: RuntimeError | None = None
    """The error of a call that was ended before it was done."""


class EngineSupervisor:
    """Runner of the functions in the modules of `package`, in child processes.

    There are as many children as cores, and one more. Speech (the modules under `voice`) uses at most as many as there
    are cores. So one child at least is free for everything else, and a picture never waits behind recordings. Within
    this rule, calls start in the order in which they came.

    With `keep`, the idle children are kept at `close` for the next supervisor of this program. With `fresh`, no kept
    child is used.
    """

    def __init__(
        self,
        package: str = "kellyapi.sandbox.engines",
        *,
        keep: bool = False,
        fresh: bool = False,
        cores: int | None = None,
    ) -> None:
        self._package = package
        self._keep = keep
        self._fresh = fresh
        cores = cores or count_cores()
        self._most = cores + 1
        self._recordings = asyncio.Semaphore(cores)
        self._all = asyncio.Semaphore(self._most)
        self._threads = ThreadPoolExecutor(self._most, "kellyapi-engines")  # each thread serves one child at a time
        self._jobs: dict[asyncio.Task[Any], _Job] = {}
        self._lock = threading.Lock()  # around the idle children, and the child and the end of each job
        self._idle: list[_Child] = []
        self._closed = False

    async def run(self, function: str, *, processor_limit: float | None = None, **arguments: Any) -> Any:
        """Run `"module.function"` with these arguments.

        The time counts from the start of the work to its reply, even if the event loop is late to read it.
        `processor_limit` is a limit in seconds of processor time, which other programs do not use up.

        If this is cancelled, a call that has not begun is dropped, and work on speech is ended with its child. Other
        work continues in its child, which takes less time than starting another one.

        Raises:
            BadInput: As the function raised it.
            EngineMissing: If the function's package is not installed.
            TimeLimitExceeded: If the function took longer than the limit of its kind, or than `processor_limit`.
            RuntimeError: If the function raised anything else, or if the child ended. The next call starts a new child.
        """
        if self._closed:
            raise RuntimeError("the engines are closed")
        kind = function.partition(".")[0]
        limit = TIME_LIMITS.get(kind, DEFAULT_TIME_LIMIT)
        job = _Job(f"{self._package}.{function}", arguments, limit, processor_limit or limit)
        task = asyncio.create_task(self._run(job, is_recording=kind == RECORDINGS))
        self._jobs[task] = job
        task.add_done_callback(self._forget)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            if not job.has_begun:
                task.cancel()
            elif kind == RECORDINGS:
                self._end(job, RuntimeError(f"{job.function} was cancelled"))
            raise
        return task.result()

    async def close(self) -> None:
        """End the work of the children. Calls in progress raise `RuntimeError`."""
        self._closed = True
        for job in self._jobs.values():
            self._end(job, RuntimeError(f"{job.function} was ended with the sandbox"))
        if self._jobs:
            await asyncio.wait(self._jobs)
        await asyncio.to_thread(self._give_back)
        self._threads.shutdown(wait=False)

    async def _run(self, job: _Job, *, is_recording: bool) -> Any:
        async with self._recordings if is_recording else nullcontext(), self._all:
            if job.ended_by:
                raise job.ended_by
            job.has_begun = True
            loop = asyncio.get_running_loop()
            late = TimeLimitExceeded(f"{job.function} took longer than {job.time_limit:g} s")
            timer = loop.call_later(job.time_limit, self._end, job, late)
            try:
                return await loop.run_in_executor(self._threads, self._call_child, job)
            finally:
                timer.cancel()

    def _forget(self, task: asyncio.Task[Any]) -> None:
        del self._jobs[task]
        if not task.cancelled():
            task.exception()  # asyncio would log the error of a call whose caller was cancelled

    def _end(self, job: _Job, error: RuntimeError) -> None:
        with self._lock:
            job.ended_by = job.ended_by or error
            if job.child:
                job.child.kill()

    def _call_child(self, job: _Job) -> Any:
        request = pickle.dumps((job.function, job.arguments, job.processor_limit))
        child = _take_child(self._idle, fresh=self._fresh)
        with self._lock:
            job.child = child
        reply = None if job.ended_by else child.call(request)
        with self._lock:
            job.child = None
            is_usable = reply is not None and job.ended_by is None
            if is_usable:
                self._idle.append(child)
        if reply is None or not is_usable:
            code = child.end()
            if job.ended_by:
                raise job.ended_by
            if code == _PROCESSOR_LIMIT_REACHED:
                raise TimeLimitExceeded(f"{job.function} took longer than {job.processor_limit:g} s of processor time")
            raise RuntimeError(f"the engines' process ended with code {code} in {job.function}")
        succeeded, value = pickle.loads(reply)
        if not succeeded:
            raise value
        return value

    def _give_back(self) -> None:
        while child := _pop(self._idle):
            if self._keep and child.is_running():
                _keep_child(child, self._most)
            else:
                child.end()
