"""What is no source is refused in words that say what to pass, before anything is sent."""

from __future__ import annotations

import asyncio
import base64
import io
import sys
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from kellyapi import Image, Khaya, Speech, Transcript
from kellyapi._data.media import open_media, read_media, to_base64

PNG = io.BytesIO()
Picture.new("RGB", (40, 40)).save(PNG, "PNG")
PNG_TEXT = base64.b64encode(PNG.getvalue()).decode()
JPEG = io.BytesIO()
Picture.new("RGB", (40, 40)).save(JPEG, "JPEG")
JPEG_TEXT = base64.b64encode(JPEG.getvalue()).decode()


@pytest.fixture(params=[open_media, read_media, to_base64])
def read(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize(
    "url",
    ["https://example.com/fox.png", "HTTP://example.com", " http://[::1", "ftp://a/b", "file:///etc/passwd", "s3://a"],
)
async def test_a_url_is_a_type_error_and_is_not_fetched(read: Any, url: str) -> None:
    with pytest.raises(
        TypeError, match="the image is a URL, which is not fetched: download it and pass the bytes"
    ) as e:
        await read(url, "image")
    assert len(str(e.value)) < 120


async def test_a_released_memoryview_is_named(read: Any) -> None:
    view = memoryview(PNG.getvalue())
    view.release()
    with pytest.raises(ValueError, match="the image is a memoryview that is released"):
        await read(view, "image")


async def test_a_parsed_url_is_a_type_error(read: Any) -> None:
    with pytest.raises(TypeError, match="the image must be a path"):
        await read(urllib.parse.urlsplit("https://example.com"), "image")


@pytest.mark.parametrize(
    "text",
    [
        PNG_TEXT,
        PNG_TEXT[:30],
        JPEG_TEXT,  # begins with a slash
        JPEG_TEXT[:300],
        base64.encodebytes(PNG.getvalue()).decode(),
        base64.urlsafe_b64encode(b"\xff\xfb\x90" * 200).decode(),
        base64.b64encode(bytes(5_000_000)).decode(),
        "aGVsbG8=",
    ],
    ids=lambda text: text[:12],
)
async def test_base64_text_without_its_mark_is_a_type_error(read: Any, text: str) -> None:
    with pytest.raises(TypeError, match=r"the image is base64 text, and a str is a path: pass Base64\(text\)") as e:
        await read(text, "image")
    assert len(str(e.value)) < 120


@pytest.mark.parametrize("name", ["fox.png", "fox", "a" * 64, "objects/" + "e3b0c442" * 8, "fox.png/deeper", "Ω" * 400])
async def test_a_missing_file_is_an_error_of_opening_with_a_hint(read: Any, name: str, tmp_path: Path) -> None:
    (tmp_path / "fox.png").touch()
    place = str(tmp_path / "none" / name) if name != "fox.png/deeper" else str(tmp_path / name)
    with pytest.raises(OSError, match=r"pass bytes, or base64 as Base64\(text\)") as e:
        await read(place, "image")
    assert e.value.errno is not None
    assert len(str(e.value)) < 500
    with pytest.raises(type(e.value)) as plain:
        await read(Path(place), "image")
    assert "Base64" not in str(plain.value)


async def test_a_folder_is_an_error_of_opening_with_a_hint(read: Any, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="pass the path of a file"):
        await read(str(tmp_path), "image")
    with pytest.raises(IsADirectoryError):
        await read(tmp_path, "image")


@pytest.mark.parametrize("text", ["\x89PNG\x00", "\ud800"])
async def test_text_that_can_be_no_path_is_a_value_error(read: Any, text: str) -> None:
    with pytest.raises(ValueError, match="the image is not a path: it has characters that no file name can have"):
        await read(text, "image")


async def test_an_empty_result_is_a_value_error(read: Any) -> None:
    for empty in (
        Speech(audio=b"", mime="audio/wav", language="eng", provider="kelly"),
        Image(data=b"", mime="image/png", provider="kelly"),
    ):
        with pytest.raises(ValueError, match="the image is empty"):
            await read(empty, "image")


async def test_what_is_not_awaited_is_a_type_error_that_says_so(read: Any) -> None:
    async def make() -> bytes:
        return b"a"

    coroutine, task = make(), asyncio.ensure_future(make())
    for source in (coroutine, task):
        with pytest.raises(TypeError, match=r"not (coroutine|Task); await it first"):
            await read(source, "image")
    coroutine.close()
    await task


async def test_a_result_without_a_file_is_a_type_error(read: Any) -> None:
    with pytest.raises(TypeError, match="not Transcript"):
        await read(Transcript(text="a", language="eng", provider="kelly"), "image")


class TextReader:
    def read(self, size: int = -1) -> str:
        return "text"


class AsyncTextReader:
    async def read(self, size: int = -1) -> str:
        return ""


class NothingReader:
    def read(self, size: int = -1) -> None:
        return None


async def async_texts() -> AsyncIterator[Any]:
    yield "text"


async def async_numbers() -> AsyncIterator[Any]:
    yield 5


def numbers() -> Iterator[Any]:
    yield from b"bytes"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: io.StringIO("text"), "binary mode"),
        (lambda: io.TextIOWrapper(io.BytesIO(b"a")), "binary mode"),
        (TextReader, "binary mode"),
        (AsyncTextReader, "binary mode"),
        (async_texts, "binary mode"),
        (NothingReader, "must give bytes, not NoneType"),
        (async_numbers, "must give bytes, not int"),
        (numbers, "must give bytes, not int"),
    ],
)
async def test_a_source_of_text_or_numbers_is_a_type_error(read: Any, make: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        await read(make(), "image")


async def test_nothing_is_sent_of_a_source_that_is_refused() -> None:
    async with Khaya("key", base_url="http://127.0.0.1:1", allow_http=True) as khaya:  # nobody listens there
        for source in ("https://example.com/a.wav", PNG_TEXT, io.StringIO("a"), "", b"", None):
            with pytest.raises((TypeError, ValueError), match="the audio"):
                await khaya.transcribe(source, "twi")  # type: ignore[arg-type]  # the wrong types are the point


async def test_an_array_is_no_audio(read: Any) -> None:
    with pytest.raises(ValueError, match="does not say its rate: pass the bytes of an audio file"):
        await read(np.zeros((16, 16), np.uint8), "audio")


async def test_an_array_without_pillow_is_an_error_that_names_the_extra(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match=r'the image is an array.*"kellyapi\[sandbox\]"'):
        await read(np.zeros((16, 16), np.uint8), "image")


async def test_a_file_that_is_open_for_writing_is_a_value_error(read: Any, tmp_path: Path) -> None:
    with (
        (tmp_path / "a.png").open("wb") as file,
        pytest.raises(ValueError, match="the image must be a file opened for reading"),
    ):
        await read(file, "image")
