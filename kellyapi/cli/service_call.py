"""What the commands of services share: read standard input, call the service, and show or save the result."""

from __future__ import annotations

import asyncio
import errno
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from pathlib import Path

from kellyapi import Image, KellyAPI, Speech

from .formatting import ServiceResult, result_text
from .output import Output

STANDARD_STREAM = "-"
"""In place of a text or a file, this means standard input or standard output."""
_ENDINGS = {"mpeg": "mp3", "jpeg": "jpg"}


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
    async with KellyAPI.sandbox() if arguments.sandbox else KellyAPI() as api:
        with output.spinner(arguments.command):
            result = await call(api)
    if isinstance(result, (Speech, Image)):
        if arguments.output == STANDARD_STREAM or not (arguments.output or arguments.json or sys.stdout.isatty()):
            sys.stdout.buffer.write(result.audio if isinstance(result, Speech) else result.data)
            return
        kind = result.mime.rpartition("/")[2]
        path = await result.save(arguments.output or f"{media_name}.{_ENDINGS.get(kind, kind)}")
        output.service_result(result, path)
    elif arguments.output in (None, STANDARD_STREAM):
        output.service_result(result, None)
    else:
        path = Path(arguments.output)
        path.write_bytes(f"{result_text(result)}\n".encode())
        output.service_result(result, path)


def check_output_file(arguments: Namespace, *, media: bool = False) -> None:
    """Raise an error if the output file cannot be written, before the result is paid for."""
    if arguments.output is None:
        return
    if arguments.output == STANDARD_STREAM:
        if arguments.json and media:
            raise ValueError("--json and -o - cannot share standard output")
        return
    path = Path(arguments.output)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", arguments.output)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))


# Both functions are called before the event loop starts: inside the loop Ctrl-C would not end a read.


def read_text(text: str) -> str:
    """Return a text of the command line, or the text of standard input if it is `-`."""
    if text != STANDARD_STREAM:
        return text
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("standard input is not UTF-8 text") from None


def read_file(name: str) -> bytes | Path:
    """Return the path of a file of the command line, or the bytes of standard input if it is `-`."""
    return sys.stdin.buffer.read() if name == STANDARD_STREAM else Path(name)
