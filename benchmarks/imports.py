"""How long a package takes to import, above a Python that does nothing."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from statistics import median
from typing import Any

from .processes import ROOT, released

CLIENT = "import kellyapi; kellyapi.Khaya('a-key')"
COMMAND = "import sys; from kellyapi.cli.main import main; sys.argv[1:] = ['--help']; main()"
CASES = {
    "bare Python": "pass",
    "import kellyapi": "import kellyapi",
    "a client of kellyapi": CLIENT,
    "kellyapi --help": COMMAND,
    "import aiohttp": "import aiohttp",
    "import kellyapi (0.0.2.5)": "import kellyapi",
    "import khaya (0.3.0)": "import khaya",
    "import skytells (1.0.0)": "import skytells",
    "from aerostack import SDK (0.1.2)": "from aerostack import SDK; SDK",
}


def measure(*, turns: int, log: Any) -> list[dict[str, Any]]:
    """Return a row for each case: milliseconds of clock and of CPU above bare Python, medians of interleaved turns."""
    log("imports")
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    with released() as old:
        for _ in range(turns + 1):
            for name, code in CASES.items():
                seen[name].append(_run(code, old if "0.0.2.5" in name else str(ROOT)))
    clock, cpu = ({name: median(each[n] for each in times[1:]) for name, times in seen.items()} for n in (0, 1))
    bare = "bare Python"
    return [
        {"case": name, "clock": clock[name] - above * clock[bare], "cpu": cpu[name] - above * cpu[bare]}
        for name in CASES
        for above in [name != bare]
    ]


def _run(code: str, path: str) -> tuple[float, float]:
    path = os.pathsep.join(filter(None, (path, os.environ.get("PYTHONPATH"))))
    before, started = _spent(), time.perf_counter()
    command = [sys.executable, "-P", "-c", code]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path})
    return (time.perf_counter() - started) * 1000, (_spent() - before) * 1000


def _spent() -> float:
    """Return the seconds of CPU of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
