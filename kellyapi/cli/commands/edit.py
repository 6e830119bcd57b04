"""`kellyapi edit`: generate an image from another image and a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import add_picture

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Generate an image from another image and a prompt"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")
EXAMPLES = (
    "kellyapi --sandbox edit photo.png Winter --width 512 --height 512 -o snow.png",
    'kellyapi --sandbox edit - "In snow" --width 256 --height 256 < photo.png',
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the image, the prompt and the size."""
    parser.add_argument("image", metavar="IMAGE", help="PNG, JPEG or WebP, or - for standard input")
    parser.add_argument("text", metavar="PROMPT", help="what the new image should show, or - for standard input")
    add_picture(parser)


def run(arguments: Namespace, output: Output) -> None:
    """Write the image to a file, or to standard output with `-o -`."""
    from ..inputs import check_one_standard_input, read_file, read_text
    from ..output_files import check_output_file
    from ..service_call import call_service

    check_output_file(arguments, media=True)
    check_one_standard_input([arguments.image, arguments.text])
    image, prompt = read_file(arguments.image), read_text(arguments.text)
    call_service(
        arguments,
        output,
        lambda api: api.edit_image(
            image,
            prompt,
            negative_prompt=arguments.negative_prompt,
            width=arguments.width,
            height=arguments.height,
            provider=arguments.provider,
        ),
        media_name="edited",
    )
