"""The command: what can be typed, where answers go, exit codes, signals. Its speech comes from a fake for Khaya."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import urllib.request
import wave
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import kellyapi
from kellyapi import KellyAPI, Khaya
from kellyapi.cli import demo_steps
from kellyapi.cli.main import main

KELLYAPI = [str(Path(sysconfig.get_path("scripts"), "kellyapi"))]
KEY = "key-that-must-not-show"


def make_wav(seconds: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(8000)
        audio.writeframes(bytes(16000 * seconds))
    return file.getvalue()


WAV = make_wav()
HEARD = {
    "text": "good morning",
    "timings": {"words": [{"word": "good", "start": 0, "end": 0.25}, {"word": "morning", "start": 0.25, "end": 1}]},
}
SEGMENTS = {"text": "good morning", "timings": {"segments": [{"text": "good morning", "start": 0, "end": 1}]}}


class Server(ThreadingHTTPServer):
    """Answers each path with what a test put under it, and remembers what it was asked."""

    answers: dict[str, tuple[int, str, bytes]]
    asked: list[tuple[str, bytes]]
    before_answer: Callable[[], None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, path: str, answer: object, status: int = 200) -> None:
        if isinstance(answer, bytes):
            self.answers[path] = status, "audio/wav", answer
        else:
            self.answers[path] = status, "application/json", json.dumps(answer).encode()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, body))
        self.server.before_answer()
        status, kind, answer = self.server.answers[self.path.partition("?")[0]]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever was interrupted reads no answer
            self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def khaya(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.asked, server.before_answer = [], lambda: None
    server.answers = {}
    server.put("/v1/translate", "Maakye")
    server.put("/tts/v1/tts", WAV)
    server.put("/tts/v2/synthesize", b"ID3 and so on")
    server.put("/asr/v3/transcribe", HEARD)
    monkeypatch.setenv("KHAYA_BASE_URL", server.url)
    monkeypatch.setenv("KHAYA_API_KEY", KEY)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process: (exit code, standard output, standard error)."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def run_on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run the command in this process on a terminal of 100 columns: (exit code, what the terminal got)."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: str) -> tuple[int, str]:
        ours, theirs = os.openpty()
        shown = bytearray()

        def read() -> None:
            with contextlib.suppress(OSError):  # Linux says so that nobody has the other end open
                while piece := os.read(ours, 4096):
                    shown.extend(piece)

        reader = threading.Thread(target=read)
        reader.start()
        with os.fdopen(theirs, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", terminal)
            patch.setattr(sys, "stderr", terminal)
            code = main(words)
        reader.join()
        os.close(ours)
        return code, shown.decode().replace("\r\n", "\n")

    return run


def type_in(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


# What can be typed


def test_alone_it_prints_its_help(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert all(name in out for name in ("demo", "sandbox", "translate", "transcribe", "synthesize", "image", "chat"))


@pytest.mark.parametrize(("words", "shown"), [(["--version"], kellyapi.__version__), (["image", "--help"], "PROMPT")])
def test_help_and_version_are_a_success(words: list[str], shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(words)
    assert exit.value.code == 0
    assert shown in capsys.readouterr().out


def test_help_imports_neither_rich_nor_aiohttp_nor_asyncio() -> None:
    code = """
import sys
from kellyapi.cli.main import main
try:
    main(["--help"])
