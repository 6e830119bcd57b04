"""`kellyapi upscale`: enlarge images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import add_words

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Enlarge images"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")
EXAMPLES = (
    "kellyapi --sandbox upscale photo.png -o large.png",
    "kellyapi --sandbox upscale photo.png fox.png -o upscale",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the images."""
    add_words(
        parser,
        "IMAGE",
        "a PNG, JPEG or WebP file, or - for standard input; several results have a file each",
    )


def run(arguments: Namespace, output: Output) -> int:
    """Write the images to files, or that of one image to standard output with `-o -`."""
    from ..service_call import call_for_files

    return call_for_files(
        arguments,
        output,
        arguments.words,
        lambda api, image: api.upscale_image(image, provider=arguments.provider),
        result_name="upscaled",
        media=True,
    )
