"""The packages and extras that are installed, by the metadata of the library."""

from __future__ import annotations

import sys

import pytest

from kellyapi.cli.doctor import packages
from kellyapi.cli.doctor.findings import Finding
from kellyapi.cli.doctor.packages import Requirement, check_packages, fits, read_requirements

LINES = [
    "aiohttp<4,>=3.14",
    "attrs (>=23.1)",
    'rich>=13; extra == "cli"',
    "aiohttp[speedups]<4,>=3.14; extra == 'speed'",
    'old==1; (python_version == "2.7") and extra == "sandbox"',
    f'new==1; python_version == "{sys.version_info[0]}.{sys.version_info[1]}" and extra == "sandbox"',
    'other; platform_python_implementation == "Jython" and extra == "sandbox"',
]


def test_requirements_are_read_without_those_for_other_pythons() -> None:
    assert list(read_requirements(LINES)) == [
        Requirement("aiohttp", "<4,>=3.14", None),
        Requirement("attrs", ">=23.1", None),
        Requirement("rich", ">=13", "cli"),
        Requirement("aiohttp", "<4,>=3.14", "speed"),
        Requirement("new", "==1", "sandbox"),
    ]


@pytest.mark.parametrize(
    ("found", "wanted", "right"),
    [
        ("3.14.5", ">=3.14,<4", True),
        ("3.14", ">=3.14.0", True),
        ("3.9.1", ">=3.14,<4", False),
        ("4.0", "<4,>=3.14", False),
        ("5.0.4", "==5.0.4", True),
        ("5.0.5", "==5.0.4", False),
        ("1.0rc1", "!=1.1", True),
        ("anything", "", True),
    ],
)
def test_versions_are_compared_as_numbers(found: str, wanted: str, right: bool) -> None:
    assert fits(found, wanted) is right


def check(monkeypatch: pytest.MonkeyPatch, *lines: str) -> list[Finding]:
    monkeypatch.setattr(packages, "requires", lambda name: list(lines))
    return list(check_packages())


def test_a_missing_package_of_an_extra_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    (base, extra) = check(monkeypatch, "attrs>=23.1", 'rich>=13; extra == "cli"')
    assert (base.state, extra.state) == ("ok", "warning")
    assert base.message.startswith("attrs ")
    assert (extra.check, extra.message, extra.remedy) == ("extra cli", "rich is missing", 'pip install "kellyapi[cli]"')


def test_an_extra_that_is_not_used_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    (_, extra) = check(monkeypatch, "attrs>=23.1", 'no-such-package; extra == "speed"')
    assert (extra.state, extra.message) == ("note", "not installed")


def test_an_incomplete_extra_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    (_, extra) = check(monkeypatch, "attrs", 'attrs; extra == "speed"', 'no-such-package; extra == "speed"')
    assert (extra.state, extra.message) == ("warning", "no-such-package is missing")


def test_a_needed_package_of_a_wrong_version_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    (base,) = check(monkeypatch, "attrs>=99")
    assert base.state == "problem"
    assert base.message.endswith(", and >=99 is needed")


def test_a_library_that_is_not_installed_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise packages.PackageNotFoundError(name)

    monkeypatch.setattr(packages, "requires", missing)
    (only,) = check_packages()
    assert (only.state, only.message) == ("note", "kellyapi is not installed as a package")


def test_the_extras_of_developers_are_left_out() -> None:
    assert not [each for each in check_packages() if each.check in ("extra test", "extra docs")]
