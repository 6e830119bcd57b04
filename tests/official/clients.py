"""Makes the official clients and ours, and lets one call serve an official client in both of its forms."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import socket
import sys
import warnings
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
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
    """An asynchronous client as a synchronous one, for a thread beside the loop that the client belongs to.

    `translate` is its `atranslate`, `cache_get` its `cache_get_async`, if it has such a method.
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


Ask = Callable[[Callable[[Any], Any]], Awaitable[Any]]
"""Runs a call that is written for a synchronous official client, in a thread: `await ask(lambda client: …)`."""


@asynccontextmanager
async def official(provider: str, url: str, form: str, key: str = KEY, **options: Any) -> AsyncIterator[Ask]:
    """Give the official client of Khaya, Skytells or Aerostack in one of its forms."""
    loop = asyncio.get_running_loop()
    client = {"khaya": _khaya, "skytells": _skytells, "aerostack": _aerostack}[provider](url, form, key, options)

    async def ask(call: Callable[[Any], Any]) -> Any:
        def work() -> Any:
            with warnings.catch_warnings():
                # Four names of Skytells' package are deprecated there, and are compared all the same.
                warnings.filterwarnings("ignore", r"(list|get)_\w+\(\) is deprecated", DeprecationWarning)
                return call(client if form == "synchronous" else Awaited(client, loop))

        return await asyncio.to_thread(work)

    try:
        yield ask
    finally:
        await _close(client)


def _khaya(url: str, form: str, key: str, options: dict[str, Any]) -> KhayaClient:
    config = Settings(api_key=key, retry_attempts=1, **options)
    config.base_url = url  # the validator, which asks for https, looks at construction alone
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
    """Give our client of a provider; use it with `async with`."""
    return OURS[provider](key, base_url=url, retry=NO_RETRY, **options)


def closed_port() -> str:
    """Give an address where nobody listens."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{line.getsockname()[1]}"


class Notebook:
    """Writes calls down, for another process: `note(lambda client: client.llm("hi"))` is `["llm", ["hi"]]`."""

    def __getattr__(self, name: str) -> Callable[..., list[Any]]:
        return lambda *args: [name, args]


async def run_old_names(
    packages: Path, calls: Iterable[Callable[[Any], Any]], url: str, key: str = KEY
) -> list[dict[str, Any]]:
    """Run calls of kellyapi 0.0.2.5 in a process of their own, with the kellyapi that is in `packages`.

    Each gives `{"version": …, "value": …}`, bytes as `{"base64": …}`, or `{"version": …, "caught": […]}`: which of the
    seven old errors would have caught it, and its class.
    """
    notes = [call(Notebook()) for call in calls]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", Path(__file__).with_name("old_names.py"), url, key, json.dumps(notes),
        stdout=PIPE, stderr=PIPE, env=os.environ | {"PYTHONPATH": str(packages)},
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return [json.loads(line) for line in out.decode().splitlines()]
