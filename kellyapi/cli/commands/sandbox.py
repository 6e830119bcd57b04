"""`kellyapi sandbox`: run the sandbox until Ctrl-C."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from ..arguments import port

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kellyapi import Sandbox

    from ..output import Output

HELP = "Start a local server that responds like all four providers"
OPTIONS = ("json", "sandbox")
EXAMPLES = (
    "kellyapi sandbox",
    "kellyapi sandbox --port 0 --json",
)
_M_MMAP_THRESHOLD, _LARGE_BLOCK = -3, 512 * 2**10  # malloc.h of glibc; asyncio reads with blocks of 256 KiB
_PORT_ADVICE = {
    errno.EADDRINUSE: "is in use: choose another with --port, or a free one with --port 0",
    errno.EACCES: "is only for the administrator: choose one above 1023 with --port, or a free one with --port 0",
}


def add_arguments(parser: ArgumentParser) -> None:
    """Add the address and the port to listen at, the hosts, and `--quiet`."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument(
        "--port", type=port, default=8787, help="port to listen at, 0 for a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST",
        help="a name or address by which other machines call the sandbox; needed for a --host that they can reach",
    )
    parser.add_argument(
        "--webhook-host",
        action="append",
        default=[],
        metavar="HOST",
        help="another machine whose webhooks are called; by default only those on this machine are",
    )
    parser.add_argument(
        "--hear",
        choices=("english", "marked"),
        default="english",
        help="whether speech in other languages is refused, or marked with its times (default: %(default)s)",
    )
    parser.add_argument(
        "--record",
        metavar="FOLDER",
        help="pass requests on to --upstream, whose calls are billed, and record them without keys",
    )
    parser.add_argument(
        "--upstream",
        metavar="PROVIDER",
        help="the provider for --record: khaya, kelly, skytells or aerostack; its key comes from the environment",
    )
    parser.add_argument("--replay", metavar="FOLDER", help="respond with the recordings in this folder")
    parser.add_argument("--quiet", action="store_true", help="log no requests on standard error; --json implies it")


def run(arguments: Namespace, output: Output) -> None:
    """Run the sandbox until SIGINT or SIGTERM."""
    import asyncio

    from kellyapi import Sandbox

    _return_large_blocks()
    sandbox = Sandbox(
        arguments.port,
        host=arguments.host,
        allow_hosts=arguments.allow_host,
        webhook_hosts=arguments.webhook_host,
        hear=arguments.hear,
        record=arguments.record,
        upstream=arguments.upstream,
        replay=arguments.replay,
    )
    with nullcontext() if arguments.quiet or arguments.json else _request_log():
        asyncio.run(_serve(sandbox, output, arguments.upstream))


def _return_large_blocks() -> None:
    """Let glibc return every large block to the system when it is freed.

    After the first large block that is freed, glibc takes up to 32 MiB from its heaps instead, one heap for each
    thread. Large bodies of requests then leave holes there: after 2,000 hostile requests, a third of them large, the
    process had 179 MB, 106 of them free; with this it had 75 MB. A body of 3 MB takes 20 ms more.

    Source: https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    import ctypes
    import sys

    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


async def _serve(sandbox: Sandbox, output: Output, upstream: str | None) -> None:
    import asyncio

    stopped = asyncio.Event()
    with _on_signals(stopped.set):
        await _start(sandbox)
        try:
            urls = {name: url for name, url in sandbox.urls.items() if upstream in (None, name)}
            output.sandbox_started(sandbox.url, urls)
            await stopped.wait()
        finally:
            await sandbox.close()


async def _start(sandbox: Sandbox) -> None:
    """Start a sandbox. If it cannot have its port, the error says what to do."""
    try:
        await sandbox.start()
    except OSError as error:
        if advice := _PORT_ADVICE.get(error.errno or 0):
            raise OSError(error.errno, f"port {sandbox.port} {advice}") from None
        raise


@contextmanager
def _request_log() -> Iterator[None]:
    """Show the log of the sandbox on standard error."""
    import logging
    import sys

    logger, handler = logging.getLogger("kellyapi.sandbox"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


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
