"""`kellyapi transcribe`: recognise the speech in an audio file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Recognise the speech in an audio file"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the file, its language and the timestamps."""
    parser.add_argument("file", metavar="FILE", help="WAV, MP3, FLAC or Ogg, - for standard input")
    parser.add_argument("--language", metavar="CODE", default="eng", help="the spoken language (%(default)s)")
    parser.add_argument("--timestamps", choices=("word", "segment"), help="add the times of words or segments")


def run(arguments: Namespace, output: Output) -> None:
    """Print the transcript, or write it to a file."""
    from ..output_files import check_output_file
    from ..service_call import call_service, read_file

    check_output_file(arguments)
    audio = read_file(arguments.file)
    call_service(
        arguments,
        output,
        lambda api: api.transcribe(
            audio, arguments.language, timestamps=arguments.timestamps, provider=arguments.provider
        ),
    )
