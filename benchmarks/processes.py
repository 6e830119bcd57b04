"""The processes of a benchmark: the server and one for each client. They always end with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]
LONGEST = 120
"""Most seconds for one command."""
RELEASE = ("kellyapi==0.0.2.5", "dotmap")


@contextmanager
def start(*words: str, first_on_path: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run a module of this package until the block ends; it listens to its standard input."""
    path = os.pathsep.join(map(str, filter(None, (first_on_path, ROOT))))
    command = [sys.executable, "-P", "-m", *words]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (path, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def serve() -> Iterator[str]:
    """Run the server and return its address."""
    with start("benchmarks.server") as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"


def spent(url: str) -> tuple[float, int]:
    """Return the server's seconds of CPU and the requests it has answered."""
    with urlopen(f"{url}/spent") as answer:
        told = json.load(answer)
    return told["cpu"], told["requests"]


class Clients:
    """The clients of one server: `with Clients(url) as ask: ask("khaya 0.3.0", {"do": "calls", …})`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stack = ExitStack()
        self._running: dict[str, subprocess.Popen[str]] = {}

    def __call__(self, name: str, order: Mapping[str, Any]) -> dict[str, float]:
        """Send a command to a client. Its process starts with the first one."""
        if name not in self._running:
            old = Path(self._stack.enter_context(released())) if name.startswith("kellyapi 0") else None
            process = start("benchmarks.worker", name, self._url, first_on_path=old)
            self._running[name] = self._stack.enter_context(process)
        client = self._running[name]
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(json.dumps(order) + "\n")
        client.stdin.flush()
        alarm = Timer(LONGEST, client.kill)
        alarm.start()
        said = client.stdout.readline()
        alarm.cancel()
        if not said:
            raise RuntimeError(f"{name} failed, or took more than {LONGEST} s for {order}")
        measured: dict[str, float] = json.loads(said)
        return measured

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


@cache
def _folder() -> TemporaryDirectory[str]:
    folder = TemporaryDirectory()
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
    subprocess.run([*install, "--target", folder.name, *RELEASE], check=True, stderr=subprocess.DEVNULL)
    return folder


@contextmanager
def released() -> Iterator[str]:
    """Return a folder with kellyapi 0.0.2.5, installed once and deleted at exit; the rest of what it needs is here."""
    yield _folder().name
