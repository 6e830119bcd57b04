"""How long large bodies block the event loop, and how much memory they take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from .processes import Clients

MIB = 2**20
CASES: Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]] = {
    "8 answers of 4 MiB images at once": (
        ("aiohttp", "kellyapi", "kellyapi without speed", "kellyapi 0.0.2.5"),
        {"operation": "large_image", "at_once": 8},
    ),
    "8 uploads of {upload} MiB at once": (("aiohttp", "kellyapi"), {"operation": "upload", "at_once": 8}),
    "1 upload of {file} MiB": (("aiohttp", "kellyapi"), {"operation": "upload", "at_once": 1}),
    "1 download of {file} MiB": (("aiohttp", "kellyapi"), {"operation": "download", "at_once": 1}),
}


def measure(url: str, *, turns: int, upload: int, file: int, log: Any) -> list[dict[str, Any]]:
    """Return a row for each case and client, the median of `turns`. Sizes are in MiB."""
    rows = []
    with TemporaryDirectory() as folder:
        target = Path(folder, "download.bin")
        arguments: dict[tuple[str, int], list[list[Any]]] = {
            ("upload", 8): [[_make(folder, upload)]] * 8,
            ("upload", 1): [[_make(folder, file)]],
            ("download", 1): [[str(target), file * MIB]],
        }
        for case, (names, order) in CASES.items():
            title = case.format(upload=upload, file=file)
            log(title)
            with Clients(url) as ask:
                order = {"do": "delay", **order, "arguments": arguments.get((order["operation"], order["at_once"]), [])}
                seen: dict[str, list[dict[str, float]]] = {name: [] for name in names}
                for _ in range(turns + 1):
                    for name in names:
                        seen[name].append(ask(name, order))
                target.unlink(missing_ok=True)
            rows += [{"case": title, "client": name, **_summarise(seen[name])} for name in names]
    return rows


def _make(folder: str, size: int) -> str:
    """Make a file of this many MiB."""
    path = Path(folder, f"{size}.bin")
    with path.open("wb") as file:
        file.truncate(size * MIB)
    return str(path)


def _summarise(measured: list[dict[str, float]]) -> dict[str, float]:
    """Return medians without the first turn, which opens connections, and the highest peak of all."""
    middle = {figure: median(each[figure] for each in measured[1:]) for figure in measured[0]}
    return {**middle, "peak": max(each["peak"] for each in measured)}
