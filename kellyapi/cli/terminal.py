"""The screen for people: colours and tables on a terminal, the bare text in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

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
from rich.table import Table
from rich.text import Text

from kellyapi import Aerostack, Kelly, Khaya, Model, Prediction, PredictionPage, Skytells, Transcript

from .demo import Done
from .show import Answer, Watch, amount, facts, has_ended, interruption, job_facts, plain, printable, timed


class Terminal:
    """Standard output, whatever it leads to."""

    def __init__(self) -> None:
        self._out = Console(highlight=False)

    def waiting(self, what: str) -> AbstractContextManager[object]:
        """Turn a wheel while standard error is a terminal."""
        return Console(stderr=True).status(Text(what, "dim"))

    def answer(self, answer: Answer, path: Path | None) -> None:
        """Print the text or the path; on a terminal with what is worth knowing beside it."""
        if not self._out.is_terminal:
            print(path or plain(answer))
            return
        self._line(Text(str(path or answer), "bold"))
        self._line(Text(facts(answer), "dim"))
        if isinstance(answer, Transcript) and not path and (answer.words or answer.segments):
            table = _table("Start", "End", "")
            for start, end, said in timed(answer):
                table.add_row(start, end, Text(printable(said)))
            self._out.print(table)

    def sandbox(self, url: str, urls: Mapping[str, str]) -> None:
        """Print the address and the lines that lead clients in a shell to it."""
        self._line(Text.assemble("Sandbox at ", (url, "bold"), ", until Ctrl-C. In the shell of its clients:"))
        for system in (client.SYSTEM for client in (Kelly, Khaya, Skytells, Aerostack)):
            name = system.variables
            self._line(Text(f"export {name}_BASE_URL={urls[system.name]} {name}_API_KEY=sandbox", "cyan"))
        self._out.file.flush()

    def demo(self, folder: Path, done: Sequence[Done], seconds: float) -> None:
        """Print the table."""
        table = _table("Step", "Result", f"File in {folder}", "Time")
        table.columns[-1].justify = "right"
        table.columns[-1].no_wrap = True
        for row in done:
            table.add_row(row.step, Text(printable(row.result)), Text(row.file, "cyan"), f"{row.seconds:.2f} s")
        table.caption = f"{seconds:.1f} s in all, by a sandbox on this machine: no key, no network."
        table.caption_justify = "left"
        self._out.print(table)

    def watching(self, what: str) -> AbstractContextManager[Watch]:
        """Draw a bar while standard error is a terminal, else write a line for each state."""
        errors = Console(stderr=True, highlight=False)
        return bar(errors, what) if errors.is_terminal else nullcontext(Lines(errors))

    def interrupted(self, job: Prediction | str | None, *, sandbox: bool, ask: Callable[[], bool]) -> bool:
        """Say how to go on; on a terminal ask whether to cancel a job that may still run."""
        self.note(interruption(job, sandbox=sandbox))
        if job is None or has_ended(job) or sandbox or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        print("Cancel it? [y/N] ", end="", file=sys.stderr, flush=True)
        return ask()

    def note(self, text: str) -> None:
        """Print a line on standard error."""
        Console(stderr=True, highlight=False).print(Text(printable(text)), soft_wrap=True)

    def prediction(self, state: Prediction, paths: Sequence[Path]) -> None:
        """Print the paths, else the outputs; on a terminal with what is worth knowing of the job."""
        made = [str(path) for path in paths] or list(state.outputs)
        if not self._out.is_terminal:
            print("\n".join(printable(each) for each in made) or state.status)
            return
        self._line(Text(state.id, "dim"))
        self._line(Text(job_facts(state), "bold"))
        for each in made:
            self._line(Text(each, "cyan"))

    def changed(self, id: str, done: str) -> None:
        """Print what was done."""
        self._line(Text(f"{id} {done}"))

    def predictions(self, page: PredictionPage) -> None:
        """Print a table; in a pipe columns between tabs."""
        rows = [
            (
                state.id,
                str(state.status),
                state.model or "",
                (state.created_at or "")[:19].replace("T", " "),
                "" if state.credits_used is None else amount(state.credits_used),
            )
            for state in page.items
        ]
        where = page.pagination
        caption = f"page {where.current_page} of {where.last_page}"
        self._rows(("Id", "State", "Model", "Created", "Credits"), rows, caption)

    def models(self, models: Sequence[Model]) -> None:
        """Print a table; in a pipe columns between tabs."""
        rows = [
            (model.namespace, str(model.type or ""), model.vendor.name or "" if model.vendor else "", _price(model))
            for model in models
        ]
        self._rows(("Model", "Makes", "Vendor", "Price"), rows)

    def model(self, model: Model) -> None:
        """Print what it is, and a table of its inputs."""
        about = (model.name, str(model.type or ""), model.vendor.name if model.vendor else "", _price(model))
        self._line(Text(model.namespace, "bold"))
        self._line(Text(" · ".join(fact for fact in about if fact), "dim"))
        if model.description:
            self._line(Text(model.description))
        self._rows(("Input", "Type", "Default", "About"), list(_inputs(model)))

    def _rows(self, head: tuple[str, ...], rows: Sequence[Sequence[str]], caption: str | None = None) -> None:
        if not self._out.is_terminal:
            for row in rows:
                print("\t".join(" ".join(printable(cell).split()) for cell in row))
            return
        table = _table(*head)
        table.columns[0].overflow = "fold"
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        table.caption, table.caption_justify = caption, "left"
        self._out.print(table)

    def _line(self, text: Text) -> None:
        text.plain = printable(text.plain)
        self._out.print(text, soft_wrap=True)


class Lines:
    """The states of a job, one below the other."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._known = ""

    def state(self, state: Prediction) -> None:
        """Print the id at first, and each state."""
        if self._known != state.id:
            self._known = state.id
            self._console.print(Text(printable(f"prediction {state.id}")), soft_wrap=True)
        self._console.print(Text(printable(job_facts(state))), soft_wrap=True)

    def received(self, received: int, total: int | None) -> None:
        """Print nothing: the paths follow."""


