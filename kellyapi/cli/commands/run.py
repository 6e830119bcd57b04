"""`kellyapi run`: create a prediction, wait for it, and download its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arguments import add_interval, model_input, named_value

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Awaitable

    from kellyapi import Prediction, Skytells

    from ..output import Output

HELP = "Create a prediction, wait for its end, and download its outputs"
OPTIONS = ("json", "output", "force", "timeout", "sandbox")
EXAMPLES = (
    'kellyapi --sandbox run gpt-5 -i prompt="Name a river"',
    "kellyapi --sandbox run truefusion-pro -i prompt=snow -f image=photo.png -o out",
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
    parser.add_argument(
        "-f",
        "--file",
        metavar="NAME=FILE",
        action="append",
        default=[],
        type=named_value,
        help="an input of the model that is a file, - for standard input, may be repeated",
    )
    add_interval(parser)


def run(arguments: Namespace, output: Output) -> None:
    """Create the prediction, show its progress, and print its outputs or the paths of the files."""
    from collections import Counter

    from ..inputs import check_one_standard_input, read_file
    from ..output_files import check_output_folder
    from ..prediction_progress import watch_prediction

    check_output_folder(arguments)
    twice = [name for name, times in Counter(name for name, _ in arguments.input + arguments.file).items() if times > 1]
    if twice:
        raise ValueError(f"input {', '.join(twice)} is given more than once")

    check_one_standard_input([name for _, name in arguments.file])
    input = dict(arguments.input) | {name: read_file(file) for name, file in arguments.file}

    def wait(skytells: Skytells, **options: Any) -> Awaitable[Prediction]:
        return skytells.run(arguments.model, input, **options)

    watch_prediction(arguments, output, arguments.model, wait)
