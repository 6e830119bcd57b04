"""`python -m benchmarks [cpu] [loop] [memory] [imports]`: write the figures into docs/performance.md.

Without names it measures all four parts, in about ten minutes on a quiet machine, and gives up after fifteen. `--quick`
gives a first look in about a minute, into build/benchmarks. Needs the extra `bench`, and Linux.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from . import cpu, imports, loop_delay, memory, report
from .arguments import number
from .processes import ROOT, serve

PAGE = ROOT / "docs" / "performance.md"
LONGEST = 15 * 60

Part = Callable[[str, argparse.Namespace], Any]
PARTS: Mapping[str, Part] = {
    "cpu": lambda url, asked: {
        "pairs": asked.pairs,
        "server": cpu.measure_server(url, asked.calls),
        "rows": cpu.measure(
            url, pairs=asked.pairs, calls=asked.calls, at_once=(1, 64) if asked.quick else (1, 64, 500), log=log
        ),
    },
    "loop": lambda url, asked: loop_delay.measure(
        url, turns=2 if asked.quick else 5, upload=8 if asked.quick else 64, file=64 if asked.quick else 1024, log=log
    ),
    "memory": lambda url, asked: memory.measure(url, calls=5_000 if asked.quick else 100_000, log=log),
    "imports": lambda _, asked: imports.measure(turns=3 if asked.quick else 15, log=log),
}


def log(what: str) -> None:
    print(what, flush=True)


def give_up(*_: object) -> NoReturn:
    sys.exit(f"not done after {LONGEST} s: is the machine busy?")


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)} (all)")
    parser.add_argument("--quick", action="store_true", help="few pairs, short runs, small files")
    parser.add_argument("--pairs", type=number(int, 1), help="adjacent pairs for each ratio (15)")
    parser.add_argument("--calls", type=number(int, 1), help="most calls in each half of a pair (800)")
    parser.add_argument("--folder", type=Path, help="where the page is (docs; --quick: build/benchmarks)")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {sorted(unknown)[0]!r}; the parts are {', '.join(PARTS)}")
    asked.pairs = asked.pairs or (3 if asked.quick else 15)
    asked.calls = asked.calls or (200 if asked.quick else 800)
    folder = asked.folder or (ROOT / "build" / "benchmarks" if asked.quick else PAGE.parent)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument --folder: {error}")
    if missing := report.missing():
        parser.error(f'{", ".join(missing)} not installed: pip install -e ".[bench]"')
    page = folder / PAGE.name
    if not page.exists():
        shutil.copy(PAGE, page)
    signal.signal(signal.SIGALRM, give_up)  # an exception, so that all processes are ended
    signal.alarm(LONGEST)
    with serve() as url:
        for name in [name for name in PARTS if name in asked.parts or not asked.parts]:
            for path in report.write(name, PARTS[name](url, asked), page):
                log(f"wrote {path}")


if __name__ == "__main__":
    main()
