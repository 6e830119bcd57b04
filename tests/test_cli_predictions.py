"""`kellyapi run`, `predictions` and `models`: real processes against a sandbox, in pipes and on terminals."""

from __future__ import annotations

import errno
import json
import os
import re
import select
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kellyapi import Sandbox, Skytells, run_sync
from kellyapi.cli.formatting import format_amount
from kellyapi.cli.main import main

KELLYAPI = str(Path(sysconfig.get_path("scripts"), "kellyapi"))
FOX = ["run", "truefusion", "-i", "prompt=a fox", "-i", "width=64", "-i", "height=64", "--interval", "0.01"]
PNG = b"\x89PNG\r\n\x1a\n"
ID = r"[0-9a-f]{8}-[0-9a-f-]{27}"


@contextmanager
def sandboxed(seconds: float) -> Iterator[Sandbox]:
    sandbox = Sandbox(prediction_time=seconds)
    run_sync(sandbox.start())
    yield sandbox
    run_sync(sandbox.close())


@pytest.fixture(scope="module")
def quick() -> Iterator[Sandbox]:
    with sandboxed(0) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def slow() -> Iterator[Sandbox]:
    """A sandbox whose jobs do not end within a test."""
    with sandboxed(3600) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKYTELLS_API_KEY", "sandbox")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def _quick(quick: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYTELLS_BASE_URL", quick.urls["skytells"])


@pytest.fixture
def _slow(slow: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYTELLS_BASE_URL", slow.urls["skytells"])


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process: (exit code, standard output, standard error)."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        return code, *capsys.readouterr()

    return run


def ask(method: str, *arguments: Any) -> Any:
    """Ask the sandbox about predictions, without the command."""

    async def call() -> Any:
        async with Skytells() as skytells:
            return await getattr(skytells.predictions, method)(*arguments)

    return run_sync(call())


class Terminal:
    """A process whose three streams are one terminal."""

    def __init__(self, *words: str) -> None:
        self._ours, theirs = os.openpty()
        self._process = subprocess.Popen(
            [KELLYAPI, *words], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self._last = time.monotonic() + 60
        self.shown = ""

    def until(self, pattern: str) -> re.Match[str]:
        """Read until something is shown."""
        while not (found := re.search(pattern, self.shown)):
            assert self._read(), self.shown
        return found

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """Read the rest and give the exit code."""
        while self._read():
            pass
        return self._process.wait(30)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0, self._last - time.monotonic()))
        assert ready, self.shown
        try:
            piece = os.read(self._ours, 4096)
        except OSError:  # Linux says so that nobody has the other end open
            return False
        self.shown += piece.decode(errors="replace")
        return bool(piece)


@pytest.fixture
def on_terminal() -> Iterator[Callable[..., Terminal]]:
    with ExitStack() as started:

        def start(*words: str) -> Terminal:
            terminal = Terminal(*words)
            started.callback(terminal.close)
            return terminal

        yield start


# In pipes


@pytest.mark.usefixtures("_quick")
def test_a_job_is_run_and_what_it_made_is_fetched() -> None:
    done = subprocess.run([KELLYAPI, *FOX, "-o", "made"], capture_output=True, text=True, check=True)
    (path,) = Path("made").iterdir()
    assert done.stdout == f"{path}\n"
    assert path.read_bytes().startswith(PNG)
    lines = done.stderr.splitlines()
    assert re.fullmatch(rf"prediction {ID}", lines[0])
    assert lines[-1].startswith("succeeded · truefusion · ")
    assert lines[-1].endswith(" credits")


@pytest.mark.usefixtures("_quick")
def test_machines_get_the_job_and_its_files_as_json(run: Run) -> None:
    code, out, err = run(*FOX, "-o", "made", "--json")
    job = json.loads(out)
    assert (code, err) == (0, "")
    assert (job["status"], job["progress"], job["credits_used"]) == ("succeeded", 100, 0.03)
    assert [Path(path).read_bytes()[:8] for path in job["paths"]] == [PNG]


