"""`kellyapi embed`: turn texts into vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import add_lines, add_words

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..inputs import Inputs
    from ..output import Output

HELP = "Turn texts into vectors"
OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")
EXAMPLES = (
    'kellyapi --sandbox embed "a red fox" "a grey wolf"',
    "kellyapi --sandbox embed --lines texts.txt --dimensions 64 -o vectors.npy",
)
_BATCH = 64
"""Texts in one request: their vectors are 2 MB of JSON."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the texts and the model."""
    add_words(parser, "TEXT", "a text, or - for standard input; each vector is printed as a line, a JSON array")
    parser.add_argument("--model", metavar="NAME", help="one of the provider's models")
    parser.add_argument("--dimensions", type=int, metavar="NUMBER", help="the length of each vector")
    add_lines(parser)
    parser.epilog = (
        "With -o, all vectors go to FILE: in the format of NumPy if it ends with .npy, otherwise a line for each text."
        f"\n\n{parser.epilog}"
    )


def run(arguments: Namespace, output: Output) -> int:
    """Print the vectors in the order of the texts, or write them to one file."""
    import asyncio

    from ..inputs import read_texts
    from ..output_files import check_output_file

    check_output_file(arguments)
    return asyncio.run(_embed(arguments, output, read_texts(arguments.words, "", lines=arguments.lines)))


async def _embed(arguments: Namespace, output: Output, inputs: Inputs[str]) -> int:
    from contextlib import aclosing
    from pathlib import Path

    from kellyapi import Embeddings, KellyAPIError, run_many

    from ..output_files import STANDARD_STREAM, save_paid
    from ..service_call import open_api, report_failure

    texts = [one.value for one in inputs.items]
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    to_file = arguments.output not in (None, STANDARD_STREAM)
    received: list[Embeddings] = []
    failed = False
    async with open_api(arguments) as api:

        async def embed(batch: list[str]) -> Embeddings:
            return await api.embed(
                batch, model=arguments.model, dimensions=arguments.dimensions, provider=arguments.provider
            )

        async with aclosing(aiter(run_many(embed, batches))) as outcomes:
            for batch in batches:
                with output.spinner("embed"):
                    outcome = await anext(outcomes)
                if isinstance(outcome, KellyAPIError):
                    if not inputs.several:
                        raise outcome
                    failed = True
                    for text in batch:
                        report_failure(output, text, outcome)
                elif to_file:
                    received.append(outcome)
                else:
                    output.vectors(batch, outcome)
    if received:
        whole = Embeddings(
            vectors=tuple(vector for each in received for vector in each.vectors),
            model=received[0].model,
            provider=received[0].provider,
        )
        output.vectors_saved(whole, await save_paid(whole.save, Path(arguments.output)))
    return 1 if failed else 0
