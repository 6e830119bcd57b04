"""`kellyapi voices`: list the voices of the providers that speak."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from kellyapi import KellyAPI

    from ..output import Output

HELP = "List the voices of Khaya and Kelly AI"
OPTIONS = ("json", "provider", "timeout", "sandbox")
EXAMPLES = ("kellyapi --sandbox voices", "kellyapi --sandbox voices --provider khaya --json")
_SPEAKERS = ("khaya", "kelly")


def add_arguments(parser: ArgumentParser) -> None:
    """Add no arguments."""


def run(arguments: Namespace, output: Output) -> None:
    """Print the providers that have a key, and their voices."""
    import asyncio

    if arguments.provider not in (None, *_SPEAKERS):
        raise ValueError(f"--provider must be one of {', '.join(_SPEAKERS)}, not {arguments.provider!r}")
    output.listing(("provider", "voice"), asyncio.run(_ask(arguments, output)))


async def _ask(arguments: Namespace, output: Output) -> list[tuple[str, str]]:
    from kellyapi import ConfigurationError

    from ..service_call import open_api

    async with open_api(arguments) as api:
        chosen = [arguments.provider] if arguments.provider else [n for n in _SPEAKERS if getattr(api, n).configured]
        if not chosen:
            raise ConfigurationError(
                "no provider that can do this has an API key", variables=("KHAYA_API_KEY", "KELLYAI_API_KEY")
            )
        with output.spinner("voices"):
            return [(name, voice) for name in chosen for voice in await _voices(api, name)]


async def _voices(api: KellyAPI, provider: str) -> list[str]:
    if provider == "khaya":
        return list(await api.khaya.voices())
    found = await api.kelly.models("voice")
    return [str(each) for each in found] if isinstance(found, list) else [str(found)]
