"""`kellyapi languages`: list the languages of a service of Khaya."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "List the languages that Khaya translates, recognises or speaks"
OPTIONS = ("json", "timeout", "sandbox")
EXAMPLES = ("kellyapi --sandbox languages synthesis", "kellyapi languages translation --offline --json")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the service."""
    parser.add_argument("service", choices=("translation", "transcription", "synthesis"))
    parser.add_argument(
        "--offline", action="store_true", help="list what this version of kellyapi knows, without a key or a network"
    )


def run(arguments: Namespace, output: Output) -> None:
    """Print codes and names."""
    import asyncio

    from kellyapi import languages

    if arguments.offline:
        known = getattr(languages, arguments.service.upper())
        found = {language.code: language.name for language in known}
    else:
        found = asyncio.run(_ask(arguments, output))
    output.listing(("code", "name"), list(found.items()))


async def _ask(arguments: Namespace, output: Output) -> dict[str, str]:
    from ..service_call import open_api

    async with open_api(arguments) as api:
        with output.spinner("languages"):
            return await api.khaya.languages(arguments.service)
