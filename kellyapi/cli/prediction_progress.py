"""What `run`, `predictions` and `models` share: the client of Skytells, the progress display, downloads and Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import warnings
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar, Unpack

from attrs import evolve

from kellyapi import KellyAPI, KellyAPIError, Options, Prediction, Skytells

from .formatting import prediction_id, shell_remedy
from .output import Output, ProgressDisplay
from .service_call import call_options
from .signals import Terminated

T = TypeVar("T")

Wait = Callable[..., Awaitable[Prediction]]
"""A function that waits for a prediction. It is called with a client and the arguments of `predictions.wait`."""
_YES = ("y", "yes")
_PATIENCE = 900.0
"""Seconds to wait for a prediction by default."""


def open_skytells(arguments: Namespace, **options: Unpack[Options]) -> AbstractAsyncContextManager[Skytells]:
    """Return a client of Skytells, or of a sandbox with `--sandbox`."""

    @asynccontextmanager
    async def sandboxed() -> AsyncIterator[Skytells]:
        async with KellyAPI.sandbox(**options) as api:
            yield api.skytells

    return sandboxed() if arguments.sandbox else Skytells(**options)


def call_skytells(arguments: Namespace, output: Output, what: str, operation: Callable[[Skytells], Awaitable[T]]) -> T:
    """Return the result of one operation. `what` is the text of the display."""

    async def call() -> T:
        async with open_skytells(arguments, **call_options(arguments)) as skytells:
            with output.spinner(what) as display:
                return await operation(skytells.with_options(on_upload=display.show_upload))

    return asyncio.run(call())


def watch_prediction(arguments: Namespace, output: Output, what: str, wait: Wait, known: str | None = None) -> None:
    """Wait for a prediction, show its progress, and download its outputs.

    After Ctrl-C the prediction continues, unless the user wants to cancel it. SIGTERM asks nothing.

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
    except Terminated:
        output.interrupted(latest[-1] if latest else None, sandbox=arguments.sandbox, ask=None)
        raise
    except KeyboardInterrupt:
        _offer_to_cancel(arguments, output, latest[-1] if latest else None)
        raise


async def _watch(arguments: Namespace, output: Output, what: str, wait: Wait, latest: list[Prediction | str]) -> None:
    async with open_skytells(arguments) as skytells:
        with output.prediction_progress(what) as display:

            def show(state: Prediction) -> None:
                latest[:] = [state]
                display.show_state(state)

            skytells = skytells.with_options(on_upload=display.show_upload)
            patience = _PATIENCE if arguments.timeout is None else arguments.timeout
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "timeout=.* is in seconds")  # which --timeout SECONDS says
                last = await wait(skytells, on_progress=show, timeout=patience, interval=arguments.interval)
            paths = await save_outputs(skytells, last, arguments, display)
    if arguments.sandbox:
        last = _without_links(last)
        if not (paths or last.outputs):
            output.note("the outputs have ended with the sandbox: -o FOLDER keeps them")
    output.prediction(last, paths)


def _without_links(state: Prediction) -> Prediction:
    """Leave out the links to a sandbox that has ended. What is text stays."""
    texts = [each for each in state.outputs if not each.startswith(("http://", "https://"))]
    output = state.output if len(texts) == len(state.outputs) else texts
    metadata = evolve(state.metadata, storage=type(state.metadata.storage)())
    return evolve(state, output=output, urls={}, metadata=metadata)


async def save_outputs(
    skytells: Skytells, state: Prediction, arguments: Namespace, display: ProgressDisplay, folder: str | None = None
) -> tuple[Path, ...]:
    """Download the outputs of a prediction into `--output`, or into `folder` if there is one."""
    place = folder if arguments.output is None else arguments.output
    if place is None:
        return ()
    try:
        # With a last slash it is a folder, whatever its name ends in.
        return await skytells.predictions.download(
            state, f"{place}{os.sep}", overwrite=arguments.force, on_progress=display.show_bytes
        )
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
            error.remedy = shell_remedy(error)
            output.note(f"prediction {id} was not cancelled: {error}")
        else:
            output.note(f"prediction {id} is cancelled")


def _read_yes() -> bool:
    return sys.stdin.readline().strip().lower() in _YES


async def _cancel(id: str) -> None:
    async with Skytells() as skytells:
        await skytells.predictions.cancel(id)
