"""The `kellyapi` command: the words it understands and its exit codes.

0 done, 1 failed, 2 asked wrongly, 130 interrupted. Only what parsing needs is imported here, so that `--help` is quick.
What a command does is in `commands`, what it shows in `show` and `terminal`.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import kellyapi

_ABOUT = "Kelly AI, Khaya / GhanaNLP, Skytells and Aerostack from a shell."
_KEYS = """\
Keys come from KELLYAI_API_KEY, KHAYA_API_KEY, SKYTELLS_API_KEY and AEROSTACK_API_KEY. With --sandbox a local server
answers, which needs no key and no network.
"""
_DEFAULTS = {"command": None, "action": None, "json": False, "provider": None, "output": None, "sandbox": False}
_POINTLESS: dict[str, tuple[str, ...]] = {
    "demo": ("provider",),
    "sandbox": ("provider", "output"),
    "run": ("provider",),
    **{f"predictions {action}": ("provider", "output") for action in ("list", "get", "cancel", "delete")},
    **{f"predictions {action}": ("provider",) for action in ("follow", "download")},
    **{f"models {action}": ("provider", "output") for action in ("list", "show")},
}
"""Options that a command has no use for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code; `--help` and `--version` raise `SystemExit(0)`."""
    words = sys.argv[1:] if argv is None else list(argv)
    _write_utf8()
    try:
        parser = _make_parser()
        asked = _read(parser, words)
        if asked.command is None:
            parser.print_help()
        else:
            from .commands import run

            run(asked)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # nobody reads on: without this the interpreter would complain when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # a user gets a line that says what happened, and never a traceback
        from .show import tell_error

        tell_error(error, as_json="--json" in words)
        return 2 if isinstance(error, (ValueError, TypeError, kellyapi.ConfigurationError)) else 1
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _read(parser: _Parser, words: list[str]) -> argparse.Namespace:
    asked, left = parser.parse_known_args(words, argparse.Namespace(**_DEFAULTS))
    # Before Python 3.13 an option between TEXT and PAIR makes argparse take PAIR for absent:
    # https://github.com/python/cpython/issues/59317
    if len(left) == 1 and getattr(asked, "pair", "") is None and not left[0].startswith("-"):
        asked.pair = left.pop()
    if left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    command = " ".join(filter(None, (asked.command, asked.action)))
    for name in _POINTLESS.get(command, ()):
        if getattr(asked, name) is not None:
            parser.error(f"{command} takes no --{name}")
    return asked


def _make_parser() -> _Parser:
    parser = _Parser(prog="kellyapi", description=_ABOUT, epilog=_KEYS, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"kellyapi {kellyapi.__version__}")
    _add_options(parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def add(name: str, does: str) -> _Parser:
        command = commands.add_parser(name, help=does, description=f"{does}.", allow_abbrev=False)
        _add_options(command, without=_POINTLESS.get(name, ()))
        return command

    add("demo", "Speak, listen, translate, draw and write into a folder, without a key or a network")

    sandbox = add("sandbox", "Start a local server that answers like all four systems")
    sandbox.add_argument("--host", default="127.0.0.1", help="address to listen at (%(default)s)")
    sandbox.add_argument("--port", type=_port, default=8787, help="port to listen at, 0 for a free one (%(default)s)")

    translate = add("translate", "Translate a text")
    translate.add_argument("text", metavar="TEXT", help="what to translate, - for standard input")
    translate.add_argument("pair", metavar="PAIR", nargs="?", help="from which language into which, such as en-tw")
    translate.add_argument("--source", metavar="CODE", help="the first half of PAIR")
    translate.add_argument("--target", metavar="CODE", help="the second half of PAIR")

    transcribe = add("transcribe", "Write down what is said in an audio file")
    transcribe.add_argument("file", metavar="FILE", help="WAV, MP3, FLAC or Ogg, - for standard input")
    transcribe.add_argument("--language", metavar="CODE", default="eng", help="what is spoken (%(default)s)")
    transcribe.add_argument("--timestamps", choices=("word", "segment"), help="also say when")

    synthesize = add("synthesize", "Speak a text")
    synthesize.add_argument("text", metavar="TEXT", help="what to say, - for standard input")
    synthesize.add_argument("--language", metavar="CODE", default="eng", help="of the text (%(default)s)")
    synthesize.add_argument("--voice", metavar="NAME", help="one of the provider's voices")
    synthesize.add_argument("--format", choices=("wav", "mp3", "ogg"), help="by default what the name of FILE ends in")

    image = add("image", "Draw a picture")
    image.add_argument("text", metavar="PROMPT", help="what to draw, - for standard input")
    image.add_argument("--negative-prompt", metavar="TEXT", help="what not to draw")
    image.add_argument("--model", metavar="NAME", help="one of the provider's models")
    image.add_argument("--width", type=int, metavar="PIXELS")
    image.add_argument("--height", type=int, metavar="PIXELS")

    chat = add("chat", "Say something to a language model")
    chat.add_argument("text", metavar="PROMPT", help="what to say, - for standard input")
    chat.add_argument("--model", metavar="NAME", help="one of the provider's models")
    chat.add_argument("--character", metavar="NAME", help="who answers: one of Kelly AI's characters")

    run = add("run", "Create a job of Skytells, watch it to its end, and fetch what it made")
    run.add_argument("model", metavar="MODEL", help="see kellyapi models list")
    run.add_argument("-i", "--input", metavar="NAME=VALUE", action="append", default=[], type=_input, help=_VALUE)
    _add_pace(run)

    jobs = _Group(add("predictions", "Look at, follow, cancel, delete and fetch jobs of Skytells"), "predictions")
    listed = jobs.add("list", "List jobs, the newest first")
    listed.add_argument("--page", type=int, default=1, metavar="NUMBER")
    listed.add_argument("--per-page", type=int, metavar="NUMBER", help="1 to 50")
    listed.add_argument("--since", metavar="YYYY-MM-DD")
    listed.add_argument("--until", metavar="YYYY-MM-DD")
    listed.add_argument("--model", metavar="NAME")
    listed.add_argument("--status", metavar="STATE", help="succeeded, failed, …")
    for action, does in _OF_ONE_JOB.items():
        one = jobs.add(action, does)
        one.add_argument("id", metavar="ID")
        if action == "follow":
            _add_pace(one)

    models = _Group(add("models", "Look at the models of Skytells"), "models")
    models.add("list", "List them")
    models.add("show", "Show one, with the inputs it takes").add_argument("model", metavar="MODEL")
    return parser


_VALUE = "an input of the model, as often as needed; what reads as JSON is taken as JSON, the rest as text"
_OF_ONE_JOB = {
    "get": "Show a job",
    "follow": "Watch a job to its end, and fetch what it made",
    "cancel": "Stop a job",
    "delete": "Delete a job and what it made",
    "download": "Fetch what a job made",
}


class _Group:
    """A command that has commands of its own."""

    def __init__(self, parser: _Parser, name: str) -> None:
        self._name = name
        self._actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)

    def add(self, action: str, does: str) -> _Parser:
        parser = self._actions.add_parser(action, help=does, description=f"{does}.", allow_abbrev=False)
        _add_options(parser, without=_POINTLESS[f"{self._name} {action}"])
        return parser


def _add_pace(parser: _Parser) -> None:
    parser.add_argument(
        "--timeout", type=float, default=900.0, metavar="SECONDS", help="how long to wait (%(default)g)"
    )
    parser.add_argument("--interval", type=float, metavar="SECONDS", help="between two looks, by default 0.5 to 5")


def _input(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    import json

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is Python's, not JSON's")

    try:
        return name, json.loads(value, parse_constant=refuse)
    except ValueError:
        return name, value


def _add_options(parser: _Parser, without: Sequence[str] = ()) -> None:
    """Add what may stand before or after the command: absent there, it leaves alone what was given here."""
    options = parser.add_argument_group("options for every command")

    def add(name: str, *flags: str, **rest: str) -> None:
        if name not in without:
            options.add_argument(*flags, dest=name, default=argparse.SUPPRESS, **rest)  # type: ignore[arg-type]  # typeshed wants each keyword apart

    add("json", "--json", action="store_true", help="print one JSON value; errors are JSON too, on standard error")
    add("output", "-o", "--output", metavar="FILE", help="write the answer to a file (demo and jobs: into a folder)")
    add("provider", "--provider", metavar="NAME", help="who is asked: khaya, kelly, skytells or aerostack")
    add("sandbox", "--sandbox", action="store_true", help="ask a sandbox that is started for this one command")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) not in range(65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 65535")
    return int(text)


def _write_utf8() -> None:
    """Write UTF-8 into files and pipes on every system, and never fail for a letter that a terminal lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="replace")
