"""The engines' process, with functions of the standard library alone in it."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kellyapi.sandbox.engines.process import Engines

ENGINE = """
import os
from kellyapi.sandbox.engines.failures import BadInput

def echo(value):
    return value

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

SCRIPT = """
import asyncio
from kellyapi.sandbox.engines.process import Engines

async def main():
    engines = Engines("engines_of_a_test")
    print(await engines.run("plain.process"), flush=True)
    {then}

asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with a package of engines, as the child finds it through its parent's path."""
    package = tmp_path / "engines_of_a_test"
    package.mkdir()
    (package / "plain.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
async def engines(folder: Path) -> AsyncIterator[Engines]:
    engines = Engines("engines_of_a_test")
    yield engines
    await engines.close()


def run_script(folder: Path, then: str) -> "subprocess.CompletedProcess[str]":
    """Run a script with no `__main__` guard. It returns when nobody holds its pipes any more: neither the script nor its child."""
    (folder / "script.py").write_text(SCRIPT.format(then=then))
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(folder / "script.py")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
