"""Fixtures of all tests: no keys or proxies from the environment, and aioresponses adapted to aiohttp 3.14."""

from __future__ import annotations

import functools
import gc
import importlib.util
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import aiohttp
import aioresponses.core
import pytest
from aioresponses import aioresponses as Responses
from hypothesis import settings

settings.register_profile("kellyapi", deadline=None, database=None)  # a slow machine fails no test
settings.load_profile("kellyapi")
SPEECH_ENGINES = ("espeakng_loader", "pocketsphinx", "soundfile")
for name in tuple(os.environ):  # once, since a fixture would do it 14,000 times
    if name.startswith(("KELLYAI_", "KHAYA_", "SKYTELLS_", "AEROSTACK_")) or name.lower().endswith("_proxy"):
        del os.environ[name]

# SIGINT is ignored in what a script starts in the background, SIGHUP after `nohup`; so they would be in our scripts.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):  # not on Windows
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The package of fake engines is there. Engines are kept only for sandboxes with the same sys.path.
sys.path.append(str(Path(__file__).parent / "sandbox"))
collect_ignore = []
if not all(importlib.util.find_spec(name) for name in SPEECH_ENGINES):
    collect_ignore += [
        "sandbox/test_marked_speech.py",
        *(f"engines/test_{name}.py" for name in ("synthesis", "recognition", "audio_files", "end_to_end", "demo")),
    ]
if not importlib.util.find_spec("av"):
    collect_ignore += ["engines/test_video.py", "sandbox/test_skytells_videos.py"]

# aioresponses 0.7.9 makes responses without the `stream_writer` that aiohttp 3.14 asks for: pnuckowski/aioresponses#289
aioresponses.core.ClientResponse = functools.partial(aiohttp.ClientResponse, stream_writer=Mock(output_size=0))


class _Loop:
    """The event loop of a response of aioresponses, and its `get_debug`. A mock of each takes 1 ms."""

    def __call__(self) -> bool:
        return False

    def is_closed(self) -> bool:
        return True


aioresponses.core.Mock = _Loop


class _QuickResponses(Responses):
    """aioresponses without a mock of aiohttp's method for each test, which takes 5 ms."""

    def __init__(self) -> None:
        super().__init__()

        async def request(*arguments: Any, **options: Any) -> aiohttp.ClientResponse:
            return await self._request_mock(*arguments, **options)

        self.patcher = patch.object(aiohttp.ClientSession, "_request", request)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Leave the thousands of tests out of garbage collection, now and later, when some tests start it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()  # without a collection first, which takes a second in each process
        gc.enable()


@pytest.fixture
def wire() -> Iterator[Responses]:
    """Responds to requests without a network and records them."""
    with _QuickResponses() as responses:
        yield responses
