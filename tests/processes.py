"""Scripts that run in processes of their own, without the time to import the library in each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

_FORKING = """
import gc, json, logging, os, sys
logging.getLogger("asyncio").setLevel("ERROR")  # in development mode it warns of steps that took long
{imports}
gc.freeze()  # a fork then spares its collector what it shares with this process
source = ""
for line in iter(sys.stdin.readline, ""):
    source, sys.argv[1:], folder, environment, *files = json.loads(line)
    if not (child := os.fork()):
        for number, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    source = ""
exec(source)
"""


class ForkingPython:
    """A Python that has imported the library, and forks for each script. Every warning is an error.

    A fork runs the script as its `__main__` and ends as any interpreter does.
    """

    def __init__(self, imports: str, folder: Path) -> None:
        self._imports = imports
        self._files = folder / "out", folder / "err"

    def __enter__(self) -> Self:
        command = [sys.executable, "-X", "dev", "-W", "error", "-c", _FORKING.replace("{imports}", self._imports)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def execute(self, source: str, *arguments: str) -> tuple[int, str, str]:
        """Return the exit code of a script, and what it writes to stdout and stderr."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        state = [source, arguments, str(Path.cwd()), dict(os.environ), *map(str, self._files)]
        print(json.dumps(state), file=self._process.stdin, flush=True)
        code = int(self._process.stdout.readline())
        out, err = (file.read_text("utf-8") for file in self._files)
        return code, out, err

    def run(self, source: str, *arguments: str) -> str:
        """Return what a script prints. It must succeed and write nothing to stderr."""
        code, out, err = self.execute(source, *arguments)
        assert (code, err) == (0, ""), err
        return out.strip()
