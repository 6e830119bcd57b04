"""The command as a program, and its standard input."""

from __future__ import annotations

import io
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes import Script, plain_python

KELLYAPI = [str(Path(sysconfig.get_path("scripts"), "kellyapi"))]
Run = Callable[..., tuple[int, str, str]]


def start(*words: str, **options: Any) -> Script:
    """Start the command in a process of its own. `KELLYAPI` is what shells start."""
    return Script(plain_python(), "import sys; from kellyapi.cli.main import main; sys.exit(main())", *words, **options)


def execute(*words: str, input: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run the command in a process of its own: (exit code, standard output, standard error)."""
    with start(*words) as script:
        out, err = script.communicate(input)
    return script.returncode, out, err


def type_in(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
