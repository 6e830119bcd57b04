"""What the commands of services share: read standard input, call the service, and show or save the result."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from pathlib import Path

from kellyapi import PROVIDERS, Image, KellyAPI, Options, Speech, Timeout, save_file

from .arguments import utf8
from .formatting import ServiceResult, result_text
from .output import Output
from .output_files import STANDARD_STREAM, save_media


def check_provider(name: str, argument: str) -> None:
    """Refuse a name that no provider has."""
    if name not in PROVIDERS:
        raise ValueError(f"{argument} must be one of {', '.join(PROVIDERS)}, not {name!r}")


def call_service(
    arguments: Namespace,
    output: Output,
    call: Callable[[KellyAPI], Awaitable[ServiceResult]],
    *,
    media_name: str | None = None,
) -> None:
    """Call a service, and show or save its result.

    Args:
        arguments: The arguments of the command.
        output: The output of the command.
        call: Calls the service.
        media_name: The file name, without its ending, of a result that is audio or an image.
    """
    asyncio.run(_call(arguments, output, call, media_name))


async def _call(
    arguments: Namespace,
    output: Output,
    call: Callable[[KellyAPI], Awaitable[ServiceResult]],
    media_name: str | None,
) -> None:
    options = call_options(arguments)
    async with KellyAPI.sandbox(**options) if arguments.sandbox else KellyAPI(**options) as api:
        with output.spinner(arguments.command):
            result = await call(api)
    for warning in getattr(result, "warnings", ()):
        output.note(f"warning: {warning}")
    if isinstance(result, (Speech, Image)):
        if arguments.output == STANDARD_STREAM:
            sys.stdout.buffer.write(result.audio if isinstance(result, Speech) else result.data)
            return
        saved = await save_media(result, arguments, media_name or arguments.command)
        output.service_result(saved.result, saved.path, saved.warning)
    elif arguments.output in (None, STANDARD_STREAM):
        output.service_result(result, None)
    else:
        path = await save_file(arguments.output, f"{result_text(result)}\n".encode(errors="replace"))
        output.service_result(result, path)


def call_options(arguments: Namespace) -> Options:
    """Return the options of a client: `--timeout` replaces the default limits."""
    if arguments.timeout is None:
        return {}
    if not arguments.timeout:
        raise ValueError("--timeout must be more than 0 seconds")
    return {"timeout": Timeout(total=arguments.timeout)}


# Both functions are called before the event loop starts: inside the loop Ctrl-C would not end a read.


def read_text(text: str) -> str:
    """Return a text of the command line, or the text of standard input if it is `-`."""
    if text != STANDARD_STREAM:
        return utf8(text)
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("standard input is not UTF-8 text") from None


def read_file(name: str) -> bytes | Path:
    """Return the path of a file of the command line, or the bytes of standard input if it is `-`."""
    return sys.stdin.buffer.read() if name == STANDARD_STREAM else Path(name)
