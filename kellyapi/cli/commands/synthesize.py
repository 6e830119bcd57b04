"""`kellyapi synthesize`: turn texts into speech, and write it to audio files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..arguments import add_lines, add_words

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Awaitable

    from kellyapi import KellyAPI, Speech

    from ..output import Output

HELP = "Turn texts into speech"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")
EXAMPLES = (
    'kellyapi --sandbox synthesize "Good morning" -o morning.wav',
    "kellyapi --sandbox synthesize --lines texts.txt --language eng -o speech",
)
_FORMATS: dict[str, Literal["mp3", "ogg"]] = {".mp3": "mp3", ".ogg": "ogg", ".oga": "ogg", ".opus": "ogg"}
"""The format, by the ending of the output file. Every other ending gets the default, which is WAV."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the texts, their language, the voice and the format."""
    add_words(
        parser,
        "TEXT",
        "the text to speak, or - for standard input; several results have a file each",
    )
    parser.add_argument("--language", metavar="CODE", default="eng", help="language of the text (default: %(default)s)")
    parser.add_argument("--voice", metavar="NAME", help="one of the provider's voices")
    parser.add_argument("--format", choices=("wav", "mp3", "ogg"), help="by default chosen by the ending of FILE")
    add_lines(parser)


def run(arguments: Namespace, output: Output) -> int:
    """Write the audio to files, or that of one text to standard output with `-o -`."""
    from pathlib import Path

    from kellyapi import ConfigurationError

    from ..inputs import are_several
    from ..service_call import call_for_texts

    several = are_several(arguments.words, lines=arguments.lines)
    ending = "" if several else Path(arguments.output or "").suffix.lower()
    wanted = arguments.format or _FORMATS.get(ending)

    def synthesize(api: KellyAPI, text: str, format: Literal["wav", "mp3", "ogg"] | None) -> Awaitable[Speech]:
        return api.synthesize(
            text, arguments.language, voice=arguments.voice, format=format, provider=arguments.provider
        )

    async def call(api: KellyAPI, text: str) -> Speech:
        try:
            return await synthesize(api, text, wanted)
        except (ValueError, ConfigurationError):  # raised before anything is sent
            if arguments.format or wanted is None:
                raise
            return await synthesize(api, text, None)  # by a provider that has no choice of formats

    return call_for_texts(arguments, output, arguments.words, "speech", call, media=True)
