"""`kellyapi request`: a request of the user's own from a shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .command import Run, type_in
from .fake_khaya import KEY, WAV, Server

Terminal = Callable[..., tuple[int, str]]


@pytest.fixture
def run_binary(capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, bytes]]:
    from kellyapi.cli.main import main

    def run(*words: str) -> tuple[int, bytes]:
        return main(words), capsysbinary.readouterr().out

    return run


def test_a_path_without_a_command_is_asked_and_its_json_printed(run: Run) -> None:
    code, out, err = run("request", "skytells", "GET", "/models", "--query", "fields=input_schema", "--sandbox")
    assert (code, err) == (0, "")
    assert json.loads(out)[0]["input_schema"]


def test_a_body_is_sent_with_the_key(khaya: Server, run: Run) -> None:
    code, out, _ = run("request", "khaya", "post", "/v1/translate", "--json", '{"in": "Ɛte", "lang": "tw-en"}')
    assert (code, json.loads(out)) == (0, "Maakye")
    ((path, body),) = khaya.requests
    assert (path, json.loads(body)) == ("/v1/translate", {"in": "Ɛte", "lang": "tw-en"})
    assert KEY not in out


def test_a_body_may_come_from_standard_input(khaya: Server, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, b'{"in": "a"}')
    assert run("request", "khaya", "POST", "/v1/translate", "--json", "-")[0] == 0
    assert json.loads(khaya.requests[0][1]) == {"in": "a"}


def test_a_file_may_be_the_body_and_the_query_may_repeat_a_name(khaya: Server, run: Run) -> None:
    Path("sound.wav").write_bytes(WAV)
    words = ("--data", "sound.wav", "--query", "language=twi", "--query", "a=1", "--query", "a=2")
    code, out, _ = run("request", "khaya", "POST", "/asr/v3/transcribe", *words)
    assert (code, json.loads(out)["text"]) == (0, "good morning")
    assert khaya.requests == [("/asr/v3/transcribe?language=twi&a=1&a=2", WAV)]


def test_a_response_goes_to_a_file_which_is_not_overwritten(khaya: Server, run: Run) -> None:
    words = ("request", "khaya", "POST", "/tts/v1/tts", "--json", "{}", "-o", "hello.wav")
    assert run(*words) == (0, "hello.wav\n", "")
    assert Path("hello.wav").read_bytes() == WAV
    assert run(*words)[0] == 1
    assert len(khaya.requests) == 1
    assert run(*words, "--force")[0] == 0


def test_a_pipe_gets_the_bytes_as_they_are(khaya: Server, run_binary: Callable[..., tuple[int, bytes]]) -> None:
    assert run_binary("request", "khaya", "POST", "/tts/v1/tts", "--json", "{}") == (0, WAV)


def test_a_terminal_gets_json_with_indents_and_the_name_of_a_file_with_bytes(
    khaya: Server, run_on_terminal: Terminal
) -> None:
    khaya.put("/v1/translate", {"text": "Ɛte\x07"})
    code, shown = run_on_terminal("request", "khaya", "POST", "/v1/translate", "--json", "{}")
    assert code == 0
    assert '{\n  "text": "Ɛte\\u0007"\n}\n' in shown
    for name in ("response.wav", "response-2.wav"):
        code, shown = run_on_terminal("request", "khaya", "POST", "/tts/v1/tts", "--json", "{}")
        assert code == 0
        assert f"{name}\n" in shown
        assert Path(name).read_bytes() == WAV


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody", "GET", "/x"], "PROVIDER must be one of kelly, khaya, skytells, aerostack, not 'nobody'"),
        (["khaya", "FETCH", "/x"], "method must be one of GET"),
        (["khaya", "GET", "https://elsewhere.example/x"], "path must"),
        (["khaya", "POST", "/x", "--json", "{"], "--json must be JSON"),
        (["khaya", "POST", "/x", "--json", "NaN"], "--json must be JSON: NaN is Python's, not JSON's"),
        (["khaya", "POST", "/x", "--json", "null"], "--json must not be null"),
        (["khaya", "POST", "/x", "--json", "[" * 100_000], "--json must be JSON: it is nested too deeply"),
        (["khaya", "GET", "/x", "--query", "x"], "'x' is not NAME=VALUE"),
    ],
)
def test_wrong_arguments_send_nothing(words: list[str], said: str, khaya: Server, run: Run) -> None:
    code, out, err = run("request", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert khaya.requests == []


def test_an_error_of_the_provider_is_one_line_although_the_body_is_json(khaya: Server, run: Run) -> None:
    khaya.put("/v1/translate", {"statusCode": 401, "message": "Access denied."}, 401)
    code, out, err = run("request", "khaya", "POST", "/v1/translate", "--json", "{}")
    assert (code, out) == (1, "")
    assert err.startswith("error: khaya: Access denied.")
