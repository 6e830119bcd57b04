"""Fixtures of the command's tests: the command in this process, and a fake of Khaya."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

import kellyapi.cli.completion_script
import kellyapi.cli.main
from kellyapi import PROVIDERS, Sandbox, run_sync
from kellyapi.cli.arguments import Parser
from kellyapi.cli.completion_script import completion_script
from kellyapi.cli.main import main, make_parser

from .command import Run
from .fake_khaya import HEARD, KEY, WAV, Handler, Server

_make_parser_once = cache(make_parser)


def _complete(parser: Parser, shell: str) -> str:
    _make_parser_once.cache_clear()  # since this changes the parser
    return completion_script(parser, shell)


@pytest.fixture(scope="module", autouse=True)
def _shared(shared_engines: None) -> Iterator[None]:
    """Let all commands of this process share a parser, whose making takes longer than most of them, and engines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kellyapi.cli.main, "make_parser", _make_parser_once)
        patch.setattr(kellyapi.cli.completion_script, "completion_script", _complete)
        yield


@pytest.fixture
def khaya(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.requests, server.before_response = [], lambda: None
    server.responses = {}
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


@pytest.fixture(scope="module")
def running_sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(prediction_time=0)
    run_sync(sandbox.start())
    yield sandbox
    run_sync(sandbox.close())


@pytest.fixture(scope="module")
def _urls(running_sandbox: Sandbox) -> Iterator[dict[str, str]]:
    """The address of each provider in a sandbox; that of Khaya has fakes of the engines of speech."""
    speaking = Sandbox(engines="fake_engines")
    run_sync(speaking.start())
    yield {**running_sandbox.urls, "khaya": speaking.urls["khaya"]}
    run_sync(speaking.close())


@pytest.fixture
def sandbox(_urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox that all commands of a test use, which is quicker than one for each by `--sandbox`."""
    for name, url in _urls.items():
        variables = PROVIDERS[name].PROVIDER.variables
        monkeypatch.setenv(f"{variables}_BASE_URL", url)
        monkeypatch.setenv(f"{variables}_API_KEY", "sandbox")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


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
            with contextlib.suppress(OSError):  # Linux raises this when the other end is closed
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
