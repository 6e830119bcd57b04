"""Fixtures: engines that need only the standard library."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
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


@pytest.fixture(scope="module")
def _package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A package of two engines that are alike, in a folder on `sys.path`. The children inherit the path."""
    folder = tmp_path_factory.mktemp("engines")
    package = folder / "engines_of_a_test"
    package.mkdir()
    for name in ("plain", "voice"):
        (package / f"{name}.py").write_text(ENGINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


@pytest.fixture
def folder(_package: None, tmp_path: Path) -> Path:
    """An empty folder, for tests that use the package."""
    return tmp_path


@pytest.fixture
async def engines(_package: None) -> AsyncIterator[EngineSupervisor]:
    """Engines that leave their idle children to the next test."""
    engines = EngineSupervisor("engines_of_a_test", keep=True)
    yield engines
    await engines.close()


@pytest.fixture
async def new_engines(_package: None) -> AsyncIterator[EngineSupervisor]:
    """Engines that start their own children."""
    engines = EngineSupervisor("engines_of_a_test", fresh=True)
    yield engines
    await engines.close()
