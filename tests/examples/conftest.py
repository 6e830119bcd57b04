"""Fixtures of the tests of the examples: a sandbox and its environment variables, and an example as a new module."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from servers import make_response

from kellyapi import Sandbox

from .telegram_fake import TOKEN, TelegramFake

TESTS = Path(__file__).parents[1]
EXAMPLES = TESTS.parent / "examples"
VARIABLES = {"kelly": "KELLYAI", "khaya": "KHAYA", "skytells": "SKYTELLS", "aerostack": "AEROSTACK"}

FAILURES = {
    "no credits": (make_response(402), "The credits are used up. Please tell the owner."),
    "too many": (
        make_response(429, Retry_After="3599"),
        "Too many people are asking. Please try again in 3599 seconds.",
    ),
    "wrong input": (make_response(400, b'{"error": {"message": "too odd"}}'), "The service cannot use this: too odd"),
    "wrong key": (make_response(401), "This cannot be done now. Please tell the owner to look into the log."),
    "no JSON": (
        make_response(200, b"<p>", "text/html"),
        "This cannot be done now. Please tell the owner to look into the log.",
    ),
}
"""Responses of Khaya, and the message that a bot then sends to its user."""

sys.path.append(str(EXAMPLES))  # not removed: engines are kept only for sandboxes with the same sys.path
if not all(importlib.util.find_spec(name) for name in ("espeakng_loader", "pocketsphinx", "soundfile")):
    collect_ignore = ["test_telegram_voice.py"]


def command(example: str) -> str:
    """Return source code that runs an example like `python examples/NAME.py`, for `servers.script`."""
    path = EXAMPLES / f"{example}.py"
    imports = f"import runpy, sys; sys.path[0] = {str(EXAMPLES)!r}\n"
    if example == "telegram_bot":
        imports += f"sys.path.append({str(TESTS)!r}); from quick_aiogram import import_aiogram; import_aiogram()\n"
    return f"{imports}runpy.run_path({str(path)!r}, run_name='__main__')"


def complaints(log: str) -> list[str]:
    """Return the lines of a log that show a defect. Warnings that the bots log themselves are not among them."""
    return [line for line in log.splitlines() if re.search(r"Traceback|Warning:|never|ERROR|Unclosed", line)]


async def until(true: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  nothing sets an event for these conditions
            await asyncio.sleep(0)


async def settle(before: set[asyncio.Task[Any]]) -> None:
    """Wait until all tasks that are not in `before` have ended, those of the servers in this process included."""
    expected = before | {asyncio.current_task()}
    await until(lambda: asyncio.all_tasks() <= expected)


@pytest.fixture
async def sandbox(
    request: pytest.FixtureRequest, shared_engines: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Sandbox]:
    """A sandbox that the environment variables point to. A test module can set `ENGINES = "fake_engines"`."""
    engines = getattr(request.module, "ENGINES", "kellyapi.sandbox.engines")
    async with Sandbox(engines=engines) as sandbox:
        for provider, url in sandbox.urls.items():
            monkeypatch.setenv(f"{VARIABLES[provider]}_API_KEY", "sandbox")
            monkeypatch.setenv(f"{VARIABLES[provider]}_BASE_URL", url)
        yield sandbox


@pytest.fixture
async def telegram(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TelegramFake]:
    """A fake Bot API that the environment variables point to."""
    async with TelegramFake() as telegram:
        monkeypatch.setenv("TELEGRAM_API", telegram.url)
        monkeypatch.setenv("TELEGRAM_TOKEN", TOKEN)
        yield telegram


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import an example like `python examples/NAME.py`, as a new module for each test."""

    def load(name: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load
