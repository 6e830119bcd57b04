"""Fixtures: a sandbox for the official clients, and the released kellyapi, which has the same import name as ours."""

from __future__ import annotations

import ssl
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from kellyapi import Sandbox
from official.operations import WAV, WAV_BYTES

RELEASE = "kellyapi==0.0.2.5"
SCHEMA = "CREATE TABLE foxes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"


sys.path.append(str(Path(__file__).parents[1] / "sandbox"))  # where the fakes are


@pytest.fixture
def engines() -> str:
    """Package of the sandbox's engines: fakes for speech, the real ones for the rest."""
    return "official.replays"


@pytest.fixture
def prediction_time() -> float:
    """Least seconds that a prediction takes."""
    return 0


@pytest.fixture
async def sandbox(engines: str, prediction_time: float) -> AsyncIterator[Sandbox]:
    """A sandbox that accepts the key "right"."""
    options = {"schema": SCHEMA, "prediction_time": prediction_time, "engines": engines}
    async with Sandbox(keys=["right"], keep_engines=True, **options) as sandbox:
        yield sandbox


@pytest.fixture(scope="module", autouse=True)
def _one_tls_context() -> Iterator[None]:
    """Let httpx read the certificates once, and not for each client: 25 ms. All servers here are without TLS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


@pytest.fixture(autouse=True)
def _audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to a folder that has the audio file of the operations."""
    monkeypatch.chdir(tmp_path)
    Path(WAV).write_bytes(WAV_BYTES)


@pytest.fixture(scope="session")
def released(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the release and `dotmap`, installed once for each version of Python. We depend on aiohttp too."""
    cache = getattr(pytestconfig, "cache", None)  # there is none with -p no:cacheprovider
    home = cache.mkdir("releases") if cache else tmp_path_factory.mktemp("releases")
    folder = home / f"{RELEASE}-{sys.implementation.cache_tag}"
    if not folder.exists():
        partial = tempfile.mkdtemp(dir=home)
        install = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile")
        subprocess.run([*install, "--no-deps", "--target", partial, RELEASE, "dotmap"], check=True)
        with suppress(OSError):  # another process of the tests has installed it meanwhile
            Path(partial).rename(folder)  # so that an install that was broken off is not taken for one
    return folder
