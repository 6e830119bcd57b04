"""`kellyapi translate`: translate a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Translate a text"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the text and its languages."""
    parser.add_argument("text", metavar="TEXT", help="the text to translate, - for standard input")
    parser.add_argument("pair", metavar="PAIR", nargs="?", help="the languages, such as en-tw")
    parser.add_argument("--source", metavar="CODE", help="the first half of PAIR")
    parser.add_argument("--target", metavar="CODE", help="the second half of PAIR")


def run(arguments: Namespace, output: Output) -> None:
    """Print the translation, or write it to a file."""
    from ..output_files import check_output_file
    from ..service_call import call_service, read_text

    if not (arguments.pair or arguments.source or arguments.target):
        raise ValueError("translate needs the languages too: a PAIR such as en-tw, or --source and --target")
    check_output_file(arguments)
    text = read_text(arguments.text)
    call_service(
        arguments,
        output,
        lambda api: api.translate(
            text, arguments.pair, source=arguments.source, target=arguments.target, provider=arguments.provider
        ),
    )
