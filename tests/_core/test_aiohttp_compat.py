"""Private names of aiohttp and asyncio: they exist today, and calls still work without any of them."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from processes import ForkingPython
from servers import OK, Server

import kellyapi
from kellyapi._core import aiohttp_compat

SOURCE = Path(kellyapi.__file__).parent
NAMES = ("_retry_connection", "_middlewares", "_loop", "_exception", "_max_field_size", "should_close", "read_timeout")
"""Of aiohttp."""
OF_ASYNCIO = ("_asyncgens_shutdown_called", "_ssl_protocol", "max_size", "_selector", "_transports", "_register_task",
              "_unregister_task")  # fmt: skip
ALL_NAMES = (*NAMES, *OF_ASYNCIO)

PROGRAM = """
import asyncio, sys
sys.path[:0] = sys.argv[1:3]
import aiohttp
from servers import Server, make_response, cut
from kellyapi import NO_RETRY, Khaya, Skytells, TransportError

DATA = bytes(range(256)) * 40

async def main(path):
    assert aiohttp.__file__.startswith(sys.argv[1])
    said = make_response(body=b'"Maakye"')
    async with Server(said) as server, Khaya("key", base_url=server.url) as khaya:
        for _ in range(3):
            assert (await khaya.translate("Good morning", "en-tw")).text == "Maakye"
        assert (await khaya.transcribe(b"RIFF", "tw")).text == "Maakye"
        assert server.connections == 1
    languages = make_response(body=b'{"languages": {"en": "English"}}')
    async with Server(languages) as server, aiohttp.ClientSession() as session:
        assert await Khaya("key", base_url=server.url, session=session).languages("translation") == {"en": "English"}
    async with Server() as server, Khaya("key", base_url=server.url, retry=NO_RETRY) as khaya:
        try:
            await khaya.languages("translation")
        except TransportError as error:
            print(server.connections, error.message)
    whole = make_response(body=DATA, kind="image/png", ETag='"a"', Accept_Ranges="bytes")
    async with Server(cut(whole[:-100]), whole) as server, Skytells("key", base_url=server.url) as skytells:
        assert (await skytells.download(f"{server.url}/a.png", path)).read_bytes() == DATA

asyncio.run(main(sys.argv[3]))
"""


async def test_each_private_name_exists_today() -> None:
    """This fails with the first release of aiohttp or CPython that lacks a name, before users notice."""
    async with Server(OK) as server, aiohttp.ClientSession() as session:
        names = ("_retry_connection", "_middlewares", "_loop", "_max_line_size", "_max_field_size", "_max_headers")
        assert [hasattr(session, name) for name in names] == [True] * 6
        async with session.get(server.url) as response:
            assert hasattr(response.content, "_exception")
    assert hasattr(aiohttp.client_proto.ResponseHandler, "should_close")
    assert hasattr(aiohttp.client_proto.ResponseHandler, "read_timeout")
    for name in ("_asyncgens_shutdown_called", "_selector", "_transports"):
        assert hasattr(asyncio.get_running_loop(), name)
    assert hasattr(asyncio.tasks, "_register_task")
    assert hasattr(asyncio.tasks, "_unregister_task")


def test_only_one_module_uses_private_names() -> None:
    pattern = re.compile(rf"\.({'|'.join(ALL_NAMES)})\b")
    users = {path.name for path in SOURCE.rglob("*.py") if pattern.search(path.read_text("utf-8"))}
    assert users <= {"aiohttp_compat.py"}


@pytest.fixture(scope="module")
def without_aiohttp() -> Iterator[ForkingPython]:
    """A Python that has imported what our library needs, but neither aiohttp nor the library."""
    python = ForkingPython("import asyncio, attrs, cattrs, multidict, sqlite3, ssl, yarl", "-W", "error")
    yield python
    python.close()


@pytest.mark.parametrize("name", NAMES)
def test_calls_and_downloads_work_without_each_private_name(
    name: str, tmp_path: Path, without_aiohttp: ForkingPython, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "aiohttp"
    shutil.copytree(Path(aiohttp.__file__).parent, copy)
    for path in copy.rglob("*.py"):
        before = path.read_text("utf-8")
        after = re.sub(rf"\b{name}\b", f"{name}_renamed", before)
        if after != before:  # the other files are compiled already
            path.write_text(after, "utf-8")
    monkeypatch.setenv("AIOHTTP_NO_EXTENSIONS", "1")
    tests = Path(__file__).parents[1]
    printed = without_aiohttp.run(PROGRAM, str(tmp_path), str(tests), str(tmp_path / "a.png"))
    connections, _, message = printed.partition(" ")
    assert "disconnected" in message or "reset" in message.lower()
    # Without its switch aiohttp resends a GET by itself. A middleware prevents it, which needs the other name.
    assert connections == "1"


def test_a_loop_without_the_private_name_counts_as_running() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    assert not aiohttp_compat.is_finishing_generators(object())  # type: ignore[arg-type]  # has none of the names


def test_a_loop_without_a_selector_is_left_to_its_child_as_it_is() -> None:
    aiohttp_compat.cut_off_from_parent(object())  # type: ignore[arg-type]  # has none of the names


async def test_without_their_names_tasks_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(asyncio.tasks, "_register_task")
    monkeypatch.delattr(asyncio.tasks, "_unregister_task")
    task = asyncio.ensure_future(asyncio.sleep(0))
    aiohttp_compat.hide_task(task)
    aiohttp_compat.show_task(task)
    assert task in asyncio.all_tasks()
    await task
