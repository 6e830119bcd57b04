"""Fixtures: engines that need only the standard library."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kellyapi.sandbox.engines.supervisor import EngineSupervisor

ENGINE = """
import os
from kellyapi.sandbox.engines.errors import BadInput

def echo(value):
    return value

def limits():
    import resource
    return resource.getrlimit(resource.RLIMIT_CPU)[0], resource.getrlimit(resource.RLIMIT_DATA)[0]

def fill(size):
    return len(bytearray(size))

def touch(path):
    path.touch()

def process():
    return os.getpid()

def modules():
    import sys
    return sorted(sys.modules)

def wait_for(pipe):
    with open(pipe) as opened:
        return opened.read()

def refuse(kind):
    raise BadInput(kind, "it is no use")

def lack():
    import no_such_package

def fail():
    raise LookupError("nothing under that name")

def unsendable():
    return lambda: None

def shout():
    print("from Python", flush=True)
    os.write(1, b"from C")
    return os.read(0, 10)

def die(code):
    os._exit(code)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on `sys.path` with a package of two engines that are alike; the children inherit the path."""
    package = tmp_path / "engines_of_a_test"
    package.mkdir()
    for name in ("plain", "voice"):
        (package / f"{name}.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
async def engines(folder: Path) -> AsyncIterator[EngineSupervisor]:
    engines = EngineSupervisor("engines_of_a_test")
    yield engines
    await engines.close()
