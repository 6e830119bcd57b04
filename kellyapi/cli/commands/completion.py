"""`kellyapi completion`: print a script that completes the command in a shell. `shtab` writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "Print a script that completes this command in a shell"
OPTIONS = ()
EXAMPLES = (
    "kellyapi completion bash > ~/.local/share/bash-completion/completions/kellyapi",
    "kellyapi completion zsh > ~/.zfunc/_kellyapi",
    "kellyapi completion fish > ~/.config/fish/completions/kellyapi.fish",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the shell."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(arguments: Namespace, output: Output) -> None:
    """Print the script."""
    from ..completion_script import completion_script

    print(completion_script(arguments.parser, arguments.shell))