@pytest.mark.usefixtures("_quick")
def test_without_a_folder_the_outputs_are_printed(run: Run) -> None:
    code, out, _ = run(*FOX)
    assert code == 0
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/delivery/{ID}-output\.png\n", out)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"a": "b"}', {"a": "b"}),
        ('"5"', "5"),
        ("a fox", "a fox"),
        ("a=b", "a=b"),
        ("", ""),
        ("{not json", "{not json"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
    ],
)
@pytest.mark.usefixtures("_quick")
def test_an_input_is_json_where_it_reads_as_json(given: str, value: Any, run: Run) -> None:
    words = ["run", "gpt-5", "-i", "prompt=hello", "-i", f"extra={given}", "--interval", "0.01", "--json"]
    code, out, _ = run(*words)
    assert (code, json.loads(out)["input"]) == (0, {"prompt": "hello", "extra": value})


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["run"], "MODEL"),
        (["run", "truefusion", "-i", "prompt"], "'prompt' is not NAME=VALUE"),
        (["run", "truefusion", "-i", "=fox"], "'=fox' is not NAME=VALUE"),
        (["run", "truefusion", "-i", "seed=1", "-i", "seed=2"], "input seed is given more than once"),
        (["run", "truefusion", "--timeout", "soon"], "invalid float value"),
        (["run", "truefusion", "--timeout", "-1"], "timeout must be more than 0 seconds"),
        (["run", "truefusion", "--interval", "nan"], "interval must be 0 seconds or more"),
        (["--provider", "kelly", "run", "truefusion"], "run takes no --provider"),
        (["-o", "made", "predictions", "list"], "predictions list takes no --output"),
        (["predictions"], "ACTION"),
        (["predictions", "paint"], "invalid choice"),
        (["predictions", "get"], "ID"),
        (["predictions", "get", ".."], "id must not be"),
        (["models", "show"], "MODEL"),
    ],
)
def test_what_was_asked_wrongly_is_said_before_anything_is_sent(words: list[str], complaint: str, run: Run) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert complaint in err


@pytest.mark.parametrize(("folder", "named"), [("made", "made"), ("made/fox", "{here}/made")])
@pytest.mark.usefixtures("_quick")
def test_a_folder_that_is_a_file_is_said_before_anything_is_paid_for(folder: str, named: str, run: Run) -> None:
    Path("made").write_bytes(b"")
    before = ask("list").pagination.total
    code, _, err = run(*FOX, "-o", folder)
    assert (code, err) == (1, f"error: {named.format(here=Path.cwd())}: is a file, not a folder\n")
    assert ask("list").pagination.total == before


@pytest.mark.usefixtures("_quick")
def test_a_folder_that_is_read_only_is_said_before_anything_is_paid_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ask("list").pagination.total
    monkeypatch.setattr(os, "access", lambda *_: False)  # the provider's superuser may write everywhere
    code, _, err = run(*FOX, "-o", "made")
    assert (code, err) == (1, f"error: {Path.cwd()}: is a folder that you may not write to\n")
    assert ask("list").pagination.total == before


@pytest.mark.usefixtures("_quick")
def test_a_full_disk_names_the_file_and_the_job_that_was_paid_for() -> None:
    """The shell's limit on the size of files stands for a full disk."""
    limited = ["bash", "-c", 'ulimit -f 0; exec "$@"', "bash", KELLYAPI, *FOX, "-o", "made", "--json"]
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(limited, capture_output=True, text=True, check=False, env=unmeasured)  # it has no disk either
    error = json.loads(done.stderr)["error"]
    assert (done.returncode, done.stdout) == (1, "")
    assert error["message"].startswith(f"made/{error['prediction']}-output.png.")
    assert error["message"].endswith(f": {os.strerror(errno.EFBIG)}")
    assert list(Path("made").iterdir()) == []


FAILING = ["run", "truefusion", "-i", "prompt=fail please", "--interval", "0.01"]


@pytest.mark.usefixtures("_quick")
def test_a_job_that_fails_is_a_failure_with_its_reason(run: Run) -> None:
    code, out, err = run(*FAILING, "--json")
    error = json.loads(err)["error"]
    assert (code, out) == (1, "")
    assert (error["type"], ask("get", error["prediction"]).status) == ("PredictionFailedError", "failed")
    code, out, err = run(*FAILING)
    assert (code, out) == (1, "")
    assert err.count("failed · truefusion") == 1
    assert err.splitlines()[-1].startswith("error: skytells: prediction ")


