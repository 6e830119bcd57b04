"""What the commands of services share: call the service for one input or for several, and show or save the results."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import TypeVar

from kellyapi import (
    PROVIDERS,
    Image,
    KellyAPI,
    KellyAPIError,
    Options,
    Speech,
    Timeout,
    run_many,
    save_file,
)

from .formatting import ServiceResult, clip, result_text, shell_remedy
from .inputs import Input, Inputs, are_several, read_files, read_texts
from .output import NoProgress, Output, UploadDisplay
from .output_files import STANDARD_STREAM, ResultFolder, check_output, save_media, save_paid

T = TypeVar("T")


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


def call_for_texts(
    arguments: Namespace,
    output: Output,
    words: Sequence[str],
    result_name: str,
    call: Callable[[KellyAPI, str], Awaitable[ServiceResult]],
    *,
    media: bool = False,
) -> int:
    """Call a service for each text of the command line; see `call_for_each`. `media` says that it returns files."""
    check_output(arguments, media=media, several=are_several(words, lines=arguments.lines))
    return call_for_each(arguments, output, read_texts(words, result_name, lines=arguments.lines), call)


def call_for_files(
    arguments: Namespace,
    output: Output,
    words: Sequence[str],
    call: Callable[[KellyAPI, bytes | Path], Awaitable[ServiceResult]],
    *,
    result_name: str = "",
    media: bool = False,
) -> int:
    """Call a service for each file of the command line; see `call_for_each`. `media` says that it returns files."""
    check_output(arguments, media=media, several=are_several(words))
    return call_for_each(arguments, output, read_files(words, result_name), call)


def call_for_each(
    arguments: Namespace,
    output: Output,
    inputs: Inputs[T],
    call: Callable[[KellyAPI, T], Awaitable[ServiceResult]],
) -> int:
    """Call a service for each input, and show or save the results in the order of the inputs.

    If several inputs were given, one that fails is reported, and the others continue.

    Returns:
        The exit code: 1 if an input failed.
    """
    if inputs.several:
        return asyncio.run(_call_for_each(arguments, output, inputs, call))
    (one,) = inputs.items
    call_service(arguments, output, lambda api: call(api, one.value), media_name=one.result_name)
    return 0


async def _call(
    arguments: Namespace,
    output: Output,
    call: Callable[[KellyAPI], Awaitable[ServiceResult]],
    media_name: str | None,
) -> None:
    async with open_api(arguments) as api:
        with output.spinner(arguments.command) as display:
            result = await call(api.with_options(on_upload=display.show_upload))
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
        path = await save_paid(lambda place: save_file(place, _text_file(result)), Path(arguments.output))
        output.service_result(result, path)


async def _call_for_each(
    arguments: Namespace,
    output: Output,
    inputs: Inputs[T],
    call: Callable[[KellyAPI, T], Awaitable[ServiceResult]],
) -> int:
    failed = False
    folder, uploads = ResultFolder(arguments), _Uploads()

    async def attempt(one: Input[T]) -> ServiceResult | OSError | ValueError:
        try:
            return await call(api.with_options(on_upload=uploads.count()), one.value)
        except (OSError, ValueError) as error:  # such as a missing file, which does not end the run
            return error

    async with open_api(arguments) as api:
        many = run_many(attempt, inputs.items)
        async with aclosing(aiter(many)) as outcomes:
            for place, one in enumerate(inputs.items):
                try:
                    with output.spinner(f"{arguments.command} {place + 1} of {len(inputs.items)}") as uploads.display:
                        outcome = await anext(outcomes)
                except (Exception, asyncio.CancelledError):  # whatever ends the run, what has arrived is paid for
                    for later, arrived in zip(inputs.items[place:], many.partial, strict=False):
                        if arrived is not None and not isinstance(arrived, Exception):
                            await _show_result(later, arrived, output, folder)
                    raise
                if isinstance(outcome, Exception):
                    failed = True
                    report_failure(output, one.name, outcome)
                else:
                    await _show_result(one, outcome, output, folder)
    return 1 if failed else 0


def report_failure(output: Output, name: str, error: Exception) -> None:
    """Show why one of several inputs has no result, and what to change on the command line."""
    if isinstance(error, KellyAPIError):
        error.remedy = shell_remedy(error)
    output.input_failed(name, error)


class _Uploads:
    """Add up the uploads of several calls for one display."""

    def __init__(self) -> None:
        self.display: UploadDisplay = NoProgress()
        self._sent = self._size = 0

    def count(self) -> Callable[[int, int | None], None]:
        """Return a function that counts one more upload."""
        before = 0, 0

        def show(sent: int, size: int | None) -> None:
            nonlocal before
            self._sent += sent - before[0]
            self._size += (size or 0) - before[1]
            before = sent, size or 0
            self.display.show_upload(self._sent, self._size or None)

        return show


async def _show_result(one: Input[T], result: ServiceResult, output: Output, folder: ResultFolder) -> None:
    """Print the result of one of several inputs, or save it in the folder."""
    for warning in getattr(result, "warnings", ()):
        output.note(f"warning: {clip(one.name)}: {warning}")
    path: Path | None = None
    if isinstance(result, (Speech, Image)):
        path = await save_paid(result.save, folder.find_path(one.result_name, result.mime))
    elif folder.keeps_text:
        path = folder.find_path(one.result_name, "text/plain")
        path = await save_paid(lambda place: save_file(place, _text_file(result)), path)
    output.input_result(one.name, result, path)


def open_api(arguments: Namespace) -> AbstractAsyncContextManager[KellyAPI]:
    """Return a client of the providers, or of a sandbox with `--sandbox`."""
    if arguments.provider is not None:
        check_provider(arguments.provider, "--provider")
    options = call_options(arguments)
    return KellyAPI.sandbox(**options) if arguments.sandbox else KellyAPI(**options)


def call_options(arguments: Namespace) -> Options:
    """Return the options of a client: `--timeout` replaces the default limits."""
    if arguments.timeout is None:
        return {}
    if not arguments.timeout:
        raise ValueError("--timeout must be more than 0 seconds")
    return {"timeout": Timeout(total=arguments.timeout)}


def _text_file(result: ServiceResult) -> bytes:
    return f"{result_text(result)}\n".encode(errors="replace")