except SystemExit:
    print(sorted({"rich", "aiohttp", "asyncio", "attrs"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "words",
    [
        ["--sandbox", "--json", "--provider", "khaya", "translate", "Good morning", "en-tw"],
        ["translate", "Good morning", "en-tw", "--sandbox", "--json", "--provider", "khaya"],
        ["--json", "translate", "--sandbox", "Good morning", "--provider=khaya", "en-tw"],
        ["--provider", "kelly", "--json", "translate", "--sandbox", "Good morning", "en-tw", "--provider", "khaya"],
        ["--sandbox", "translate", "Good morning", "--source", "en", "--target", "tw", "--json"],
    ],
)
def test_options_stand_before_or_after_the_command(words: list[str], run: Run) -> None:
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "text": "Maakye",
        "source_language": "en",
        "target_language": "tw",
        "provider": "khaya",
        "tried": ["khaya"],
    }


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["translate"], "required: TEXT (see kellyapi translate --help)"),
        (["translate", "Hello"], "a PAIR such as en-tw"),
        (["translate", "Hello", "en-tw", "more"], "unrecognized arguments: more"),
        (["translate", "Hello", "--unknown"], "unrecognized arguments: --unknown"),
        (["--sandbox", "translate", "Hello", "english"], "pair ('en-tw')"),
        (["--sandbox", "translate", "", "en-tw"], "empty"),
        (["--sandbox", "translate", "Hello", "en-tw", "--provider", "kelly"], "khaya can"),
        (["--sandbox", "synthesize", "  "], "the text is empty"),
        (["--sandbox", "image", " "], "the prompt is empty"),
        (["dance"], "invalid choice: 'dance'"),
        (["transcribe", "a.wav", "--timestamps", "letter"], "invalid choice: 'letter'"),
        (["synthesize", "Hello", "--format", "aiff"], "invalid choice: 'aiff'"),
        (["sandbox", "--port", "65536"], "'65536' is not a number from 0 to 65535"),
        (["sandbox", "--port", "http"], "'http' is not a number from 0 to 65535"),
        (["-o", "file", "sandbox"], "sandbox takes no --output"),
        (["--provider", "khaya", "demo"], "demo takes no --provider"),
        (["image", "a fox"], "set KELLYAI_API_KEY or SKYTELLS_API_KEY"),
    ],
)
def test_asked_wrongly_it_says_so_in_one_line_and_exits_with_2(words: list[str], complaint: str, run: Run) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert complaint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("BASE_URL", "example.org", "'example.org' has no https://"),
        ("API_KEY", "   ", "the API key for Khaya is blank"),
    ],
)
def test_an_environment_that_cannot_work_exits_with_2(
    name: str, value: str, complaint: str, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setenv("KHAYA_API_KEY", KEY)
    monkeypatch.setenv(f"KHAYA_{name}", value)
    code, out, err = run("translate", "Hello", "en-tw")
    assert (code, out) == (2, "")
    assert complaint in err


# What goes wrong


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


def test_where_nothing_can_be_written_nothing_is_asked(khaya: Server, run: Run) -> None:
    assert run("synthesize", "Hello", "-o", "no/where.wav")[0] == 1
    assert khaya.asked == []


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


def test_a_doubt_whether_it_was_billed_is_told(khaya: Server, run: Run) -> None:
    khaya.put("/tts/v1/tts", {"statusCode": 500, "message": "Out of order"}, status=500)
    code, _, err = run("synthesize", "Hello")
    assert code == 1
    assert "Out of order" in err
    assert err.endswith("; the call may have been carried out and billed\n")
    assert len(khaya.asked) == 1


def test_the_key_is_never_shown(khaya: Server, run: Run) -> None:
    khaya.put("/v1/translate", {"statusCode": 401, "message": "Access denied"}, status=401)
    for words in (["translate", "Hello", "en-tw"], ["--json", "translate", "Hello", "en-tw"]):
        code, out, err = run(*words)
        assert code == 1
        assert "Access denied" in err
        assert KEY not in out + err


def test_what_nobody_foresaw_is_one_line_too(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as under pythonw
    code, out, err = run("--sandbox", "chat", "-")
    assert (code, out) == (1, "")
    assert err == "error: AttributeError: 'NoneType' object has no attribute 'buffer'\n"


def test_without_rich_it_says_what_to_install_and_json_goes_on(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    code, out, err = run("--sandbox", "chat", "Hello")
    assert (code, out) == (1, "")
    assert err == 'error: rich is not installed: pip install "kellyapi[cli]", or use --json\n'
    assert run("--sandbox", "chat", "Hello", "--json")[0] == 0


def test_a_closed_pipe_ends_it_quietly(khaya: Server, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w", encoding="utf-8") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        code, _, err = run("translate", "Good morning", "en-tw")
    assert (code, err) == (1, "")


@pytest.fixture
def _sigint_is_heard() -> Iterator[None]:
    """A suite that runs in the background inherits a SIGINT that is ignored, and so would its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_sigint_is_heard")
def test_ctrl_c_is_130_without_a_word(khaya: Server, run: Run) -> None:
    khaya.before_answer = lambda: os.kill(os.getpid(), signal.SIGINT)
    assert run("translate", "Good morning", "en-tw") == (130, "", "")
    assert len(khaya.asked) == 1


@pytest.mark.usefixtures("_sigint_is_heard")
def test_ctrl_c_ends_the_program_with_130(khaya: Server) -> None:
    asked = threading.Event()
    answer = threading.Event()

    def hold() -> None:
        asked.set()
        answer.wait()

    khaya.before_answer = hold
    with subprocess.Popen([*KELLYAPI, "translate", "Hello", "en-tw"], stdout=-1, stderr=-1) as process:
        asked.wait()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        answer.set()
    assert (process.returncode, out, err) == (130, b"", b"")


# Where answers go


def test_in_a_pipe_text_stands_alone(run: Run) -> None:
    assert run("--sandbox", "translate", "Good morning", "en-tw") == (0, "Maakye\n", "")


def test_text_goes_to_a_file(khaya: Server, tmp_path: Path, run: Run) -> None:
    Path("out.txt").write_text("an older and longer text", encoding="utf-8")
    khaya.put("/v1/translate", "Ɛte sɛn")
    assert run("-o", "out.txt", "translate", "Hello", "en-tw") == (0, "out.txt\n", "")
    assert Path("out.txt").read_text(encoding="utf-8") == "Ɛte sɛn\n"


def test_standard_output_may_be_any_stream_of_text(run: Run) -> None:
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


def test_standard_input_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
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
        "provider": "kelly",
        "tried": ["kelly"],
        "width": 64,
        "height": 96,
        "path": "fox.png",
    }
    assert Path("fox.png").read_bytes().startswith(b"\x89PNG")


def test_in_a_pipe_media_is_its_bytes(
    khaya: Server, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["synthesize", "Hello"]) == 0
    assert capsysbinary.readouterr() == (WAV, b"")
    assert main(["--sandbox", "image", "a fox", "--width", "64", "--height", "64", "-o", "-"]) == 0
    assert capsysbinary.readouterr().out.startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == []


def test_json_and_media_cannot_share_standard_output(khaya: Server, run: Run) -> None:
    code, out, err = run("synthesize", "Hello", "--json", "-o", "-")
    assert (code, out, khaya.asked) == (2, "", [])
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
        "provider": "khaya",
        "tried": ["khaya"],
        "sample_rate": 8000,
        "duration": 1.0,
        "path": "speech.wav",
    }
    assert Path("speech.wav").read_bytes() == WAV
    assert json.loads(khaya.asked[0][1]) == {"text": "Hello", "language": "eng", "speaker_id": "female"}


@pytest.mark.parametrize(
    ("words", "format", "file"),
    [
        (["-o", "hello.MP3"], "mp3", "hello.MP3"),
        (["-o", "hello.ogg", "--format", "mp3"], "mp3", "hello.ogg"),
        (["--format", "mp3", "--json"], "mp3", "speech.mp3"),
    ],
)
def test_the_format_is_what_the_name_ends_in_unless_it_is_given(
    words: list[str], format: str, file: str, khaya: Server, run: Run
) -> None:
    assert run("synthesize", "Hello", *words)[0] == 0
    assert json.loads(khaya.asked[0][1])["format"] == format
    assert Path(file).read_bytes() == b"ID3 and so on"


@pytest.mark.parametrize(
    ("words", "query", "answer", "out"),
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
def test_a_file_is_transcribed(words: list[str], query: str, answer: object, out: str, khaya: Server, run: Run) -> None:
    Path("hello.wav").write_bytes(WAV)
    khaya.put("/asr/v3/transcribe", answer)
    assert run("transcribe", "hello.wav", *words) == (0, out, "")
    assert khaya.asked == [(f"/asr/v3/transcribe?{query}", WAV)]


def test_audio_comes_from_standard_input(khaya: Server, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    type_in(monkeypatch, WAV)
    code, out, _ = run("transcribe", "-", "--json", "--timestamps", "word")
    assert code == 0
    assert json.loads(out)["words"][0] == {"word": "good", "start": 0.0, "end": 0.25}
    assert khaya.asked[0][1] == WAV


def test_the_program_reads_bytes_and_writes_utf_8_in_any_locale(khaya: Server) -> None:
    khaya.put("/asr/v3/transcribe", {"text": "Ɛte sɛn"})
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*KELLYAPI, "transcribe", "-"], input=WAV, capture_output=True, env=environment, check=True)
    assert (done.stdout.decode(), done.stderr) == (f"Ɛte sɛn{os.linesep}", b"")
    assert khaya.asked[0][1] == WAV


def test_advice_of_the_system_is_part_of_the_answer_and_not_printed_beside_it(khaya: Server) -> None:
    khaya.put("/asr/v3/transcribe", {"text": "hello", "warnings": ["'en' is a legacy code"]})
    words = ["--json", "transcribe", "-", "--language", "en"]
    done = subprocess.run([*KELLYAPI, *words], input=WAV, capture_output=True, check=True)
    assert json.loads(done.stdout)["warnings"] == ["'en' is a legacy code"]
    assert done.stderr == b""


# On a terminal


def test_a_terminal_shows_what_is_worth_knowing_beside_the_answer(
    khaya: Server, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    code, shown = run_on_terminal("translate", "Good morning", "en-tw")
    assert code == 0
    assert "\x1b[1mMaakye\x1b[0m" in shown
    assert "en → tw · khaya" in shown


def test_a_terminal_gets_speech_as_a_file_under_a_name_of_ours(
    khaya: Server, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    code, shown = run_on_terminal("synthesize", "Hello")
    assert code == 0
    assert "speech.wav" in shown
    assert "1.0 s · 8,000 Hz · audio/wav · khaya" in shown
    assert Path("speech.wav").read_bytes() == WAV


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["image", "a fox", "--width", "64", "--height", "96"], "64 × 96 pixels · image/png · kelly"),
        (["chat", "Hello", "--character", "Ama"], "chatgpt · kelly"),
        (["chat", "Hello", "--json"], '\n  "model": "chatgpt",\n'),
    ],
)
def test_a_terminal_shows_each_kind_of_answer(
    words: list[str], fact: str, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    code, shown = run_on_terminal("--sandbox", *words)
    assert code == 0
    assert fact in shown


def test_a_terminal_shows_times_as_a_table(khaya: Server, run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    Path("hello.wav").write_bytes(WAV)
    code, shown = run_on_terminal("transcribe", "hello.wav", "--timestamps", "word")
    assert code == 0
    assert re.search(r"0\.25 +1\.00 +morning", shown)
    code, shown = run_on_terminal("transcribe", "hello.wav", "--timestamps", "word", "-o", "heard.txt")
    assert "0.25" not in shown
    assert "heard.txt" in shown


def test_an_answer_cannot_steer_the_terminal(khaya: Server, run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    khaya.put("/v1/translate", "\x1b]0;title [red]and[/red]\x9b2J")
    assert "�]0;title [red]and[/red]�2J" in run_on_terminal("translate", "Hello", "en-tw")[1]
    khaya.put("/v1/translate", {"statusCode": 400, "message": "\x1b[2J no"}, status=400)
    assert "khaya: �[2J no" in run_on_terminal("translate", "Hello", "en-tw")[1]


def test_an_error_is_red_unless_colours_are_unwanted(
    monkeypatch: pytest.MonkeyPatch, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    line = "error: standard input is not UTF-8 text"
    type_in(monkeypatch, b"\xff")
    assert run_on_terminal("chat", "-") == (2, f"\x1b[31m{line}\x1b[0m\n")
    monkeypatch.setenv("NO_COLOR", "1")
    type_in(monkeypatch, b"\xff")
    assert run_on_terminal("chat", "-") == (2, f"{line}\n")


# The sandbox


def ask(url: str) -> str:
    body = json.dumps({"in": "Good morning", "lang": "en-tw"}).encode()
    request = urllib.request.Request(f"{url}/v1/translate", body, {"Ocp-Apim-Subscription-Key": "sandbox"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
        answer: str = json.load(response)
    return answer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_ends_with_its_engines_on_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen([*KELLYAPI, "sandbox", "--port", "0"], stdout=-1, stderr=-1) as process:
        assert process.stdout
        lines = [process.stdout.readline().decode() for _ in range(5)]
        url = lines[0].split()[2].rstrip(",")
        assert ask(url) == "Maakye"
        process.send_signal(number)
        # The engines' process has the same standard error: this returns when both have ended.
        rest = process.communicate(timeout=30)
    assert (process.returncode, *rest) == (0, b"", b"")
    assert lines[1:] == [
        f"export KELLYAI_BASE_URL={url} KELLYAI_API_KEY=sandbox\n",
        f"export KHAYA_BASE_URL={url} KHAYA_API_KEY=sandbox\n",
        f"export SKYTELLS_BASE_URL={url}/v1 SKYTELLS_API_KEY=sandbox\n",
        f"export AEROSTACK_BASE_URL={url}/v1 AEROSTACK_API_KEY=sandbox\n",
    ]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_the_sandbox_says_where_it_listens_and_leaves_the_signals_as_they_were(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    read, write = os.pipe()
    said: list[str] = []

    def use() -> None:
        with os.fdopen(read, encoding="utf-8") as lines:
            said.append(lines.readline())
            os.kill(os.getpid(), signal.SIGTERM)
            said.append(lines.read())

    user = threading.Thread(target=use)
    user.start()
    with os.fdopen(write, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        code = main(["sandbox", "--port", "0", *words])
    user.join()
    assert code == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    if words:
        place = json.loads(said[0])
        assert place["urls"]["skytells"] == place["url"] + "/v1"
        assert said[1] == ""
    else:
        assert said[0].startswith("Sandbox at http://127.0.0.1:")
        assert said[1].count("export ") == 4


def test_a_port_that_is_taken_is_an_error(run: Run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, out, err = run("sandbox", "--port", str(other.getsockname()[1]))
    assert (code, out) == (1, "")
    assert "address already in use" in err


# The demo, as far as it goes without the speech engines; the rest is in engines/test_demo.py


@pytest.fixture
def no_speech(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make speech fail as on a machine without its engine, also in the engines' process, which has our `sys.path`."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "espeakng_loader.py").write_text("""raise ModuleNotFoundError("No module named 'espeakng_loader'")""")
    monkeypatch.syspath_prepend(folder)


@pytest.mark.usefixtures("no_speech")
def test_without_the_speech_engine_the_demo_says_what_to_install_and_keeps_what_it_made(run: Run) -> None:
    code, out, err = run("demo")
    assert code == 1
    assert 'pip install "kellyapi[sandbox]"' in err
    assert err.count("\n") == 1
    assert "translation.txt" in out
    made = {path.name for path in Path("kellyapi-demo").iterdir()}
    assert made == {"translation.txt", "picture.png", "code.png", "notes.png"}
    assert Path("kellyapi-demo/translation.txt").read_text(encoding="utf-8").splitlines() == [
        demo_steps.SENTENCE,
        "Ɛte sɛn. Wo din de sɛn?",
    ]


@pytest.mark.usefixtures("no_speech")
def test_the_demo_takes_another_folder_and_tells_machines_what_it_did(run: Run) -> None:
    Path("elsewhere").mkdir()
    code, out, err = run("demo", "--json", "-o", "elsewhere")
    assert code == 1
    assert json.loads(err)["error"]["status"] == 503
    report = json.loads(out)
    assert report["folder"] == "elsewhere"
    assert [step["file"] for step in report["steps"]] == [
        "translation.txt",
        "picture.png",
        "code.png",
        "notes.png",
    ]
    assert all((Path("elsewhere") / step["file"]).stat().st_size for step in report["steps"])


@pytest.mark.parametrize(("folder", "complaint"), [("file", "file: File exists"), ("no/where", "No such file")])
def test_a_folder_that_cannot_be_made_is_an_error(folder: str, complaint: str, run: Run) -> None:
    Path("file").write_bytes(b"")
    code, out, err = run("demo", "-o", folder)
    assert (code, out) == (1, "")
    assert complaint in err


def test_a_demo_that_made_nothing_shows_no_table(run: Run) -> None:
    Path("kellyapi-demo/translation.txt").mkdir(parents=True)
    assert run("demo") == (1, "", "error: kellyapi-demo/translation.txt: Is a directory\n")


async def test_the_demo_speaks_and_listens(khaya: Server, tmp_path: Path) -> None:
    async with KellyAPI("k", khaya=Khaya(KEY, base_url=khaya.url)) as api:
        done = [await step.run(api, tmp_path) for step in demo_steps.STEPS if step.name in ("speak", "listen")]
    assert [row.result for row in done] == [
        f"“{demo_steps.SENTENCE}” in 1.0 s",
        "“good morning”, 2 words with their times",
    ]
    assert (await asyncio.to_thread((tmp_path / "speech.wav").read_bytes)) == WAV
    heard = json.loads(await asyncio.to_thread((tmp_path / "transcript.json").read_text))
    assert heard["words"][1] == {"word": "morning", "start": 0.25, "end": 1.0}
