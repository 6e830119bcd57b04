"""`kellyapi predictions create`, `list`, `get`, `follow`, `cancel`, `delete` and `download`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arguments import add_command, add_interval, add_model_inputs

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Awaitable

    from kellyapi import Prediction, Skytells

    from ..output import Output

HELP = "Create, list, follow, cancel, delete and download predictions"
OPTIONS = ("json", "output", "force", "timeout", "sandbox")
EXAMPLES = (
    "kellyapi predictions list --status succeeded",
    "kellyapi predictions download ID -o outputs",
)
_WITHOUT_FILES = ("json", "timeout", "sandbox")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    for name, (help, _, options, examples) in _ACTIONS.items():
        one = add_command(actions, name, help, options, examples)
        if name == "list":
            one.add_argument("--page", type=int, default=1, metavar="NUMBER", help="by default 1, the newest")
            one.add_argument("--per-page", type=int, metavar="NUMBER", help="the size of a page, from 1 to 50")
            one.add_argument("--since", metavar="YYYY-MM-DD", help="the first day of creation, in UTC")
            one.add_argument("--until", metavar="YYYY-MM-DD", help="the last day of creation, in UTC")
            one.add_argument("--model", metavar="NAME", help="list only predictions of this model")
            one.add_argument("--status", metavar="STATUS", help="list only these: succeeded, failed, …")
        elif name == "create":
            add_model_inputs(one)
        else:
            one.add_argument("id", metavar="ID", help="see kellyapi predictions list")
        if name == "follow":
            add_interval(one)


def run(arguments: Namespace, output: Output) -> None:
    """Run the action."""
    _ACTIONS[arguments.action][1](arguments, output)


def _create(arguments: Namespace, output: Output) -> None:
    from ..inputs import read_model_inputs
    from ..prediction_progress import call_skytells

    inputs = read_model_inputs(arguments)
    state = call_skytells(
        arguments, output, arguments.model, lambda skytells: skytells.predictions.create(arguments.model, inputs)
    )
    output.prediction_created(state)


def _list(arguments: Namespace, output: Output) -> None:
    from ..prediction_progress import call_skytells

    filters = {name: getattr(arguments, name) for name in ("page", "per_page", "since", "until", "model", "status")}
    page = call_skytells(arguments, output, "predictions", lambda skytells: skytells.predictions.list(**filters))
    output.prediction_list(page)


def _get(arguments: Namespace, output: Output) -> None:
    from ..prediction_progress import call_skytells

    state = call_skytells(arguments, output, arguments.id, lambda skytells: skytells.predictions.get(arguments.id))
    output.prediction(state, ())


def _follow(arguments: Namespace, output: Output) -> None:
    from ..output_files import check_output_folder
    from ..prediction_progress import watch_prediction

    def wait(skytells: Skytells, **options: Any) -> Awaitable[Prediction]:
        return skytells.predictions.wait(arguments.id, **options)

    check_output_folder(arguments)
    watch_prediction(arguments, output, arguments.id, wait, known=arguments.id)


def _cancel(arguments: Namespace, output: Output) -> None:
    from ..prediction_progress import call_skytells

    call_skytells(arguments, output, arguments.id, lambda skytells: skytells.predictions.cancel(arguments.id))
    output.prediction_changed(arguments.id, "cancelled")


def _delete(arguments: Namespace, output: Output) -> None:
    from ..prediction_progress import call_skytells

    call_skytells(arguments, output, arguments.id, lambda skytells: skytells.predictions.delete(arguments.id))
    output.prediction_changed(arguments.id, "deleted")


def _download(arguments: Namespace, output: Output) -> None:
    import asyncio

    from ..output_files import check_output_folder
    from ..prediction_progress import open_skytells, save_outputs
    from ..service_call import call_options

    async def work() -> None:
        async with open_skytells(arguments, **call_options(arguments)) as skytells:
            with output.prediction_progress(arguments.id) as display:
                state = await skytells.predictions.get(arguments.id)
                display.show_state(state)
                paths = await save_outputs(skytells, state, arguments, display, folder=".")
            output.prediction(state, paths)

    check_output_folder(arguments)
    asyncio.run(work())


_ACTIONS = {
    "create": (
        "Create a prediction, and print its id without waiting for its end",
        _create,
        _WITHOUT_FILES,
        ("kellyapi predictions create truefusion -i prompt='a lake' -i image=@photo.png",),
    ),
    "list": (
        "List predictions, the newest first",
        _list,
        _WITHOUT_FILES,
        ("kellyapi predictions list --status succeeded --per-page 5", "kellyapi --sandbox predictions list --json"),
    ),
    "get": ("Show a prediction", _get, _WITHOUT_FILES, ("kellyapi predictions get ID --json",)),
    "follow": (
        "Wait for the end of a prediction, and download its outputs",
        _follow,
        OPTIONS,
        ("kellyapi predictions follow ID -o outputs",),
    ),
    "cancel": ("Cancel a prediction", _cancel, _WITHOUT_FILES, ("kellyapi predictions cancel ID",)),
    "delete": ("Delete a prediction and its outputs", _delete, _WITHOUT_FILES, ("kellyapi predictions delete ID",)),
    "download": (
        "Download the outputs of a prediction",
        _download,
        OPTIONS,
        ("kellyapi predictions download ID -o outputs --force",),
    ),
}
