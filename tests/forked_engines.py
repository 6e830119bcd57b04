"""Engine processes forked from one that has imported the engines: the import takes longer than most of their work.

Each sandbox still has a process of its own, which runs the real `worker_main`. A sandbox whose engines come from a
folder outside of this checkout starts its process as it does for users.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import subprocess
import sys
import tempfile
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

from kellyapi.sandbox.engines.supervisor import EngineSupervisor

ROOT = Path(__file__).parents[1]
_SERVER = """
import json, os, signal, socket, sys
from importlib import import_module
from pkgutil import walk_packages
from kellyapi.sandbox import engines
for module in walk_packages(engines.__path__, engines.__name__ + "."):
    try:
        import_module(module.name)
    except ImportError:  # the extra is not installed
        pass
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nothing waits for the forks
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(100)
print(flush=True)
while True:
    client, _ = listener.accept()
    if not os.fork():
        break
    client.close()
listener.close()
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
client.sendall(b"%d\\n" % os.getpid())
length = int.from_bytes(client.recv(8, socket.MSG_WAITALL))
sys.path[:], folder, environment = json.loads(client.recv(length, socket.MSG_WAITALL))
os.chdir(folder)
os.environ.clear()
os.environ.update(environment)
for pipe in 0, 1:
    os.dup2(client.fileno(), pipe)
client.close()
import_module("kellyapi.sandbox.engines.worker_main").main()
"""


class ForkedEngines:
    """The part of `asyncio.subprocess.Process` that a supervisor uses."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.stdout = reader
        self.stdin = writer

    @property
    def returncode(self) -> int | None:
        return -9 if self.stdout.at_eof() or isinstance(self.stdout.exception(), ConnectionError) else None

    async def wait(self) -> int:
        self.stdin.close()
        return -9


class _Server:
    """The process that forks."""

    def __init__(self) -> None:
        self.socket = str(Path(tempfile.mkdtemp(), "engines"))
        command = [sys.executable, "-P", "-W", "ignore", "-c", _SERVER, self.socket]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, start_new_session=True)
        assert self._process.stdout
        self._process.stdout.readline()
        self._process.stdout.close()
        atexit.register(self._end)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()


_servers: list[_Server] = []
_start_child = EngineSupervisor._get_child


def _of_this_checkout() -> bool:
    return Path(sys.path[0]).absolute().is_relative_to(ROOT)


def _state() -> bytes:
    """Return what a started process would inherit."""
    return json.dumps([sys.path, str(Path.cwd()), dict(os.environ)]).encode()


async def get_child(self: EngineSupervisor) -> Process | ForkedEngines:
    if not _of_this_checkout():
        return await _start_child(self)
    if self._child and self._child.returncode is None:
        return self._child
    await self._end_child()
    if not _servers:
        _servers.append(_Server())
    reader, writer = await asyncio.open_unix_connection(_servers[0].socket, limit=1 << 20)
    state = _state()
    writer.write(len(state).to_bytes(8) + state)
    child: Any = ForkedEngines(int(await reader.readline()), reader, writer)
    self._child = child
    if self._closed:
        self._kill()
    return self._child


def install() -> None:
    """Let the sandboxes of this process fork their engines."""
    EngineSupervisor._get_child = get_child  # type: ignore[method-assign,assignment]
