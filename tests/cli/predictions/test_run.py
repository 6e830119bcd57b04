"""`kellyapi run` in a pipe."""

from __future__ import annotations

import base64
import errno
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cli.command import KELLYAPI, Run, execute, type_in
from cli.test_image_commands import png
from kellyapi.cli.arguments import model_input

from .terminal import FOX, ID, PNG, ask

FAILING = ["run", "truefusion", "-i", "prompt=fail please", "--interval", "0.01"]


@pytest.mark.usefixtures("_quick")
def test_a_prediction_is_run_and_its_outputs_are_downloaded() -> None:
    code, out, err = execute(*FOX, "-o", "made")
    (path,) = Path("made").iterdir()
    assert (code, out.decode()) == (0, f"{path}\n")
    assert path.read_bytes().startswith(PNG)
    lines = err.decode().splitlines()
    assert re.fullmatch(rf"prediction {ID}", lines[0])
    assert lines[-1].startswith("succeeded · truefusion · ")
    assert lines[-1].endswith(" credits")


@pytest.mark.usefixtures("_quick")
def test_json_has_the_prediction_and_its_files(run: Run) -> None:
    code, out, err = run(*FOX, "-o", "made", "--json")
    prediction = json.loads(out)
    assert (code, err) == (0, "")
    assert (prediction["status"], prediction["progress"], prediction["credits_used"]) == ("succeeded", 100, 0.03)
    assert [Path(path).read_bytes()[:8] for path in prediction["paths"]] == [PNG]


@pytest.mark.parametrize("file", ["fox.png", "-"])
@pytest.mark.usefixtures("_quick")
def test_a_file_is_an_input(file: str, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    picture = png()
    Path("fox.png").write_bytes(picture)
    type_in(monkeypatch, picture)
    code, out, err = run(*FOX, "--file", f"image={file}", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["input"]["image"] == f"data:image/png;base64,{base64.b64encode(picture).decode()}"


@pytest.mark.usefixtures("_quick")
def test_a_file_that_is_missing_is_said_before_a_prediction_is_created(run: Run) -> None:
    code, out, err = run(*FOX, "-f", "image=none.png")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "none.png: No such file" in err


@pytest.mark.usefixtures("_quick")
def test_a_file_has_the_ending_of_its_format(run: Run) -> None:
    code, out, _ = run("run", "beatfusion-2.0", "-i", "prompt=a song", "-i", "duration_seconds=5", "-o", "made")
    (path,) = Path("made").iterdir()
    assert (code, out, path.suffix, path.read_bytes()[:4]) == (0, f"{path}\n", ".wav", b"RIFF")


@pytest.mark.usefixtures("_quick")
def test_without_a_folder_the_outputs_are_printed(run: Run) -> None:
    code, out, _ = run(*FOX)
    assert code == 0
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/delivery/{ID}-output\.png\n", out)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"a": "b"}', {"a": "b"}),
        ('"5"', "5"),
        ("a fox", "a fox"),
        ("a=b", "a=b"),
        ("", ""),
        ("{not json", "{not json"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
    ],
)
def test_an_input_that_is_valid_json_is_sent_as_json(given: str, value: Any) -> None:
    assert model_input(f"extra={given}") == ("extra", value)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["run"], "MODEL"),
        (["run", "truefusion", "-i", "prompt"], "'prompt' is not NAME=VALUE"),
        (["run", "truefusion", "-i", "=fox"], "'=fox' is not NAME=VALUE"),
        (["run", "truefusion", "-i", "seed=1", "-i", "seed=2"], "input seed is given more than once"),
        (["run", "truefusion", "--timeout", "soon"], "'soon' is not a number of seconds"),
        (["run", "truefusion", "--timeout", "-1"], "'-1' is not a number of seconds"),
        (["run", "truefusion", "--interval", "nan"], "'nan' is not a number of seconds"),
        (["--provider", "kelly", "run", "truefusion"], "run takes no --provider"),
        (["-o", "made", "predictions", "list"], "predictions list takes no --output"),
        (["predictions"], "ACTION"),
        (["predictions", "paint"], "invalid choice"),
        (["predictions", "get"], "ID"),
        (["predictions", "get", ".."], "prediction must not be"),
        (["models", "show"], "MODEL"),
    ],
)
def test_wrong_arguments_are_reported_before_anything_is_sent(words: list[str], complaint: str, run: Run) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert complaint in err


@pytest.mark.parametrize(("folder", "named"), [("made", "made"), ("made/fox", "{here}/made")])
@pytest.mark.usefixtures("_quick")
def test_a_folder_that_is_a_file_is_reported_before_anything_is_paid_for(folder: str, named: str, run: Run) -> None:
    Path("made").write_bytes(b"")
    before = ask("list").pagination.total
    code, _, err = run(*FOX, "-o", folder)
    assert (code, err) == (1, f"error: {named.format(here=Path.cwd())}: is a file, not a folder\n")
    assert ask("list").pagination.total == before


@pytest.mark.usefixtures("_quick")
def test_a_read_only_folder_is_reported_before_anything_is_paid_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ask("list").pagination.total
    monkeypatch.setattr(os, "access", lambda *_, **__: False)  # the superuser may write everywhere
    code, _, err = run(*FOX, "-o", "made")
    assert (code, err) == (1, f"error: {Path.cwd()}: is a folder that you may not write to\n")
    assert ask("list").pagination.total == before


@pytest.mark.usefixtures("_quick")
def test_the_error_of_a_full_disk_names_the_file_and_the_paid_prediction() -> None:
    """The shell's limit on the size of files stands for a full disk."""
    limited = ["bash", "-c", 'ulimit -f 0; exec "$@"', "bash", *KELLYAPI, *FOX, "-o", "made", "--json"]
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(limited, capture_output=True, text=True, check=False, env=unmeasured)  # it has no disk either
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, done.stdout) == (1, "")
    assert error["message"].startswith(f"made/{error['prediction']}-output.png.")
    assert error["message"].endswith(f": {os.strerror(errno.EFBIG)}")
    assert list(Path("made").iterdir()) == []


@pytest.mark.usefixtures("_quick")
def test_a_prediction_that_fails_is_reported_with_its_reason(run: Run) -> None:
    code, out, err = run(*FAILING, "--json")
    error = json.loads(err)["error"]
    assert (code, out) == (1, "")
    assert (error["type"], ask("get", error["prediction"]).status) == ("PredictionFailedError", "failed")
    code, out, err = run(*FAILING)
    assert (code, out) == (1, "")
    assert err.count("failed · truefusion") == 1
    assert err.splitlines()[-1].startswith("error: skytells: prediction ")


@pytest.mark.usefixtures("_slow")
def test_waiting_too_long_names_the_prediction_that_is_still_running(run: Run) -> None:
    code, _, err = run(*FOX, "--timeout", "0.1", "--json")
    error = json.loads(err)["error"]
    assert (code, error["type"]) == (1, "WaitTimeoutError")
    assert not ask("get", error["prediction"]).ended
