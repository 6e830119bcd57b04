"""`kellyapi demo`: all that the sandbox can do, into a folder. Its steps are in `demo_steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from pathlib import Path

    from ..demo_steps import FinishedStep
    from ..output import Output

HELP = "Speak, listen, translate, draw and write into a folder, without a key or a network"
OPTIONS = ("json", "output", "sandbox")


def add_arguments(parser: ArgumentParser) -> None:
    """Add nothing: the folder is the common option `--output`."""


def run(arguments: Namespace, output: Output) -> None:
    """Do the steps of the demo, and show them as a table."""
    import asyncio
    from pathlib import Path

    folder = Path(arguments.output or "kellyapi-demo")
    folder.mkdir(exist_ok=True)
    asyncio.run(_run_steps(folder, output))


async def _run_steps(folder: Path, output: Output) -> None:
    import time

    from kellyapi import KellyAPI

    from ..demo_steps import STEPS

    finished: list[FinishedStep] = []
    started = time.perf_counter()
    try:
        async with KellyAPI.sandbox() as api:
            for step in STEPS:
                with output.spinner(step.name):
                    finished.append(await step.run(api, folder))
    finally:  # a step that fails keeps the files of the steps before it
        if finished:
            output.demo_finished(folder, finished, time.perf_counter() - started)
