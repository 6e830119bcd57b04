"""The progress of uploads: bytes and percent on a terminal, and nothing elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .command import Run
from .fake_khaya import Server, make_wav
from .test_image_commands import png

OnTerminal = Callable[..., tuple[int, str]]


@pytest.fixture
def recording(khaya: Server) -> str:
    khaya.put("/asr/v3/transcribe", {"text": "good morning"})
    Path("talk.wav").write_bytes(make_wav(150))
    return "talk.wav"


def test_a_terminal_shows_the_bytes_and_percent_of_an_upload(recording: str, run_on_terminal: OnTerminal) -> None:
    code, shown = run_on_terminal("transcribe", recording)
    assert code == 0
    assert "transcribe: sent 2.3 of 2.3 MiB, 100 %" in shown
    assert "\x1b[1mgood morning\x1b[0m" in shown


def test_several_uploads_are_added_up(recording: str, run_on_terminal: OnTerminal) -> None:
    code, shown = run_on_terminal("transcribe", recording, recording)
    assert code == 0
    assert re.search(r"transcribe [12] of 2: sent \d\.\d of 4\.6 MiB, \d+ %", shown)


@pytest.mark.usefixtures("sandbox")
def test_an_image_inside_json_is_counted_too(run_on_terminal: OnTerminal) -> None:
    Path("fox.png").write_bytes(png() + bytes(2**20))
    code, shown = run_on_terminal("cutout", "fox.png")
    assert code == 0
    assert re.search(r"cutout: sent 1\.3 of 1\.3 MiB, 100 %", shown)


@pytest.mark.usefixtures("khaya")
def test_a_file_as_the_body_of_a_request_is_counted(recording: str, run_on_terminal: OnTerminal) -> None:
    words = ["request", "khaya", "POST", "/asr/v3/transcribe", "--data", recording]
    code, shown = run_on_terminal(*words)
    assert (code, "sent 2.3 of 2.3 MiB, 100 %" in shown) == (0, True)


def test_a_pipe_and_json_get_the_result_alone(recording: str, run: Run, run_on_terminal: OnTerminal) -> None:
    assert run("transcribe", recording) == (0, "good morning\n", "")
    code, out, err = run("transcribe", recording, "--json")
    assert (code, json.loads(out)["text"], err) == (0, "good morning", "")
    assert "sent" not in run_on_terminal("transcribe", recording, "--json")[1]
