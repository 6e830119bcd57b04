"""`kellyapi sandbox`."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import urllib.request

import pytest
from processes import run_script

from kellyapi.cli.json_output import JsonOutput
from kellyapi.cli.main import main

from .command import Run, start


def ask(url: str) -> str:
    body = json.dumps({"in": "Good morning", "lang": "en-tw"}).encode()
    headers = {"Ocp-Apim-Subscription-Key": "sandbox", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/translate", body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
        reply: str = json.load(response)
    return reply


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_ends_with_its_engines_on_a_signal(number: signal.Signals) -> None:
    with start("sandbox", "--port", "0", "--quiet") as process:
        lines = [process.stdout.readline().decode() for _ in range(5)]
        url = lines[0].split()[2].rstrip(",")
        assert ask(url) == "Maakye"
        process.send_signal(number)
        # The engines' process has the same standard error: this returns when both have ended.
        rest = process.communicate()
    assert (process.returncode, *rest) == (0, b"", b"")
    assert lines[1:] == [
        f"export KELLYAI_BASE_URL={url} KELLYAI_API_KEY=sandbox\n",
        f"export KHAYA_BASE_URL={url} KHAYA_API_KEY=sandbox\n",
        f"export SKYTELLS_BASE_URL={url}/v1 SKYTELLS_API_KEY=sandbox\n",
        f"export AEROSTACK_BASE_URL={url}/v1 AEROSTACK_API_KEY=sandbox\n",
    ]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_the_sandbox_prints_its_address_and_restores_the_signal_handlers(
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


LARGE_BLOCK = """
import contextlib, ctypes, io
from kellyapi.cli.main import main

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("arena", "a", "b", "c", "hblkhd", "d", "e", "f", "g", "h")]

libc = ctypes.CDLL(None)
libc.mallinfo.restype = Mallinfo
with contextlib.redirect_stderr(io.StringIO()):
    main(["sandbox", "--record", "calls"])  # ends at once, since it lacks its --upstream
bytes(2**24)  # glibc would keep blocks of up to this size from now on
before = libc.mallinfo().hblkhd  # the size of the blocks that are returned when they are freed
block = bytes(2**24 - 2**16)
print(libc.mallinfo().hblkhd - before >= len(block))
"""


async def test_the_sandbox_returns_large_blocks_to_the_system() -> None:
    assert await run_script(LARGE_BLOCK) == "True"


def test_a_port_in_use_is_an_error(run: Run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, out, err = run("sandbox", "--port", str(other.getsockname()[1]))
    assert (code, out) == (1, "")
    assert "is in use: choose another with --port, or a free one with --port 0" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--record", "calls"], "record and upstream belong together"),
        (["--record", "calls", "--upstream", "khaya"], "recording khaya needs its key: set KHAYA_API_KEY"),
        (
            ["--record", "calls", "--upstream", "nobody"],
            "upstream must be 'kelly', 'khaya'",
        ),
        (["--replay", "calls"], "calls has no recordings"),
    ],
)
def test_a_recording_that_cannot_begin_is_an_error(words: list[str], said: str, run: Run) -> None:
    code, out, err = run("sandbox", "--port", "0", *words)
    assert (code, out) == (2, "")
    assert said in err


def test_a_sandbox_that_records_prints_the_address_for_its_provider_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KHAYA_API_KEY", "key")

    def end(url: str, urls: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        shown(url, urls)

    output = JsonOutput()
    shown = output.sandbox_started
    monkeypatch.setattr(JsonOutput, "sandbox_started", lambda _, url, urls: end(url, urls))
    assert main(["sandbox", "--port", "0", "--json", "--record", "calls", "--upstream", "khaya"]) == 0
    assert list(json.loads(capfd.readouterr().out)["urls"]) == ["khaya"]
