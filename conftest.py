"""Runs the code blocks of README.md and docs/, as pytest's tests.

Blocks marked `python` may `await` at their top level, and blocks marked `sh` are run by bash. The blocks of a page
share names and a folder. `KellyAPI()` finds the keys and addresses of a sandbox there, so the pages show the code of a
program that has keys. What stands behind `print(…)  # ` must be printed.

The two blocks of the README that make an environment are run by .ci/run. Without the engines of speech and videos no
page is run.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import pad
from sybil.parsers.myst import CodeBlockParser

from kellyapi import Sandbox, run_sync

pytest_plugins = ["kellyapi.testing"]  # also where the library was installed before it had a plugin

# The tests start many Pythons. Each would compile the library and pytest's plugins anew, which takes seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_ANSWER = re.compile(r"^ *print\(.*\)  # (.+)$", re.MULTILINE)
_TABLES = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO users (name) VALUES ('Ama'), ('Kofi');
"""
_VARIABLES = {"kelly": "KELLYAI", "khaya": "KHAYA", "skytells": "SKYTELLS", "aerostack": "AEROSTACK"}


def run_python(example: Example) -> None:
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
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(["bash", "-euo", "pipefail", "-c", example.parsed], check=True, env={**os.environ, "PATH": path})


def shell_blocks(document: Document) -> Iterator[Region]:
    blocks = CodeBlockParser("sh", run_shell)(document)
    return (block for block in blocks if "-m venv" not in block.parsed)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
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
