"""Sandboxes whose predictions end at once or not at all, and the command on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kellyapi import Sandbox

from .terminal import Terminal, sandboxed


@pytest.fixture(scope="module")
def quick() -> Iterator[Sandbox]:
    with sandboxed(0) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def slow() -> Iterator[Sandbox]:
    """A sandbox whose predictions do not end during a test."""
    with sandboxed(3600) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKYTELLS_API_KEY", "sandbox")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def _quick(quick: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYTELLS_BASE_URL", quick.urls["skytells"])


@pytest.fixture
def _slow(slow: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYTELLS_BASE_URL", slow.urls["skytells"])


@pytest.fixture
def on_terminal() -> Iterator[Callable[..., Terminal]]:
    with ExitStack() as started:

        def start(*words: str) -> Terminal:
            terminal = Terminal(*words)
            started.callback(terminal.close)
            return terminal

        yield start
