"""Factories of the official clients and ours, and an adapter for asynchronous official clients."""

from __future__ import annotations

import asyncio
import atexit
import inspect
import json
import os
import socket
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import skytells
from aerostack import SDK
from khaya import KhayaClient
from khaya.config import Settings

from kellyapi import NO_RETRY, Aerostack, Kelly, Khaya, Skytells

KEY = "right"
OURS = {"kelly": Kelly, "khaya": Khaya, "skytells": Skytells, "aerostack": Aerostack}
FORMS = ("synchronous", "asynchronous")


class Awaited:
    """Synchronous form of an asynchronous client, for use in a thread other than the client's event loop.

    `translate` calls `atranslate` and `cache_get` calls `cache_get_async`, if the client has such a method.
    """

    def __init__(self, target: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._target = target
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        twins = (twin for twin in (f"a{name}", f"{name}_async", name) if hasattr(self._target, twin))
        return self._wrap(getattr(self._target, next(twins)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self._target(*args, **kwargs)
        if inspect.isawaitable(result):
            result = asyncio.run_coroutine_threadsafe(_result(result), self._loop).result()
        return self._wrap(result) if isinstance(result, skytells.AsyncPrediction) else result

    def _wrap(self, value: Any) -> Any:
        return value if isinstance(value, (str, dict, list)) else Awaited(value, self._loop)


async def _result(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


CallOfficial = Callable[[Callable[[Any], Any]], Awaitable[Any]]
"""Runs a call for a synchronous official client in a thread: `await call_official(lambda client: …)`."""


@asynccontextmanager
async def official(provider: str, url: str, form: str, key: str = KEY, **options: Any) -> AsyncIterator[CallOfficial]:
    """Yield a function that calls the official client of Khaya, Skytells or Aerostack, in one of its forms."""
    loop = asyncio.get_running_loop()
    client = {"khaya": _khaya, "skytells": _skytells, "aerostack": _aerostack}[provider](url, form, key, options)

    async def call_official(call: Callable[[Any], Any]) -> Any:
        def run() -> Any:
            with warnings.catch_warnings():
                # Four names of Skytells' package are deprecated; they are compared too.
                warnings.filterwarnings("ignore", r"(list|get)_\w+\(\) is deprecated", DeprecationWarning)
                return call(client if form == "synchronous" else Awaited(client, loop))

        return await asyncio.to_thread(run)

    try:
        yield call_official
    finally:
        await _close(client)


def _khaya(url: str, form: str, key: str, options: dict[str, Any]) -> KhayaClient:
    config = Settings(api_key=key, retry_attempts=1, **options)
    config.base_url = url  # the validator requires https, but runs only in the constructor
    return KhayaClient(key, config)


def _skytells(url: str, form: str, key: str, options: dict[str, Any]) -> Any:
    make = skytells.SkytellsClient if form == "synchronous" else skytells.AsyncSkytellsClient
    return make(key, base_url=url, **options)


def _aerostack(url: str, form: str, key: str, options: dict[str, Any]) -> SDK:
    return SDK(key, server_url=url, **options)


async def _close(client: Any) -> None:
    if isinstance(client, KhayaClient):
        await client.http_client.aclose()
    elif isinstance(client, SDK):
        client.sdk_configuration.client.close()
        await client.sdk_configuration.async_client.aclose()
    elif isinstance(client, skytells.AsyncSkytellsClient):
        client._executor.shutdown()


def our_client(provider: str, url: str, key: str = KEY, **options: Any) -> Any:
    """Return our client of a provider; use it with `async with`."""
    return OURS[provider](key, base_url=url, retry=NO_RETRY, **options)


def closed_port() -> str:
    """Return a URL at which no server listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


class CallRecorder:
    """Recorder of calls for another process: `client.llm("hi")` becomes `["llm", ["hi"]]`."""

    def __getattr__(self, name: str) -> Callable[..., list[Any]]:
        return lambda *args: [name, args]


@cache
def _old_names(packages: Path) -> subprocess.Popen[str]:
    """Start a process that runs calls with the kellyapi that is in `packages`."""
    process = subprocess.Popen(
        [sys.executable, "-P", Path(__file__).with_name("old_names.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(packages)},
    )  # fmt: skip
    atexit.register(process.communicate)
    return process


async def run_old_names(
    packages: Path, calls: Iterable[Callable[[Any], Any]], url: str, key: str = KEY
) -> list[dict[str, Any]]:
    """Run calls of kellyapi 0.0.2.5 in another process, with the kellyapi that is in `packages`.

    Returns:
        For each call `{"version": …, "value": …}`, with bytes as `{"base64": …}`, or `{"version": …, "caught": […],
        "error": …}`: the names of the old errors that catch the error, and its class.
    """
    process = _old_names(packages)
    assert process.stdin is not None
    assert process.stdout is not None
    print(json.dumps([url, key, [call(CallRecorder()) for call in calls]]), file=process.stdin, flush=True)
    outcomes: list[dict[str, Any]] = json.loads(await asyncio.to_thread(process.stdout.readline))
    return outcomes