class Bar:
    """The state of a job in one line: what it does, percent, time, credits."""

    def __init__(self, progress: Progress, what: str) -> None:
        self._progress = progress
        self._task = progress.add_task(printable(what), total=100, credits="")
        self._known = ""

    def state(self, state: Prediction) -> None:
        """Move the bar."""
        if self._known != state.id:
            self._known = state.id
            self._progress.console.print(Text(printable(f"prediction {state.id}"), "dim"), soft_wrap=True)
        credits = f"{amount(state.credits_used)} credits" if state.credits_used else ""
        percent = 100.0 if state.status == "succeeded" else state.progress
        self._progress.update(
            self._task, description=escape(printable(str(state.status))), completed=percent or 0, credits=credits
        )

    def received(self, received: int, total: int | None) -> None:
        """Show the fetching in place of the state."""
        done = 100 * received / total if total else 0
        self._progress.update(self._task, description=f"fetching {received / 2**20:.1f} MiB", completed=done)


@contextmanager
def bar(console: Console, what: str) -> Iterator[Watch]:
    """Draw a bar that goes when the block ends."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[credits]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bar(progress, escape(what))


def _price(model: Model) -> str:
    price = model.pricing
    if price is None or price.amount is None:
        return ""
    return f"{amount(price.amount)} {price.currency or ''} per {price.unit or 'prediction'}"


def _inputs(model: Model) -> Iterator[tuple[str, str, str, str]]:
    """Give the rows of a JSON Schema's properties; what is not of that form is left out."""
    schema: Any = model.input_schema or {}
    properties, required = schema.get("properties"), schema.get("required")
    for name, about in properties.items() if isinstance(properties, dict) else ():
        about = about if isinstance(about, dict) else {}
        needed = isinstance(required, list) and name in required
        default = "needed" if needed else "" if about.get("default") is None else str(about["default"])
        yield name, str(about.get("type", "")), default, str(about.get("description", ""))


def _table(*columns: str) -> Table:
    return Table(*columns, box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
