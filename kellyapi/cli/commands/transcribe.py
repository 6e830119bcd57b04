"""`kellyapi transcribe`: recognise the speech in audio files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import add_words

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Recognise the speech in audio files"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")
EXAMPLES = (
    "kellyapi --sandbox transcribe hello.wav --timestamps word",
    "kellyapi --sandbox transcribe hello.wav fox.wav --language eng -o texts",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the files, their language and the timestamps."""
    add_words(
        parser,
        "FILE",
        "WAV, MP3, FLAC or Ogg, or - for standard input; several results have a line each",
    )
    parser.add_argument("--language", metavar="CODE", default="eng", help="the spoken language (default: %(default)s)")
    parser.add_argument("--timestamps", choices=("word", "segment"), help="add the times of words or segments")


def run(arguments: Namespace, output: Output) -> int:
    """Print the transcripts, or write them to files."""
    from ..service_call import call_for_files

    return call_for_files(
        arguments,
        output,
        arguments.words,
        lambda api, audio: api.transcribe(
            audio, arguments.language, timestamps=arguments.timestamps, provider=arguments.provider
        ),
    )
