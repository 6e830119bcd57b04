"""The arguments of the commands of `benchmarks/`; the measurements themselves take minutes."""

from __future__ import annotations

import runpy
import sys

import pytest

from benchmarks import report

WRONG = {
    "--minutes -1": "argument --minutes: must be a number, 0.1 or more, not '-1'",
    "--minutes nan": "argument --minutes: must be a number, 0.1 or more, not 'nan'",
    "--faults 2": "argument --faults: must be a number, 0 to 1, not '2'",
    "--concurrency 0": "argument --concurrency: must be a whole number, 1 or more, not '0'",
    "--concurrency many": "argument --concurrency: must be a whole number, 1 or more, not 'many'",
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_number_is_refused_before_anything_starts(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["soak", *words.split()])
    with pytest.raises(SystemExit) as exit:
        runpy.run_module("benchmarks.soak", run_name="__main__")
    assert exit.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(WRONG[words])


def test_a_missing_package_is_named_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_LIBRARIES", ("aiohttp", "no-such-package"))
    assert set(report.missing()) - {"matplotlib"} == {"no-such-package"}
