"""The cost of a call and of an import, independent of the machine: steps of the loop, objects, modules.

How fast the library is on one machine is measured by `python -m benchmarks`, and shown in docs/performance.md.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import Context
from types import FrameType
from typing import Any

import aiohttp
import pytest
from attrs import frozen
from servers import Server, make_response

from kellyapi import Aerostack, Kelly, Khaya, Skytells, run_sync

KEY = "a-key"
PREDICTION = {"id": "p1", "status": "succeeded", "output": ["https://files.example/p1.png"]}
SPEED = {"orjson", "pybase64"}
"""Packages of the extra `speed`, which are optional."""
WARM = 10
ROUNDS = 20

Call = Callable[[], Awaitable[Any]]


@frozen
class Operation:
    """One public call, the same request with plain aiohttp, and its response."""

    ours: Callable[[str], Any]
    """Makes the client."""
    call: Callable[[Any], Awaitable[Any]]
    method: str
    path: str
    header: str
    sent: Any
    said: Any


OPERATIONS = {
    "translate": Operation(
        ours=lambda url: Khaya(KEY, base_url=url),
        call=lambda khaya: khaya.translate("Good morning", "en-tw"),
        method="POST",
        path="/v1/translate",
        header="Ocp-Apim-Subscription-Key",
        sent={"in": "Good morning", "lang": "en-tw"},
        said="Maakye",
    ),
    "generate_image": Operation(
        ours=lambda url: Kelly(KEY, base_url=url),
        call=lambda kelly: kelly.generate_image("a fox"),
        method="POST",
        path="/image/generate",
        header="Authorization",
        sent={"prompt": "a fox", "responseType": "base64data"},
        said={"image": "aW1hZ2U="},
    ),
    "predictions.get": Operation(
        ours=lambda url: Skytells(KEY, base_url=url),
        call=lambda skytells: skytells.predictions.get("p1"),
        method="GET",
        path="/predictions/p1",
        header="x-api-key",
        sent=None,
        said=PREDICTION,
    ),
    "ai.chat": Operation(
        ours=lambda url: Aerostack(KEY, base_url=url),
        call=lambda aerostack: aerostack.ai.chat("hi"),
        method="POST",
        path="/ai/chat",
        header="X-Aerostack-Key",
        sent={"messages": [{"role": "user", "content": "hi"}]},
        said={"response": "hello"},
    ),
}


@asynccontextmanager
async def both_calls(operation: Operation) -> AsyncIterator[tuple[Call, Call]]:
    """Yield our call and the same with plain aiohttp, on open connections; the server runs in another thread."""
    server = Server(make_response(body=json.dumps(operation.said).encode()))
    run_sync(server.__aenter__())
    try:
        async with operation.ours(server.url) as client, aiohttp.ClientSession() as session:

            async def with_aiohttp() -> Any:
                url, headers = server.url + operation.path, {operation.header: KEY}
                async with session.request(operation.method, url, json=operation.sent, headers=headers) as response:
                    return await response.json()

            calls = (lambda: operation.call(client)), with_aiohttp
            for call in calls:
                for _ in range(WARM):
                    await call()
            yield calls
    finally:
        run_sync(server.__aexit__(None, None, None))


async def count_steps(call: Call) -> int:
    """Count the callbacks that the loop runs for one call: the fewest of some rounds, because timers may run too."""
    seen = []
    for _ in range(ROUNDS):
        steps = 0

        def note(frame: FrameType, event: str, _: Any) -> None:
            nonlocal steps
            steps += event == "call" and frame.f_code.co_qualname == "Handle._run"

        sys.setprofile(note)
        try:
            await call()
        finally:
            sys.setprofile(None)
        seen.append(steps)
    return min(seen)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_call_takes_as_many_steps_of_the_loop_as_plain_aiohttp(name: str) -> None:
    async with both_calls(OPERATIONS[name]) as (ours, with_aiohttp):
        assert 0 < await count_steps(ours) == await count_steps(with_aiohttp)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_call_leaves_no_objects_for_the_garbage_collector(name: str) -> None:
    calls = 50

    def tracked() -> int:
        timers = (asyncio.TimerHandle, Context)  # the loop keeps up to 100 that were cancelled
        return sum(not isinstance(each, timers) for each in gc.get_objects())

    async def left(call: Call) -> tuple[int, int]:
        gc.collect()
        gc.freeze()  # counts only what comes from now on: the objects of all tests take seconds
        before = tracked()
        gc.disable()
        try:
            for _ in range(calls):
                await call()
            await asyncio.sleep(0)
            in_cycles = gc.collect()
        finally:
            gc.enable()
        return in_cycles, tracked() - before

    async with both_calls(OPERATIONS[name]) as (ours, with_aiohttp):
        (cycles, objects), (cycles_with_aiohttp, objects_with_aiohttp) = await left(ours), await left(with_aiohttp)
    assert cycles - cycles_with_aiohttp < calls / 2
    assert objects - objects_with_aiohttp < calls / 2  # the server, which is in this process, keeps its requests


def loaded_by(code: str) -> set[str]:
    """Run code in another Python process and return the modules that it imported."""
    # The imports at the top of the package come first, with all that they need in this version of Python.
    source = f"import __future__, importlib, json, sys, typing; before = set(sys.modules)\n{code}\n"
    source += "print('\\n' + json.dumps(sorted(set(sys.modules) - before)))"
    printed = subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, text=True).stdout
    return set(json.loads(printed.splitlines()[-1]))


def foreign(modules: set[str]) -> set[str]:
    """Return the packages that are neither ours nor Python's."""
    return {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"kellyapi", "__mp_main__"}


HELP = """
from contextlib import suppress
from kellyapi.cli.main import main
with suppress(SystemExit):
    main(["--help"])
"""


def test_importing_the_package_imports_nothing_else() -> None:
    assert loaded_by("import kellyapi") == {"kellyapi"}


def test_the_help_of_the_command_imports_only_what_parsing_needs() -> None:
    loaded = loaded_by(HELP)
    ours = {name for name in loaded if name.startswith("kellyapi")}
    commands = {name for name in ours if name.startswith("kellyapi.cli.commands")}
    assert ours - commands == {
        "kellyapi",
        *(f"kellyapi.cli{name}" for name in ("", ".main", ".arguments", ".signals", ".streams")),
    }
    assert not foreign(loaded)
    assert not loaded & {"asyncio", "logging", "ssl", "email", "http", "urllib.request", "subprocess"}


@pytest.fixture
def url() -> Iterator[str]:
    """A server that translates, on a loop of another thread."""
    server = Server(make_response(body=b'"Maakye"'))
    run_sync(server.__aenter__())
    yield server.url
    run_sync(server.__aexit__(None, None, None))


def test_a_first_call_imports_only_its_own_provider_and_the_packages_it_needs(url: str) -> None:
    client = f"from kellyapi import Khaya, run_sync\nrun_sync, khaya = run_sync, Khaya('a-key', base_url={url!r})"
    before = loaded_by(client)
    loaded = loaded_by(f"{client}\nassert run_sync(khaya.translate('a', 'en-tw')).text == 'Maakye'")
    ours = {name for name in loaded if name.startswith("kellyapi.")}
    assert ours <= before  # a later call imports nothing more of the package, because that would block the loop
    assert {name for name in ours if name.startswith("kellyapi.providers.")} == {"kellyapi.providers.khaya"}
    assert not {name.split(".")[1] for name in ours} & {"api", "cli", "client", "legacy", "sandbox", "testing"}
    assert foreign(loaded) - SPEED <= foreign(loaded_by("import aiohttp, attrs, cattrs"))
