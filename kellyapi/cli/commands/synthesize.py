"""`kellyapi synthesize`: turn a text into speech, and write it to an audio file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Awaitable

    from kellyapi import KellyAPI, Speech

    from ..output import Output

HELP = "Turn a text into speech"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")

_FORMATS: dict[str, Literal["mp3", "ogg"]] = {".mp3": "mp3", ".ogg": "ogg", ".oga": "ogg", ".opus": "ogg"}
"""The format, by the ending of the output file. Every other ending gets the default, which is WAV."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the text, its language, the voice and the format."""
    parser.add_argument("text", metavar="TEXT", help="the text to speak, - for standard input")
    parser.add_argument("--language", metavar="CODE", default="eng", help="language of the text (%(default)s)")
    parser.add_argument("--voice", metavar="NAME", help="one of the provider's voices")
    parser.add_argument("--format", choices=("wav", "mp3", "ogg"), help="by default the ending of FILE")


def run(arguments: Namespace, output: Output) -> None:
    """Write the audio to a file, or to standard output with `-o -`."""
    from pathlib import Path

    from kellyapi import ConfigurationError

    from ..output_files import check_output_file
    from ..service_call import call_service, read_text

    check_output_file(arguments, media=True)
    text = read_text(arguments.text)
    wanted = arguments.format or _FORMATS.get(Path(arguments.output or "").suffix.lower())

    def synthesize(api: KellyAPI, format: Literal["wav", "mp3", "ogg"] | None) -> Awaitable[Speech]:
        return api.synthesize(
            text, arguments.language, voice=arguments.voice, format=format, provider=arguments.provider
        )

    async def call(api: KellyAPI) -> Speech:
        try:
            return await synthesize(api, wanted)
        except (ValueError, ConfigurationError):  # raised before anything is sent
            if arguments.format or wanted is None:
                raise
            return await synthesize(api, None)  # by a provider that has no choice of formats

    call_service(arguments, output, call, media_name="speech")
