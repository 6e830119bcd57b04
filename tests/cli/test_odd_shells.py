"""The command in shells that close streams, force colours, read one line only, or know no UTF-8."""

from __future__ import annotations

import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import kellyapi
from kellyapi.cli.main import main

from .command import KELLYAPI, Run
from .fake_khaya import WAV, Server

TEXT = ["translate", "Hello", "en-tw"]
SPEECH = ["synthesize", "Hello"]


def in_shell(script: str, *words: str, **environment: str) -> tuple[int, bytes, bytes]:
    """Run a script of bash in which "$@" is the command: (exit code, standard output, standard error)."""
    command = ["bash", "-o", "pipefail", "-c", script, "bash", *KELLYAPI, *words]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **environment}, check=False)
    return done.returncode, done.stdout, done.stderr


# Closed streams


def test_with_all_streams_closed_the_result_still_goes_to_its_file(khaya: Server) -> None:
    assert in_shell('"$@" <&- >&- 2>&-', *SPEECH) == (0, b"", b"")
    assert Path("speech.wav").read_bytes() == WAV


def test_errors_go_nowhere_if_standard_error_is_closed() -> None:
    assert in_shell('"$@" 2>&-', "translate", " ", "en-tw") == (2, b"", b"")


@pytest.mark.parametrize(
    ("stream", "words", "right"),
    [
        ("stderr", TEXT, (0, "Maakye\n", "")),
        ("stdin", TEXT, (0, "Maakye\n", "")),
        ("stdin", ["translate", "-", "en-tw"], (2, "", "error: the text is empty\n")),
        ("stdout", [*TEXT, "-o", "out.txt"], (0, "", "")),
        ("stdout", [*SPEECH, "--json"], (0, "", "")),
    ],
)
def test_a_stream_that_is_not_needed_may_be_closed(
    stream: str, words: list[str], right: tuple[int, str, str], khaya: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr(sys, stream, None)  # as Python sets it if the shell has closed it
    assert run(*words) == right
    assert getattr(sys, stream) is None
    assert len(khaya.requests) == (right[0] == 0)


@pytest.mark.parametrize("words", [TEXT, [*TEXT, "--json"], [*SPEECH, "-o", "-"], ["models", "list"]])
def test_a_result_that_would_be_lost_is_not_paid_for(
    words: list[str], khaya: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)  # as Python sets it if the shell has closed it
    assert main(words) == 1
    assert sys.stdout is None
    assert "standard output is closed" in capsys.readouterr().err
    assert khaya.requests == []


# Readers that have ended, and full disks


def test_a_reader_of_one_line_ends_the_command_quietly(khaya: Server) -> None:
    lines = [{"word": f"word {number}", "start": 0, "end": 1} for number in range(20_000)]
    khaya.put("/asr/v3/transcribe", {"text": "many", "timings": {"words": lines}})
    Path("hello.wav").write_bytes(WAV)
    code, out, err = in_shell('"$@" | head -1', "transcribe", "hello.wav", "--timestamps", "word")
    assert (code, out, err) == (1, b"0.00\t1.00\tword 0\n", b"")


def test_a_reader_of_errors_that_has_ended_ends_the_command_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", encoding="utf-8") as nobody:
        monkeypatch.setattr(sys, "stderr", nobody)
        assert main(["translate", " ", "en-tw"]) == 1
    assert capsys.readouterr().out == ""


def test_a_full_disk_behind_standard_output_is_an_error(
    khaya: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(TEXT) == 1
    assert capsys.readouterr().err == "error: No space left on device\n"


@pytest.mark.parametrize("at_once", [False, True], ids=["buffered", "at once"])
@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], ["translate", "--help"]])
def test_help_that_cannot_be_written_is_an_error(
    words: list[str], at_once: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("wb", buffering=0) as file:
        full = io.TextIOWrapper(file if at_once else io.BufferedWriter(file), write_through=at_once)  # type: ignore[type-var]  # as with python -u
        monkeypatch.setattr(sys, "stdout", full)
        assert main(words) == 1
    assert capsys.readouterr().err == "error: No space left on device\n"


def test_without_a_single_column_all_is_shown(
    khaya: Server, monkeypatch: pytest.MonkeyPatch, run: Run, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    assert run("translate", " ", "en-tw") == (2, "", "error: the text is empty\n")
    assert "Maakye" in run_on_terminal(*TEXT)[1]
    assert "translation" in run_on_terminal("languages", "none")[1]


def test_python_runs_the_command_as_a_module(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kellyapi", "translate", " ", "en-tw"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(Path(kellyapi.__file__).with_name("__main__.py")), run_name="__main__")
    assert (ended.value.code, capsys.readouterr().err) == (2, "error: the text is empty\n")


# Colours


@pytest.mark.parametrize("colour", [{"FORCE_COLOR": "1"}, {"FORCE_COLOR": "1", "TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_what_a_pipe_gets_does_not_depend_on_colours(
    colour: dict[str, str], khaya: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    for name, value in colour.items():
        monkeypatch.setenv(name, value)
    assert run(*TEXT) == (0, "Maakye\n", "")
    assert run(*SPEECH) == (0, "speech.wav\n", "")
    code, out, err = run("--sandbox", "models", "show", "truefusion")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert "width\tinteger\t1024" in out
    code, out, err = run("--sandbox", "run", "gpt-5", "-i", "prompt=Hello", "--interval", "0.01")
    assert code == 0
    assert "\x1b" not in out + err


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_a_terminal_without_colours_shows_the_facts_too(
    variable: str,
    khaya: Server,
    monkeypatch: pytest.MonkeyPatch,
    run_on_terminal: Callable[..., tuple[int, str]],
) -> None:
    monkeypatch.setenv(variable, "dumb")
    code, shown = run_on_terminal(*TEXT)
    assert code == 0
    assert "en → tw · khaya" in shown
    assert "\x1b[3" not in shown
    assert variable != "TERM" or "\x1b" not in shown


def test_a_dumb_terminal_gets_lines_in_place_of_a_bar(
    monkeypatch: pytest.MonkeyPatch, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    code, shown = run_on_terminal("--sandbox", "run", "gpt-5", "-i", "prompt=Hello", "--interval", "0.01")
    assert code == 0
    assert "\x1b" not in shown
    assert "succeeded · gpt-5" in shown


# Encodings

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def test_without_utf_8_texts_and_names_are_those_that_were_typed(khaya: Server) -> None:
    khaya.put("/v1/translate", "Ɛte sɛn")
    words = ["translate", "Wo ho te sɛn", "tw-en", "--json", "-o", "sɛn.txt"]
    code, out, err = in_shell('"$@"', *words, **ASCII)
    assert (code, err) == (0, b"")
    assert json.loads(khaya.requests[0][1])["in"] == "Wo ho te sɛn"
    facts = json.loads(out)
    assert (facts["text"], facts["path"].encode("ascii", "surrogateescape").decode()) == ("Ɛte sɛn", "sɛn.txt")
    assert Path("sɛn.txt").read_text("utf-8") == "Ɛte sɛn\n"


def test_a_name_that_is_no_text_is_printed_as_the_bytes_that_it_has(
    khaya: Server, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    name = os.fsdecode(b"a\xff.txt")
    assert main([*TEXT, "-o", name]) == 0
    assert capsysbinary.readouterr() == (b"a\xff.txt\n", b"")
    assert Path(name).read_text() == "Maakye\n"
    assert main([*TEXT, "-o", name, "--force", "--json"]) == 0
    out = capsysbinary.readouterr().out
    assert json.loads(out)["path"] == name


def test_a_terminal_that_knows_ascii_alone_shows_the_rest_as_marks(
    khaya: Server, monkeypatch: pytest.MonkeyPatch, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    khaya.put("/v1/translate", "Ɛte sɛn")
    before = os.fdopen

    def ascii_terminal(number: int, mode: str, **options: object) -> object:
        return before(number, mode, encoding="ascii") if options else before(number, mode)

    monkeypatch.setattr(os, "fdopen", ascii_terminal)
    code, shown = run_on_terminal(*TEXT, "-o", "sɛn.txt")
    assert code == 0
    assert "s?n.txt" in shown
    assert Path("sɛn.txt").read_text("utf-8") == "Ɛte sɛn\n"
    code, shown = run_on_terminal(*TEXT, "--json")
    assert json.loads(shown)["text"] == "Ɛte sɛn"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["translate", os.fsdecode(b"\xff"), "en-tw"], r"error: '\udcff' is not UTF-8 text"),
        (["run", "truefusion", "-i", os.fsdecode(b"prompt=\xff")], r"'prompt=\udcff' is not UTF-8 text"),
    ],
)
def test_a_text_that_is_not_utf_8_is_refused(words: list[str], complaint: str, khaya: Server, run: Run) -> None:
    code, out, err = run(*words)
    assert (code, out, khaya.requests) == (2, "", [])
    assert complaint in err


def test_standard_output_may_have_no_encoding(khaya: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    assert main([*TEXT, "--json"]) == 0
    assert json.loads(stream.getvalue())["text"] == "Maakye"
