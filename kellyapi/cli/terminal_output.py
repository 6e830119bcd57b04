"""Print results with colours and tables on a terminal, and as bare text in a pipe. Only this module uses rich."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.status import Status
from rich.table import Table
from rich.text import Text

from kellyapi import PROVIDERS, ChatReply, Embeddings, Prediction, PredictionPage, SkytellsModel, Transcript

from .demo_steps import FinishedStep
from .doctor.findings import Finding, State, report_lines
from .formatting import (
    ServiceResult,
    clip,
    error_message,
    format_amount,
    format_bytes,
    has_ended,
    interruption_message,
    model_inputs,
    model_price,
    prediction_facts,
    printable,
    result_facts,
    result_text,
    timed_rows,
    vector_line,
)
from .output import NoProgress, ProgressDisplay, UploadDisplay

_STYLES: dict[State, str] = {"ok": "green", "note": "dim", "warning": "yellow", "problem": "bold red"}
_USUAL_WIDTH = 80
_LEAST_WIDTH = 8
"""Columns that each column of a table has besides the ids."""


class TerminalOutput:
    """Print on standard output, which may be a terminal or a pipe."""

    def __init__(self) -> None:
        self._out = _console(sys.stdout)

    def spinner(self, what: str) -> AbstractContextManager[UploadDisplay]:
        """Show a spinner and the progress of uploads, if standard error is a terminal."""
        errors = _console(sys.stderr)
        return _spinner(errors, printable(what)) if errors.is_terminal else nullcontext(NoProgress())

    def service_result(self, result: ServiceResult, path: Path | None, warning: str | None = None) -> None:
        """Print the text or the path, and on a terminal also the facts; the warning goes to standard error."""
        if warning:
            self.note(f"warning: {warning}")
        if not self._out.is_terminal:
            print(path or result_text(result))
            return
        self._line(Text(str(path or result), "bold"))
        self._line(Text(result_facts(result), "dim"))
        if isinstance(result, Transcript) and not path and (result.words or result.segments):
            table = _table("Start", "End", "")
            for start, end, said in timed_rows(result):
                table.add_row(start, end, Text(printable(said)))
            self._out.print(table)

    def input_result(self, name: str, result: ServiceResult, path: Path | None) -> None:
        """Print one line: the path, or the text. A transcript with times has a line for each, with the input."""
        if path is None and isinstance(result, Transcript) and (result.words or result.segments):
            for row in timed_rows(result):
                print("\t".join(map(_one_line, (name, *row))))
        else:
            print(path or _one_line(str(result)), flush=True)

    def input_failed(self, name: str, error: Exception) -> None:
        """Print one red line on standard error."""
        print_terminal_error(error, name)

    def reply_piece(self, text: str) -> None:
        """Print the piece at once."""
        print(printable(text) if self._out.is_terminal else text, end="", flush=True)

    def reply_stopped(self) -> None:
        """End the line."""
        print(flush=True)

    def reply_ended(self, reply: ChatReply) -> None:
        """End the line; on a terminal, print the facts too."""
        print(flush=True)
        if self._out.is_terminal:
            self._line(Text(result_facts(reply), "dim"))

    def message_failed(self, error: Exception) -> None:
        """Print the error as one red line on standard error."""
        print_terminal_error(error)

    def vectors(self, texts: Sequence[str], found: Embeddings) -> None:
        """Print an array of numbers for each text; on a terminal their beginnings in a table."""
        if not self._out.is_terminal:
            for vector in found.vectors:
                print(vector_line(vector))
            return
        rows = [
            (clip(text, 40), str(len(vector)), f"{', '.join(f'{number:.4f}' for number in vector[:4])}, …")
            for text, vector in zip(texts, found.vectors, strict=True)
        ]
        self._rows(("Text", "Numbers", "Vector"), rows, found.model)

    def vectors_saved(self, found: Embeddings, path: Path) -> None:
        """Print the path, and on a terminal also the facts."""
        self._line(Text(str(path), "bold"))
        if self._out.is_terminal:
            numbers = len(found.vectors[0])
            self._line(Text(f"{len(found.vectors)} × {numbers} numbers · {found.model} · {found.provider}", "dim"))

    def listing(self, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Print a table; in a pipe, columns separated by tabs."""
        self._rows(tuple(name.capitalize() for name in head), rows)

    def sandbox_started(self, url: str, urls: Mapping[str, str]) -> None:
        """Print the address, and the shell commands that point clients to it."""
        self._line(Text.assemble("Sandbox at ", (url, "bold"), ", until Ctrl-C. In the shell of its clients:"))
        for name, address in urls.items():
            prefix = PROVIDERS[name].PROVIDER.variables
            self._line(Text(f"export {prefix}_BASE_URL={address} {prefix}_API_KEY=sandbox", "cyan"))
        self._out.file.flush()

    def demo_finished(self, folder: Path, steps: Sequence[FinishedStep], seconds: float) -> None:
        """Print the table of steps."""
        table = _table("Step", "Result", f"File in {folder}", "Time")
        table.columns[-1].justify = "right"
        table.columns[-1].no_wrap = True
        for step in steps:
            table.add_row(step.step, Text(printable(step.result)), Text(step.file, "cyan"), f"{step.seconds:.2f} s")
        table.caption = f"{seconds:.1f} s in all, by a sandbox on this machine: no key, no network."
        table.caption_justify = "left"
        self._out.print(table)

    def prediction_progress(self, what: str) -> AbstractContextManager[ProgressDisplay]:
        """Show a progress bar if standard error is a terminal, otherwise print a line for each state."""
        errors = _console(sys.stderr)
        shows_bar = errors.is_terminal and not errors.is_dumb_terminal
        return _progress_bar(errors, what) if shows_bar else nullcontext(_ProgressLines())

    def interrupted(
        self, prediction: Prediction | str | None, *, sandbox: bool, ask: Callable[[], bool] | None
    ) -> bool:
        """Say how to continue. On a terminal, ask whether to cancel a prediction that may still run."""
        self.note(interruption_message(prediction, sandbox=sandbox))
        is_terminal = sys.stdin.isatty() and sys.stderr.isatty()
        if ask is None or prediction is None or has_ended(prediction) or sandbox or not is_terminal:
            return False
        print("Cancel it? [y/N] ", end="", file=sys.stderr, flush=True)
        return ask()

    def note(self, text: str) -> None:
        """Print a line on standard error."""
        print(printable(text), file=sys.stderr)

    def report(self, findings: Sequence[Finding]) -> None:
        """Print the findings, in the colours of their states."""
        for state, line in report_lines(findings):
            self._line(Text(line, _STYLES[state]))

    def prediction(self, state: Prediction, paths: Sequence[Path]) -> None:
        """Print the paths, or the outputs if there are no paths; on a terminal also the facts about the prediction."""
        outputs = [str(path) for path in paths] or list(state.outputs)
        if not self._out.is_terminal:
            print("\n".join(printable(each) for each in outputs) or state.status)
            return
        self._line(Text(state.id, "dim"))
        self._line(Text(prediction_facts(state), "bold"))
        for each in outputs:
            self._line(Text(each, "cyan"))

    def prediction_created(self, state: Prediction) -> None:
        """Print the id; on a terminal also the facts about the prediction."""
        if self._out.is_terminal:
            self.prediction(state, ())
        else:
            print(state.id)

    def prediction_changed(self, id: str, change: str) -> None:
        """Print the id and the change."""
        self._line(Text(f"{id} {change}"))

    def prediction_list(self, page: PredictionPage) -> None:
        """Print a table; in a pipe, columns separated by tabs."""
        rows = [
            (
                state.id,
                str(state.status),
                state.model or "",
                (state.created_at or "")[:19].replace("T", " "),
                "" if state.credits_used is None else format_amount(state.credits_used),
            )
            for state in page.items
        ]
        where = page.pagination
        caption = f"page {where.current_page} of {where.last_page}"
        self._rows(("Id", "Status", "Model", "Created", "Credits"), rows, caption)

    def model_list(self, models: Sequence[SkytellsModel]) -> None:
        """Print a table; in a pipe, columns separated by tabs."""
        rows = [(model.namespace, str(model.type or ""), _vendor(model), model_price(model)) for model in models]
        self._rows(("Model", "Makes", "Vendor", "Price"), rows)

    def model_details(self, model: SkytellsModel) -> None:
        """Print the facts about a model, and a table of its inputs."""
        facts = (model.name, str(model.type or ""), _vendor(model), model_price(model))
        self._line(Text(model.namespace, "bold"))
        self._line(Text(" · ".join(fact for fact in facts if fact), "dim"))
        if model.description:
            self._line(Text(model.description))
        self._rows(("Input", "Type", "Default", "About"), list(model_inputs(model)))

    def _rows(self, head: tuple[str, ...], rows: Sequence[Sequence[str]], caption: str | None = None) -> None:
        if not self._out.is_terminal:
            for row in rows:
                print("\t".join(" ".join(printable(cell).split()) for cell in row))
            return
        table = _table(*head)
        table.columns[0].no_wrap = True  # ids and names are copied from here
        for column in table.columns[1:]:
            column.overflow = "fold"
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        table.caption, table.caption_justify = caption, "left"
        longest = max((len(row[0]) for row in rows), default=0)
        width = max(self._out.width, longest + _LEAST_WIDTH * len(head))
        _console(sys.stdout, width).print(table)

    def _line(self, text: Text) -> None:
        text.plain = printable(text.plain)
        self._out.print(text, soft_wrap=True)


