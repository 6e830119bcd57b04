"""`kellyapi doctor` as a command: its findings, remedies and exit codes on set-ups that are broken."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from kellyapi import ConnectionCheck
from kellyapi.cli.doctor import live, run_checks
from kellyapi.cli.doctor.findings import Finding
from kellyapi.cli.doctor.network import connection_findings

from ..command import Run
from ..fake_khaya import KEY, Server

PASSWORD = "correct-horse-battery-staple"
VARIABLES = ("KELLYAI", "KHAYA", "SKYTELLS", "AEROSTACK")


@pytest.fixture(autouse=True)
def _no_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the check of the engines, whose processes take long to start."""
    monkeypatch.delitem(run_checks.CHECKS, "engines")


def point_to(monkeypatch: pytest.MonkeyPatch, address: str, key: str | None = None) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(f"{name}_BASE_URL", address)
        if key:
            monkeypatch.setenv(f"{name}_API_KEY", key)


def find(report: str, **fields: Any) -> list[dict[str, Any]]:
    return [each for each in json.loads(report)["findings"] if fields.items() <= each.items()]


def test_a_sandbox_has_no_problem(run: Run) -> None:
    code, out, err = run("doctor", "--sandbox")
    assert (code, err) == (0, "")
    assert out.endswith("no problem found\n")
    for said in (
        "python: kellyapi ",
        "extra sandbox: ",
        "terminal: ",
        "folders: ",
        "khaya key: present",
        "khaya clock",
    ):
        assert said in out


def test_json_has_each_finding_with_its_remedy(run: Run) -> None:
    code, out, _ = run("doctor", "--json", "--sandbox", "--live", "--provider", "skytells")
    report = json.loads(out)
    assert (code, report["problems"]) == (0, 0)
    assert set(report["findings"][0]) == {"check", "state", "message", "provider", "remedy", "details"}
    assert [each["check"] for each in find(out, provider="skytells")] == [
        "key", "connection", "clock", "models.list", "models.get", "predictions.list"
    ]  # fmt: skip


def test_without_a_network_the_name_of_each_provider_cannot_be_found(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    point_to(monkeypatch, "https://nowhere.invalid")
    code, out, _ = run("doctor")
    assert code == 1
    assert "problem  khaya DNS: the name nowhere.invalid cannot be found\n         → check the network" in out
    assert "problem  network: no provider can be reached: no network" in out
    assert out.endswith("5 problems found\n")


def test_a_wrong_address_has_a_remedy_and_does_not_hide_that_there_is_no_network(
    monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    point_to(monkeypatch, "https://nowhere.invalid")
    monkeypatch.setenv("KHAYA_BASE_URL", "https://ama:hidden-1@nowhere.invalid")
    _, out, _ = run("doctor", "--json")
    (wrong,) = (each for each in find(out, provider="khaya") if each["check"] == "settings")
    assert wrong["remedy"].startswith("correct base_url")
    assert '"no provider can be reached: no network"' in out
    assert "hidden-1" not in out


def test_a_provider_without_a_key_that_cannot_be_reached_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, khaya: Server, run: Run
) -> None:
    for name in VARIABLES:
        if name != "KHAYA":
            monkeypatch.setenv(f"{name}_BASE_URL", "https://nowhere.invalid")
    code, out, _ = run("doctor", "--json")
    assert [each["state"] for each in find(out, check="DNS")] == ["warning"] * 3
    assert find(out, check="connection", provider="khaya", state="ok")
    assert code == 0


def test_a_proxy_that_is_down_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@127.0.0.1:1")
    code, out, err = run("doctor")
    assert code == 1
    assert "note     khaya proxy: through the proxy http://127.0.0.1:1\n" in out
    assert "problem  khaya proxy: no connection to the proxy 127.0.0.1: Connection refused" in out
    assert PASSWORD not in out + err


def test_an_address_from_the_environment_is_named(khaya: Server, run: Run) -> None:
    _, out, _ = run("doctor", "--provider", "khaya")
    assert f"note     khaya address: requests and the key go to {khaya.url}\n" in out
    assert "unset KHAYA_BASE_URL" in out
    assert KEY not in out


def test_a_setting_that_cannot_be_used_is_a_problem(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("KHAYA_BASE_URL", "ftp://nowhere.invalid")
    code, out, _ = run("doctor", "--provider", "khaya")
    assert code == 1
    assert "problem  khaya settings: the address 'ftp://nowhere.invalid' has no https:// and host" in out


class _OtherTime(BaseHTTPRequestHandler):
    ahead: float

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.end_headers()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() + self.ahead, usegmt=True)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(params=[3600.0, -3 * 86400.0])
def other_time(request: pytest.FixtureRequest) -> Iterator[tuple[str, float]]:
    handler = type("Handler", (_OtherTime,), {"ahead": request.param})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", request.param
        server.shutdown()
        thread.join()


def test_a_wrong_clock_is_named(monkeypatch: pytest.MonkeyPatch, other_time: tuple[str, float], run: Run) -> None:
    address, ahead = other_time
    point_to(monkeypatch, address)
    code, out, _ = run("doctor", "--provider", "skytells")
    assert code == 1
    shown = "1 h 0 min behind" if ahead > 0 else "3 days ahead"
    assert f"problem  skytells clock: the clock of this machine is {shown}\n         → set the clock" in out


@pytest.mark.parametrize(("offset", "seconds"), [(0.0, 1), (-0.4, 1), (0.6, 2), (-59.9, 61)])
def test_a_right_clock_may_differ_by_half_a_second_more_than_the_server_shows(offset: float, seconds: int) -> None:
    check = ConnectionCheck("https://khaya.example", clock_offset=offset)
    clock = list(connection_findings("khaya", check, used=True))[-1]
    assert (clock.check, clock.state, clock.message) == ("clock", "ok", f"differs by at most {seconds} s")


def test_a_refused_key_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch, khaya: Server, run: Run) -> None:
    monkeypatch.setenv("KHAYA_API_KEY", f'"{PASSWORD}"')
    code, out, err = run("doctor", "--provider", "khaya")
    assert code == 1
    assert "problem  khaya key: the key has quotes or spaces" in out
    assert PASSWORD not in out + err


