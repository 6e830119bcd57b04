"""`kellyapi models list` and `kellyapi models show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import add_command

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from ..output import Output

HELP = "List and show the models of Skytells"
OPTIONS = ("json", "timeout", "sandbox")
EXAMPLES = (
    "kellyapi --sandbox models list",
    "kellyapi --sandbox models show truefusion-pro",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    for name, (help, _, examples) in _ACTIONS.items():
        one = add_command(actions, name, help, OPTIONS, examples)
        if name == "show":
            one.add_argument("model", metavar="MODEL", help="see kellyapi models list")


def run(arguments: Namespace, output: Output) -> None:
    """Run the action."""
    _ACTIONS[arguments.action][1](arguments, output)


def _list(arguments: Namespace, output: Output) -> None:
    from ..prediction_progress import call_skytells

    output.model_list(call_skytells(arguments, output, "models", lambda skytells: skytells.models.list()))


def _show(arguments: Namespace, output: Output) -> None:
    from ..prediction_progress import call_skytells

    model = call_skytells(
        arguments,
        output,
        arguments.model,
        lambda skytells: skytells.models.get(arguments.model, fields=["input_schema"]),
    )
    output.model_details(model)


_ACTIONS = {
    "list": ("List the models", _list, EXAMPLES[:1]),
    "show": ("Show a model and its inputs", _show, EXAMPLES[1:]),
}
