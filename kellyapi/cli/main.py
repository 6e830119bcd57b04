"""The `kellyapi` command: parse the arguments, run the command, turn errors into exit codes.

The epilog of the help has the exit codes. Each command is a module of `commands` with the same name. A command imports
what it needs when it runs, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import errno
import signal
import sys
from collections.abc import Collection, Iterable, Sequence
from importlib.util import find_spec
from itertools import chain, starmap
from types import ModuleType
from typing import TYPE_CHECKING, cast

import kellyapi

from .arguments import (
    COMMON_OPTIONS,
    DEFAULTS,
    HelpFormatter,
    Parser,
    add_command,
    add_common_options,
    describe_examples,
)
from .commands import (
    chat,
    code,
    completion,
    cutout,
    demo,
    describe,
    doctor,
    edit,
    embed,
    image,
    languages,
    models,
    notes,
    predictions,
    request,
    run,
    sandbox,
    synthesize,
    transcribe,
    translate,
    upscale,
    voices,
)
from .signals import Terminated, terminated_like_interrupted
from .streams import prepared_streams

if TYPE_CHECKING:
    from .output import Output

_ABOUT = "Kelly AI, Khaya / GhanaNLP, Skytells and Aerostack from a shell."
_EXAMPLES = ('kellyapi --sandbox translate "Good morning" en-tw', "kellyapi demo")
_EPILOG = """\
Keys come from KELLYAI_API_KEY, KHAYA_API_KEY, SKYTELLS_API_KEY and AEROSTACK_API_KEY. With --sandbox a local server
answers, which needs no key and no network.

Exit codes: 0 done; 1 failed, or the program that reads the output has ended; 2 wrong arguments, no key, or an address
that cannot be used; 130 interrupted, 143 or 129 ended by SIGTERM or SIGHUP.
"""
_PRINTING = frozenset(
    {"translate", "transcribe", "chat", "describe", "embed", "languages", "voices", "run"}
    | {"predictions create", "predictions list", "predictions get", "predictions follow", "models list", "models show"}
    | {"request", "doctor", "completion"}
)
"""Commands whose result is lost without standard output, unless it goes to a file."""
_GROUPS = {
    "texts": (translate, chat, embed, languages),
    "speech": (transcribe, synthesize, voices),
    "images": (image, edit, describe, upscale, cutout, notes, code),
    "predictions and models of Skytells": (run, predictions, models),
    "this machine": (demo, sandbox, doctor, completion),
    "anything else": (request,),
}
"""The commands, in the order of the help."""
_WITHOUT_RICH = frozenset({"doctor", "completion"})
"""Commands that print plain text where rich is missing."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; `--help` and `--version` raise `SystemExit(0)`."""
    words = sys.argv[1:] if argv is None else list(argv)
    with prepared_streams() as closed, terminated_like_interrupted():
        try:
            return _run(words, closed)
        except BrokenPipeError:
            return 1


def _run(words: list[str], closed: Collection[str]) -> int:
    arguments, code = argparse.Namespace(**DEFAULTS), 0
    try:
        parser = make_parser()
        try:
            arguments = _parse(parser, words)
        except SystemExit:  # after --help and --version, which may not have been written yet
            sys.stdout.flush()
            raise
        if arguments.command is None:
            parser.print_help()
        else:
            _check_stdout(arguments, closed)
            code = arguments.run(arguments, _open_output(arguments)) or 0
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        return 128 + (error.number if isinstance(error, Terminated) else signal.SIGINT)
    except BrokenPipeError:
        raise
    except Exception as error:  # the user gets one line about the error, and never a traceback
        if isinstance(error, kellyapi.KellyAPIError):
            error.remedy = _remedy(error, arguments)
        as_json = arguments.json if arguments.command else "--json" in words  # the --json of request is a body
        _print_error(error, as_json=as_json)
        return 2 if isinstance(error, (ValueError, TypeError, kellyapi.ConfigurationError)) else 1
    return code


