"""The console script with the real engines: `kellyapi demo`, `synthesize` and `transcribe`."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sysconfig
import wave
from pathlib import Path

from PIL import Image

from kellyapi.cli import demo_steps

KELLYAPI = str(Path(sysconfig.get_path("scripts"), "kellyapi"))
FILES = {"translation.txt", "picture.png", "code.png", "notes.png", "speech.wav", "transcript.json"}


def run(folder: Path, *words: str, input: bytes | None = None) -> bytes:
    """Run the command in a folder, without a network. It must succeed and write nothing to stderr."""
    offline = {**os.environ, "HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"}
    done = subprocess.run([KELLYAPI, *words], cwd=folder, input=input, capture_output=True, env=offline, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def test_the_demo_makes_all_its_files_in_an_empty_folder(tmp_path: Path) -> None:
    table = run(tmp_path, "demo").decode()
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
    report = json.loads(run(tmp_path, "-o", "mine", "--force", "--json", "demo"))
    assert report["folder"] == "mine"
    assert b"of an earlier run" not in [path.read_bytes() for path in (tmp_path / "mine").iterdir()]
    assert {step["file"] for step in report["steps"]} == FILES == {path.name for path in (tmp_path / "mine").iterdir()}
    assert report["seconds"] >= sum(step["seconds"] for step in report["steps"]) > 0


def test_a_synthesized_file_can_be_transcribed(tmp_path: Path) -> None:
    sentence = "The quick brown fox jumps over the lazy dog"
    assert run(tmp_path, "--sandbox", "synthesize", sentence, "-o", "fox.mp3").decode().strip() == "fox.mp3"
    out = run(tmp_path, "--sandbox", "transcribe", "fox.mp3", "--language", "eng", "--json")
    transcript = json.loads(out)["text"].split()
    assert sum(word in transcript for word in sentence.lower().split()) >= 7


def test_speech_goes_through_pipes(tmp_path: Path) -> None:
    speech = run(tmp_path, "synthesize", "-", "-o", "-", "--sandbox", input=b"What is your name?\n")
    with wave.open(io.BytesIO(speech)) as audio:
        assert audio.getframerate() == 22_050
    words = run(tmp_path, "transcribe", "-", "--sandbox", "--timestamps", "word", input=speech).decode().splitlines()
    assert [line.split("\t")[2] for line in words][-2:] == ["your", "name"]
    assert list(tmp_path.iterdir()) == []
