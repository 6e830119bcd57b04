"""Failures, exit codes and Ctrl+C."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from .command import Run, start
from .fake_khaya import KEY, Server


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["transcribe", "missing.wav"], "missing.wav: No such file or directory"),
        (["transcribe", "."], ".: Is a directory"),
        (["transcribe", "data:audio/wav;base64,AAAA"], "No such file or directory"),
        (["translate", "Hello", "en-xx"], "en-xx cannot be used (400, VALIDATION_FAILED)"),
        (["image", "a fox", "--width", "1"], "64 to 2048"),
        (["image", "a fox", "-o", "no/where.png"], "no: there is no such folder"),
        (["translate", "Hello", "en-tw", "-o", "."], ".: is a folder, not a file"),
    ],
)
def test_a_failure_is_one_line_and_exit_code_1(words: list[str], complaint: str, tmp_path: Path, run: Run) -> None:
    code, out, err = run("--sandbox", *words)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert complaint in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_sent_if_the_output_cannot_be_written(khaya: Server, run: Run) -> None:
    assert run("synthesize", "Hello", "-o", "no/where.wav")[0] == 1
    assert khaya.requests == []


def test_with_json_a_failure_is_an_object_on_standard_error(khaya: Server, run: Run) -> None:
    khaya.put("/v1/translate", {"statusCode": 400, "message": "It is\nno use", "activityId": "a1"}, status=400)
    code, out, err = run("--json", "translate", "Hello", "en-tw")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert json.loads(err)["error"] == {
        "type": "BadRequestError",
        "message": "khaya: It is no use (400, HTTP_ERROR, request a1)",
        "code": "HTTP_ERROR",
        "provider": "khaya",
        "status": 400,
        "request_id": "a1",
    }


def test_an_error_says_if_the_call_may_have_been_billed(khaya: Server, run: Run) -> None:
    khaya.put("/tts/v1/tts", {"statusCode": 500, "message": "Out of order"}, status=500)
    code, _, err = run("synthesize", "Hello")
    assert code == 1
    assert "Out of order" in err
    assert err.endswith("; the call may have been carried out and billed\n")
    assert len(khaya.requests) == 1


def test_the_key_is_never_shown(khaya: Server, run: Run) -> None:
    khaya.put("/v1/translate", {"statusCode": 401, "message": "Access denied"}, status=401)
    for words in (["translate", "Hello", "en-tw"], ["--json", "translate", "Hello", "en-tw"]):
        code, out, err = run(*words)
        assert code == 1
        assert "Access denied" in err
        assert KEY not in out + err


def test_an_unexpected_error_is_one_line_too(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello"))  # which has no bytes
    code, out, err = run("--sandbox", "chat", "-")
    assert (code, out) == (1, "")
    assert err == "error: AttributeError: '_io.StringIO' object has no attribute 'buffer'\n"


def test_without_rich_the_command_says_what_to_install_and_json_still_works(
    monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    code, out, err = run("--sandbox", "chat", "Hello")
    assert (code, out) == (1, "")
    assert err == 'error: rich is not installed: pip install "kellyapi[cli]", or use --json\n'
    assert run("--sandbox", "chat", "Hello", "--json")[0] == 0


def test_a_closed_pipe_ends_the_command_quietly(khaya: Server, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", encoding="utf-8") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        code, _, err = run("translate", "Good morning", "en-tw")
    assert (code, err) == (1, "")


def test_ctrl_c_is_exit_code_130_without_output(khaya: Server, run: Run) -> None:
    khaya.before_response = lambda: os.kill(os.getpid(), signal.SIGINT)
    assert run("translate", "Good morning", "en-tw") == (130, "", "")
    assert len(khaya.requests) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_program_with_128_and_its_number(khaya: Server, number: signal.Signals) -> None:
    asked = threading.Event()
    answer = threading.Event()

    def hold() -> None:
        asked.set()
        answer.wait()

    khaya.before_response = hold
    with start("translate", "Hello", "en-tw") as process:
        asked.wait()
        process.send_signal(number)
        out, err = process.communicate()
        answer.set()
    assert (process.returncode, out, err) == (128 + number, b"", b"")