@pytest.mark.usefixtures("_slow")
def test_waiting_too_long_names_the_job_that_goes_on(run: Run) -> None:
    code, _, err = run(*FOX, "--timeout", "0.1", "--json")
    error = json.loads(err)["error"]
    assert (code, error["type"]) == (1, "WaitTimeoutError")
    assert not ask("get", error["prediction"]).ended


# One job after the other


@pytest.mark.usefixtures("_slow")
def test_a_job_is_listed_looked_at_cancelled_and_deleted(run: Run) -> None:
    job = ask("create", "truefusion", {"prompt": "a fox"})
    assert run("predictions", "get", job.id)[1] == "pending\n"
    assert json.loads(run("predictions", "get", job.id, "--json")[1])["status"] == "pending"
    listed = run("predictions", "list", "--model", "truefusion", "--status", "pending")[1]
    assert f"{job.id}\tpending\ttruefusion\t{job.created_at[:10]} {job.created_at[11:19]}\t0\n" in listed
    page = json.loads(run("predictions", "list", "--per-page", "1", "--json")[1])
    assert (page["items"][0]["id"], page["pagination"]["per_page"]) == (job.id, 1)
    assert run("predictions", "cancel", job.id) == (0, f"{job.id} cancelled\n", "")
    assert ask("get", job.id).status == "cancelled"
    assert json.loads(run("predictions", "delete", job.id, "--json")[1]) == {"id": job.id, "done": "deleted"}
    assert run("predictions", "get", job.id)[0] == 1


@pytest.mark.usefixtures("_quick")
def test_a_job_is_followed_and_fetched_by_its_id(run: Run) -> None:
    job = ask("create", "truefusion", {"prompt": "a fox", "width": 64, "height": 64})
    code, out, err = run("predictions", "follow", job.id, "--interval", "0.01", "-o", "made")
    (path,) = Path("made").iterdir()
    assert (code, out) == (0, f"{path}\n")
    assert err.startswith(f"prediction {job.id}\n")
    path.unlink()
    assert run("predictions", "download", job.id, "-o", "made")[:2] == (0, f"{path}\n")
    assert path.read_bytes().startswith(PNG)
    assert run("predictions", "download", job.id)[1] == f"{path.name}\n"


@pytest.mark.usefixtures("_quick")
def test_models_are_listed_and_shown(run: Run) -> None:
    assert "truefusion-pro\timage\tSkytells\t0.05 USD per image\n" in run("models", "list")[1]
    assert "gpt-5-nano\ttext\tOpenAI\t0.0000004 USD per token\n" in run("models", "list")[1]
    shown = run("models", "show", "truefusion")[1]
    assert shown.splitlines()[:2] == ["truefusion", "TrueFusion · image · Skytells · 0.03 USD per image"]
    assert "width\tinteger\t1024\tPixels.\n" in shown
    assert "prompt\tstring\tneeded\t" in shown
    assert {model["namespace"] for model in json.loads(run("models", "list", "--json")[1])} >= {"truefusion", "gpt-5"}
    assert json.loads(run("models", "show", "truefusion", "--json")[1])["input_schema"]["required"] == ["prompt"]


def test_a_sandbox_can_be_started_for_one_job(run: Run) -> None:
    code, out, _ = run(*FOX, "-o", "made", "--sandbox")
    assert code == 0
    assert Path(out.strip()).read_bytes().startswith(PNG)


# On terminals


@pytest.mark.usefixtures("_quick")
def test_a_terminal_shows_a_bar_and_then_what_was_made(on_terminal: Callable[..., Terminal]) -> None:
    terminal = on_terminal(*FOX, "-o", "made")
    assert terminal.end() == 0
    (path,) = Path("made").iterdir()
    assert re.search(rf"prediction {ID}", terminal.shown)
    assert "━" in terminal.shown
    assert "0:00:0" in terminal.shown
    assert "succeeded · truefusion" in terminal.shown
    assert "0.03 credits" in terminal.shown
    assert str(path) in terminal.shown


@pytest.mark.usefixtures("_quick")
def test_a_terminal_shows_tables(on_terminal: Callable[..., Terminal]) -> None:
    job = ask("create", "truefusion", {"prompt": "a fox"})
    for words, patterns in {
        ("predictions", "list"): ["Id", "Status", "Credits", job.id, "page 1 of"],
        ("models", "list"): ["Model", "Price", "truefusion-ultra", "per image"],
        ("models", "show", "truefusion"): ["Input", "Default", "negative_prompt", "1024"],
    }.items():
        terminal = on_terminal(*words)
        assert terminal.end() == 0
        assert [pattern for pattern in patterns if pattern not in terminal.shown] == []


