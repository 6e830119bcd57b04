"""A terminal for the command, and a sandbox."""

from __future__ import annotations

import os
import re
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.command import start
from kellyapi import Sandbox, Skytells, run_sync

FOX = ["run", "truefusion", "-i", "prompt=a fox", "-i", "width=64", "-i", "height=64", "--interval", "0.01"]
PNG = b"\x89PNG\r\n\x1a\n"
ID = r"[0-9a-f]{8}-[0-9a-f-]{27}"


@contextmanager
def sandboxed(seconds: float) -> Iterator[Sandbox]:
    sandbox = Sandbox(prediction_time=seconds)
    run_sync(sandbox.start())
    yield sandbox
    run_sync(sandbox.close())


def ask(method: str, *arguments: Any) -> Any:
    """Call a method of the predictions at the sandbox, without the command."""

    async def call() -> Any:
        async with Skytells() as skytells:
            return await getattr(skytells.predictions, method)(*arguments)

    return run_sync(call())


class Terminal:
    """A process whose three streams are one terminal."""

    def __init__(self, *words: str) -> None:
        self._ours, theirs = os.openpty()
        self._process = start(*words, streams=(theirs, theirs, theirs), session=True)
        self._last = time.monotonic() + 60
        self.shown = ""

    def until(self, pattern: str) -> re.Match[str]:
        """Read until a pattern is shown."""
        while not (found := re.search(pattern, self.shown)):
            assert self._read(), self.shown
        return found

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        """Send a signal when the process waits. Between prompt and wait, Python handles it only after the next line."""
        while _has_state(self._process.pid, "R"):
            os.sched_yield()
        self._process.send_signal(number)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """Read the rest and return the exit code."""
        while self._read():
            pass
        return self._process.wait()

    def close(self) -> None:
        self._process.end()
        os.close(self._ours)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0, self._last - time.monotonic()))
        assert ready, self.shown
        try:
            piece = os.read(self._ours, 4096)
        except OSError:  # Linux raises this when the other end is closed
            return False
        self.shown += piece.decode(errors="replace")
        return bool(piece)


def _has_state(pid: int, state: str) -> bool:
    """Return whether a process is in a state such as "R", running. Only Linux tells it."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == state
