"""`kellyapi sandbox`: run the sandbox until Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..arguments import port

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Start a local server that responds like all four providers"
OPTIONS = ("json", "sandbox")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the address and the port to listen at."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (%(default)s)")
    parser.add_argument("--port", type=port, default=8787, help="port to listen at, 0 for a free one (%(default)s)")


def run(arguments: Namespace, output: Output) -> None:
    """Run the sandbox until SIGINT or SIGTERM."""
    import asyncio

    asyncio.run(_serve(arguments.host, arguments.port, output))


async def _serve(host: str, port: int, output: Output) -> None:
    import asyncio

    from kellyapi import Sandbox

    stopped = asyncio.Event()
    with _on_signals(stopped.set):
        async with Sandbox(port, host=host) as sandbox:
            output.sandbox_started(sandbox.url, sandbox.urls)
            await stopped.wait()


@contextmanager
def _on_signals(react: Callable[[], object]) -> Iterator[None]:
    """Call a function on SIGINT and SIGTERM. Windows has no `loop.add_signal_handler`."""
    import asyncio
    import signal

    loop = asyncio.get_running_loop()
    before = {
        number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(react))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
