"""The figures as Markdown tables in the page that shows them, and as two plots beside it.

Each part has its own place in the page, between two comments, and says when and where it was measured.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

from .clients import OURS, RIVALS
from .cpu import REFERENCE
from .processes import RELEASE

CALLS = {
    "translate": "`Khaya.translate`",
    "image": "`Kelly.generate_image` (8 KiB picture)",
    "run": "`Skytells.run` (two requests: create, then one poll)",
    "chat": "`Aerostack.ai.chat`",
}
_LIBRARIES = ("aiohttp", "attrs", "cattrs", "orjson", "pybase64", "khaya", "skytells", "aerostack")
_MIB = 2**20


def write(part: str, result: Any, page: Path) -> Iterable[Path]:
    """Write the figures of a part into the page, and draw its plot. Return the files that were written."""
    text, begin, end = page.read_text(encoding="utf-8"), f"<!-- {part} -->", f"<!-- /{part} -->"
    before, found, rest = text.partition(begin)
    if not found or end not in rest:
        raise ValueError(f"{page} has no place for {part}: {begin} … {end}")
    said = f"Measured on {datetime.now(UTC):%Y-%m-%d}: {_machine()}."
    figures = "\n\n".join([begin, said, *_PARTS[part](result, page.parent), end])
    page.write_text(before + figures + rest.partition(end)[2], encoding="utf-8")
    return [page, *(page.parent / plot for plot in _PLOTS if plot in figures)]


def missing() -> list[str]:
    """Return the packages that are needed and not installed."""
    return [name for name in (*_LIBRARIES, "matplotlib") if not any(distributions(name=name))]


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, {python}, {libraries}, {RELEASE[0]}"


Row = dict[str, Any]
Column = tuple[str, Callable[[Row], str]]

_CPU: Sequence[Column] = (
    ("at once", lambda row: str(row["at_once"])),
    ("client", lambda row: row["client"]),
    ("CPU µs a call", lambda row: f"{row['cpu']:.0f}"),
    ("× aiohttp", lambda row: "1" if row["client"] == REFERENCE else f"{row['ratio']:.2f}"),
    ("middle half", lambda row: "" if row["client"] == REFERENCE else "{:.2f} to {:.2f}".format(*row["spread"])),
    ("calls a second", lambda row: f"{row['rate']:,.0f}"),
    ("p50 ms", lambda row: f"{row['p50']:.2f}"),
    ("p99 ms", lambda row: f"{row['p99']:.2f}"),
    ("peak MiB", lambda row: f"{row['peak'] / _MIB:.0f}"),
)
_LOOP: Sequence[Column] = (
    ("what", lambda row: row["case"]),
    ("client", lambda row: row["client"]),
    ("loop late ms", lambda row: f"{row['late']:.1f}"),
    ("by itself ms", lambda row: f"{row['own']:.1f}"),
    ("idle ms", lambda row: f"{row['idle']:.1f}"),
    ("seconds", lambda row: f"{row['seconds']:.2f}"),
    ("CPU seconds", lambda row: f"{row['cpu']:.2f}"),
    ("peak MiB above idle", lambda row: f"{row['peak'] / _MIB:.1f}"),
)
_MEMORY: Sequence[Column] = (
    ("client", lambda row: row["client"]),
    ("calls", lambda row: f"{row['calls']:,}"),
    ("MiB before", lambda row: f"{row['before'] / _MIB:.1f}"),
    ("MiB more after", lambda row: f"{row['growth'] / _MIB:.2f}"),
)
_IMPORTS: Sequence[Column] = (
    ("what", lambda row: row["case"]),
    ("ms", lambda row: _milliseconds(row["clock"])),
    ("CPU ms", lambda row: _milliseconds(row["cpu"])),
)
_IMPORT_SCATTER = 5  # ms: bare Python alone scatters by as much, so a smaller difference says nothing
_PLOTS = ("performance-cpu.png", "performance-loop.png")


def _milliseconds(value: float) -> str:
    return f"{value:.0f}" if value >= _IMPORT_SCATTER else f"below {_IMPORT_SCATTER}"


def _write_cpu(result: dict[str, Any], folder: Path) -> list[str]:
    rows = result["rows"]
    _plot_cpu(rows, folder / _PLOTS[0])
    said = f"Medians of {result['pairs']} pairs. The server, a process of its own, spends {result['server']:.0f} µs of "
    parts = [said + "CPU on a request.", f"![CPU time of one call, for each client]({_PLOTS[0]})"]
    for operation, title in CALLS.items():
        parts += [f"### {title}", _table(_CPU, [row for row in rows if row["operation"] == operation])]
    return parts


def _write_loop(rows: list[Row], folder: Path) -> list[str]:
    _plot_loop(rows, folder / _PLOTS[1])
    return [f"![How long large bodies keep the event loop, for each client]({_PLOTS[1]})", _table(_LOOP, rows)]


_PARTS: dict[str, Callable[[Any, Path], list[str]]] = {
    "cpu": _write_cpu,
    "loop": _write_loop,
    "memory": lambda rows, _: [_table(_MEMORY, rows)],
    "imports": lambda rows, _: [_table(_IMPORTS, rows)],
}


def _table(columns: Sequence[Column], rows: Iterable[Row]) -> str:
    lines = [[title for title, _ in columns], ["---"] * len(columns)]
    lines += [[show(row) for _, show in columns] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _plot_cpu(rows: list[Row], path: Path) -> None:
    from matplotlib.figure import Figure

    busiest = 64
    figure = Figure(figsize=(13, 6), layout="constrained")
    axes = figure.subplot_mosaic("ABE;CDE")
    for key, operation in zip("ABCD", RIVALS, strict=True):
        bars = [row for row in rows if (row["operation"], row["at_once"]) == (operation, busiest)]
        axes[key].set_title(f"{CALLS[operation].partition(' (')[0]}, {busiest} at once".replace("`", ""), fontsize=10)
        _bars(axes[key], [(row["client"], row["client"], row["cpu"]) for row in bars])
    for name in dict.fromkeys(row["client"] for row in rows if row["operation"] == "translate"):
        line = [row for row in rows if (row["operation"], row["client"]) == ("translate", name)]
        axes["E"].plot([str(row["at_once"]) for row in line], [row["cpu"] for row in line], marker="o", label=name)
    axes["E"].set(xlabel="calls at once", title="Khaya.translate", yscale="log")
    axes["E"].legend(fontsize=8)
    figure.suptitle("CPU µs a call")
    figure.savefig(path, dpi=110)


def _plot_loop(rows: list[Row], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    axis = figure.subplots()
    _bars(axis, [(f"{row['case']}: {row['client']}", row["client"], row["own"]) for row in rows])
    axis.set_title("longest time that the client keeps its event loop, ms")
    figure.savefig(path, dpi=110)


def _bars(axis: Any, bars: Sequence[tuple[str, str, float]]) -> None:
    """Draw a bar for each (label, client, value), the first on top, ours in a colour of their own."""
    labels, clients, values = zip(*bars[::-1], strict=True)
    drawn = axis.barh(labels, values, color=["#2a6fdb" if name in OURS else "#9aa3ad" for name in clients])
    axis.bar_label(drawn, fmt="%.0f", padding=3)
    axis.margins(x=0.18)
