"""The CSV script as a process of its own, with the sandbox or a scripted Khaya at the other end."""

from __future__ import annotations

import asyncio
import json
import signal
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from servers import Exchange, Script, Server, answer, script

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
    """Give what `servers.script` runs."""
    return (command("translate_csv"), "in.csv", "out.csv", "--column=text", f"--to={to}", f"--workers={workers}", *more)


async def run(*arguments: str) -> tuple[int | None, str]:
    """Run the script to its end and give its exit code and what it said."""
    async with script(*arguments) as process:
        out, log = await process.communicate()
    assert out == b""
    assert [line for line in complaints(log.decode()) if not line.startswith("line ")] == []
    return process.returncode, log.decode()


def told(text: str) -> bytes:
    return answer(body=json.dumps(text).encode())


def asked(server: Server) -> list[str]:
    return [json.loads(seen.body)["in"] for seen in server.requests]


async def silent(exchange: Exchange) -> None:
    await exchange.read()
    await exchange.left()


@pytest.fixture
def khaya(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    """Make a Khaya of scripts, which the environment names once it listens."""

    class Named(Server):
        async def __aenter__(self) -> Named:
            await super().__aenter__()
            monkeypatch.setenv("KHAYA_BASE_URL", self.url)
            monkeypatch.setenv("KHAYA_API_KEY", "key")
            return self

    return Named


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte order mark"])
async def test_each_row_gets_its_translation_in_its_place(sandbox: Sandbox, folder: Path, mark: str) -> None:
    rows = ['id,text,"a ""note"""', '1,Good morning,"two\r\nlines"', "2,,Ŋdi", "3,Thank you,"]
    (folder / "in.csv").write_bytes("\r\n".join([mark + rows[0], *rows[1:]]).encode())
    code, log = await run(*example(workers=4))
    assert code == 0, log
    added = ["text_tw", "Maakye", "", "Medaase"]
    written = "".join(f"{row},{more}\r\n" for row, more in zip(rows, added, strict=True))
    assert (folder / "out.csv").read_bytes().decode() == mark + written
    assert files(folder) == {"in.csv", "out.csv"}
    assert len(sandbox.requests) == len([text for text in added[1:] if text])
    assert "3/3" in log


async def test_as_many_rows_are_under_way_as_there_are_workers_and_their_order_is_kept(
    khaya: Callable[..., Server], folder: Path
) -> None:
    texts, workers = [f"text {number}" for number in range(12)], 3
    (folder / "in.csv").write_text("\n".join(["text", *texts]), "utf-8")
    under_way: list[str] = []
    peak = 0

    async def translate(exchange: Exchange) -> None:
        """Answer the newest of three first."""
        nonlocal peak
        await exchange.read()
        under_way.append(text := json.loads(exchange.seen.body)["in"])
        peak = max(peak, len(under_way))
        await server.until(lambda: len(server.requests) == len(texts) or len(under_way) == workers)
        await server.until(lambda: under_way[-1] == text)
        under_way.pop()
        server._changed.set()
        await exchange.write(told(text.upper()))

    async with khaya(translate) as server:
        code, log = await run(*example(workers=workers))
    assert code == 0, log
    assert peak == workers
    lines = (folder / "out.csv").read_text("utf-8").splitlines()
    assert lines == ["text,text_tw", *(f"{text},{text.upper()}" for text in texts)]


async def test_a_row_that_fails_is_told_by_its_line_and_tried_again_by_the_next_run(
    sandbox: Sandbox, folder: Path
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
    [answer(401), answer(402), answer(429, Retry_After="3599"), answer(200, b"<p>", "text/html")],
    ids=["wrong key", "no credits", "too many", "no JSON"],
)
async def test_when_everything_fails_the_rest_is_not_tried(
    khaya: Callable[..., Server], folder: Path, load: Callable[[str], ModuleType], failure: Script
) -> None:
    most = load("translate_csv").MOST_FAILURES
    texts = [f"text {number}" for number in range(2 * most)]
    (folder / "in.csv").write_text("\n".join(["text", *texts]), "utf-8")
    async with khaya(failure) as server:
        code, log = await run(*example())
    assert code == 1
    assert asked(server) == texts[:most]
    assert [line.partition(":")[0] for line in log.splitlines() if "khaya" in line] == [
        f"line {line}" for line in range(2, most + 2)
    ]


async def test_a_run_that_is_killed_goes_on_where_it_was(khaya: Callable[..., Server], folder: Path) -> None:
    async with khaya(told("Maakye"), told("Medaase"), silent, told("Baabae"), told("Aane")) as server:
        async with script(*example()) as process:
            await server.until(lambda: len(server.requests) == 3)
            process.kill()
            await process.communicate()
        assert not (folder / "out.csv").exists()
        code, log = await run(*example())
    assert code == 0, log
    assert asked(server) == [*TEXTS[:3], *TEXTS[2:]]
    added = ["text_tw", "Maakye", "Medaase", "Baabae", "Aane"]
    written = (folder / "out.csv").read_text("utf-8")
    assert [line.rpartition(",")[2] for line in written.splitlines()] == added


async def test_ctrl_c_keeps_what_is_done_and_what_is_under_way(khaya: Callable[..., Server], folder: Path) -> None:
    go_on = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        await exchange.read()
        await go_on.wait()
        await exchange.write(told("Medaase"))

    async with khaya(told("Maakye"), slow, told("…")) as server:
        async with script(*example()) as process:
            assert process.stderr is not None
            await server.until(lambda: len(server.requests) == 2)
            process.send_signal(signal.SIGINT)
            await process.stderr.readuntil(b"under way")
            go_on.set()
            _, log = await process.communicate()
        assert process.returncode == 1
        assert complaints(log.decode()) == []
        assert "2 of 4 rows have no translation yet." in log.decode()
        assert asked(server) == TEXTS[:2]
        written = (folder / "out.csv").read_text("utf-8").splitlines()
        assert [line.rpartition(",")[2] for line in written] == ["text_tw", "Maakye", "Medaase", "", ""]
        assert (await run(*example()))[0] == 0
        assert asked(server) == TEXTS


async def test_a_second_ctrl_c_ends_at_once_and_keeps_what_is_done(khaya: Callable[..., Server], folder: Path) -> None:
    async with khaya(told("Maakye"), silent) as server:
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
    ("table", "arguments", "told"),
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
async def test_a_wrong_table_is_refused_before_anything_is_paid_for(
    sandbox: Sandbox, folder: Path, table: bytes | None, arguments: tuple[str, ...], told: str
) -> None:
    if table is None:
        (folder / "in.csv").unlink()
    else:
        (folder / "in.csv").write_bytes(table)
    code, log = await run(*example(*arguments))
    assert (code, sandbox.requests) == (2, [])
    assert told in log
    assert files(folder) <= {"in.csv"}


async def test_a_file_that_is_there_already_is_not_replaced(sandbox: Sandbox, folder: Path) -> None:
    (folder / "out.csv").write_text("mine")
    code, log = await run(*example())
    assert (code, sandbox.requests) == (2, [])
    assert "out.csv exists already" in log
    assert (folder / "out.csv").read_text() == "mine"


async def test_a_folder_that_is_not_there_is_told_before_anything_is_paid_for(sandbox: Sandbox) -> None:
    code, log = await run(command("translate_csv"), "in.csv", "no/out.csv", "--column=text", "--to=tw")
    assert (code, sandbox.requests) == (2, [])
    assert "unable to open database file" in log


async def test_a_language_that_is_not_known_is_told_for_each_row(sandbox: Sandbox) -> None:
    code, log = await run(*example(to="klingon"))
    assert code == 1
    assert log.count("en-klingon cannot be used") == len(TEXTS) == len(sandbox.requests)


def test_a_big_table_is_not_read_whole(folder: Path, load: Callable[[str], ModuleType]) -> None:
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


async def test_the_script_runs_from_the_shell_without_a_key(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("KELLYAPI_SANDBOX", "1")
    code, log = await run(*example(workers=2))
    assert code == 0, log
    assert "1,Good morning,,Maakye" in (folder / "out.csv").read_text("utf-8")
