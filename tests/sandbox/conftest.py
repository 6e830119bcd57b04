"""Fixtures: a sandbox, a plain HTTP client for it, clients of the library, and fake engines."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from http_client import BusyEngine, EngineGate, Response, Send
from PIL import Image

from kellyapi import Aerostack, KellyAPI, Sandbox, open_sync

PACKAGES = ("espeakng_loader", "pocketsphinx", "soundfile", "PIL", "pygments", "av")


def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the options of a file's sandboxes: `SANDBOX` of its module."""
    return {"keep_engines": True, **getattr(request.module, "SANDBOX", {})}


@pytest.fixture(scope="module")
def sandbox_of_file(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox with the real engines; the `test` extra installs all of them except those of speech."""
    with open_sync(Sandbox(**options(request))) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sandbox_with_fake_engines(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox with fakes for the engines of speech, which are in this folder. It is on `sys.path`."""
    with open_sync(Sandbox(engines="fake_engines", **options(request))) as sandbox:
        yield sandbox


@pytest.fixture
async def own_sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """Make the `sandbox` fixture start a sandbox for each test, on the loop of the test."""
    fakes = {"engines": "fake_engines"} if "fake_engines" in request.fixturenames else {}
    async with Sandbox(**fakes, **options(request)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox that the tests of a file share, unless they use `own_sandbox` because of what they leave in it.

    A test module can set `SANDBOX`, a dictionary of options.
    """
    names = request.fixturenames
    shared = "sandbox_with_fake_engines" if "fake_engines" in names else "sandbox_of_file"
    sandbox: Sandbox = request.getfixturevalue("own_sandbox" if "own_sandbox" in names else shared)
    yield sandbox
    sandbox.clear_faults()


@pytest.fixture
def fake_engines() -> None:
    """Make the `sandbox` fixture use fakes for the engines of speech."""


@pytest.fixture
async def send(sandbox: Sandbox) -> AsyncIterator[Send]:
    """Send one request to the `sandbox` fixture, or to `url`."""
    async with aiohttp.ClientSession() as session:

        async def send(method: str, path: str, *, url: str = sandbox.url, **request: Any) -> Response:
            async with session.request(method, url + path, **request) as response:
                return Response(response.status, response.headers, await response.read())

        yield send


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[KellyAPI]:
    async with sandbox.api() as api:
        yield api


@pytest.fixture
def skytells(send: Send) -> Send:
    """Send one request to Skytells, with a key."""
    return partial(send, headers={"x-api-key": "key"})


@pytest.fixture
async def aerostack(sandbox: Sandbox) -> AsyncIterator[Aerostack]:
    async with sandbox.api() as api:
        yield api.aerostack


@pytest.fixture
def post(send: Send) -> Callable[..., Awaitable[Response]]:
    """Send one request to Aerostack, with a key."""
    return partial(send, "POST", headers={"X-Aerostack-Key": "key"})


@pytest.fixture(scope="session")
def missing_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with modules that look missing when they are imported."""
    folder = tmp_path_factory.mktemp("missing_packages")
    for name in PACKAGES:
        error = f"raise ModuleNotFoundError(\"No module named '{name}'\", name='{name}')"
        (folder / f"{name}.py").write_text(error)
    return folder


@pytest.fixture
def no_packages(own_sandbox: Sandbox, missing_packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the packages of the engines look missing in the engines' process, which is not that of other tests."""
    monkeypatch.syspath_prepend(missing_packages)


@pytest.fixture
async def engine_gate() -> AsyncIterator[EngineGate]:
    calls: asyncio.Queue[BusyEngine] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = asyncio.Event()
        calls.put_nowait(BusyEngine(int(await reader.readline()), writer.close, ended))
        with suppress(ConnectionError):  # its process was killed
            await reader.read()
        ended.set()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    yield EngineGate(f"call {server.sockets[0].getsockname()[1]}", calls)
    server.close()
    await server.wait_closed()


@pytest.fixture
def picture() -> bytes:
    """A PNG of 20 × 10 pixels."""
    file = io.BytesIO()
    Image.new("RGB", (20, 10), "navy").save(file, "PNG")
    return file.getvalue()
