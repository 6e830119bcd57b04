"""The sandbox that the official clients ask, and the release of kellyapi that has this library's import name."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kellyapi import Sandbox
from official.operations import HEARD, WAV

RELEASE = "kellyapi==0.0.2.5"
SCHEMA = "CREATE TABLE foxes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"


sys.path.append(str(Path(__file__).parents[1] / "sandbox"))  # where the fakes are


@pytest.fixture
def engines() -> str:
    """What works in the sandbox: fakes for the engines of speech, and the others, which take a while to load."""
    return "official.replays"


@pytest.fixture
def prediction_time() -> float:
    """How many seconds a job takes at least."""
    return 0


@pytest.fixture
async def sandbox(engines: str, prediction_time: float) -> AsyncIterator[Sandbox]:
    """A sandbox that accepts the key "right"."""
    options = {"schema": SCHEMA, "prediction_time": prediction_time, "engines": engines}
    async with Sandbox(keys=["right"], **options) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder that has the audio of the operations."""
    monkeypatch.chdir(tmp_path)
    Path(WAV).write_bytes(HEARD)


@pytest.fixture(scope="session")
def released(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the release is installed, with what it needs, once for each version of Python."""
    cache = getattr(pytestconfig, "cache", None)  # there is none with -p no:cacheprovider
    home = cache.mkdir("releases") if cache else tmp_path_factory.mktemp("releases")
    folder = home / f"{RELEASE}-{sys.implementation.cache_tag}"
    if not folder.exists():
        part = tempfile.mkdtemp(dir=home)
        install = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        subprocess.run([*install, "--target", part, RELEASE], check=True)
        Path(part).rename(folder)  # so that an install that was broken off is not taken for one
    return folder
