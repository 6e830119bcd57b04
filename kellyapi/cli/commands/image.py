"""`kellyapi image`: generate an image, and write it to a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import add_picture

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Generate an image"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")
EXAMPLES = (
    'kellyapi --sandbox image "A red fox" --width 512 --height 256 -o snow.png',
    'kellyapi --sandbox image "A grey wolf" --width 256 --height 256 --json',
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the prompt, the model and the size."""
    parser.add_argument("text", metavar="PROMPT", help="what the image should show, or - for standard input")
    parser.add_argument("--model", metavar="NAME", help="one of the provider's models")
    add_picture(parser)


def run(arguments: Namespace, output: Output) -> None:
    """Write the image to a file, or to standard output with `-o -`."""
    from ..inputs import read_text
    from ..output_files import check_output_file
    from ..service_call import call_service

    check_output_file(arguments, media=True)
    prompt = read_text(arguments.text)
    call_service(
        arguments,
        output,
        lambda api: api.generate_image(
            prompt,
            negative_prompt=arguments.negative_prompt,
            model=arguments.model,
            width=arguments.width,
            height=arguments.height,
            provider=arguments.provider,
        ),
        media_name="image",
    )
