"""The console script with the real engines: `kellyapi demo`, `synthesize` and `transcribe`."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sysconfig
import wave
from pathlib import Path

import pytest
from PIL import Image
from processes import Script, plain_python

from kellyapi.cli import demo_steps

KELLYAPI = str(Path(sysconfig.get_path("scripts"), "kellyapi"))
FILES = {"translation.txt", "picture.png", "code.png", "notes.png", "speech.wav", "transcript.json"}


COMMAND = "import sys; from kellyapi.cli.main import main; sys.exit(main())"


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to an empty folder, without a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")


def run(*words: str, input: bytes = b"") -> bytes:
    """Run the command in a process of its own. It must succeed and write nothing to stderr."""
    with Script(plain_python(), COMMAND, *words) as script:
        out, err = script.communicate(input)
    assert (script.returncode, err) == (0, b"")
    return out


def test_the_demo_makes_all_its_files_in_an_empty_folder(tmp_path: Path) -> None:
    done = subprocess.run([KELLYAPI, "demo"], capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    table = done.stdout.decode()
    folder = tmp_path / "kellyapi-demo"
    assert [path.name for path in tmp_path.iterdir()] == ["kellyapi-demo"]
    assert {path.name for path in folder.iterdir()} == FILES
    assert all(name in table for name in FILES)
    assert len(re.findall(r"\d\.\d\d s", table)) == len(FILES)
    assert "\x1b" not in table
    with wave.open(str(folder / "speech.wav")) as audio:
        assert (audio.getnchannels(), audio.getsampwidth(), audio.getframerate()) == (1, 2, 22_050)
        assert audio.getnframes() > 22_050
    for name, least in {"picture.png": (1024, 1024), "code.png": (400, 200), "notes.png": (400, 200)}.items():
        with Image.open(folder / name) as picture:
            picture.load()
            assert picture.format == "PNG"
            assert picture.size >= least
    translation = (folder / "translation.txt").read_text(encoding="utf-8")
    assert translation.startswith(f"{demo_steps.SENTENCE}\n")
    assert "⟦" not in translation
    transcript = json.loads((folder / "transcript.json").read_text(encoding="utf-8"))
    assert transcript["text"] == "hello what is your name"
    assert all(0 <= word["start"] < word["end"] for word in transcript["words"])
    assert [word["start"] for word in transcript["words"]] == sorted(word["start"] for word in transcript["words"])


def test_the_demo_replaces_its_files_in_a_named_folder_and_reports_json(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in FILES:
        (tmp_path / "mine" / name).write_bytes(b"of an earlier run")
    report = json.loads(run("-o", "mine", "--force", "--json", "demo"))
    assert report["folder"] == "mine"
    assert b"of an earlier run" not in [path.read_bytes() for path in (tmp_path / "mine").iterdir()]
    assert {step["file"] for step in report["steps"]} == FILES == {path.name for path in (tmp_path / "mine").iterdir()}
    assert report["seconds"] >= sum(step["seconds"] for step in report["steps"]) > 0


def test_a_synthesized_file_can_be_transcribed(tmp_path: Path) -> None:
    assert run("--sandbox", "synthesize", "one two three", "-o", "said.mp3").decode().strip() == "said.mp3"
    out = run("--sandbox", "transcribe", "said.mp3", "--language", "eng", "--json")
    assert json.loads(out)["text"] == "one two three"


def test_speech_goes_through_pipes(tmp_path: Path) -> None:
    speech = run("synthesize", "-", "-o", "-", "--sandbox", input=b"One, two, three.\n")
    with wave.open(io.BytesIO(speech)) as audio:
        assert audio.getframerate() == 22_050
    words = run("transcribe", "-", "--sandbox", "--timestamps", "word", input=speech).decode().splitlines()
    assert [line.split("\t")[2] for line in words][-2:] == ["two", "three"]
    assert list(tmp_path.iterdir()) == []
