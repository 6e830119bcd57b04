"""The messages of the command speak of its options and of variables, and not of Python."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kellyapi import ConfigurationError, KellyAPIError, RequestTimeoutError, Timeout
from kellyapi.cli.formatting import shell_remedy

from .command import Run
from .fake_khaya import WAV, Server

PYTHON = re.compile(r"\w=…|\w=\d|KellyAPI|\bTrue\b|\bNone\b|\(\)")
ID = r"[0-9a-f]{8}-[0-9a-f-]{27}"


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (["translate", "Hello", "en-tw"], "KHAYA_API_KEY"),
        (["image", "a fox"], "KELLYAI_API_KEY or SKYTELLS_API_KEY"),
        (["models", "list"], "SKYTELLS_API_KEY"),
        (["predictions", "get", "a1"], "SKYTELLS_API_KEY"),
        (["run", "truefusion"], "SKYTELLS_API_KEY"),
        (["run", "truefusion", "--json"], "SKYTELLS_API_KEY"),
    ],
)
def test_without_a_key_the_variables_and_the_sandbox_are_named(words: list[str], variables: str, run: Run) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert f"; set {variables}, or use --sandbox" in err
    assert not PYTHON.search(err)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KHAYA_API_KEY", "  ", "is blank; set KHAYA_API_KEY, or use --sandbox"),
        ("KHAYA_API_KEY", "ɛ", "that no header can carry; set KHAYA_API_KEY, or use --sandbox"),
        ("KHAYA_BASE_URL", "http://far.example", "would send the key unencrypted: use https://\n"),
        ("KHAYA_BASE_URL", "far.example", "give a base URL for Khaya such as https://"),
    ],
)
def test_a_wrong_variable_is_explained_without_python(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setenv("KHAYA_API_KEY", "key")
    monkeypatch.setenv(variable, value)
    code, out, err = run("translate", "Hello", "en-tw")
    assert (code, out) == (2, "")
    assert said in err
    assert not PYTHON.search(err)


# Time


@pytest.fixture
def held(khaya: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that responds to nothing before the test ends."""
    ended = threading.Event()
    khaya.before_response = lambda: ended.wait(30) and None  # type: ignore[func-returns-value]  # typeshed: it returns a bool
    shutdown = khaya.shutdown

    def end() -> None:
        ended.set()
        shutdown()

    monkeypatch.setattr(khaya, "shutdown", end)
    return khaya


@pytest.mark.parametrize(
    "words",
    [
        ["translate", "Hello", "en-tw", "--timeout", "0.1"],
        ["--timeout", "0.1", "transcribe", "hello.wav"],
        ["synthesize", "Hello", "--timeout=0.1"],
    ],
)
def test_a_timeout_names_the_limit_and_the_option_of_the_command(words: list[str], held: Server, run: Run) -> None:
    Path("hello.wav").write_bytes(WAV)
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert "the limit is total=0.1 s; raise it with --timeout SECONDS; the call may have been" in err
    assert "timeout=" not in err


@pytest.mark.parametrize("limit", ["total", "idle", "head"])
def test_each_limit_that_the_option_raises_names_it(limit: str) -> None:
    error = RequestTimeoutError("nothing arrived in time", limit=limit)
    error.name_limit(Timeout(total=60, idle=60, head=60))
    assert shell_remedy(error) == "raise it with --timeout SECONDS"
    assert shell_remedy(error, waits=True) is None


@pytest.mark.parametrize(
    "error", [RequestTimeoutError("late", limit="connect"), KellyAPIError("no", remedy="x=…"), ConfigurationError("no")]
)
def test_what_no_option_changes_has_no_remedy(error: KellyAPIError) -> None:
    assert shell_remedy(error) is None


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["translate", "Hello", "en-tw", "--timeout", "0"], "--timeout must be more than 0 seconds"),
        (["models", "list", "--timeout", "soon"], "'soon' is not a number of seconds"),
        (["chat", "Hello", "--timeout", "inf"], "'inf' is not a number of seconds"),
        (["demo", "--timeout", "5"], "unrecognized arguments: --timeout"),
        (["--timeout", "5", "demo"], "demo takes no --timeout"),
    ],
)
def test_a_time_that_cannot_be_used_is_refused(words: list[str], complaint: str, run: Run) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert complaint in err


@pytest.mark.parametrize(
    "words",
    [
        ["translate", "Hello", "en-tw"],
        ["chat", "Hello"],
        ["models", "list"],
        ["models", "show", "truefusion"],
        ["predictions", "list"],
        ["run", "gpt-5", "-i", "prompt=Hello", "--interval", "0.01"],
    ],
)
def test_each_command_that_calls_takes_a_time(words: list[str], run: Run) -> None:
    code, _, err = run("--sandbox", *words, "--timeout", "7200")
    assert code == 0
    assert "Warning" not in err


# Ids and links


def test_ids_are_whole_on_a_terminal_of_40_columns(
    monkeypatch: pytest.MonkeyPatch, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    from kellyapi import Prediction, PredictionPage, Skytells

    ids = [f"0123456{number}-0123-4567-89ab-0123456789ab" for number in range(3)]

    async def list_all(self: object, **_: object) -> PredictionPage:
        items = tuple(
            Prediction(id=id, status="succeeded", model="truefusion-ultra-pro", created_at="2026-01-01T00:00:00Z")
            for id in ids
        )
        return PredictionPage(items=items)

    monkeypatch.setenv("SKYTELLS_API_KEY", "key")
    monkeypatch.setattr(type(Skytells("key").predictions), "list", list_all)
    for columns in ("80", "60", "40", "20"):
        monkeypatch.setenv("COLUMNS", columns)
        code, shown = run_on_terminal("predictions", "list")
        assert code == 0, shown
        assert re.findall(ID, shown) == ids


def test_a_sandbox_that_has_ended_leaves_no_links(run: Run) -> None:
    words = ["--sandbox", "run", "truefusion", "-i", "prompt=a fox", "-i", "width=64", "--interval", "0.01"]
    code, out, err = run(*words)
    assert (code, out) == (0, "succeeded\n")
    assert err.endswith("the outputs have ended with the sandbox: -o FOLDER keeps them\n")
    code, out, err = run(*words, "--json")
    assert (code, err) == (0, "")
    assert "http://" not in out
    assert json.loads(out)["status"] == "succeeded"
    code, out, err = run(*words, "--json", "-o", "made")
    assert "http://" not in out
    assert [Path(path).is_file() for path in json.loads(out)["paths"]] == [True]


def test_a_text_of_a_sandbox_stays(run: Run) -> None:
    code, out, _ = run("--sandbox", "run", "gpt-5", "-i", "prompt=2 + 3", "--interval", "0.01", "--json")
    assert code == 0
    assert json.loads(out)["outputs"] == ["[sandbox] 2 + 3 = 5"]
    assert isinstance(json.loads(out)["output"], str | list)


def test_the_help_has_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    from kellyapi.cli.main import main

    with pytest.raises(SystemExit):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Exit codes: 0 done; 1 failed" in text
    assert "130 interrupted" in text
    assert os.WEXITSTATUS(130 << 8) == 128 + signal.SIGINT
