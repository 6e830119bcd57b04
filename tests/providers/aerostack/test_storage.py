"""Aerostack's files on a real socket: forms for uploads, bytes and streams for downloads."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP
from pathlib import Path
from typing import Any

import pytest
from servers import Exchange, Seen, Server, cut, make_response

from kellyapi import NO_RETRY, Aerostack, Base64, NotFoundError, TransportError

STORED = make_response(body=b'{"url": "https://files.example/a"}')
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\xff" * 40
PNG64 = base64.b64encode(PNG).decode()
MISSING = make_response(404, b'{"code": "NOT_FOUND", "message": "no such file"}')


def at(server: Server, **options: Any) -> Aerostack:
    """Make a client of a server."""
    return Aerostack("key", base_url=f"{server.url}/v1", retry=NO_RETRY, **options)


def fields(seen: Seen) -> dict[str, Message]:
    """Read a multipart form that was sent."""
    head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
    form = message_from_bytes(head + bytes(seen.body), policy=HTTP)
    parts = list(form.iter_parts())
    found = {str(part.get_param("name", header="content-disposition")): part for part in parts}
    assert len(found) == len(parts)
    return found


def text(part: Message) -> str:
    """Read a field that is text."""
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()


def contents(folder: Path) -> list[tuple[str, bytes]]:
    """List the names in a folder."""
    return [(left.name, left.read_bytes()) for left in folder.iterdir()]


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


def on_disk(folder: Path) -> Path:
    path = folder / "fox.png"
    path.write_bytes(PNG)
    return path


@pytest.mark.parametrize(
    ("make", "options", "filename", "kind"),
    [
        (lambda folder: PNG, {}, "b.png", "image/png"),
        (lambda folder: bytearray(PNG), {}, "b.png", "image/png"),
        (on_disk, {}, "fox.png", "image/png"),
        (lambda folder: str(on_disk(folder)), {}, "fox.png", "image/png"),
        (lambda folder: io.BytesIO(PNG), {}, "b.png", "image/png"),
        (lambda folder: pieces(PNG[:9], PNG[9:]), {}, "b.png", "image/png"),
        (lambda folder: pieces(PNG[:1], PNG[1:]), {}, "b.png", "image/png"),
        (lambda folder: f"data:image/png;base64,{PNG64}", {}, "b.png", "image/png"),
        (lambda folder: Base64(PNG64), {}, "b.png", "image/png"),
        (on_disk, {"filename": "other.bin", "content_type": "application/x-fox"}, "other.bin", "application/x-fox"),
    ],
)
async def test_a_file_from_anywhere_is_uploaded_as_a_form(
    make: Any, options: Any, filename: str, kind: str, tmp_path: Path
) -> None:
    async with Server(STORED) as server, at(server) as aerostack:
        url = await aerostack.storage.upload("a/b.png", make(tmp_path), **options)
    assert url == "https://files.example/a"
    (seen,) = server.requests
    assert (seen.method, seen.target, seen.headers["x-aerostack-key"]) == ("POST", "/v1/storage/upload", "key")
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    sent = fields(seen)
    assert list(sent) == ["file", "key", "contentType"]
    assert (sent["file"].get_payload(decode=True), sent["file"].get_filename()) == (PNG, filename)
    assert sent["file"].get_content_type() == kind
    assert (text(sent["key"]), text(sent["contentType"])) == ("a/b.png", kind)
    assert [sent[name].get_filename() for name in ("key", "contentType")] == [None, None]


async def test_a_large_file_is_streamed_and_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(b"x" * 3_000_000)
    async with Server(STORED) as server, at(server) as aerostack:
        await aerostack.storage.upload("large", tmp_path / "large.bin")
    (seen,) = server.requests
    assert seen.headers["transfer-encoding"] == "chunked"
    assert fields(seen)["file"].get_payload(decode=True) == b"x" * 3_000_000


@pytest.mark.parametrize("key", ["a b#c?d=1&e+f", "../../etc", "ü/ɛ", 'a"b', "x" * 300, "..", ".", "/", "a\r\nb: c"])
async def test_any_key_arrives_unchanged_and_adds_no_header(key: str) -> None:
    async with Server(STORED) as server, at(server) as aerostack:
        await aerostack.storage.upload(key, PNG)
    sent = fields(server.requests[0])
    assert list(sent) == ["file", "key", "contentType"]
    assert text(sent["key"]) == key
    assert set(sent["file"].keys()) == {"Content-Type", "Content-Disposition"}
    assert sent["file"].get_filename()


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("a", {"content_type": "text/plain\r\nX-Evil: 1"}),
        ("a", {"content_type": "a\x00b"}),
        ("\x00", {}),
    ],
)
async def test_a_value_that_would_add_a_header_is_refused(key: str, options: Any) -> None:
    async with Server(STORED) as server, at(server) as aerostack:
        with pytest.raises(ValueError):  # noqa: PT011  whose words these are, changes with aiohttp
            await aerostack.storage.upload(key, PNG, **options)
    assert not server.requests


async def test_an_unusable_source_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    async with Server(STORED) as server, at(server) as aerostack:
        for key in ("", " "):
            with pytest.raises(ValueError, match="key is empty"):
                await aerostack.storage.upload(key, PNG)
        with pytest.raises(ValueError, match="file is empty"):
            await aerostack.storage.upload("a", b"")
        with pytest.raises(FileNotFoundError):
            await aerostack.storage.upload("a", tmp_path / "none")
        with pytest.raises(TypeError):
            await aerostack.storage.upload("a", 5)  # type: ignore[arg-type]  # the wrong type is the point
    assert not server.requests


# Download


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (PNG, "image/png"),
        (b"", "text/plain"),
        (b'{"a": 1}', "application/json"),
        (b'{"code": "X", "message": "a stored file, and no error"}', "application/json"),
        (b'{"a": 1}\n{"a": 2}\n', "application/json"),
    ],
)
async def test_a_download_returns_the_bytes_of_the_file(body: bytes, kind: str, tmp_path: Path) -> None:
    async with Server(make_response(body=body, kind=kind)) as server, at(server) as aerostack:
        assert await aerostack.storage.download("a b#c") == body
        assert await aerostack.storage.download("a b#c", tmp_path / "a") == tmp_path / "a"
    assert (tmp_path / "a").read_bytes() == body
    asked = [(seen.method, seen.target, bytes(seen.body)) for seen in server.requests]
    assert asked == [("POST", "/v1/storage/get", b'{"key":"a b#c"}')] * 2


async def test_a_file_above_the_response_limit_is_streamed_to_disk(tmp_path: Path) -> None:
    large = b"x" * 2_000_000
    script = make_response(body=large, kind="application/octet-stream")
    async with Server(script) as server, at(server, max_response_bytes=1000) as aerostack:
        assert await aerostack.storage.download("a", str(tmp_path / "a")) == tmp_path / "a"
    assert (tmp_path / "a").read_bytes() == large


@pytest.mark.parametrize("script", [MISSING, cut(make_response(body=PNG, kind="image/png")[:-5])])
async def test_a_failed_download_keeps_the_old_file(script: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    async with Server(script) as server, at(server) as aerostack:
        with pytest.raises((NotFoundError, TransportError)) as caught:
            await aerostack.storage.download("a", tmp_path / "a")
        with pytest.raises(type(caught.value)):
            await aerostack.storage.download("a")
    assert caught.value.provider == "aerostack"
    assert contents(tmp_path) == [("a", b"old")]


async def test_an_error_of_the_source_is_raised_and_is_no_transport_error() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield PNG
        raise LookupError("the source broke")

    async def read(exchange: Exchange) -> None:
        await exchange.left()

    async with Server(read) as server, at(server) as aerostack:
        with pytest.raises(LookupError, match="the source broke"):
            await aerostack.storage.upload("a", broken())