def test_without_rich_the_findings_are_plain_text(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    code, out, _ = run("doctor", "--sandbox")
    assert code == 0
    assert 'warning  extra cli: rich is missing\n         → pip install "kellyapi[cli]"' in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--timeout", "0"], "--timeout must be more than 0 seconds"),
        (["--provider", "nobody"], "--provider must be one of kelly, khaya, skytells, aerostack, not 'nobody'"),
        (["--output", "x"], "unrecognized arguments: --output"),
    ],
)
def test_wrong_arguments_end_with_2(words: list[str], said: str, run: Run) -> None:
    code, out, err = run("doctor", *words)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_billed_calls_are_sent_after_a_question_that_names_the_units(
    monkeypatch: pytest.MonkeyPatch, khaya: Server, run: Run, answer: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    _, out, err = run("doctor", "--spend", "--provider", "khaya")
    assert err == (
        "These calls are billed:\n  khaya translate: 2 characters\n  khaya synthesize: 2 characters\n"
        "  khaya transcribe: 0.5 s of audio\nSend them? [y/N]\n"
    )
    assert khaya.requests == []
    assert 'khaya languages("translation")' in out


def test_billed_calls_are_sent_after_a_yes(monkeypatch: pytest.MonkeyPatch, khaya: Server, run: Run) -> None:
    translate = [call for call in live.BILLED_CALLS if call.name == "translate"]
    monkeypatch.setattr(live, "BILLED_CALLS", translate)  # the engines of the others start slowly
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    _, out, _ = run("doctor", "--spend", "--provider", "khaya")
    assert [path for path, _ in khaya.requests] == ["/v1/translate"]
    assert "ok       khaya translate: responds as expected" in out


def test_without_a_key_nothing_can_be_billed_and_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    point_to(monkeypatch, "https://nowhere.invalid")
    _, out, err = run("doctor", "--spend")
    assert err == ""
    assert "note     live: no provider has a key: nothing was sent" in out


def test_a_sandbox_is_billed_without_a_question(run: Run) -> None:
    code, out, err = run("doctor", "--spend", "--sandbox", "--provider", "aerostack")
    assert (code, err) == (0, "")
    assert "aerostack ai.chat: responds as expected" in out


def test_a_check_that_hangs_or_breaks_hides_no_other(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    async def hang(clients: Mapping[str, Any], seconds: float) -> Iterable[Finding]:
        await asyncio.Event().wait()
        return ()

    async def fail(clients: Mapping[str, Any], seconds: float) -> Iterable[Finding]:
        raise LookupError(PASSWORD)

    monkeypatch.setattr(run_checks, "CHECKS", {"first": hang, "second": fail, "keys": run_checks.CHECKS["keys"]})
    monkeypatch.setattr(run_checks, "GRACE", 0.0)
    code, out, _ = run("doctor", "--sandbox", "--timeout", "1", "--provider", "khaya")
    assert code == 0
    assert "warning  first: not finished within 1 s" in out
    assert "warning  second: the check itself failed: LookupError" in out
    assert "khaya key: present" in out
