"""`kellyapi describe`: describe images, or answer a question about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import add_words

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Describe images, or answer a question about them"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")
EXAMPLES = (
    'kellyapi --sandbox describe photo.png "What is in this picture?"',
    'kellyapi --sandbox describe photo.png fox.png "Describe the colours" --json',
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the images and the prompt."""
    add_words(
        parser,
        "IMAGE",
        "a PNG, JPEG or WebP file, or - for standard input; several results have a line each",
    )
    parser.add_argument("last", metavar="PROMPT", help="the question, or - for standard input")


def run(arguments: Namespace, output: Output) -> int:
    """Print the descriptions, or write them to files."""
    import os

    from ..inputs import check_one_standard_input, read_text
    from ..service_call import call_for_files

    *images, last = arguments.words
    check_one_standard_input(arguments.words)
    if os.path.isfile(last):  # noqa: PTH113  it may be a text that is too long for a path
        raise ValueError(f"describe needs a PROMPT after the images, not the file {last}")
    prompt = read_text(last)
    return call_for_files(
        arguments,
        output,
        images,
        lambda api, image: api.describe_image(image, prompt, provider=arguments.provider),
    )
