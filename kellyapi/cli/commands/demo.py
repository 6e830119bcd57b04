"""`kellyapi demo`: show what the sandbox can do, and write the results into a folder. `demo_steps` has the steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from pathlib import Path

    from ..demo_steps import FinishedStep
    from ..output import Output

HELP = "Show what the library can do, without a key or a network"
OPTIONS = ("json", "output", "force", "sandbox")
EXAMPLES = (
    "kellyapi demo",
    "kellyapi demo -o results --json",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add no arguments: the folder is the common option `--output`."""


def run(arguments: Namespace, output: Output) -> None:
    """Run the steps of the demo, and show them as a table."""
    import asyncio
    from pathlib import Path

    from ..output_files import check_output_folder

    check_output_folder(arguments)
    folder = Path(arguments.output or "kellyapi-demo")
    folder.mkdir(exist_ok=True)
    if arguments.output and not arguments.force:  # the folder of the demo's own name is its own
        _check_files(folder)
    asyncio.run(_run_steps(folder, output))


def _check_files(folder: Path) -> None:
    """Raise an error if a step would overwrite a file."""
    import errno

    from ..demo_steps import STEPS

    for step in STEPS:
        if (folder / step.file).exists():
            raise FileExistsError(errno.EEXIST, "exists already; --force overwrites it", str(folder / step.file))


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
    finally:  # if a step fails, the steps before it are still shown
        if finished:
            output.demo_finished(folder, finished, time.perf_counter() - started)
