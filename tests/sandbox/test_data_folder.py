"""A data folder after kills and on a full disk, and its owner."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from processes import AsyncScript, plain_python

from kellyapi import Sandbox
from kellyapi.sandbox.engines.supervisor import EngineSupervisor
from kellyapi.sandbox.frontend import SandboxContext
from kellyapi.sandbox.skytells import predictions
from kellyapi.sandbox.store import Store

KEY = {"X-Aerostack-Key": "key"}
SCHEMA = "CREATE TABLE notes (number INTEGER)"
PROGRAM = """
import asyncio, sys
from kellyapi import Sandbox

async def main():
    async with Sandbox(data=sys.argv[1], schema=sys.argv[2], prediction_time=0) as sandbox:
        print(sandbox.port, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
SMALL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))" + PROGRAM


async def start(program: str, folder: Path) -> tuple[AsyncScript, str]:
    """Start a sandbox in a process, and return the process and the sandbox's address."""
    child = await AsyncScript.start(plain_python(), program, str(folder), SCHEMA)
    return child, f"http://127.0.0.1:{int(await child.stdout.readline())}"


def content(version: int) -> bytes:
    return f"{version} ".encode() * (1 + 7919 * version % 5000)


async def upload(session: aiohttp.ClientSession, url: str, key: str, version: int) -> bool:
    form = aiohttp.FormData()
    form.add_field("key", key)
    form.add_field("contentType", f"text/x-{version}")
    form.add_field("file", content(version), filename="f")
    async with session.post(f"{url}/v1/storage/upload", data=form) as response:
        return response.status == 200


async def test_files_and_rows_are_whole_after_eight_kills_during_writes(tmp_path: Path) -> None:
    versions = count(1)
    acknowledged: Counter[str] = Counter()
    rows: set[int] = set()

    async def write(session: aiohttp.ClientSession, url: str, key: str) -> None:
        while True:
            version = next(versions)
            if await upload(session, url, key, version):
                acknowledged[key] = version
            body = {"sql": "INSERT INTO notes VALUES (?)", "params": [version]}
            async with session.post(f"{url}/v1/db/query", json=body) as response:
                if response.status == 200:
                    rows.add(version)

    for _ in range(8):
        child, url = await start(PROGRAM, tmp_path)
        enough = len(rows) + 25
        async with aiohttp.ClientSession(headers=KEY) as session:
            writers = [asyncio.create_task(write(session, url, key)) for key in "abcd"]
            while len(rows) < enough:
                await asyncio.sleep(0.005)
                assert not any(writer.done() for writer in writers)
            child.send_signal(signal.SIGKILL)
            await child.communicate()
            await asyncio.gather(*writers, return_exceptions=True)

    async with Sandbox(data=tmp_path, schema=SCHEMA) as sandbox, sandbox.api() as api:
        for key, version in acknowledged.items():
            data = await api.aerostack.storage.download(key)
            found = await api.aerostack.storage.metadata(key)
            stored = int(data.split()[0])
            assert stored >= version
            assert data == content(stored)
            expected = (len(data), hashlib.md5(data).hexdigest(), f"text/x-{stored}")
            assert (found.size, found.etag, found.content_type) == expected
        found_rows = (await api.aerostack.db.query("SELECT number FROM notes")).rows
        assert rows <= {row["number"] for row in found_rows}
        assert len(list((tmp_path / "files").iterdir())) == len(acknowledged)


async def test_a_file_is_downloaded_whole_while_it_is_overwritten(tmp_path: Path) -> None:
    async with Sandbox(data=tmp_path) as sandbox, aiohttp.ClientSession(headers=KEY) as session:
        await upload(session, sandbox.url, "key", 0)

        async def read() -> None:
            async with session.post(f"{sandbox.url}/v1/storage/get", json={"key": "key"}) as response:
                data = await response.read()
                version = int(data.split()[0])
                assert (data, response.headers["Content-Type"]) == (content(version), f"text/x-{version}")

        for version in range(1, 40, 4):
            writes = [upload(session, sandbox.url, "key", number) for number in range(version, version + 4)]
            await asyncio.gather(*writes, *(read() for _ in range(8)))
    async with Sandbox(data=tmp_path):
        assert len(list((tmp_path / "files").iterdir())) == 1


async def test_files_with_one_content_are_deleted_one_by_one(tmp_path: Path) -> None:
    async with Sandbox(data=tmp_path) as sandbox, sandbox.api() as api:
        storage = api.aerostack.storage
        await storage.upload("a", b"hello")
        await storage.copy("a", "b")
        await storage.upload("c", b"hello")
        for key, others in (("a", "bc"), ("b", "c")):
            await storage.delete(key)
            assert {await storage.download(other) for other in others} == {b"hello"}
        await storage.move("c", "d")
        await storage.upload("d", b"other")
        assert [path.read_bytes() for path in (tmp_path / "files").iterdir()] == [b"other"]


