"""The screen for people: colours and tables on a terminal, the bare text in a pipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kellyapi import Aerostack, Kelly, Khaya, Skytells, Transcript

from .demo import Done
from .show import Answer, facts, plain, printable, timed


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

    def _line(self, text: Text) -> None:
        text.plain = printable(text.plain)
        self._out.print(text, soft_wrap=True)


def _table(*columns: str) -> Table:
    return Table(*columns, box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
