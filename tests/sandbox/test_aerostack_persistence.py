"""Data of the sandbox: what a data folder keeps, what is deleted without one, and failures at the start."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

import aiohttp
import pytest
from processes import AsyncScript, plain_python

from kellyapi import AuthenticationError, NotFoundError, Sandbox
from kellyapi.sandbox.store import Store

SCHEMA = "CREATE TABLE notes (text TEXT)"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_all_data_of_aerostack_is_kept_over_a_restart(tmp_path: Path) -> None:
    async with Sandbox(data=tmp_path, schema=SCHEMA) as sandbox, sandbox.api() as api:
        new = await api.aerostack.auth.sign_up("ama@example.com", "correct horse")
        await api.aerostack.cache.set("key", {"a": 1}, ttl=1e6)
        await api.aerostack.db.query("INSERT INTO notes VALUES ('Akwaaba')")
        job = await api.aerostack.queue.enqueue("mail", {"to": "ama"}, delay=1e6)
        await api.aerostack.storage.upload("a/b.txt", b"hello", content_type="text/plain")
        await api.aerostack.search.ingest("A red fox", "story", id="fox")
        await api.aerostack.gateway.log_usage("ask_live_1", "shop", 5)
    async with Sandbox(data=str(tmp_path), schema=SCHEMA) as sandbox, sandbox.api() as api:
        assert (await api.aerostack.auth.sign_in("ama@example.com", "correct horse")).user == new.user
        assert (await api.aerostack.cache.get("key")).value == {"a": 1}
        assert (await api.aerostack.db.query("SELECT text FROM notes")).rows == ({"text": "Akwaaba"},)
        assert (await api.aerostack.queue.job(job)).data == {"to": "ama"}
        url = await api.aerostack.storage.url("a/b.txt")
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert await response.read() == b"hello"
        assert [result.id for result in await api.aerostack.search.query("foxes")] == ["fox"]
        assert (await api.aerostack.gateway.wallet("shop", consumer="ask_live_1")).total_consumed == 5


async def test_records_keep_the_order_of_their_first_put(tmp_path: Path) -> None:
    store = Store(tmp_path)
    await store.open()
    for id in ("a", "b", "c"):
        await store.put("one", id, {"id": id})
    await store.put("other", "a", None)
    await store.put("one", "a", [1, "ü"])
    assert (await store.add("one", "b", 5), await store.add("one", "d", 5)) == (False, True)
    assert await store.delete("one", "c")
    assert not await store.delete("one", "c")
    await store.close()
    store = Store(tmp_path)
    await store.open()
    assert await store.newest("one", lambda value: value) == [5, {"id": "b"}, [1, "ü"]]
    assert (await store.get("one", "a"), await store.get("one", "c")) == ([1, "ü"], None)
    await store.save(store.path("outputs", "x.png"), b"png")
    assert (tmp_path / "outputs" / "x.png").read_bytes() == b"png"
    await store.close()


async def test_two_sandboxes_without_a_folder_share_nothing() -> None:
    async with Sandbox() as first, Sandbox() as second, first.api() as first_api, second.api() as second_api:
        await first_api.aerostack.auth.sign_up("ama@example.com", "correct horse")
        await first_api.aerostack.storage.upload("key", b"hello")
        with pytest.raises(AuthenticationError):
            await second_api.aerostack.auth.sign_in("ama@example.com", "correct horse")
        with pytest.raises(NotFoundError):
            await second_api.aerostack.storage.download("key")


async def test_a_sandbox_without_a_folder_starts_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sandbox = Sandbox()
    for _ in range(2):
        async with sandbox, sandbox.api() as api:
            assert len(names(tmp_path)) == 1
            assert not await api.aerostack.storage.exists("key")
            await api.aerostack.storage.upload("key", b"hello")
        assert names(tmp_path) == []


async def test_acknowledged_data_survives_a_kill_of_the_process(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from kellyapi import Sandbox\n"
        "async def main():\n"
        "    async with Sandbox(data=sys.argv[1]) as sandbox:\n"
        "        print(sandbox.port, flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    child = await AsyncScript.start(plain_python(), program, str(tmp_path))
    url = f"http://127.0.0.1:{int(await child.stdout.readline())}/v1/cache/set"
    headers = {"X-Aerostack-Key": "key"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.post(url, json={"key": "key", "value": 1}) as response:
            assert response.status == 200
        (tmp_path / "parts" / "half").write_bytes(b"an upload that was cut off")
        child.send_signal(signal.SIGKILL)
        await child.communicate()
    async with Sandbox(data=tmp_path) as sandbox, sandbox.api() as api:
        assert (await api.aerostack.cache.get("key")).value == 1
        assert names(tmp_path / "parts") == []


async def test_an_upload_that_breaks_off_keeps_the_old_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Sandbox(data=tmp_path) as sandbox, sandbox.api() as api:
        await api.aerostack.storage.upload("key", b"old", content_type="a/b")
        _, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        head = "POST /v1/storage/upload HTTP/1.1\r\nHost: localhost\r\nX-Aerostack-Key: k\r\nContent-Length: 9999\r\n"
        kind = "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        key = '--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nkey\r\n'
        file = '--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhalf'
        writer.write((head + kind + key + file).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert await api.aerostack.storage.download("key") == b"old"
    assert names(tmp_path / "parts") == []
    assert len(names(tmp_path / "files")) == 1
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


async def test_a_folder_that_cannot_be_created_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    broken = Sandbox(data=tmp_path / "file")
    with pytest.raises(OSError, match="file"):
        await broken.start()
    await broken.close()


async def test_a_folder_is_created_with_its_parents(tmp_path: Path) -> None:
    async with Sandbox(data=tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / "state.db").exists()
