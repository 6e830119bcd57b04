"""Runs the code blocks of README.md and docs/, as pytest's tests.

Blocks marked `python` may `await` at their top level, and blocks marked `sh` are run by bash. The blocks of a page
share names and a folder. `KellyAPI()` finds the keys and addresses of a sandbox there, so the pages show the code of a
program that has keys. What stands behind `print(…)  # ` must be printed.

On the page about the installation, `kellyapi` is the installed program. In other blocks it asks this process to run the
command, since to import the library and to start engines takes longer than most commands. All pages share the engines
and their results: nothing is drawn or recognised twice.

The two blocks of the README that make an environment are run by .ci/run. Without the engines of speech and videos no
page is run.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import io
import json
import os
import pickle
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

import pytest
from _pytest.runner import runtestprotocol
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import pad
from sybil.parsers.myst import CodeBlockParser

import kellyapi.sandbox.app
from kellyapi import Sandbox, run_sync
from kellyapi.cli.main import main
from kellyapi.sandbox.engines.supervisor import EngineSupervisor

sys.path.insert(0, str(Path(__file__).parent / "tests"))
from quick_aiogram import import_aiogram

pytest_plugins = ["kellyapi.testing"]  # also where the library was installed before it had a plugin

# The tests start many Pythons. Each would compile the library and pytest's plugins anew, which takes seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Coverage measures the processes of xdist, not those that tests start. These took twice the CPU with it, and most of
# them are killed before they can write what was measured. What they run is also tested in a process of xdist.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)

_ANSWER = re.compile(r"^ *print\(.*\)  # (.+)$", re.MULTILINE)
_TABLES = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO users (name) VALUES ('Ama'), ('Kofi');
"""
_FUNCTION = 'kellyapi() { "$PYTHON" -SEc "$STAND_IN" "$@"; }\n'
_STAND_IN = """
import json, os, socket, sys
status, theirs = os.pipe()
message = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(socket.socket(fileno=int(os.environ["REQUESTS"])), [message], [0, 1, 2, theirs])
os.close(theirs)
sys.exit(int(os.read(status, 9) or 1))
"""
"""The program that asks this process to run the command. It sends its streams, and a pipe for the exit code."""
_VARIABLES = {"kelly": "KELLYAI", "khaya": "KHAYA", "skytells": "SKYTELLS", "aerostack": "AEROSTACK"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use one process more than there are cores, since tests wait for a sixth of their time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Send one message about a test from its process: its call, and a setup or teardown that did not pass.

    Five for each of 14,000 tests took 30 s of CPU. Options that need all of them get them.
    """
    options = item.config.option
    if not hasattr(item.config, "workerinput") or options.durations or options.xmlpath:
        return None
    for report in runtestprotocol(item, nextitem=nextitem, log=False):
        if report.when == "call" or not report.passed:
            item.ihook.pytest_runtest_logreport(report=report)
    return True


def run_python(example: Example) -> None:
    if "from aiogram" in example.parsed:
        import_aiogram()
    source = pad(example.parsed, example.line + example.parsed.line_offset)
    code = compile(source, example.path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    printed = io.StringIO()
    with redirect_stdout(printed):
        coroutine = eval(code, example.namespace)
        if coroutine is not None:
            asyncio.run(coroutine)
    lines = iter(printed.getvalue().splitlines())
    for promised in _ANSWER.findall(example.parsed):
        assert promised in lines, f"not printed, or not in this order: {promised}"


def run_shell(example: Example) -> None:
    """Run a block by bash, and its `kellyapi` in this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = {"PATH": path, "PYTHON": sys.executable, "STAND_IN": _STAND_IN, "REQUESTS": str(theirs.fileno())}
    script = example.parsed if Path(example.path).name == "install.md" else _FUNCTION + example.parsed
    command = ["bash", "-euo", "pipefail", "-c", script]
    with ours:
        with theirs:
            shell = subprocess.Popen(command, env={**os.environ, **variables}, pass_fds=[theirs.fileno()])
        with shell:
            while (received := socket.recv_fds(ours, 2**20, 4))[0]:
                *streams, status = received[1]
                try:
                    os.write(status, b"%d" % run_command(*json.loads(received[0]), streams))
                finally:
                    for file in received[1]:
                        os.close(file)
    assert shell.returncode == 0, f"bash ended with {shell.returncode}"


def run_command(words: list[str], folder: str, variables: dict[str, str], streams: list[int]) -> int:
    """Run the command in this process with the folder, the variables and the streams of another one."""
    variables["PATH"] = os.environ["PATH"]  # engines are kept for sandboxes with the same PATH
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.chdir(folder)
        for name in os.environ.keys() - variables.keys():
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            before = os.dup(number)
            stack.callback(os.close, before)
            stack.callback(os.dup2, before, number)
            os.dup2(streams[number], number)
            mode = "w" if number else "r"
            patch.setattr(sys, name, stack.enter_context(open(number, mode, encoding="utf-8", closefd=False)))
        try:
            return main(words)
        except SystemExit as end:  # of --help and --version
            return int(end.code or 0)


def shell_blocks(document: Document) -> Iterator[Region]:
    blocks = CodeBlockParser("sh", run_shell)(document)
    return (block for block in blocks if "-m venv" not in block.parsed)


class SharedEngines(EngineSupervisor):
    """Engines whose processes are kept for the next sandbox, and which do the same work of speech and pictures once."""

    _results: ClassVar[dict[bytes, bytes]] = {}

    def __init__(self, package: str, *, keep: bool) -> None:
        super().__init__(package, keep=True)
        self._is_real = package.startswith("kellyapi.")

    async def run(self, function: str, **arguments: Any) -> Any:
        if not self._is_real or not function.startswith(("voice.", "pictures.")):
            return await super().run(function, **arguments)
        work = pickle.dumps((sys.path, function, arguments))  # tests hide packages by another sys.path
        if work not in self._results:
            self._results[work] = pickle.dumps(await super().run(function, **arguments))
        return pickle.loads(self._results[work])


@pytest.fixture(scope="module")
def shared_engines() -> Iterator[None]:
    """Let all sandboxes share engines, also those of `KellyAPI.sandbox()` and `--sandbox`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kellyapi.sandbox.app, "EngineSupervisor", SharedEngines)
        yield


@pytest.fixture(scope="module")
def page(shared_engines: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The folder of one page, and the sandbox that its environment names."""
    sandbox = Sandbox(schema=_TABLES, keep_engines=True)
    run_sync(sandbox.start())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for provider, url in sandbox.urls.items():
            patch.setenv(f"{_VARIABLES[provider]}_API_KEY", "sandbox")
            patch.setenv(f"{_VARIABLES[provider]}_BASE_URL", url)
        yield
    run_sync(sandbox.close())


if all(importlib.util.find_spec(name) for name in ("espeakng_loader", "pocketsphinx", "soundfile", "av")):
    pytest_collect_file = Sybil(
        parsers=[CodeBlockParser("python", run_python), shell_blocks],
        patterns=["README.md", "docs/*.md", "docs/migrating/*.md", "docs/reference/*.md"],
        setup=lambda names: names.update(__name__="page"),  # a module has a name, and aiohttp's AppKey asks for it
        fixtures=["page"],
    ).pytest()
