"""Command-line arguments that several commands share, and the types of arguments."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

COMMON_OPTIONS = ("json", "output", "force", "provider", "timeout", "sandbox")
"""Options that may stand before or after the command. Each command lists the ones that it accepts."""
DEFAULTS = {
    "command": None,
    "action": None,
    "json": False,
    "output": None,
    "force": False,
    "provider": None,
    "timeout": None,
    "sandbox": False,
}


class HelpFormatter(argparse.HelpFormatter):
    """Wraps the paragraphs of descriptions and epilogs, and keeps lines that are indented."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        paragraphs = text.strip("\n").split("\n\n")
        return "\n\n".join(each if "\n  " in f"\n{each}" else fill(each, width, indent) for each in paragraphs)


class Parser(argparse.ArgumentParser):
    """A parser that raises `ValueError` instead of ending the program."""

    def error(self, message: str) -> NoReturn:
        """Raise an error that names the help page."""
        raise ValueError(f"{message} (see {self.prog} --help)")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write help or the version. That of argparse ignores that a disk is full."""
        (file or sys.stderr).write(message)


def add_command(
    commands: argparse._SubParsersAction[Any],
    name: str,
    help: str,
    options: Collection[str],
    examples: Sequence[str],
) -> argparse.ArgumentParser:
    """Add a command or an action, with the common options that it takes, and return its parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help,
        description=f"{help}.",
        epilog=describe_examples(examples),
        allow_abbrev=False,
        formatter_class=HelpFormatter,
    )
    parser.set_defaults(takes=options)
    add_common_options(parser, options)
    return parser


def describe_examples(examples: Sequence[str]) -> str:
    """Return the part of a help page that shows examples."""
    return "\n".join(("Examples:", *(f"  {example}" for example in examples)))


def add_common_options(parser: argparse.ArgumentParser, names: Collection[str] = COMMON_OPTIONS) -> None:
    """Add common options. A value that was given before the command is kept if the option is not given again."""
    options = parser.add_argument_group("common options")

    def add(name: str, *flags: str, **rest: object) -> None:
        if name in names:
            options.add_argument(*flags, dest=name, default=argparse.SUPPRESS, **rest)  # type: ignore[arg-type]  # typeshed does not accept **rest here

    add("json", "--json", action="store_true", help="print one JSON value; errors are JSON too, on standard error")
    add(
        "output",
        "-o",
        "--output",
        metavar="FILE",
        help="a file for the result; a folder for several results, for outputs of predictions and for the demo",
    )
    add("force", "--force", action="store_true", help="overwrite files that exist")
    add("provider", "--provider", metavar="NAME", help="the provider: khaya, kelly, skytells or aerostack")
    add(
        "timeout",
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="time limit of a call: by default 60, and none for recordings and downloads while data moves; for run and "
        "predictions follow, time limit of the prediction: by default 900",
    )
    add("sandbox", "--sandbox", action="store_true", help="use a sandbox that is started for this one command")


def add_words(parser: argparse.ArgumentParser, metavar: str, help: str) -> None:
    """Add one or more inputs as `arguments.words`. A positional argument `last` that follows is put at their end."""
    parser.add_argument("words", nargs="+", metavar=metavar, help=help)


def add_lines(parser: argparse.ArgumentParser) -> None:
    """Add `--lines`, for commands that take several texts."""
    parser.add_argument(
        "--lines", action="store_true", help="each TEXT is a file (- for standard input); each of its lines is a text"
    )


def add_picture(parser: argparse.ArgumentParser) -> None:
    """Add what a new image should not show, and its size."""
    parser.add_argument("--negative-prompt", metavar="TEXT", help="what the image should not show")
    parser.add_argument("--width", type=int, metavar="PIXELS")
    parser.add_argument("--height", type=int, metavar="PIXELS")


def add_interval(parser: argparse.ArgumentParser) -> None:
    """Add `--interval`, for commands that wait for a prediction."""
    parser.add_argument(
        "--interval", type=seconds, metavar="SECONDS", help="pause between two polls; by default 0.5, growing to 5"
    )


def seconds(text: str) -> float:
    """Return a number of seconds."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return number


def utf8(text: str) -> str:
    """Return a text of the command line as UTF-8, whatever the encoding of the shell is."""
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        raise ValueError(f"{text!r} is not UTF-8 text") from None


def port(text: str) -> int:
    """Return a port number."""
    if not text.isdecimal() or int(text) not in range(65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 65535")
    return int(text)


class InputFile(str):
    """The name of a file whose content is an input of a model; `-` is standard input."""


def model_input(text: str) -> tuple[str, object]:
    """Return the name and the value of NAME=VALUE.

    The value is parsed as JSON if possible. Otherwise it is a file after `@`, and text that begins with `@` after `@@`.
    """
    name, _, value = text.partition("=")
    if value == "@":
        raise argparse.ArgumentTypeError(f"{text!r} has no file name; write a text that begins with @ as @@")
    if value.startswith("@") and not value.startswith("@@"):
        return file_input(f"{name}={value[1:]}")
    name, value = named_value(text)
    try:
        return name, parse_json(value)
    except ValueError:
        return name, value[1:] if value.startswith("@@") else value


def file_input(text: str) -> tuple[str, object]:
    """Return the name and the file of NAME=FILE. A file name need not be UTF-8."""
    name, _, file = text.partition("=")
    name = named_value(f"{name}=" if file else text)[0]
    if not file:
        raise argparse.ArgumentTypeError(f"{text!r} has no file name")
    return name, InputFile(file)


def add_model_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the model of a prediction, and its inputs."""
    parser.add_argument("model", metavar="MODEL", help="see kellyapi models list")
    parser.add_argument(
        "-i",
        "--input",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=model_input,
        help="an input of the model; may be repeated. VALUE is JSON, or otherwise a text. @FILE is the content of a "
        "file (@- for standard input), and @@ begins a text with @",
    )
    parser.add_argument(
        "-f",
        "--file",
        metavar="NAME=FILE",
        action="append",
        dest="input",
        type=file_input,
        help="the same as -i NAME=@FILE",
    )


def named_value(text: str) -> tuple[str, str]:
    """Return the name and the value of NAME=VALUE."""
    try:
        name, equals, value = utf8(text).partition("=")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def parse_json(text: str) -> object:
    """Parse JSON as the standard has it, without NaN and infinity.

    Raises:
        ValueError: It is not JSON.
    """
    import json

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is Python's, not JSON's")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
