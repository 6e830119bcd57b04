"""Sandboxes, and a bare client that asks them without the library between."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from http_client import Answer, Ask, Call, Line
from PIL import Image

from kellyapi import Aerostack, Sandbox

PACKAGES = ("espeakng_loader", "pocketsphinx", "soundfile", "PIL", "pygments")


@pytest.fixture
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """A sandbox with the engines that the tests' extra brings, which are all but those of speech."""
    fake_engines = {"engines": "fake_engines"} if "fake_engines" in request.fixturenames else {}
    async with Sandbox(**fake_engines) as sandbox:
        yield sandbox


@pytest.fixture
def fake_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the sandbox of the test use fakes for the engines of speech."""
    monkeypatch.syspath_prepend(Path(__file__).parent)


@pytest.fixture
async def ask(sandbox: Sandbox) -> AsyncIterator[Ask]:
    """Send one request, to the sandbox of the test unless `url` names another."""
    async with aiohttp.ClientSession() as session:

        async def ask(method: str, path: str, *, url: str = sandbox.url, **request: Any) -> Answer:
            async with session.request(method, url + path, **request) as response:
                return Answer(response.status, response.headers, await response.read())

        yield ask


@pytest.fixture
async def aerostack(sandbox: Sandbox) -> AsyncIterator[Aerostack]:
    async with sandbox.api() as api:
        yield api.aerostack


@pytest.fixture
def post(ask: Ask) -> Callable[..., Awaitable[Answer]]:
    """Send one request to Aerostack, with a key."""
    return partial(ask, "POST", headers={"X-Aerostack-Key": "key"})


@pytest.fixture
def no_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the packages of the engines be missing for the engines' process, installed or not."""
    for name in PACKAGES:
        error = f"raise ModuleNotFoundError(\"No module named '{name}'\", name='{name}')"
        (tmp_path / f"{name}.py").write_text(error)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    calls: asyncio.Queue[Call] = asyncio.Queue()

    async def pick_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.put_nowait(Call(int(await reader.readline()), writer.close))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(pick_up, "127.0.0.1", 0)
    yield Line(f"call {server.sockets[0].getsockname()[1]}", calls)
    server.close()
    await server.wait_closed()


@pytest.fixture
def picture() -> bytes:
    """A PNG of 20 × 10 pixels."""
    file = io.BytesIO()
    Image.new("RGB", (20, 10), "navy").save(file, "PNG")
    return file.getvalue()
