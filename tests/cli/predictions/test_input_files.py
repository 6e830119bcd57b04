"""Files as inputs of models: `-i image=@photo.png`."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from cli.command import Run
from kellyapi.cli.arguments import InputFile, file_input, model_input

PHOTO = io.BytesIO()
Picture.new("RGB", (64, 64), "red").save(PHOTO, "PNG")
DATA_URL = f"data:image/png;base64,{base64.b64encode(PHOTO.getvalue()).decode()}"
SMALL = ("-i", "width=64", "-i", "height=64")


class Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def create(run: Run, *inputs: str) -> dict[str, Any]:
    """Create a prediction, and return its input as the provider has it."""
    code, out, err = run("predictions", "create", "truefusion", "-i", "prompt=at night", *SMALL, *inputs, "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)["input"]
    return found


@pytest.mark.usefixtures("_quick")
def test_a_file_after_an_at_sign_is_sent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("photo.png").write_bytes(PHOTO.getvalue())
    assert create(run, "-i", "image=@photo.png")["image"] == DATA_URL
    monkeypatch.setenv("HOME", str(Path.cwd()))
    assert create(run, "-i", "image=@~/photo.png")["image"] == DATA_URL
    monkeypatch.setattr(sys, "stdin", Stdin(PHOTO.getvalue()))
    assert create(run, "-i", "image=@-")["image"] == DATA_URL
    code, out, _ = run("run", "truefusion", "-i", "prompt=at night", *SMALL, "-i", "image=@photo.png", "-o", "made")
    (path,) = Path("made").iterdir()
    assert (code, out) == (0, f"{path}\n")


@pytest.mark.usefixtures("_quick")
def test_a_text_that_begins_with_an_at_sign_is_written_with_two_or_as_json(run: Run) -> None:
    sent = create(run, "-i", "negative_prompt=@@me")
    assert sent["negative_prompt"] == "@me"
    assert create(run, "-i", 'negative_prompt="@me"')["negative_prompt"] == "@me"


@pytest.mark.parametrize(
    ("text", "value"),
    [("image=@a=b.png", InputFile("a=b.png")), ("image=@@", "@"), ("image=@@@a", "@@a"), ("image=a@b", "a@b")],
)
def test_only_an_at_sign_at_the_beginning_counts(text: str, value: str) -> None:
    name, found = model_input(text)
    assert (name, found, type(found)) == ("image", value, type(value))


def test_the_name_of_a_file_need_not_be_text() -> None:
    name = os.fsdecode(b"\xff.png")
    assert model_input(f"image=@{name}") == file_input(f"image={name}") == ("image", name)


@pytest.mark.parametrize("command", [["run"], ["predictions", "create"]])
@pytest.mark.parametrize(
    ("value", "code", "words"),
    [("@none.png", 1, "none.png"), ("@.", 1, "directory"), ("@empty", 2, "is empty"), ("@", 2, "has no file name")],
)
@pytest.mark.usefixtures("_quick")
def test_a_file_that_cannot_be_sent_is_an_error(
    run: Run, command: list[str], value: str, code: int, words: str
) -> None:
    Path("empty").write_bytes(b"")
    ended, out, err = run(*command, "truefusion", "-i", "prompt=at night", "-i", f"image={value}")
    assert (ended, out) == (code, "")
    assert words in err


@pytest.mark.usefixtures("_quick")
def test_the_id_of_a_created_prediction_is_printed_alone(run: Run) -> None:
    code, out, _ = run("predictions", "create", "truefusion", "-i", "prompt=a fox", *SMALL)
    assert code == 0
    state = run("predictions", "follow", out.strip(), "--json", "--interval", "0.01")
    assert json.loads(state[1])["status"] == "succeeded"
