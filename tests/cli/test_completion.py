"""`kellyapi completion`: the scripts, as the shells run them. zsh and fish are tested where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .command import Run

COMPLETED = [
    ("kellyapi transl", {"translate"}),
    ("kellyapi --sandbox trans", {"translate", "transcribe"}),
    ("kellyapi predictions f", {"follow"}),
    ("kellyapi translate --prov", {"--provider"}),
    ("kellyapi translate --provider k", {"kelly", "khaya"}),
    ("kellyapi translate Hello --target tw", {"tw", "twi"}),
    ("kellyapi translate Hello en-t", {"en-tw"}),
    ("kellyapi synthesize Hello --format o", {"ogg"}),
    ("kellyapi transcribe hel", {"hello.wav"}),
    ("kellyapi transcribe hello.wav fo", {"fox.wav"}),
    ("kellyapi languages trans", {"translation", "transcription"}),
    ("kellyapi completion f", {"fish"}),
]
BASH = """
source ./script
completed() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_kellyapi; printf '%s\\n' "${COMPREPLY[@]}"; echo; }
"""


@pytest.fixture(autouse=True)
def _files() -> None:
    for name in ("hello.wav", "fox.wav"):
        Path(name).touch()


def write_script(shell: str, run: Run) -> None:
    code, out, err = run("completion", shell)
    assert (code, err) == (0, "")
    Path("script").write_text(out, encoding="utf-8")


def test_bash_completes_commands_options_values_and_files(run: Run) -> None:
    write_script("bash", run)
    lines = BASH + "".join(f"completed {line}\n" for line, _ in COMPLETED)
    done = subprocess.run(["bash", "-c", lines], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert [set(part.split()) for part in done.stdout.split("\n\n")[:-1]] == [right for _, right in COMPLETED]


def test_fish_completes_the_same(run: Run) -> None:
    write_script("fish", run)
    if shutil.which("fish") is None:  # the script is made all the same
        return
    lines = "source ./script\n" + "".join(f"complete -C '{line}'; echo\n" for line, _ in COMPLETED)
    done = subprocess.run(
        ["fish", "--no-config", "-c", lines],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HOME": os.fspath(Path().absolute())},
    )
    found = [{line.split("\t")[0] for line in part.splitlines()} for part in done.stdout.split("\n\n")[:-1]]
    assert found == [right for _, right in COMPLETED]


def test_zsh_accepts_the_script(run: Run) -> None:
    write_script("zsh", run)
    if shutil.which("zsh"):
        subprocess.run(["zsh", "-n", "script"], check=True)


def test_completing_starts_no_python(run: Run) -> None:
    for shell in ("bash", "zsh", "fish"):
        write_script(shell, run)
        assert "python" not in Path("script").read_text(encoding="utf-8").lower()


def test_without_shtab_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    code, out, err = run("completion", "bash")
    assert (code, out, err) == (1, "", 'error: shtab is not installed: pip install "kellyapi[cli]"\n')
