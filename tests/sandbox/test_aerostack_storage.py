"""Aerostack's storage, A9 and A10."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp.test_utils import make_mocked_request
from http_client import Send

from kellyapi import Aerostack, NotFoundError, Sandbox
from kellyapi.sandbox.aerostack import storage

KEY = {"X-Aerostack-Key": "key"}


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(data=tmp_path / "data") as sandbox:
        yield sandbox


@pytest.fixture
def post(send: Send) -> Any:
    return partial(send, "POST", headers=KEY)


def form(*fields: tuple[str, Any], **file: Any) -> aiohttp.FormData:
    data = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields:
        data.add_field(name, BytesIO(value) if isinstance(value, bytes) else value, **(file if name == "file" else {}))
    return data


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "key",
    [
        "notes/hello.txt",
        "../../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "a/..",
        "a//b/",
        "ü/ɔ.txt",
        "a b#c?d=1&e+f%2e",
        "x" * 300,
        "C:\\x",
    ],
)
async def test_any_key_can_be_stored_fetched_and_deleted_without_leaving_the_folder(
    aerostack: Aerostack, send: Send, tmp_path: Path, key: str
) -> None:
    url = await aerostack.storage.upload(key, b"Akwaaba", content_type="text/plain")
    inside = files(tmp_path)
    assert [name for name in inside if not name.startswith(("data/state.db", "data/owner"))] == sorted(
        [f"data/files/{hashlib.md5(b'Akwaaba').hexdigest()}-7", *(f for f in inside if "project.db" in f)]
    )
    assert await aerostack.storage.url(key) == url
    fetched = await send("GET", url, url="")
    assert (fetched.status, fetched.body, fetched.headers["Content-Type"]) == (200, b"Akwaaba", "text/plain")
    assert await aerostack.storage.download(key) == b"Akwaaba"
    assert [item.key async for item in aerostack.storage.iterate()] == [key]
    assert await aerostack.storage.delete(key)
    assert not await aerostack.storage.exists(key)
    assert (await send("GET", url, url="")).status == 404
    assert not [name for name in files(tmp_path) if "/files/" in name or "/parts/" in name]


@pytest.mark.parametrize(
    "path",
    [
        "/storage/..%2fstate.db/x",
        "/storage/%2e%2e/state.db",
        "/storage/state.db/",
        "/storage/none/x",
        "/storage/",
        "/storage",
    ],
)
async def test_no_url_reaches_another_file(send: Send, path: str) -> None:
    assert (await send("GET", path)).status == 404


async def test_the_response_bodies_are_exact(post: Any, sandbox: Sandbox) -> None:
    fields = form(("file", b"0123"), ("key", "a.txt"), ("contentType", "text/x"), filename="b.txt", content_type="a/b")
    response = await post("/v1/storage/upload", data=fields)
    name = hashlib.sha256(b"a.txt").hexdigest()
    assert (response.status, response.json) == (200, {"url": f"{sandbox.url}/storage/{name}/a.txt"})
    metadata = (await post("/v1/storage/getMetadata", json={"key": "a.txt"})).json
    stored = {
        "size": 4,
        "lastModified": metadata["lastModified"],
        "contentType": "text/x",
        "etag": hashlib.md5(b"0123").hexdigest(),
    }
    other = f"{sandbox.url}/storage/{hashlib.sha256(b'b/c').hexdigest()}/c"
    cases: list[tuple[str, Any, Any]] = [
        ("getMetadata", {"key": "a.txt"}, {"exists": True, **stored}),
        ("getMetadata", {"key": "none"}, {"exists": False}),
        ("exists", {"key": "a.txt"}, {"exists": True}),
        ("exists", {"key": "none"}, {"exists": False}),
        ("list", {}, {"objects": [{"key": "a.txt", **stored}], "truncated": False, "cursor": None}),
        ("copy", {"sourceKey": "a.txt", "destKey": "b/c"}, {"success": True, "url": other}),
        ("move", {"sourceKey": "a.txt", "destKey": "b/c"}, {"success": True, "url": other}),
        ("move", {"sourceKey": "b/c", "destKey": "b/c"}, {"success": True, "url": other}),
        ("copy", {"sourceKey": "b/c", "destKey": "b/c"}, {"success": True, "url": other}),
        ("exists", {"key": "a.txt"}, {"exists": False}),
        ("getUrl", {"key": "b/c"}, {"url": other}),
        ("delete", {"key": "b/c"}, {"success": True}),
        ("delete", {"key": "b/c"}, {"success": True}),
    ]
    for path, body, expected in cases:
        response = await post(f"/v1/storage/{path}", json=body)
        assert (response.status, response.json) == (200, expected), path


class SlowBody(aiohttp.StreamReader):
    """A request body that gets one more piece with each read."""

    def __init__(self, *pieces: bytes) -> None:
        super().__init__(Mock(), 2**16, loop=asyncio.get_running_loop())
        self._pieces = list(pieces)

    async def read(self, n: int = -1) -> bytes:
        self.feed()
        return await super().read(n)

    def feed(self) -> None:
        if self._pieces:
            self.feed_data(self._pieces.pop(0))
            if not self._pieces:
                self.feed_eof()


async def test_a_form_can_arrive_in_any_pieces(tmp_path: Path) -> None:
    key = b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\n'
    file = b'\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    most = bytes(384 * 2**10)  # the most that a connection buffers
    body = SlowBody(key, b"some", b".", b"txt" + file + most, bytes(10), b"a", most, b"\r\n--x--\r\n")
    body.feed()
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    request = make_mocked_request("POST", "/storage/upload", headers=head, payload=body)
    fields = await storage._receive_form(request, tmp_path / "part")
    assert (fields["key"], fields["size"]) == ("some.txt", 2 * len(most) + 11)


async def test_a_large_file_is_stored_and_streamed_back(aerostack: Aerostack, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20_000
    (tmp_path / "large.bin").write_bytes(data)
    await aerostack.storage.upload("large", tmp_path / "large.bin")
    assert await aerostack.storage.download("large", tmp_path / "back.bin") == tmp_path / "back.bin"
    assert (tmp_path / "back.bin").read_bytes() == data
    assert (await aerostack.storage.metadata("large")).size == len(data)


async def test_an_upload_replaces_the_file_and_keeps_its_url(aerostack: Aerostack) -> None:
    url = await aerostack.storage.upload("key", b"one", content_type="text/plain")
    assert await aerostack.storage.upload("key", b"!", content_type="a/b") == url
    metadata = await aerostack.storage.metadata("key")
    assert (metadata.exists, metadata.size, metadata.content_type) == (True, 1, "a/b")
    assert await aerostack.storage.download("key") == b"!"


async def test_copies_are_independent_and_moves_replace(aerostack: Aerostack) -> None:
    await aerostack.storage.upload("a", b"A", content_type="text/a")
    await aerostack.storage.upload("b", b"B", content_type="text/b")
    assert await aerostack.storage.copy("a", "c") == await aerostack.storage.url("c")
    assert await aerostack.storage.move("b", "a") == await aerostack.storage.url("a")
    assert [await aerostack.storage.download(key) for key in "ac"] == [b"B", b"A"]
    assert (await aerostack.storage.metadata("a")).content_type == "text/b"
    assert not await aerostack.storage.exists("b")


async def test_a_list_is_read_page_by_page(aerostack: Aerostack) -> None:
    for i in range(7):
        await aerostack.storage.upload(f"p/{i}", b"x", content_type="a/b")
    await aerostack.storage.upload("q", b"x", content_type="a/b")
    page = await aerostack.storage.list(prefix="p/", limit=4)
    assert [item.key for item in page.items] == ["p/0", "p/1", "p/2", "p/3"]
    rest = await aerostack.storage.list(prefix="p/", limit=4, cursor=page.cursor)
    assert ([item.key for item in rest.items], rest.cursor) == (["p/4", "p/5", "p/6"], None)
    assert [item.key async for item in aerostack.storage.iterate()] == [f"p/{i}" for i in range(7)] + ["q"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("get", {"key": "none"}, "key"),
        ("getUrl", {"key": "none"}, "key"),
        ("copy", {"sourceKey": "none", "destKey": "b"}, "sourceKey"),
        ("move", {"sourceKey": "none", "destKey": "b"}, "sourceKey"),
        ("move", {"sourceKey": "none", "destKey": "none"}, "sourceKey"),
    ],
)
async def test_a_missing_file_is_a_404(post: Any, path: str, body: Any, field: str) -> None:
    response = await post(f"/v1/storage/{path}", json=body)
    expected = {"code": "NOT_FOUND", "message": "There is no file 'none'", "details": {"field": field}}
    assert (response.status, response.json) == (404, expected)


async def test_a_missing_file_is_a_not_found_error_in_the_client(aerostack: Aerostack, tmp_path: Path) -> None:
    for download in (aerostack.storage.download("none"), aerostack.storage.download("none", tmp_path / "none")):
        with pytest.raises(NotFoundError, match="There is no file 'none'") as caught:
            await download
        assert caught.value.code == "NOT_FOUND"
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ([("key", "a"), ("contentType", "a/b")], "file"),
        ([("file", b"x"), ("contentType", "a/b")], "key"),
        ([("file", b"x"), ("key", " ")], "key"),
        ([("file", b"x"), ("key", b"\xff")], "file"),
        ([("file", b"x"), ("key", "a" * 4097)], "key"),
        ([("file", b"x"), ("key", "a"), ("contentType", "text")], "contentType"),
        ([("file", b"x"), ("key", "a"), ("contentType", "a/b\r\nX-Evil: 1")], "contentType"),
    ],
)
async def test_an_incomplete_upload_is_a_400_and_leaves_no_file(
    post: Any, tmp_path: Path, fields: list[tuple[str, Any]], field: str
) -> None:
    response = await post("/v1/storage/upload", data=form(*fields, filename="x", content_type="a/b"))
    assert (response.status, response.json["code"]) == (400, "VALIDATION_ERROR")
    assert response.json["details"] == {"field": field}
    assert not [name for name in files(tmp_path) if "/files/" in name or "/parts/" in name]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=x", b"garbage"),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--x--\r\n",
        ),
        ("multipart/form-data; boundary=x", b"--x\r\nno header\r\n\r\na\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nX: \0\r\n\r\na\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"X: y\r\n" * 500 + b"\r\na\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nX: " + b"y" * 20_000 + b"\r\n\r\na\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\n' + b"y" * 40 + b"\r\n--x--\r\n",
        ),
    ],
)
async def test_a_body_that_is_no_form_is_a_400(send: Send, kind: str, body: bytes) -> None:
    response = await send("POST", "/v1/storage/upload", headers={**KEY, "Content-Type": kind}, data=body)
    assert (response.status, response.json["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        *((path, {}, "key") for path in ("get", "getUrl", "delete", "exists", "getMetadata")),
        ("get", {"key": 5}, "key"),
        ("copy", {"destKey": "b"}, "sourceKey"),
        ("copy", {"sourceKey": "b"}, "destKey"),
        ("move", {"destKey": "b"}, "sourceKey"),
        ("move", {"sourceKey": "b", "destKey": ""}, "destKey"),
        ("list", {"limit": 1001}, "limit"),
        ("list", {"prefix": 1}, "prefix"),
        ("list", {"cursor": "%"}, "cursor"),
    ],
)
async def test_wrong_input_is_a_400_that_names_the_field(post: Any, path: str, body: Any, field: str) -> None:
    response = await post(f"/v1/storage/{path}", json=body)
    assert (response.status, response.json["code"]) == (400, "VALIDATION_ERROR")
    assert response.json["details"] == {"field": field}
