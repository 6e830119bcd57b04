"""Uploads of web frameworks, images of Pillow and our own results, given as they are."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import tempfile
import threading
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image as Picture
from servers import OK, Server, asked, make_response
from starlette.datastructures import Headers, UploadFile
from werkzeug.datastructures import FileStorage

from kellyapi import Image, Skytells, Speech
from kellyapi._data.media import Media, open_media, open_reusable_media, read_media

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28)
LINES = WAV + b"\n".join([b"line"] * 100_000)


class Upload:
    """An upload that can only be read, and asynchronously."""

    def __init__(self, data: bytes, **declared: Any) -> None:
        self._file = io.BytesIO(data)
        self.sizes: list[int] = []
        vars(self).update(declared)

    async def read(self, size: int = -1) -> bytes:
        self.sizes.append(size)
        return self._file.read(size)


def starlette_upload(declared: str | None, name: str | None) -> UploadFile:
    headers = Headers({} if declared is None else {"content-type": declared})
    return UploadFile(io.BytesIO(WAV), filename=name, headers=headers)


MAKERS: dict[str, Any] = {
    "async read": lambda declared, name: Upload(WAV, content_type=declared, filename=name),
    "Starlette": starlette_upload,
    "Werkzeug": lambda declared, name: FileStorage(io.BytesIO(WAV), filename=name, content_type=declared),
    "aiohttp": lambda declared, name: web.FileField("f", name or "", io.BytesIO(WAV), declared or "", None),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("framework", MAKERS)
@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ("audio/x-own", "audio/x-own"),
        ("Audio/WebM; codecs=opus", "Audio/WebM; codecs=opus"),
        ("text/plain", "text/plain"),
        (None, "audio/wav"),
        ("", "audio/wav"),
        ("application/octet-stream", "audio/wav"),  # what frameworks put where the browser sent none
        ("nonsense", "audio/wav"),
    ],
)
async def test_the_declared_type_is_sent_as_declared(framework: str, declared: str | None, sent: str) -> None:
    async with asked(OK) as (shop, server):
        await shop.send(MAKERS[framework](declared, "a.mp3"))
    assert server.requests[0].headers["content-type"] == sent
    assert server.requests[0].body == WAV


async def test_a_declared_type_with_a_line_break_is_not_sent() -> None:
    assert (await open_media(Upload(WAV, content_type="audio/x\r\nX-Own: 1"), "audio")).mime == "audio/wav"


@pytest.mark.parametrize("framework", MAKERS)
@pytest.mark.parametrize(
    ("name", "own"), [("a.wav", "a.wav"), ("C:\\sounds\\a.wav", "a.wav"), ("../../etc/a.wav", "a.wav"), (None, None)]
)
async def test_the_name_of_an_upload_is_kept_without_its_folder(framework: str, name: str | None, own: str) -> None:
    assert (await open_media(MAKERS[framework](None, name), "file")).name == own


async def test_an_async_upload_is_read_in_pieces() -> None:
    upload = Upload(WAV + bytes(2_000_000))
    media = await open_media(upload, "audio")
    assert len(upload.sizes) == 1
    assert await media.read() == WAV + bytes(2_000_000)
    assert len(set(upload.sizes)) == 1
    assert upload.sizes[0] > 0


async def test_an_upload_that_can_be_read_again_is_sent_again_after_a_failure() -> None:
    for upload in (starlette_upload(None, "a.wav"), MAKERS["aiohttp"](None, "a.wav"), MAKERS["Werkzeug"](None, "a")):
        async with asked(make_response(503), OK) as (shop, server):
            assert await shop.send(upload) == {}
        assert [bytes(seen.body) for seen in server.requests] == [WAV, WAV]


async def test_an_upload_on_disk_is_read_from_where_it_stands() -> None:
    with tempfile.SpooledTemporaryFile(10) as file:
        file.write(b"skipped" + WAV)
        file.seek(7)
        upload = UploadFile(file, filename="a.wav")  # type: ignore[arg-type]  # Starlette makes its own so
        media = await open_media(upload, "audio")
        for _ in range(2):
            assert await media.read() == WAV


async def test_the_uploads_of_a_running_server_are_taken_as_they_come() -> None:
    found: dict[str, tuple[Media, bytes]] = {}

    async def take(request: web.Request, source: Any) -> web.Response:
        media = await open_media(source, "audio")
        found[request.path] = media, await media.read()
        return web.Response()

    async def body(request: web.Request) -> web.Response:
        return await take(request, request.content)

    async def form(request: web.Request) -> web.Response:
        return await take(request, (await request.post())["audio"])

    async def part(request: web.Request) -> web.Response:
        return await take(request, await (await request.multipart()).next())

    app = web.Application(client_max_size=2**24)
    app.add_routes([web.post("/body", body), web.post("/form", form), web.post("/part", part)])
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        await session.post(server.make_url("/body"), data=LINES)
        for path in ("/form", "/part"):
            fields = aiohttp.FormData()
            fields.add_field("audio", LINES, filename="voice.ogg", content_type="audio/x-own")
            await session.post(server.make_url(path), data=fields)
        async with session.get(server.make_url("/none")) as response:
            media = await open_media(response.content, "audio")  # the body of a response is a source too
            assert await media.read() == b"404: Not Found"
    assert {path: data == LINES for path, (_, data) in found.items()} == dict.fromkeys(
        ("/body", "/form", "/part"), True
    )
    assert (found["/body"][0].mime, found["/body"][0].name) == ("audio/wav", None)
    assert (found["/form"][0].mime, found["/form"][0].name) == ("audio/x-own", "voice.ogg")
    assert found["/part"][0].name == "voice.ogg"


async def test_a_stream_is_passed_on_by_its_pieces_and_not_by_its_lines() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(LINES[:50_000])
    media = await open_media(reader, "audio")
    assert callable(media.body)
    pieces = aiter(media.body())
    assert await anext(pieces) == LINES[:50_000]
    reader.feed_data(LINES[50_000:60_000])
    assert await anext(pieces) == LINES[50_000:60_000]  # as soon as it is there
    reader.feed_eof()
    assert [piece async for piece in pieces] == []


async def test_an_iterator_is_read_in_a_thread() -> None:
    threads = []

    def pieces() -> Any:
        for _ in range(3):
            threads.append(threading.current_thread())
            yield WAV

    assert await read_media(pieces(), "audio") == WAV * 3
    assert threading.main_thread() not in threads


# Pillow


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LAB", "I", "I;16", "F"]
)
async def test_an_image_of_pillow_is_sent_as_png(mode: str) -> None:
    media = await open_media(Picture.new(mode, (5, 3)), "image")
    assert media.mime == "image/png"
    with Picture.open(io.BytesIO(await media.read())) as found:
        found.load()
        assert (found.format, found.size) == ("PNG", (5, 3))
        assert found.has_transparency_data == (mode in ("LA", "La", "PA", "RGBA", "RGBa"))


async def test_an_image_of_pillow_is_encoded_in_a_thread() -> None:
    threads = []

    class Slow(Picture.Image):
        def save(self, *arguments: Any, **options: Any) -> None:
            threads.append(threading.current_thread())
            super().save(*arguments, **options)

    made = Picture.new("RGB", (5, 3))
    made.__class__ = Slow
    await open_media(made, "image")
    assert threads
    assert threading.main_thread() not in threads


async def test_pillow_is_not_imported_to_recognise_its_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(__import__("sys").modules, "PIL.Image")
    with pytest.raises(TypeError, match="the image must be a path"):
        await open_media(object(), "image")  # type: ignore[arg-type]  # the wrong type is the point
    assert "PIL.Image" not in __import__("sys").modules


# Our own results


async def test_a_speech_is_transcribed_with_its_type() -> None:
    speech = Speech(audio=WAV, mime="audio/x-own", language="twi", provider="khaya")
    async with asked(OK) as (shop, server):
        await shop.send(speech)
    assert (server.requests[0].headers["content-type"], server.requests[0].body) == ("audio/x-own", WAV)


async def test_an_image_is_checked_with_its_type() -> None:
    image = Image(data=b"\x89PNG\r\n\x1a\n", mime="image/x-own", provider="kelly")
    completion = b'{"id": "a", "model": "m", "created": 0, "choices": []}'
    async with Server(make_response(body=completion)) as server, Skytells("key", base_url=server.url) as skytells:
        await skytells.safety.check_image(image)
        await skytells.safety.check_image("data:image/x-other;a=b;base64,iVBORw0KGgo")
        await skytells.safety.check_image("HTTPS://example.com/fox.png")
    sent = [json.loads(seen.body) for seen in server.requests]
    urls = [each["messages"][0]["content"][1]["image_url"]["url"] for each in sent]
    assert urls == [
        "data:image/x-own;base64,iVBORw0KGgo=",
        "data:image/x-other;a=b;base64,iVBORw0KGgo=",
        "HTTPS://example.com/fox.png",
    ]


async def test_a_source_is_prepared_once_for_several_providers() -> None:
    for upload in (Upload(WAV, content_type="audio/x-own"), starlette_upload("audio/x-own", "a.wav")):
        media = await open_reusable_media(upload, "audio")
        assert not media.one_shot
        for _ in range(2):
            assert await read_media(media, "audio") == WAV
        assert media.mime == "audio/x-own"


async def test_a_container_of_sound_or_film_is_sound_where_audio_is_asked_for() -> None:
    webm = b"\x1aE\xdf\xa3\x9fB\x82\x84webm"
    assert (await open_media(webm, "audio")).mime == "audio/webm"
    assert (await open_media(webm, "file")).mime == "video/webm"


async def test_a_compressed_file_is_read_without_the_name_that_python_deprecates(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.wav.gz", "wb") as file:
        file.write(WAV)
    with gzip.open(tmp_path / "a.wav.gz") as file:
        assert await read_media(file, "audio") == WAV
