"""The CSV example as a process, with the sandbox or a scripted Khaya as the server."""

from __future__ import annotations

import asyncio
import json
import signal
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType

import pytest
from processes import script, strict_python
from servers import Exchange, Script, Server, make_response

from kellyapi import Sandbox

from .conftest import command, complaints

ENGINES = "fake_engines"
ROUTE = "/v1/translate"
TABLE = "id,text,note\r\n1,Good morning,\r\n2,Thank you,x\r\n3,Goodbye,\r\n4,Yes,\r\n"
TEXTS = ["Good morning", "Thank you", "Goodbye", "Yes"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a table in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_bytes(TABLE.encode())
    return tmp_path


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def example(*more: str, to: str = "tw", workers: int = 1) -> tuple[str, ...]:
    """Return the arguments for `servers.script`."""
    return (command("translate_csv"), "in.csv", "out.csv", "--column=text", f"--to={to}", f"--workers={workers}", *more)


Run = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def run() -> Run:
    """Run the example to its end; return its exit code and its log."""

    async def run(*arguments: str) -> tuple[int, str]:
        code, out, log = await asyncio.to_thread(strict_python().execute, *arguments)
        assert out == ""
        assert [line for line in complaints(log) if not line.startswith("line ")] == []
        return code, log

    return run


def translated(text: str) -> bytes:
    return make_response(body=json.dumps(text).encode())


def requested_texts(server: Server) -> list[str]:
    return [json.loads(seen.body)["in"] for seen in server.requests]


async def never_respond(exchange: Exchange) -> None:
    await exchange.read()
    await exchange.left()


@pytest.fixture
def khaya(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    """Make a scripted Khaya whose URL and key are in the environment."""

    class Named(Server):
        async def __aenter__(self) -> Named:
            await super().__aenter__()
            monkeypatch.setenv("KHAYA_BASE_URL", self.url)
            monkeypatch.setenv("KHAYA_API_KEY", "key")
            return self

    return Named


@pytest.mark.parametrize("byte_order_mark", ["", "\ufeff"], ids=["plain", "byte order mark"])
async def test_each_row_gets_its_translation_in_its_place(
    run: Run, sandbox: Sandbox, folder: Path, byte_order_mark: str
) -> None:
    rows = ['id,text,"a ""note"""', '1,Good morning,"two\r\nlines"', "2,,Ŋdi", "3,Thank you,"]
    (folder / "in.csv").write_bytes("\r\n".join([byte_order_mark + rows[0], *rows[1:]]).encode())
    code, log = await run(*example(workers=4))
    assert code == 0, log
    added = ["text_tw", "Maakye", "", "Medaase"]
    written = "".join(f"{row},{more}\r\n" for row, more in zip(rows, added, strict=True))
    assert (folder / "out.csv").read_bytes().decode() == byte_order_mark + written
    assert files(folder) == {"in.csv", "out.csv"}
    assert len(sandbox.requests) == len([text for text in added[1:] if text])
    assert "3/3" in log


async def test_each_worker_translates_a_row_and_the_order_is_kept(
    run: Run, khaya: Callable[..., Server], folder: Path
) -> None:
    texts, workers = [f"text {number}" for number in range(12)], 3
    (folder / "in.csv").write_text("\n".join(["text", *texts]), "utf-8")
    in_progress: list[str] = []
    peak = 0

    async def translate(exchange: Exchange) -> None:
        """Respond to the newest of three requests first."""
        nonlocal peak
        await exchange.read()
        in_progress.append(text := json.loads(exchange.seen.body)["in"])
        peak = max(peak, len(in_progress))
        await server.until(lambda: len(server.requests) == len(texts) or len(in_progress) == workers)
        await server.until(lambda: in_progress[-1] == text)
        in_progress.pop()
        server._changed.set()
        await exchange.write(translated(text.upper()))

    async with khaya(translate) as server:
        code, log = await run(*example(workers=workers))
    assert code == 0, log
    assert peak == workers
    lines = (folder / "out.csv").read_text("utf-8").splitlines()
    assert lines == ["text,text_tw", *(f"{text},{text.upper()}" for text in texts)]


async def test_a_failed_row_is_reported_with_its_line_and_retried_by_the_next_run(
    run: Run, sandbox: Sandbox, folder: Path
) -> None:
    lines = ["text,note", '"Good\nmorning","two\nlines"', "Thank you,", "Yes,"]
    (folder / "in.csv").write_text("\n".join(lines), "utf-8")
    sandbox.fail_next(ROUTE, delay=0.001)
    sandbox.fail_next(ROUTE, status=400)
    code, log = await run(*example())
    assert code == 1
    assert "line 5: khaya: " in log
    assert "1 of 3 rows have no translation yet." in log
    out = (folder / "out.csv").read_text("utf-8")
    assert "Thank you,,\n" in out
    assert "Yes,,Aane" in out
    before = len(sandbox.requests)
    code, log = await run(*example())
    assert (code, len(sandbox.requests) - before) == (0, 1), log
    assert (folder / "out.csv").read_text("utf-8") == out.replace("Thank you,,\n", "Thank you,,Medaase\n")
    assert not (folder / "out.csv.progress").exists()


@pytest.mark.parametrize(
    "failure",
    [
        make_response(401),
        make_response(402),
        make_response(429, Retry_After="3599"),
        make_response(200, b"<p>", "text/html"),
    ],
    ids=["wrong key", "no credits", "too many", "no JSON"],
)
async def test_after_many_failures_in_a_row_the_rest_is_skipped(
    run: Run, khaya: Callable[..., Server], folder: Path, load: Callable[[str], ModuleType], failure: Script
) -> None:
    max_failures = load("translate_csv").MAX_FAILURES
    texts = [f"text {number}" for number in range(2 * max_failures)]
    (folder / "in.csv").write_text("\n".join(["text", *texts]), "utf-8")
    async with khaya(failure) as server:
        code, log = await run(*example())
    assert code == 1
    assert requested_texts(server) == texts[:max_failures]
    assert [line.partition(":")[0] for line in log.splitlines() if "khaya" in line] == [
        f"line {line}" for line in range(2, max_failures + 2)
    ]


async def test_a_killed_run_is_resumed(run: Run, khaya: Callable[..., Server], folder: Path) -> None:
    async with khaya(
        translated("Maakye"), translated("Medaase"), never_respond, translated("Baabae"), translated("Aane")
    ) as server:
        async with script(*example()) as process:
            await server.until(lambda: len(server.requests) == 3)
            process.kill()
            await process.communicate()
        assert not (folder / "out.csv").exists()
        code, log = await run(*example())
    assert code == 0, log
    assert requested_texts(server) == [*TEXTS[:3], *TEXTS[2:]]
    added = ["text_tw", "Maakye", "Medaase", "Baabae", "Aane"]
    written = (folder / "out.csv").read_text("utf-8")
    assert [line.rpartition(",")[2] for line in written.splitlines()] == added


async def test_ctrl_c_finishes_the_rows_in_progress_and_keeps_all_results(
    run: Run, khaya: Callable[..., Server], folder: Path
) -> None:
    release = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        await exchange.read()
        await release.wait()
        await exchange.write(translated("Medaase"))

    async with khaya(translated("Maakye"), slow, translated("…")) as server:
        async with script(*example()) as process:
            assert process.stderr is not None
            await server.until(lambda: len(server.requests) == 2)
            process.send_signal(signal.SIGINT)
            await process.stderr.readuntil(b"under way")
            release.set()
            _, log = await process.communicate()
        assert process.returncode == 1
        assert complaints(log.decode()) == []
        assert "2 of 4 rows have no translation yet." in log.decode()
        assert requested_texts(server) == TEXTS[:2]
        written = (folder / "out.csv").read_text("utf-8").splitlines()
        assert [line.rpartition(",")[2] for line in written] == ["text_tw", "Maakye", "Medaase", "", ""]
        assert (await run(*example()))[0] == 0
        assert requested_texts(server) == TEXTS


async def test_a_second_ctrl_c_stops_at_once_and_keeps_finished_rows(
    khaya: Callable[..., Server], folder: Path
) -> None:
    async with khaya(translated("Maakye"), never_respond) as server:
        async with script(*example()) as process:
            assert process.stderr is not None
            await server.until(lambda: len(server.requests) == 2)
            process.send_signal(signal.SIGINT)
            await process.stderr.readuntil(b"under way")
            process.send_signal(signal.SIGINT)
            _, log = await process.communicate()
        assert process.returncode == 1
        assert complaints(log.decode()) == []
    assert "1,Good morning,,Maakye" in (folder / "out.csv").read_text("utf-8")


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        (b"a,b\n1,2\n", (), "in.csv has no column 'text'; its columns are a, b"),
        (b"", (), "in.csv has no column 'text'; its columns are none"),
        (b"text,text_tw\n1,2\n", (), "in.csv has a column 'text_tw' already"),
        (b"text,b\n1,2\n1,2,3\n", (), "in.csv, line 3: there are 3 cells for 2 columns"),
        (b'text,b\n"a\nb",2\n1\n', (), "in.csv, line 4: there are 1 cells for 2 columns"),
        (b'text\n1\n"never ends\n', (), "in.csv, line 3: unexpected end of data"),
        (b"text\nGr\xfc\xdfe\n", (), "'utf-8' codec can't decode"),
        (None, (), "No such file or directory: 'in.csv'"),
        (b"text\n1\n", ("--workers=0",), "argument --workers: invalid choice: 0"),
    ],
)
async def test_a_wrong_table_is_refused_before_any_request(
    run: Run, sandbox: Sandbox, folder: Path, table: bytes | None, arguments: tuple[str, ...], message: str
) -> None:
    if table is None:
        (folder / "in.csv").unlink()
    else:
        (folder / "in.csv").write_bytes(table)
    code, log = await run(*example(*arguments))
    assert (code, sandbox.requests) == (2, [])
    assert message in log
    assert files(folder) <= {"in.csv"}


