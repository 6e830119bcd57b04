"""The commands that read or write images: edit, describe, upscale, cutout, notes and code."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image as Pillow

from .command import Run, type_in

pytestmark = pytest.mark.usefixtures("sandbox")


def png(colour: str = "red", size: tuple[int, int] = (64, 32)) -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(autouse=True)
def _fox(tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(png())
    (tmp_path / "hello.py").write_text("print('Ɛte sɛn')\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "made", "size"),
    [
        (["edit", "fox.png", "In snow", "--width", "96", "--height", "64"], "edited.png", (96, 64)),
        (["upscale", "fox.png"], "fox-upscaled.png", (256, 128)),
        (["cutout", "fox.png"], "fox-cutout.png", (64, 32)),
        (["notes", "Buy plantain"], "notes.png", None),
        (["code", "hello.py"], "code.png", None),
        (["code", "hello.py", "-o", "code.jpg"], "code.jpg", None),
    ],
)
def test_the_image_goes_to_a_file(words: list[str], made: str, size: tuple[int, int] | None, run: Run) -> None:
    assert run(*words) == (0, f"{made}\n", "")
    with Pillow.open(made) as image:
        assert size is None or image.size == size
        assert image.format == ("JPEG" if made.endswith("jpg") else "PNG")


@pytest.mark.parametrize(
    ("words", "data"),
    [
        (["edit", "-", "In snow", "--width", "64", "--height", "64"], png()),
        (["upscale", "-"], png()),
        (["cutout", "-"], png()),
        (["notes", "-"], b"Buy plantain"),
        (["code", "-"], b"print('Hello')"),
    ],
)
def test_the_input_may_come_from_standard_input(
    words: list[str], data: bytes, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    type_in(monkeypatch, data)
    code, out, err = run(*words, "--json", "-o", "made.png")
    assert (code, err) == (0, "")
    assert (json.loads(out)["mime"], json.loads(out)["path"]) == ("image/png", "made.png")


@pytest.mark.parametrize("words", [["edit", "-", "snow"], ["upscale", "-"], ["notes", "-"], ["code", "-"]])
def test_an_empty_standard_input_is_refused(words: list[str], monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    type_in(monkeypatch, b"")
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert "is empty" in err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["edit", "none.png", "snow"], "none.png: No such file"),
        (["upscale", "."], ".: Is a directory"),
        (["upscale", "hello.py"], "kelly: "),
        (["code", "none.py"], "none.py: No such file"),
        (["code", "fox.png"], "fox.png is not UTF-8 text"),
        (["describe", "none.png", "What?"], "none.png: No such file"),
        (["cutout", "fox.png", "-o", "no/where.png"], "there is no such folder"),
    ],
)
def test_a_wrong_input_is_one_line(words: list[str], complaint: str, run: Run) -> None:
    code, out, err = run(*words)
    assert (code in (1, 2), out, err.count("\n")) == (True, "", 1)
    assert complaint in err


def test_an_image_is_described(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    code, out, err = run("describe", "fox.png", "What is in it?", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["provider"] == "kelly"
    type_in(monkeypatch, b"What is in it?")
    text = json.loads(out)["text"]
    assert run("describe", "fox.png", "-", "-o", "fox.txt") == (0, "fox.txt\n", "")
    assert Path("fox.txt").read_text(encoding="utf-8") == f"{text}\n"


def test_a_question_that_is_a_file_is_refused(run: Run) -> None:
    Path("wolf.png").write_bytes(png("grey"))
    code, out, err = run("describe", "fox.png", "wolf.png")
    assert (code, out) == (2, "")
    assert "a PROMPT after the images, not the file wolf.png" in err
