"""What `run`, `predictions` and `models` share: the client of Skytells, the progress display, downloads and Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from kellyapi import KellyAPI, KellyAPIError, Prediction, Skytells

from .formatting import prediction_id
from .output import Output, ProgressDisplay

Wait = Callable[..., Awaitable[Prediction]]
"""A function that waits for a prediction. It is called with a client and the arguments of `predictions.wait`."""
_YES = ("y", "yes")


def open_skytells(arguments: Namespace) -> AbstractAsyncContextManager[Skytells]:
    """Return a client of Skytells, or of a sandbox with `--sandbox`."""

    @asynccontextmanager
    async def sandboxed() -> AsyncIterator[Skytells]:
        async with KellyAPI.sandbox() as api:
            yield api.skytells

    return sandboxed() if arguments.sandbox else Skytells()


def check_output_folder(arguments: Namespace) -> None:
    """Raise an error if the output folder cannot be used, before the prediction is paid for.

    A folder that is missing is created later.
    """
    if arguments.output is None:
        return
    folder = Path(arguments.output)
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not existing.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file, not a folder", str(existing))
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "is a folder that you may not write to", str(existing))


def watch_prediction(arguments: Namespace, output: Output, what: str, wait: Wait, known: str | None = None) -> None:
    """Wait for a prediction, show its progress, and download its outputs.

    After Ctrl-C the prediction continues, unless the user wants to cancel it.

    Args:
        arguments: The arguments of the command.
        output: The output of the command.
        what: The text of the progress display until there is a first state.
        wait: Waits for the prediction.
        known: The id of the prediction, if it exists already.
    """
    latest: list[Prediction | str] = [] if known is None else [known]
    try:
        asyncio.run(_watch(arguments, output, what, wait, latest))
    except KeyboardInterrupt:
        _offer_to_cancel(arguments, output, latest[-1] if latest else None)
        raise


async def _watch(arguments: Namespace, output: Output, what: str, wait: Wait, latest: list[Prediction | str]) -> None:
    async with open_skytells(arguments) as skytells:
        with output.prediction_progress(what) as display:

            def show(state: Prediction) -> None:
                latest[:] = [state]
                display.show_state(state)

            pace: dict[str, Any] = {"timeout": arguments.timeout, "interval": arguments.interval}
            last = await wait(skytells, on_progress=show, **pace)
            paths = await save_outputs(skytells, last, arguments.output, display)
        output.prediction(last, paths)


async def save_outputs(
    skytells: Skytells, state: Prediction, folder: str | None, display: ProgressDisplay
) -> tuple[Path, ...]:
    """Download the outputs of a prediction into a folder, if one is given."""
    if folder is None:
        return ()
    try:
        return await skytells.predictions.download(state, folder, on_progress=display.show_bytes)
    except OSError as error:
        error.prediction = state  # type: ignore[attr-defined]  # as all errors of the library have it, since the prediction was paid for
        raise


def _offer_to_cancel(arguments: Namespace, output: Output, prediction: Prediction | str | None) -> None:
    # A second Ctrl-C ends the program at once: Python would not notice one that comes just before it reads.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        cancel = output.interrupted(prediction, sandbox=arguments.sandbox, ask=_read_yes)
    finally:
        signal.signal(signal.SIGINT, before)
    if cancel and prediction is not None:
        id = prediction_id(prediction)
        try:
            asyncio.run(_cancel(id))
        except KellyAPIError as error:
            output.note(f"prediction {id} was not cancelled: {error}")
        else:
            output.note(f"prediction {id} is cancelled")


def _read_yes() -> bool:
    return sys.stdin.readline().strip().lower() in _YES


async def _cancel(id: str) -> None:
    async with Skytells() as skytells:
        await skytells.predictions.cancel(id)
