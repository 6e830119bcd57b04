"""The table in examples/README.md has every example, with the keys that it reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import EXAMPLES

ROW = re.compile(r"^\| \[(\w+\.py)\].*?\|.*?\|(.*?)\|", re.MULTILINE)
ROWS = dict(ROW.findall((EXAMPLES / "README.md").read_text("utf-8")))
PROGRAMS = [path for path in sorted(EXAMPLES.glob("*.py")) if "__main__" in path.read_text("utf-8")]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_each_example_has_a_row_that_names_its_keys(program: Path) -> None:
    named = set(re.findall(r"\w+_TOKEN|\w+_API_KEY", program.read_text("utf-8")))
    assert set(re.findall(r"\w+_TOKEN|\w+_API_KEY", ROWS[program.name])) == named


def test_each_row_belongs_to_an_example() -> None:
    assert ROWS.keys() == {program.name for program in PROGRAMS}
