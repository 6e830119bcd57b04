"""The log of `kellyapi sandbox`, and its hosts."""

from __future__ import annotations

import json
import re
import signal
import urllib.error
import urllib.request

import pytest

from .command import Run, start

KEY = "Ocp-Apim-Subscription-Key"
PATHS = ("/v1/languages?subscription-key=secret", "/no/such/%1Bpath", "/v1/languages")


def ask(url: str, path: str, **headers: str) -> int:
    request = urllib.request.Request(url + path, headers={KEY: "secret-key", **headers})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def serve(*words: str, host: str = "localhost") -> tuple[list[int], str, str]:
    """Run the command, send it three requests, and return their statuses, its output and its log."""
    with start("sandbox", "--port", "0", *words) as process:
        first = process.stdout.readline().decode()
        url = json.loads(first)["url"] if "--json" in words else first.split()[2].rstrip(",")

        statuses = [ask(url, path, Host=f"{host}:1") for path in PATHS]
        process.send_signal(signal.SIGTERM)
        out, log = process.communicate()
    assert process.returncode == 0
    return statuses, first + out.decode(), log.decode()


def test_each_request_is_one_line_without_keys() -> None:
    statuses, _, log = serve()
    lines = [re.sub(r"^\d\d:\d\d:\d\d (.*) \d+ ms$", r"\1", line) for line in log.splitlines()]
    assert statuses == [200, 404, 200]
    assert lines == ["GET /v1/languages 200", "GET /no/such/%1Bpath 404", "GET /v1/languages 200"]


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_quiet_and_json_log_nothing(option: str) -> None:
    statuses, _, log = serve(option)
    assert (statuses, log) == ([200, 404, 200], "")


def test_other_hosts_are_answered_if_they_are_allowed() -> None:
    assert serve("--quiet", host="sandbox")[0] == [403, 403, 403]
    words = ("--quiet", "--host", "0.0.0.0", "--allow-host", "other", "--allow-host", "sandbox")
    statuses, out, _ = serve(*words, host="sandbox")
    assert statuses == [200, 404, 200]
    assert out.startswith("Sandbox at http://127.0.0.1:")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--host", "0.0.0.0"), "--allow-host sandbox"),
        (("--allow-host", "sandbox:80"), "must be a name or an address without a port"),
        (("--webhook-host", "http://app"), "must be a name or an address without a port"),
    ],
)
def test_wrong_hosts_are_wrong_arguments(run: Run, words: tuple[str, ...], problem: str) -> None:
    code, out, err = run("sandbox", "--port", "0", *words)
    assert (code, out) == (2, "")
    assert problem in err
