"""`kellyapi run`: create a prediction, wait for it, and download its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arguments import add_interval, add_model_inputs

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Awaitable

    from kellyapi import Prediction, Skytells

    from ..output import Output

HELP = "Create a prediction, wait for its end, and download its outputs"
OPTIONS = ("json", "output", "force", "timeout", "sandbox")
EXAMPLES = (
    'kellyapi --sandbox run gpt-5 -i prompt="Name a river"',
    "kellyapi --sandbox run truefusion -i prompt=snow -i image=@photo.png -o out",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the model, its inputs, and how often to poll."""
    add_model_inputs(parser)
    add_interval(parser)


def run(arguments: Namespace, output: Output) -> None:
    """Create the prediction, show its progress, and print its outputs or the paths of the files."""
    from ..inputs import read_model_inputs
    from ..output_files import check_output_folder
    from ..prediction_progress import watch_prediction

    check_output_folder(arguments)
    input = read_model_inputs(arguments)

    def wait(skytells: Skytells, **options: Any) -> Awaitable[Prediction]:
        return skytells.run(arguments.model, input, **options)

    watch_prediction(arguments, output, arguments.model, wait)
