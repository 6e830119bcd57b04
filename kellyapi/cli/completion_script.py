"""The script that completes the command in a shell, written by shtab from the parser.

The script holds all names, so that completing starts no Python.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from kellyapi import PROVIDERS, languages

_CODES = sorted(
    {code for each in languages.TRANSCRIPTION + languages.SYNTHESIS for code in (each.code, each.short) if code}
)
_CHOICES = {
    "CODE": _CODES,
    "PAIR": [*languages.SHORT_PAIRS, *languages.PAIRS],
    "PROVIDER": list(PROVIDERS),
    "METHOD": ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"],
    "STATUS": ["pending", "processing", "succeeded", "failed", "cancelled"],
}
"""What completes an argument, by its metavar. Arguments with choices need no entry."""
_FILES = ("FILE", "IMAGE")


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script for a shell: "bash", "zsh" or "fish". The parser cannot be used afterwards.

    Raises:
        ModuleNotFoundError: shtab is missing. The message says how to install it.
    """
    try:
        import shtab
    except ModuleNotFoundError:
        raise ModuleNotFoundError('shtab is not installed: pip install "kellyapi[cli]"') from None
    for action in _actions(parser):
        if action.help == argparse.SUPPRESS:
            action.help = "a command"  # shtab leaves out what the help does not list
        if action.dest == "provider":
            action.choices = list(PROVIDERS)
        elif action.dest == "words" and action.metavar == "TEXT":
            action.choices = _CHOICES["PAIR"]
        elif action.metavar in _CHOICES:
            action.choices = _CHOICES[str(action.metavar)]
        elif action.metavar in _FILES:
            action.complete = shtab.FILE
        elif action.metavar == "FOLDER":
            action.complete = shtab.DIRECTORY
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[Any]:
    """Yield the arguments of a parser, and of the parsers of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from _actions(one)