class _ProgressLines:
    """Print the states of a prediction, one per line."""

    def __init__(self) -> None:
        self._known = ""

    def show_state(self, state: Prediction) -> None:
        """Print the state, and before the first one the id."""
        if self._known != state.id:
            self._known = state.id
            print(printable(f"prediction {state.id}"), file=sys.stderr)
        print(printable(prediction_facts(state)), file=sys.stderr, flush=True)

    def show_bytes(self, received: int, total: int | None) -> None:
        """Print nothing: the paths are printed at the end."""

    def show_upload(self, sent: int, size: int | None) -> None:
        """Print nothing."""


class _Spinner:
    """Show the progress of uploads beside a spinner."""

    def __init__(self, status: Status, what: str) -> None:
        self._status = status
        self._what = what

    def show_upload(self, sent: int, size: int | None) -> None:
        """Show bytes and percent."""
        percent = f", {100 * sent / size:.0f} %" if size else ""
        self._status.update(Text(f"{self._what}: sent {format_bytes(sent, size)}{percent}", "dim"))


@contextmanager
def _spinner(console: Console, what: str) -> Iterator[UploadDisplay]:
    with console.status(Text(what, "dim")) as status:
        yield _Spinner(status, what)


class _ProgressBar:
    """Show the state of a prediction in one line: status, percent, time, credits."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(printable(what), total=100, credits="")
        self._known = ""

    def show_state(self, state: Prediction) -> None:
        """Update the bar."""
        if self._known != state.id:
            self._known = state.id
            self._progress.console.print(Text(printable(f"prediction {state.id}"), "dim"), soft_wrap=True)
        credits = f"{format_amount(state.credits_used)} credits" if state.credits_used else ""
        percent = 100.0 if state.status == "succeeded" else state.progress
        self._progress.update(
            self._task, description=escape(printable(str(state.status))), completed=percent or 0, credits=credits
        )

    def show_bytes(self, received: int, total: int | None) -> None:
        """Show the download in place of the state."""
        done = 100 * received / total if total else 0
        self._progress.update(self._task, description=f"fetching {format_bytes(received, total)}", completed=done)

    def show_upload(self, sent: int, size: int | None) -> None:
        """Show the upload in place of the state."""
        done = 100 * sent / size if size else 0
        self._progress.update(self._task, description=f"sending {format_bytes(sent, size)}", completed=done)


@contextmanager
def _progress_bar(console: Console, what: str) -> Iterator[ProgressDisplay]:
    """Show a progress bar that disappears when the block ends."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[credits]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield _ProgressBar(progress, escape(what))


def print_terminal_error(error: Exception, input: str | None = None) -> None:
    """Print an error as one red line on standard error, with the input that it belongs to if there are several."""
    named = () if input is None else (clip(input) if input.strip() else repr(input),)
    line = ": ".join(map(_one_line, ("error", *named, error_message(error))))
    _Console(file=sys.stderr).print(Text(line, "red"), soft_wrap=True)  # FORCE_COLOR may colour it in a pipe too


class _Console(Console):
    """A console that leaves a reader that has ended to `main`, and is never without a column."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.width < 1:  # COLUMNS=0, as in a container without a terminal: rich prints nothing
            self.width = _USUAL_WIDTH

    def on_broken_pipe(self) -> None:
        raise


def _console(stream: TextIO, width: int | None = None) -> Console:
    """Return a console that decorates on a terminal alone. rich itself takes FORCE_COLOR for a terminal."""
    return _Console(file=stream, force_terminal=stream.isatty(), highlight=False, width=width)


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _vendor(model: SkytellsModel) -> str:
    return (model.vendor.name or "") if model.vendor else ""


def _table(*columns: str) -> Table:
    return Table(*columns, box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
