"""Stores of deliveries: which there are, what they keep, and the files beside them."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from processes import run_script

from kellyapi import (
    MemoryDeliveries,
    RecoverableDeliveries,
    SQLiteDeliveries,
    WebhookDelivery,
    WebhookReceiver,
)
from kellyapi._data import owner as owner_module

from .webhook_calls import BODY, HEADERS, OK, SECRET
from .webhook_servers import KEY, leave_unfinished


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deliveries.db"


async def test_a_store_with_two_methods_still_works() -> None:
    class Mine:
        keys: set[str] = set()  # noqa: RUF012  one store, one test

        async def claim(self, key: str) -> bool:
            is_new = key not in self.keys
            self.keys.add(key)
            return is_new

        async def release(self, key: str) -> None:
            self.keys.discard(key)

    seen: list[WebhookDelivery] = []
    receiver = WebhookReceiver(SECRET, store=Mine())
    receiver.on("*")(seen.append)
    await receiver.recover()
    assert [await receiver.handle(HEADERS, BODY) for _ in range(2)] == [OK, OK]
    await receiver.close()
    assert len(seen) == 1


@pytest.mark.parametrize("store", ["deliveries.db", Path("deliveries.db"), 1, SQLiteDeliveries, MemoryDeliveries])
def test_what_is_no_store_is_a_type_error(store: Any) -> None:
    with pytest.raises(TypeError, match=r"store must be an object with claim and release"):
        WebhookReceiver(SECRET, store=store)


async def test_a_store_with_all_methods_is_asked_to_recover() -> None:
    class Mine(MemoryDeliveries):
        """Keeps the bodies of what it has claimed."""

        def __init__(self) -> None:
            super().__init__()
            self.bodies = {KEY: BODY}

        async def claim(self, key: str, body: bytes | None = None) -> bool:
            return await super().claim(key)

        async def finish(self, key: str) -> None:
            del self.bodies[key]

        async def abandon(self, key: str) -> None:
            raise NotImplementedError

        async def recover(self) -> list[tuple[str, bytes]]:
            return list(self.bodies.items())

    store: RecoverableDeliveries = Mine()
    seen: list[WebhookDelivery] = []
    receiver = WebhookReceiver(SECRET, store=store)
    receiver.on("*")(seen.append)
    await receiver.recover()
    await receiver.close()
    assert [event.id for event in seen] == [KEY]
    assert store.bodies == {}  # type: ignore[attr-defined]  # it is Mine


@pytest.mark.parametrize("path", [":memory:", ""])
async def test_a_store_without_a_file_remembers_and_abandons(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = SQLiteDeliveries(path)
    assert [await store.claim("a", b"A"), await store.claim("a", b"A")] == [True, False]
    assert await store.recover() == []
    await store.abandon("a")
    assert await store.recover() == [("a", b"A")]
    assert await store.recover() == []
    await store.finish("a")
    assert not await store.claim("a", b"A")
    await store.close()
    assert os.listdir(tmp_path) == []  # noqa: PTH208  a short list, in a test


async def test_a_file_of_an_earlier_version_keeps_its_deliveries(file: Path) -> None:
    connection = sqlite3.connect(file)
    with connection:
        connection.executescript("""
            PRAGMA journal_mode = WAL;
            CREATE TABLE IF NOT EXISTS deliveries (key TEXT PRIMARY KEY, seen REAL NOT NULL) WITHOUT ROWID;
            CREATE INDEX IF NOT EXISTS deliveries_seen ON deliveries (seen);
            INSERT INTO deliveries VALUES ('old', 100);
        """)
    connection.close()
    store = SQLiteDeliveries(file, keep=60, clock=lambda: 150)
    assert [await store.claim(key, b"") for key in ("old", "new", "new")] == [False, True, False]
    await store.close()


async def test_a_delivery_that_is_being_handled_is_not_forgotten_with_time(file: Path) -> None:
    now = 0.0
    store = SQLiteDeliveries(file, keep=60, clock=lambda: now)
    assert await store.claim("a", b"A")
    now = 100
    assert not await store.claim("a", b"A")
    await store.finish("a")
    assert await store.claim("a", b"A")
    await store.close()


async def test_two_stores_of_one_process_do_not_take_each_others_deliveries(file: Path) -> None:
    first, second = SQLiteDeliveries(file), SQLiteDeliveries(file)
    assert await first.claim("a", b"A")
    assert not await second.claim("a", b"A")
    assert await second.recover() == []
    await first.close()
    assert await second.recover() == []  # it is still being handled: the next use opens the file again
    await first.abandon("a")
    assert await second.recover() == [("a", b"A")]
    await second.release("a")
    assert await first.claim("a")
    await first.close()
    await second.close()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


async def test_a_store_is_one_file_by_each_of_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "deliveries.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    paths: list[str | os.PathLike[str]] = [tmp_path / "real" / "deliveries.db", "link.db", "~/real/deliveries.db"]
    stores = [SQLiteDeliveries(path) for path in paths]
    monkeypatch.chdir("/")
    assert [await store.claim("a", b"A") for store in stores] == [True, False, False]
    assert [await store.recover() for store in stores] == [[], [], []]
    for store in stores:
        await store.close()


async def test_a_network_file_system_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner_module, "file_system", lambda folder: "nfs4")
    store = SQLiteDeliveries(file)
    for use in (store.claim("a", b"A"), store.recover()):
        with pytest.raises(OSError, match=r"is on a network file system \(nfs4\); use a folder on a local disk"):
            await use
    await store.close()


async def test_other_files_with_like_names_stay(file: Path) -> None:
    others = {f"{file.name}-owner-notes.txt", f"{file.name}-owner-", f"x{file.name}-owner-{'0' * 32}"}
    dead = f"{file.name}-owner-{'0' * 32}"
    for name in {*others, dead}:
        (file.parent / name).touch()
    store = SQLiteDeliveries(file)
    await store.recover()
    await store.close()
    assert {path.name for path in file.parent.iterdir()} == {*others, file.name}


async def test_an_owner_file_that_cannot_be_opened_belongs_to_a_process_that_runs(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leave_unfinished(file, BODY)

    def refuse(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    store = SQLiteDeliveries(file)
    assert await store.claim("other", b"{}")
    with monkeypatch.context() as patch:
        patch.setattr(owner_module, "_open_locked", refuse)
        assert await store.recover() == []
    assert await store.recover() == [(KEY, BODY)]
    await store.finish(KEY)
    await store.finish("other")
    await store.close()


if hasattr(os, "fork"):  # Windows has none

    async def test_a_forked_child_has_an_owner_file_of_its_own(file: Path) -> None:
        code = """
import asyncio, os, sys
from kellyapi import SQLiteDeliveries

store = SQLiteDeliveries(sys.argv[1])
assert asyncio.run(store.claim("parent", b"P"))
if not (child := os.fork()):
    assert asyncio.run(store.recover()) == []
    assert asyncio.run(store.claim("child", b"C"))
    sys.exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(asyncio.run(store.recover()))
"""
        assert await run_script(code, str(file)) == "[('child', b'C')]"
