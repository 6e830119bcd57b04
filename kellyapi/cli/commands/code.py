"""`kellyapi code`: render source code as an image with syntax highlighting."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Render source code as an image, with Kelly AI"
OPTIONS = ("json", "output", "force", "timeout", "sandbox")
EXAMPLES = ("kellyapi --sandbox code hello.py -o hello.png", "kellyapi --sandbox code - < hello.py")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the file."""
    parser.add_argument("file", metavar="FILE", help="the source code, or - for standard input")


def run(arguments: Namespace, output: Output) -> None:
    """Write the image to a file, or to standard output with `-o -`."""
    from ..inputs import read_text_file
    from ..output_files import check_output_file
    from ..service_call import call_service

    check_output_file(arguments, media=True)
    code = read_text_file(arguments.file)
    call_service(arguments, output, lambda api: api.kelly.render_code(code), media_name="code")