@pytest.mark.parametrize(("typed", "status"), [("y\n", "cancelled"), ("n\n", "pending"), ("\n", "pending")])
@pytest.mark.usefixtures("_slow")
def test_ctrl_c_on_a_terminal_offers_to_cancel_the_job(
    typed: str, status: str, on_terminal: Callable[..., Terminal]
) -> None:
    terminal = on_terminal(*FOX)
    id = terminal.until(rf"prediction ({ID})")[1]
    terminal.interrupt()
    terminal.until(r"Cancel it\? \[y/N\] ")
    terminal.type(typed)
    assert terminal.end() == 130
    assert f"kellyapi predictions follow {id}" in terminal.shown
    assert (f"prediction {id} is cancelled" in terminal.shown) == (status == "cancelled")
    assert ask("get", id).status == status


@pytest.mark.usefixtures("_slow")
def test_a_second_ctrl_c_is_a_no_also_just_before_the_answer_is_read(on_terminal: Callable[..., Terminal]) -> None:
    terminal = on_terminal(*FOX)
    id = terminal.until(rf"prediction ({ID})")[1]
    terminal.interrupt()
    terminal.until(r"Cancel it\? \[y/N\] ")
    terminal.interrupt()
    assert terminal.end() == -signal.SIGINT  # which a shell calls 130
    assert ask("get", id).status == "pending"


@pytest.mark.parametrize("words", [FOX, [*FOX, "--json"]], ids=["people", "machines"])
@pytest.mark.usefixtures("_slow")
def test_ctrl_c_without_a_terminal_says_how_to_go_on(words: list[str]) -> None:
    known = {job.id for job in ask("list").items}
    with subprocess.Popen([KELLYAPI, *words], stdout=-1, stderr=-1, stdin=subprocess.DEVNULL, text=True) as process:
        while not (new := {job.id for job in ask("list").items} - known):
            pass
        (id,) = new
        if "--json" not in words:
            assert process.stderr
            assert process.stderr.readline() == f"prediction {id}\n"
        else:  # the job is known to the sandbox, and to the command when it has been looked at
            while ask("get", id).status != "pending":
                pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    if "--json" in words:
        error = json.loads(err)["error"]
        assert error["type"] == "KeyboardInterrupt"
        assert error.get("prediction", id) == id
    else:
        assert err.splitlines()[-1].endswith(f"kellyapi predictions follow {id} or cancel {id}")
    assert not ask("get", id).ended


@pytest.mark.usefixtures("_slow")
def test_ctrl_c_while_following_names_the_job_too(on_terminal: Callable[..., Terminal]) -> None:
    job = ask("create", "truefusion", {"prompt": "a fox"})
    terminal = on_terminal("predictions", "follow", job.id)
    terminal.until(f"prediction {job.id}")
    terminal.interrupt()
    terminal.until(r"Cancel it\? \[y/N\] ")
    terminal.type("y\n")
    assert terminal.end() == 130
    assert ask("get", job.id).status == "cancelled"


def test_ctrl_c_while_fetching_offers_no_cancelling_of_a_job_that_has_ended(
    on_terminal: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandboxed(0) as sandbox:
        sandbox.fail_next("GET /delivery/*", drip=(1, 3600.0))
        monkeypatch.setenv("SKYTELLS_BASE_URL", sandbox.urls["skytells"])
        terminal = on_terminal(*FOX, "-o", "made")
        id = terminal.until(rf"prediction ({ID})")[1]
        terminal.until("fetching")
        terminal.interrupt()
        assert terminal.end() == 130
        assert f"prediction {id} has ended; kellyapi predictions download {id}" in terminal.shown
        assert "Cancel it?" not in terminal.shown
        (part,) = Path("made").iterdir()
        assert part.name.endswith(".part")
        code = main(["predictions", "download", id, "-o", "made"])
    assert (code, Path("made", f"{id}-output.png").read_bytes()[:8]) == (0, PNG)
    assert not part.exists()


def test_small_amounts_are_written_out() -> None:
    assert [format_amount(number) for number in (0, 5, 0.03, 7e-05, 1200.0)] == ["0", "5", "0.03", "0.00007", "1200"]
