"""What the doctor says about Python, the terminal, folders, keys and engines."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from kellyapi import PROVIDERS, KellyAPI
from kellyapi.cli.doctor import machine
from kellyapi.cli.doctor.findings import Finding

SECRET = "correct-horse-battery-staple"


def shown(findings: Iterable[Finding]) -> list[str]:
    found = [f"{each.state} {each.provider or ''} {each.check}: {each.message}" for each in findings]
    assert SECRET not in str(found)
    return found


def check_keys(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    api = KellyAPI()
    return shown(machine.check_keys({name: getattr(api, name) for name in PROVIDERS}))


def test_keys_are_present_or_not_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_keys(monkeypatch, KHAYA_API_KEY=SECRET) == [
        "note kelly key: no key",
        "ok khaya key: present",
        "note skytells key: no key",
        "note aerostack key: no key",
    ]


def test_no_key_at_all_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_keys(monkeypatch)[-1] == "warning  keys: no provider has a key"


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (" ", "is blank"),
        (f'"{SECRET}"', "has quotes or spaces"),
        (f"'{SECRET}'", "has quotes or spaces"),
        (f"Bearer {SECRET}", "has quotes or spaces"),
        (f"{SECRET}ɛ", "has characters that no header can carry"),
        (f"{SECRET}\x07x", "has characters that no header can carry"),
    ],
)
def test_a_key_that_cannot_be_one_is_a_problem(monkeypatch: pytest.MonkeyPatch, key: str, problem: str) -> None:
    assert f"problem skytells key: the key {problem}" in check_keys(monkeypatch, SKYTELLS_API_KEY=key)


def test_a_key_that_a_function_returns_is_not_called() -> None:
    assert machine.key_problem(lambda: 1 / 0) is None


@pytest.mark.parametrize("name", ["KELLY_API_KEY", "GHANANLP_KEY", "SKYTELLS_TOKEN"])
def test_a_variable_that_looks_like_a_key_and_is_not_read_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert f"note  keys: {name} is not read" in check_keys(monkeypatch, **{name: SECRET})


def test_a_folder_that_cannot_be_written_is_named_without_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", f"/no/such/{SECRET}")
    assert shown(machine.check_folders()) == [
        "warning  folders: the home folder cannot be written: No such file or directory",
        "ok  folders: can be written: current folder, folder for temporary files",
    ]


def test_a_machine_without_a_home_has_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(machine.Path, "home", no_home)
    assert "warning  folders: the home folder cannot be written: there is none" in shown(machine.check_folders())


@pytest.mark.parametrize(("encoding", "state"), [("utf-8", "ok"), ("latin-1", "warning"), ("ascii", "warning")])
def test_an_encoding_without_all_letters_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, encoding: str, state: str
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    (only,) = machine.check_terminal()
    assert only.state == state
    assert encoding in only.message
    assert (only.remedy is None) == (state == "ok")


@pytest.mark.parametrize(("running", "state"), [((3, 11, 0), "ok"), ((3, 13, 2), "ok"), ((3, 99, 0), "note")])
def test_an_untested_version_of_python_is_a_note(
    monkeypatch: pytest.MonkeyPatch, running: tuple[int, int, int], state: str
) -> None:
    monkeypatch.setattr(machine.sys, "version_info", running)
    (only,) = machine.check_python()
    assert only.state == state


async def test_a_missing_engine_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "espeakng_loader.py").write_text("""raise ModuleNotFoundError("No module named 'espeakng_loader'")""")
    monkeypatch.syspath_prepend(tmp_path)
    engines = [each for each in machine._ENGINES if each[0] in ("engine of speech", "engine of translation")]
    monkeypatch.setattr(machine, "_ENGINES", engines)
    translation, speech = await machine.check_engines(60)
    assert (translation.state, translation.message) == ("ok", "works")
    assert (speech.state, speech.remedy) == ("warning", 'pip install "kellyapi[sandbox]"')
    assert "espeak" in speech.message