def make_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="kellyapi",
        usage="%(prog)s [OPTIONS] COMMAND …",
        description="\n\n".join((_ABOUT, *starmap(_describe_group, _GROUPS.items()))),
        epilog=f"{_EPILOG}\n{describe_examples(_EXAMPLES)}",
        allow_abbrev=False,
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kellyapi {kellyapi.__version__}")
    add_common_options(parser)
    # The description has the commands in their groups.
    commands = parser.add_subparsers(dest="command", prog="kellyapi", parser_class=Parser, help=argparse.SUPPRESS)
    for command in chain.from_iterable(_GROUPS.values()):
        one = add_command(commands, _name(command), command.HELP, command.OPTIONS, command.EXAMPLES)
        one.set_defaults(run=command.run)
        command.add_arguments(one)
    return parser


def _describe_group(title: str, commands: Iterable[ModuleType]) -> str:
    return "\n".join((f"{title}:", *(f"  {_name(command):13}{command.HELP}" for command in commands)))


def _name(command: ModuleType) -> str:
    return command.__name__.rpartition(".")[2]


def _parse(parser: Parser, words: list[str]) -> argparse.Namespace:
    arguments, left = parser.parse_known_args(words, argparse.Namespace(**DEFAULTS, parser=parser))
    # If an option is between positional arguments, argparse leaves those after it behind:
    # https://github.com/python/cpython/issues/59317
    if hasattr(arguments, "words"):
        last = getattr(arguments, "last", None)
        arguments.words = [*arguments.words, *([] if last is None else [last])]
        end = left.index("--") if "--" in left else len(left)
        if not any(word.startswith("-") and word != "-" for word in left[:end]):
            arguments.words, left = [*arguments.words, *left[:end], *left[end + 1 :]], []
    if left:
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    for name in COMMON_OPTIONS if arguments.command else ():
        if name not in arguments.takes and getattr(arguments, name) != DEFAULTS[name]:
            parser.error(f"{_full_name(arguments)} takes no --{name}")
    return arguments


def _full_name(arguments: argparse.Namespace) -> str:
    return " ".join(filter(None, (arguments.command, arguments.action)))


def _check_stdout(arguments: argparse.Namespace, closed: Collection[str]) -> None:
    """Raise an error if the result would be lost because the shell has closed standard output."""
    printed = _full_name(arguments) in _PRINTING if arguments.output is None else arguments.output == "-"
    if printed and "stdout" in closed:
        raise OSError(errno.EBADF, "standard output is closed, so the result would be lost")


def _remedy(error: kellyapi.KellyAPIError, arguments: argparse.Namespace) -> str | None:
    from .formatting import shell_remedy

    return shell_remedy(error, waits=_full_name(arguments) in ("run", "predictions follow"))


def _open_output(arguments: argparse.Namespace) -> Output:
    """Return the output: JSON, or text for a terminal, which needs rich."""
    if arguments.json:
        from .json_output import JsonOutput

        return JsonOutput()
    if find_spec("rich") is None and arguments.command in _WITHOUT_RICH:
        from .plain_output import PlainOutput

        return cast("Output", PlainOutput())  # such a command uses no more
    if find_spec("rich") is None:
        raise ModuleNotFoundError('rich is not installed: pip install "kellyapi[cli]", or use --json')
    from .terminal_output import TerminalOutput

    return TerminalOutput()


def _print_error(error: Exception, *, as_json: bool) -> None:
    """Print an error on standard error: one JSON value, or one line, which is red if rich is installed."""
    if as_json:
        from .json_output import print_json_error

        print_json_error(error)
    elif find_spec("rich") is None:
        from .formatting import error_message, printable

        print("error: " + printable(" ".join(error_message(error).split())), file=sys.stderr)
    else:
        from .terminal_output import print_terminal_error

        print_terminal_error(error)
