"""`kellyapi synthesize`: turn a text into speech, and write it to an audio file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Turn a text into speech"
OPTIONS = ("json", "output", "provider", "sandbox")

_FORMATS: dict[str, Literal["mp3", "ogg"]] = {".mp3": "mp3", ".ogg": "ogg"}
"""The format, by the ending of the output file. Every other ending gets the default, which is WAV."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the text, its language, the voice and the format."""
    parser.add_argument("text", metavar="TEXT", help="the text to speak, - for standard input")
    parser.add_argument("--language", metavar="CODE", default="eng", help="language of the text (%(default)s)")
    parser.add_argument("--voice", metavar="NAME", help="one of the provider's voices")
    parser.add_argument("--format", choices=("wav", "mp3", "ogg"), help="by default the ending of FILE")


def run(arguments: Namespace, output: Output) -> None:
    """Write the audio to a file, or into a pipe."""
    from pathlib import Path

    from ..service_call import call_service, check_output_file, read_text

    check_output_file(arguments, media=True)
    text = read_text(arguments.text)
    ending = Path(arguments.output or "").suffix.lower()
    call_service(
        arguments,
        output,
        lambda api: api.synthesize(
            text,
            arguments.language,
            voice=arguments.voice,
            format=arguments.format or _FORMATS.get(ending),
            provider=arguments.provider,
        ),
        media_name="speech",
    )
