"""Scripts in processes of their own, without the time to import the library in each."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

# Each request is one message with three streams and a file for the status. A fork, the keeper, forks again for the
# script, and writes the script's number and later its exit code to the status. A script ends as any program does.
_FORKING = """
import contextlib, gc, io, json, logging, os, socket, sys, types
logging.getLogger("asyncio").setLevel("ERROR")  # in development mode it warns of steps that took long
{imports}
gc.freeze()  # a fork then spares its collector what it shares with this process
requests = socket.socket(fileno=0)
while (received := socket.recv_fds(requests, 2**20, 4))[0]:
    message, files, *_ = received
    if not os.fork():
        if not (script := os.fork()):
            break
        for file in (0, 1, 2, *files[:3]):
            os.close(file)
        os.write(files[3], b"%d " % script)
        os.write(files[3], b"%d" % os.waitstatus_to_exitcode(os.waitpid(script, 0)[1]))
        os._exit(0)
    for file in files:
        os.close(file)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:  # keepers that have ended
            pass
else:
    requests.close()
    sys.exit()
requests.detach()
for number, file in enumerate(files[:3]):
    os.dup2(file, number)
for file in files:
    os.close(file)
source, sys.argv[1:], folder, environment, session = json.loads(message)
if session:
    import fcntl, termios
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
unbuffered = "PYTHONUNBUFFERED" in environment
for number, (name, mode, errors) in enumerate([  # as Python makes them, for the files that they are now
    ("stdin", "r", "strict"), ("stdout", "w", "strict"), ("stderr", "w", "backslashreplace")
]):
    file = open(number, mode + "b", 0 if number and unbuffered else -1, closefd=False)
    lines = number == 2 or file.isatty()
    stream = io.TextIOWrapper(file, "utf-8", errors, line_buffering=lines, write_through=number and unbuffered)
    setattr(sys, name, stream)
sys.modules["__main__"] = types.ModuleType("__main__")  # is not frozen, so that it is collected at the end
exec(source, vars(sys.modules["__main__"]))
"""
IMPORTS = """
import csv, runpy, sqlite3
import aiohttp.web, rich.console, rich.progress
import kellyapi.cli.main
[getattr(kellyapi, name) for name in kellyapi.__all__]
kellyapi.KellyAPI("key")
"""


class ForkingPython:
    """A Python that has imported the library, and forks for each script."""

    def __init__(self, imports: str, *options: str) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, *options, "-c", _FORKING.replace("{imports}", imports)]
        self._process = subprocess.Popen(command, stdin=theirs)
        theirs.close()

    def close(self) -> None:
        """End the process. It does not end scripts that run."""
        self._requests.close()
        self._process.wait()

    def start(self, source: str, *arguments: str, streams: tuple[int, int, int], session: bool = False) -> int:
        """Start a script with three open files, which are closed here, and return the file of its status."""
        status, theirs = os.pipe()
        message = [source, arguments, str(Path.cwd()), dict(os.environ), session]
        socket.send_fds(self._requests, [json.dumps(message).encode()], [*streams, theirs])
        for file in {*streams, theirs}:
            os.close(file)
        return status

    def execute(self, source: str, *arguments: str, input: bytes = b"") -> tuple[int, str, str]:
        """Return the exit code of a script, and what it writes to stdout and stderr."""
        with Script(self, source, *arguments) as script:
            out, err = script.communicate(input)
        return script.returncode, out.decode(), err.decode()

    def run(self, source: str, *arguments: str) -> str:
        """Return what a script prints. It must succeed and write nothing to stderr."""
        code, out, err = self.execute(source, *arguments)
        assert (code, err) == (0, ""), err
        return out.strip()


@cache
def strict_python() -> ForkingPython:
    """Return a Python in development mode in which every warning is an error."""
    python = ForkingPython(IMPORTS, "-X", "dev", "-W", "error")
    atexit.register(python.close)
    return python


@cache
def plain_python() -> ForkingPython:
    """Return a Python as users start it."""
    python = ForkingPython(IMPORTS)
    atexit.register(python.close)
    return python


def _pipes() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the streams of a script, and the other ends of their pipes."""
    (stdin, to_stdin), (from_stdout, stdout), (from_stderr, stderr) = os.pipe(), os.pipe(), os.pipe()
    return (stdin, stdout, stderr), (to_stdin, from_stdout, from_stderr)


class Script:
    """A script that runs, with the names of `subprocess.Popen`."""

    returncode: int

    def __init__(
        self,
        python: ForkingPython,
        source: str,
        *arguments: str,
        streams: tuple[int, int, int] | None = None,
        session: bool = False,
    ) -> None:
        if streams is None:
            streams, (stdin, stdout, stderr) = _pipes()
            self.stdin, self.stdout, self.stderr = (
                os.fdopen(stdin, "wb"),
                os.fdopen(stdout, "rb"),
                os.fdopen(stderr, "rb"),
            )
        status = python.start(source, *arguments, streams=streams, session=session)
        self._status = os.fdopen(status, "rb", buffering=0)
        number = b""
        while not number.endswith(b" "):
            number += self._status.read(1)
        self.pid = int(number)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.send_signal(signal.SIGKILL)

    def wait(self) -> int:
        with self._status:
            self.returncode = int(self._status.readall())
        return self.returncode

    def communicate(self, input: bytes = b"") -> tuple[bytes, bytes]:
        """Write the input, which has to be short, and return what is left of stdout, and of stderr, which is short."""
        with suppress(BrokenPipeError), self.stdin:
            self.stdin.write(input)
        with self.stdout, self.stderr:
            output = self.stdout.read(), self.stderr.read()
        self.wait()
        return output

    def end(self) -> None:
        """Kill the script if it still runs."""
        if not self._status.closed:
            self.kill()
            self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()


class AsyncScript:
    """A script that runs, with the names of `asyncio.subprocess.Process`."""

    returncode: int | None = None

    @classmethod
    async def start(cls, python: ForkingPython, source: str, *arguments: str) -> Self:
        self = cls()
        streams, (self._stdin, *outputs) = _pipes()
        self.stdout, self.stderr = [await _open_reader(output) for output in outputs]
        self._status = await _open_reader(python.start(source, *arguments, streams=streams))
        self.pid = int(await self._status.readuntil(b" "))
        return self

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.send_signal(signal.SIGKILL)

    async def communicate(self) -> tuple[bytes, bytes]:
        """Close stdin, and return what is left of stdout and stderr."""
        os.close(self._stdin)
        out, err, code = await asyncio.gather(self.stdout.read(), self.stderr.read(), self._status.read())
        self.returncode = int(code)
        return out, err


async def _open_reader(file: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    pipe = os.fdopen(file, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


@asynccontextmanager
async def script(source: str, *arguments: str, python: ForkingPython | None = None) -> AsyncIterator[AsyncScript]:
    """Run a script, by default where every warning is an error."""
    process = await AsyncScript.start(python or strict_python(), source, *arguments)
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def run_fresh(source: str) -> str:
    """Return what a script prints in a Python that has imported nothing. It must write nothing to stderr."""
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", source]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.strip()


async def run_script(source: str, *arguments: str) -> str:
    """Run a script and return what it printed. It must succeed and write nothing to stderr."""
    async with script(source, *arguments) as process:
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b""), err.decode()
    return out.decode().strip()