async def test_a_folder_of_an_earlier_version_keeps_its_files(tmp_path: Path) -> None:
    async with Sandbox(data=tmp_path) as sandbox, sandbox.api() as api:
        await api.aerostack.storage.upload("key", b"hello")
    (path,) = (tmp_path / "files").iterdir()
    path.rename(path.with_name(hashlib.sha256(b"key").hexdigest()))
    (tmp_path / "files" / "leftover").write_bytes(b"x")
    async with Sandbox(data=tmp_path) as sandbox, sandbox.api() as api:
        assert await api.aerostack.storage.download("key") == b"hello"
    assert len(list((tmp_path / "files").iterdir())) == 1


async def test_a_second_sandbox_is_refused_and_deletes_no_upload_of_the_first(tmp_path: Path) -> None:
    child, url = await start(PROGRAM, tmp_path)
    pieces: asyncio.Queue[bytes] = asyncio.Queue()

    async def body() -> Any:
        while piece := await pieces.get():
            yield piece

    head = '--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nkey\r\n'
    file = '--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    pieces.put_nowait((head + file).encode() + bytes(3_000_000))
    headers = {**KEY, "Content-Type": "multipart/form-data; boundary=x"}
    async with aiohttp.ClientSession(headers=headers) as session:
        upload = asyncio.create_task(session.post(f"{url}/v1/storage/upload", data=body()))
        while not list((tmp_path / "parts").iterdir()):  # noqa: ASYNC110  another process makes it
            await asyncio.sleep(0)
        for _ in range(2):
            second = Sandbox(data=tmp_path)
            with pytest.raises(BlockingIOError, match="another sandbox uses the data folder"):
                await second.start()
            await second.close()
        assert len(list((tmp_path / "parts").iterdir())) == 1
        pieces.put_nowait(b"\r\n--x--\r\n")
        pieces.put_nowait(b"")
        assert (await upload).status == 200
    child.send_signal(signal.SIGKILL)
    await child.communicate()
    async with Sandbox(data=tmp_path) as sandbox, sandbox.api() as api:
        assert await api.aerostack.storage.download("key") == bytes(3_000_000)


async def test_a_full_disk_ends_in_errors_of_the_provider_and_in_failed_predictions(tmp_path: Path) -> None:
    child, url = await start(SMALL_DISK, tmp_path)
    ids = []
    async with aiohttp.ClientSession(headers={**KEY, "x-api-key": "key"}) as session:

        async def post(path: str, body: Any) -> tuple[int, Any]:
            async with session.post(url + path, json=body) as response:
                return response.status, await response.json()

        prompt = {"model": "gpt-5", "input": {"prompt": "a " * 3000}, "await": True}
        status = 200
        while status == 200:  # a disk of 300 kB takes a few dozen
            status, prediction = await post("/v1/predictions", prompt)
            ids.append(prediction.get("id"))
        assert prediction["error"]["error_id"] == "INTERNAL_ERROR"
        big = {"key": "a", "value": "a" * 400_000}
        assert (await post("/v1/cache/set", big))[1]["code"] == "INTERNAL_ERROR"
        form = aiohttp.FormData({"key": "a"})
        form.add_field("file", bytes(400_000), filename="f")
        async with session.post(f"{url}/v1/storage/upload", data=form) as response:
            assert (response.status, (await response.json())["code"]) == (500, "INTERNAL_ERROR")
        statement = {"sql": "INSERT INTO notes SELECT value FROM json_each(?)", "params": [str([0] * 100_000)]}
        status, answer = await post("/v1/db/query", statement)
        assert (status, answer["code"]) == (400, "DB_QUERY_FAILED")
        for id in filter(None, ids):
            async with session.get(f"{url}/v1/predictions/{id}") as response:
                assert (await response.json())["status"] in ("succeeded", "failed")
        assert not list((tmp_path / "parts").iterdir())
    child.send_signal(signal.SIGKILL)
    await child.communicate()


async def test_a_prediction_whose_result_cannot_be_stored_fails(tmp_path: Path) -> None:
    class Engines:
        async def run(self, function: str, **arguments: Any) -> str:
            return "a" * 100_000

    store = Store(tmp_path)
    await store.open()
    await store.put("prediction", "one", {"id": "one", "model": "gpt-5", "input": {"prompt": "hello"}})
    await store.run_after_commit(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone())  # no page more
    context = SandboxContext(
        engines=cast(EngineSupervisor, Engines()),
        store=store,
        keys=None,
        hear="english",
        prediction_turns=asyncio.Semaphore(),
    )
    await predictions._do_work(context, "one")
    result = await store.get("result", "one")
    assert "disk is full" in result["failure"]
    assert await store.newest("result", lambda each: each["id"]) == ["one"]
    await store.delete("result", "one")
    assert await store.get("result", "one") is None
    await store.close()
