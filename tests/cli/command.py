"""The command as a program, and its standard input."""

from __future__ import annotations

import io
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

KELLYAPI = [str(Path(sysconfig.get_path("scripts"), "kellyapi"))]
Run = Callable[..., tuple[int, str, str]]


def type_in(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
