"""Where results go: standard output, files, JSON."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
from pathlib import Path

import pytest

from kellyapi.cli.main import main

from .command import KELLYAPI, Run, execute, type_in
from .fake_khaya import HEARD, SEGMENTS, WAV, Server


def test_in_a_pipe_only_the_text_is_printed(run: Run) -> None:
    assert run("--sandbox", "translate", "Good morning", "en-tw") == (0, "Maakye\n", "")


def test_text_goes_to_a_file(khaya: Server, tmp_path: Path, run: Run) -> None:
    Path("out.txt").write_text("an older and longer text", encoding="utf-8")
    khaya.put("/v1/translate", "Ɛte sɛn")
    assert run("-o", "out.txt", "--force", "translate", "Hello", "en-tw") == (0, "out.txt\n", "")
    assert Path("out.txt").read_text(encoding="utf-8") == "Ɛte sɛn\n"


def test_standard_output_may_be_any_text_stream(run: Run) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        assert run("--sandbox", "translate", "Good morning", "en-tw") == (0, "", "")
    assert stdout.getvalue() == "Maakye\n"


def test_a_chat_prompt_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    type_in(monkeypatch, b"\xef\xbb\xbf2 + 3\r\n")
    code, out, err = run("--sandbox", "chat", "-", "--json", "--provider", "aerostack", "-o", "-")
    assert (code, err) == (0, "")
    reply = json.loads(out)
    assert reply["text"] == "[sandbox] 2 + 3 = 5"
    assert reply["provider"] == "aerostack"
    assert "path" not in reply


def test_standard_input_that_is_not_text_is_refused(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    type_in(monkeypatch, b"\xff\xfe")
    assert run("--sandbox", "chat", "-") == (2, "", "error: standard input is not UTF-8 text\n")


def test_a_picture_goes_to_a_file(run: Run) -> None:
    words = [
        "image",
        "a fox",
        "--width",
        "64",
        "--height",
        "96",
        "--negative-prompt",
        "text",
        "--model",
        "PhotoPerfect",
    ]
    code, out, _ = run("--sandbox", "--json", *words, "-o", "fox.png")
    assert code == 0
    facts = json.loads(out)
    assert facts == {
        "mime": "image/png",
        "prediction_id": None,
        "credits": None,
        "provider": "kelly",
        "tried": ["kelly"],
        "width": 64,
        "height": 96,
        "path": "fox.png",
    }
    assert Path("fox.png").read_bytes().startswith(b"\x89PNG")


def test_with_a_dash_media_is_written_as_bytes(
    khaya: Server, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["synthesize", "Hello", "-o", "-"]) == 0
    assert capsysbinary.readouterr() == (WAV, b"")
    assert main(["--sandbox", "image", "a fox", "--width", "64", "--height", "64", "-o", "-"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == []


def test_json_and_media_cannot_share_standard_output(khaya: Server, run: Run) -> None:
    code, out, err = run("synthesize", "Hello", "--json", "-o", "-")
    assert (code, out, khaya.requests) == (2, "", [])
    assert json.loads(err)["error"] == {
        "type": "ValueError",
        "message": "--json and -o - cannot share standard output",
    }


def test_with_json_speech_always_goes_to_a_file(khaya: Server, run: Run) -> None:
    code, out, err = run("--json", "synthesize", "Hello", "--voice", "female")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "mime": "audio/wav",
        "language": "eng",
        "warnings": [],
        "provider": "khaya",
        "tried": ["khaya"],
        "sample_rate": 8000,
        "duration": 1.0,
        "path": "speech.wav",
    }
    assert Path("speech.wav").read_bytes() == WAV
    assert json.loads(khaya.requests[0][1]) == {"text": "Hello", "language": "eng", "speaker_id": "female"}


@pytest.mark.parametrize(
    ("words", "format", "file"),
    [
        (["-o", "hello.MP3"], "mp3", "hello.MP3"),
        (["-o", "hello.ogg", "--format", "mp3"], "mp3", "hello.mp3"),
        (["--format", "mp3", "--json"], "mp3", "speech.mp3"),
    ],
)
def test_the_format_is_the_suffix_of_the_name_unless_it_is_given(
    words: list[str], format: str, file: str, khaya: Server, run: Run
) -> None:
    assert run("synthesize", "Hello", *words)[0] == 0
    assert json.loads(khaya.requests[0][1])["format"] == format
    assert Path(file).read_bytes() == b"ID3 and so on"


@pytest.mark.parametrize(
    ("words", "query", "reply", "out"),
    [
        ([], "language=eng", {"text": "good morning"}, "good morning\n"),
        (["--language", "twi"], "language=twi", {"text": "maakye"}, "maakye\n"),
        (
            ["--timestamps", "word"],
            "language=eng&timestamps=word",
            HEARD,
            "0.00\t0.25\tgood\n0.25\t1.00\tmorning\n",
        ),
        (["--timestamps", "segment"], "language=eng&timestamps=segment", SEGMENTS, "0.00\t1.00\tgood morning\n"),
    ],
)
def test_a_file_is_transcribed(words: list[str], query: str, reply: object, out: str, khaya: Server, run: Run) -> None:
    Path("hello.wav").write_bytes(WAV)
    khaya.put("/asr/v3/transcribe", reply)
    assert run("transcribe", "hello.wav", *words) == (0, out, "")
    assert khaya.requests == [(f"/asr/v3/transcribe?{query}", WAV)]


def test_audio_comes_from_standard_input(khaya: Server, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    type_in(monkeypatch, WAV)
    code, out, _ = run("transcribe", "-", "--json", "--timestamps", "word")
    assert code == 0
    assert json.loads(out)["words"][0] == {"word": "good", "start": 0.0, "end": 0.25}
    assert khaya.requests[0][1] == WAV


def test_the_command_reads_bytes_and_writes_utf_8_in_any_locale(khaya: Server) -> None:
    khaya.put("/asr/v3/transcribe", {"text": "Ɛte sɛn"})
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*KELLYAPI, "transcribe", "-"], input=WAV, capture_output=True, env=environment, check=True)
    assert (done.stdout.decode(), done.stderr) == (f"Ɛte sɛn{os.linesep}", b"")
    assert khaya.requests[0][1] == WAV


def test_a_warning_of_the_provider_is_printed_on_standard_error(khaya: Server) -> None:
    khaya.put("/asr/v3/transcribe", {"text": "hello", "warnings": ["'en' is a legacy code"]})
    code, out, err = execute("transcribe", "-", input=WAV)
    assert (code, out.split()) == (0, [b"hello"])
    assert err.splitlines() == [b"warning: 'en' is a legacy code"]


def test_a_text_that_the_sandbox_cannot_translate_is_printed_with_a_warning(run: Run) -> None:
    words = ["--sandbox", "translate", "The lorry is late", "en-tw"]
    warning = "not translated: unknown from en to tw"
    assert run(*words) == (0, "⟦tw⟧ The lorry is late\n", f"warning: {warning}\n")
    code, out, err = run(*words, "--json")
    assert json.loads(out)["warnings"] == [warning]
    assert (code, err) == (0, "")


def test_with_json_a_warning_of_the_provider_is_part_of_the_result_and_not_printed_beside_it(khaya: Server) -> None:
    khaya.put("/asr/v3/transcribe", {"text": "hello", "warnings": ["'en' is a legacy code"]})
    words = ["--json", "transcribe", "-", "--language", "en"]
    code, out, err = execute(*words, input=WAV)
    assert json.loads(out)["warnings"] == ["'en' is a legacy code"]
    assert (code, err) == (0, b"")
