"""`kellyapi notes`: write a text as handwriting, and save the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Write a text as handwriting on paper, with Kelly AI"
OPTIONS = ("json", "output", "force", "timeout", "sandbox")
EXAMPLES = (
    'kellyapi --sandbox notes "Buy plantain and tomatoes" -o list.png',
    "kellyapi --sandbox notes - < texts.txt",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the text."""
    parser.add_argument("text", metavar="TEXT", help="the text to write, or - for standard input")


def run(arguments: Namespace, output: Output) -> None:
    """Write the image to a file, or to standard output with `-o -`."""
    from ..inputs import read_text
    from ..output_files import check_output_file
    from ..service_call import call_service

    check_output_file(arguments, media=True)
    text = read_text(arguments.text)
    call_service(arguments, output, lambda api: api.kelly.write_notes(text), media_name="notes")
