"""The examples in the help of every command, each run against one sandbox."""

from __future__ import annotations

import argparse
import shlex
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from kellyapi.cli import demo_steps
from kellyapi.cli.doctor import run_checks
from kellyapi.cli.json_output import JsonOutput
from kellyapi.cli.main import main, make_parser
from kellyapi.cli.terminal_output import TerminalOutput

from .command import type_in
from .fake_khaya import WAV
from .predictions.terminal import ask, sandboxed
from .test_image_commands import png


def help_pages(parser: argparse.ArgumentParser, name: str = "kellyapi") -> Iterator[tuple[str, str]]:
    yield name, parser.format_help()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, one in action.choices.items():
                yield from help_pages(one, f"{name} {word}")


PAGES = dict(help_pages(make_parser()))
EXAMPLES = [line.strip() for page in PAGES.values() for line in page.partition("\nExamples:\n")[2].splitlines()]


@pytest.fixture
def prediction_id(sandbox: object, example: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A prediction that has ended, but for the example that cancels one."""
    with sandboxed(3600) if " cancel " in example else nullcontext() as slow:
        if slow is not None:
            monkeypatch.setenv("SKYTELLS_BASE_URL", slow.urls["skytells"])
        yield ask("create", "gpt-5", {"prompt": "Hello"}).id


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("photo.png", "fox.png"):
        (tmp_path / name).write_bytes(png())
    (tmp_path / "question.txt").write_text("What is 2 + 3?\n")
    for name in ("hello.wav", "fox.wav"):
        (tmp_path / name).write_bytes(WAV)
    (tmp_path / "hello.py").write_text("print('Hello')\n")
    (tmp_path / "body.json").write_text('{"in": "Hello", "lang": "en-tw"}')
    (tmp_path / "texts.txt").write_text("Good morning\nThank you\n")


@pytest.mark.parametrize("page", PAGES)
def test_every_help_page_has_examples_of_its_own_command(page: str) -> None:
    examples = PAGES[page].partition("\nExamples:\n")[2].splitlines()
    words = page.split()[1:]
    assert examples
    for example in examples:
        assert example.startswith("  kellyapi ")
        assert len(example) <= 80
        given = [word for word in shlex.split(example, comments=True) if word != "--sandbox"][1:]
        assert given[: len(words)] == words


@pytest.mark.parametrize("example", dict.fromkeys(EXAMPLES))
def test_an_example_works(
    example: str,
    sandbox: object,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = [word for word in shlex.split(example, comments=True)[1:] if word != "--sandbox"]
    if "ID" in words:
        words[words.index("ID")] = request.getfixturevalue("prediction_id")
    type_in(monkeypatch, b"Hello\n")
    if "<" in words:
        at = words.index("<")
        type_in(monkeypatch, Path(words[at + 1]).read_bytes())
        del words[at : at + 2]
    elif ">" in words:
        del words[words.index(">") :]
    monkeypatch.setattr(run_checks, "CHECKS", {"keys": run_checks.CHECKS["keys"]})  # the others take long
    if words[0] == "sandbox":
        words += ["--port", "0"]  # the port of its own may be taken
    for output in (JsonOutput, TerminalOutput):
        monkeypatch.setattr(output, "sandbox_started", lambda *_: signal.raise_signal(signal.SIGINT))
    monkeypatch.setattr(demo_steps, "STEPS", [step for step in demo_steps.STEPS if step.file == "translation.txt"])
    assert main(words) == 0
    assert "error" not in capfd.readouterr().err
