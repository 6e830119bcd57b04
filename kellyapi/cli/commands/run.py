"""`kellyapi run`: create a prediction, wait for it, and download its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arguments import add_interval, model_input

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Awaitable

    from kellyapi import Prediction, Skytells

    from ..output import Output

HELP = "Create a prediction, wait for its end, and download its outputs"
OPTIONS = ("json", "output", "force", "timeout", "sandbox")
EXAMPLES = (
    'kellyapi --sandbox run truefusion-pro -i prompt="a hare" -o outputs',
    'kellyapi --sandbox run gpt-5 -i prompt="Name a river" --interval 0.1',
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the model, its inputs, and how often to poll."""
    parser.add_argument("model", metavar="MODEL", help="see kellyapi models list")
    parser.add_argument(
        "-i",
        "--input",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=model_input,
        help="an input of the model, may be repeated; VALUE is JSON if it can be parsed as JSON, otherwise text",
    )
    add_interval(parser)


def run(arguments: Namespace, output: Output) -> None:
    """Create the prediction, show its progress, and print its outputs or the paths of the files."""
    from collections import Counter

    from ..output_files import check_output_folder
    from ..prediction_progress import watch_prediction

    check_output_folder(arguments)
    input = dict(arguments.input)
    if len(input) < len(arguments.input):
        twice = [name for name, times in Counter(name for name, _ in arguments.input).items() if times > 1]
        raise ValueError(f"input {', '.join(twice)} is given more than once")

    def wait(skytells: Skytells, **options: Any) -> Awaitable[Prediction]:
        return skytells.run(arguments.model, input, **options)

    watch_prediction(arguments, output, arguments.model, wait)