async def test_an_existing_output_file_is_not_replaced(run: Run, sandbox: Sandbox, folder: Path) -> None:
    (folder / "out.csv").write_text("mine")
    code, log = await run(*example())
    assert (code, sandbox.requests) == (2, [])
    assert "out.csv exists already" in log
    assert (folder / "out.csv").read_text() == "mine"


async def test_a_missing_folder_is_reported_before_any_request(run: Run, sandbox: Sandbox) -> None:
    code, log = await run(command("translate_csv"), "in.csv", "no/out.csv", "--column=text", "--to=tw")
    assert (code, sandbox.requests) == (2, [])
    assert "unable to open database file" in log


async def test_an_unknown_language_is_reported_for_each_row(run: Run, sandbox: Sandbox) -> None:
    code, log = await run(*example(to="klingon"))
    assert code == 1
    assert log.count("en-klingon cannot be used") == len(TEXTS) == len(sandbox.requests)


def test_a_big_table_is_not_read_into_memory(folder: Path, load: Callable[[str], ModuleType]) -> None:
    check = load("translate_csv").check
    rows, line = 40_000, f"{'a' * 50},{'b' * 50}\n"
    (folder / "in.csv").write_text("text,b\n" + line * rows)
    tracemalloc.start()
    try:
        assert check(Path("in.csv"), "text", "text_tw") == (0, rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < len(line) * rows / 10


async def test_the_script_runs_from_the_shell_without_a_key(
    run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv("KELLYAPI_SANDBOX", "1")
    code, log = await run(*example(workers=2))
    assert code == 0, log
    assert "1,Good morning,,Maakye" in (folder / "out.csv").read_text("utf-8")
