"""`kellyapi translate`: translate texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..arguments import add_lines, add_words

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Translate texts"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")
EXAMPLES = (
    'kellyapi --sandbox translate "Good morning" en-tw',
    'kellyapi --sandbox translate Hello "Thank you" --source en --target ee',
    "kellyapi --sandbox translate --lines texts.txt en-tw --json",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the texts and their languages."""
    add_words(parser, "TEXT", "the text to translate, or - for standard input; several results have a line each")
    parser.add_argument("last", metavar="PAIR", nargs="?", help="the languages, such as en-tw")
    parser.add_argument("--source", metavar="CODE", help="the first half of PAIR")
    parser.add_argument("--target", metavar="CODE", help="the second half of PAIR")
    parser.add_argument(
        "--via", metavar="CODE", help="a language to translate through, such as en, if no provider has the pair"
    )
    add_lines(parser)


def run(arguments: Namespace, output: Output) -> int:
    """Print the translations, or write them to files."""
    from ..service_call import call_for_texts

    words, pair = _split_words(arguments)
    return call_for_texts(
        arguments,
        output,
        words,
        "translation",
        lambda api, text: api.translate(
            text,
            pair,
            source=arguments.source,
            target=arguments.target,
            via=arguments.via,
            provider=arguments.provider,
        ),
    )


def _split_words(arguments: Namespace) -> tuple[list[str], str | None]:
    """Return the texts and the pair, which is the last word unless the languages are options."""
    *texts, last = arguments.words
    if arguments.source or arguments.target:
        if texts and re.fullmatch(r"[a-z]{2,3}-[a-z]{2,3}", last):
            raise ValueError("the languages are either a PAIR, or --source and --target")
        return arguments.words, None
    if not texts:
        raise ValueError("translate needs the languages too: a PAIR such as en-tw, or --source and --target")
    if len(texts) > 1 and not re.fullmatch(r"\w+-\w+", last):
        raise ValueError(f"the last word must be the languages, such as en-tw, not {last!r}")
    return texts, last
