"""`kellyapi embed`: turn texts into vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import add_words

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Turn texts into vectors"
OPTIONS = ("json", "output", "force", "timeout", "sandbox")
EXAMPLES = (
    'kellyapi --sandbox embed "a red fox" "a grey wolf"',
    "kellyapi --sandbox embed --lines texts.txt -o vectors.tsv --json",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the texts and the model."""
    add_words(parser, "TEXT", "a text, - for standard input; each vector is a line of numbers with tabs between them")
    parser.add_argument(
        "--model", metavar="NAME", default="text-embedding-3-small", help="one of the provider's models (%(default)s)"
    )
    parser.add_argument(
        "--lines", action="store_true", help="each TEXT is a file, - for standard input, whose lines are the texts"
    )


def run(arguments: Namespace, output: Output) -> None:
    """Print the vectors in the order of the texts, or write them to a file."""
    import asyncio

    from ..inputs import read_texts
    from ..output_files import check_output_file

    check_output_file(arguments)
    texts = [one.value for one in read_texts(arguments.words, "", lines=arguments.lines).items]
    asyncio.run(_embed(arguments, output, texts))


async def _embed(arguments: Namespace, output: Output, texts: list[str]) -> None:
    from kellyapi import save_file

    from ..formatting import vector_line
    from ..output_files import STANDARD_STREAM
    from ..service_call import open_api

    async with open_api(arguments) as api:
        with output.spinner("embed"):
            found = await api.skytells.embeddings.create(arguments.model, texts)
    path = None
    if arguments.output not in (None, STANDARD_STREAM):
        lines = "".join(f"{vector_line(vector)}\n" for vector in found.vectors)
        path = await save_file(arguments.output, lines.encode())
    output.vectors(texts, found, path)
