"""Which sources are accepted, and that each is read whole."""

from __future__ import annotations

import base64
import io
import mmap
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import starlette.datastructures
import werkzeug.datastructures
from PIL import Image as Picture

from kellyapi import Base64, Image, Speech
from kellyapi._data.media import Media, open_media, read_media, to_base64


def picture(format: str, size: tuple[int, int] = (37, 23), **options: Any) -> bytes:
    """Make an image file."""
    file = io.BytesIO()
    Picture.new(options.pop("mode", "RGB"), size, options.pop("color", "red")).save(file, format, **options)
    return file.getvalue()


DATA = picture("PNG")
TEXT = base64.b64encode(DATA).decode()


class Unseekable(io.RawIOBase):
    """A file that can only be read forwards, like a pipe."""

    def __init__(self, data: bytes) -> None:
        self._rest = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._rest.readinto(buffer)


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


def on_disk(folder: Path) -> Path:
    path = folder / "fox.png"
    path.write_bytes(DATA)
    return path


def half_read(folder: Path) -> Any:
    file = io.BytesIO(b"skipped" + DATA)
    file.read(7)
    return file


class Upload:
    """An upload of a web framework, which is read once and asynchronously."""

    def __init__(self, data: bytes, filename: str | None = "fox.png", content_type: str | None = None) -> None:
        self._file = io.BytesIO(data)
        self.filename = filename
        self.content_type = content_type

    async def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


class AsyncFile:
    """A file whose methods are all async."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    async def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    async def seek(self, offset: int) -> int:
        return self._file.seek(offset)

    async def tell(self) -> int:
        return self._file.tell()

    async def seekable(self) -> bool:
        return True


class Attachment:
    """A file of a chat, which is fetched whole each time."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, *, use_cached: bool = False) -> bytes:
        return self._data


def temporary(make: Any) -> Any:
    file = make()
    file.write(DATA)
    file.seek(0)
    return file


def mapped(folder: Path) -> Any:
    with on_disk(folder).open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": on_disk,
    "str": lambda folder: str(on_disk(folder)),
    "bytes": lambda folder: DATA,
    "memoryview of two dimensions": lambda folder: memoryview(DATA).cast("B", [len(DATA), 1]),
    "bytearray": lambda folder: bytearray(DATA),
    "memoryview": lambda folder: memoryview(DATA),
    "strided memoryview": lambda folder: memoryview(bytes(byte for one in DATA for byte in (one, 0)))[::2],
    "binary file in memory": lambda folder: io.BytesIO(DATA),
    "binary file half read": half_read,
    "unseekable file": lambda folder: Unseekable(DATA),
    "async iterator": lambda folder: pieces(DATA[:10], DATA[10:]),
    "async iterator with empty pieces": lambda folder: pieces(b"", DATA[:10], b"", DATA[10:]),
    "iterator": lambda folder: iter([DATA[:10], b"", DATA[10:]]),
    "iterator of other bytes": lambda folder: iter([bytearray(DATA[:10]), memoryview(DATA[10:])]),
    "mapped file": mapped,
    "file of aiofiles": lambda folder: AsyncFile(DATA),
    "upload that is read by an async method": lambda folder: Upload(DATA),
    "upload that is read whole": lambda folder: Attachment(DATA),
    "upload of Starlette": lambda folder: starlette.datastructures.UploadFile(io.BytesIO(DATA), filename="fox.png"),
    "upload of Werkzeug": lambda folder: werkzeug.datastructures.FileStorage(io.BytesIO(DATA), filename="fox.png"),
    "temporary file": lambda folder: temporary(tempfile.NamedTemporaryFile),
    "result of an image service": lambda folder: Image(data=DATA, mime="image/png", provider="kelly"),
    "result of a speech service": lambda folder: Speech(audio=DATA, mime="image/png", language="eng", provider="kelly"),
    "source that is opened already": lambda folder: Media(DATA, "image/png", len(DATA)),
    "data URL in base64": lambda folder: f"data:image/png;base64,{TEXT}",
    "data URL percent-encoded": lambda folder: "data:image/png," + "".join(f"%{byte:02X}" for byte in DATA),
    "Base64": lambda folder: Base64(TEXT),
    "Base64 with line breaks": lambda folder: Base64(base64.encodebytes(DATA).decode()),
}
ONE_SHOT = {
    "unseekable file",
    "async iterator",
    "async iterator with empty pieces",
    "iterator",
    "iterator of other bytes",
    "upload that is read by an async method",
}


async def body_of(media: Media) -> bytes:
    """Read the body that would be sent."""
    return b"".join([piece async for piece in media.body()]) if callable(media.body) else bytes(media.body)


@pytest.mark.parametrize("name", SOURCES)
async def test_every_source_is_read_completely(name: str, tmp_path: Path) -> None:
    assert await read_media(SOURCES[name](tmp_path), "image") == DATA


@pytest.mark.parametrize("name", SOURCES)
async def test_every_source_can_be_sent(name: str, tmp_path: Path) -> None:
    media = await open_media(SOURCES[name](tmp_path), "image")
    assert media.one_shot == (name in ONE_SHOT)
    assert media.size in (None, len(DATA))
    assert media.mime == "image/png"
    assert await body_of(media) == DATA
    if not media.one_shot:
        assert await body_of(media) == DATA


@pytest.mark.parametrize("name", SOURCES)
async def test_every_source_becomes_base64(name: str, tmp_path: Path) -> None:
    assert base64.b64decode(await to_base64(SOURCES[name](tmp_path), "image")) == DATA


async def test_an_open_file_is_streamed_and_stays_open(tmp_path: Path) -> None:
    large = os.urandom(600_000)
    path = tmp_path / "sound.flac"
    path.write_bytes(large)
    with path.open("rb") as file:
        media = await open_media(file, "audio")
        assert (media.mime, media.one_shot) == ("audio/flac", False)
        for _ in range(2):
            assert await body_of(media) == large
        assert not file.closed


async def test_a_path_is_streamed_in_pieces_and_its_size_is_known(tmp_path: Path) -> None:
    path = tmp_path / "sound.unknown"
    path.write_bytes(b"x" * 600_000)
    media = await open_media(path, "audio")
    assert callable(media.body)
    sizes = [len(piece) async for piece in media.body()]
    assert (sum(sizes), media.size, media.mime) == (600_000, 600_000, "application/octet-stream")
    assert max(sizes) < 600_000


async def test_a_large_buffer_is_copied_whole() -> None:
    large = os.urandom(600_001)
    assert await read_media(bytearray(large), "audio") == large
    assert await read_media(memoryview(large)[::-1], "audio") == large[::-1]


async def test_a_large_base64_text_is_decoded_too() -> None:
    large = os.urandom(600_000)
    text = base64.b64encode(large).decode()
    assert await read_media(Base64(text), "audio") == large
    assert await to_base64(large, "audio") == text


@pytest.mark.parametrize("read", [read_media, open_media, to_base64])
class TestRefused:
    """Every way of reading a source refuses the same values."""

    @pytest.mark.parametrize(
        "make",
        [
            lambda: b"",
            lambda: bytearray(),
            lambda: memoryview(b""),
            lambda: Base64(""),
            lambda: "data:image/png;base64,",
            lambda: "data:,",
            lambda: iter([]),
            lambda: iter([b""]),
            lambda: Upload(b""),
            lambda: Attachment(b""),
            lambda: Picture.new("RGB", (0, 5)),
            lambda: io.BytesIO(),
            lambda: Unseekable(b""),
            lambda: pieces(),
            lambda: pieces(b""),
        ],
    )
    async def test_an_empty_source_is_a_value_error(self, read: Any, make: Any) -> None:
        with pytest.raises(ValueError, match="the image is empty"):
            await read(make(), "image")

    async def test_an_empty_file_is_a_value_error(self, read: Any, tmp_path: Path) -> None:
        (tmp_path / "empty.png").touch()
        with pytest.raises(ValueError, match="the image is empty"):
            await read(tmp_path / "empty.png", "image")

    async def test_a_missing_file_and_a_directory_raise_the_errors_of_open(self, read: Any, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            await read(tmp_path / "none.png", "image")
        with pytest.raises(IsADirectoryError):
            await read(tmp_path, "image")
        with pytest.raises(ValueError, match="the image is empty"):
            await read("", "image")

    async def test_a_text_file_object_is_a_type_error(self, read: Any, tmp_path: Path) -> None:
        with tempfile.TemporaryFile("w+") as file:
            for source in (io.StringIO("text"), io.StringIO(""), file):
                with pytest.raises(TypeError, match="binary mode"):
                    await read(source, "image")

    @pytest.mark.parametrize(
        "source", [None, 1, 5.0, True, ["a"], [b"a"], (b"a",), {"a": 1}, object(), io.BytesIO, picture]
    )
    async def test_another_type_is_a_type_error(self, read: Any, source: Any) -> None:
        with pytest.raises(TypeError, match="the image must be a path, bytes"):
            await read(source, "image")

    async def test_an_iterator_of_text_is_a_type_error(self, read: Any) -> None:
        with pytest.raises(TypeError):
            await read(pieces("text"), "image")  # type: ignore[arg-type]  # the wrong type is the point

    async def test_an_object_that_can_only_read_is_a_type_error(self, read: Any) -> None:
        class Reader:
            def read(self, size: int = -1) -> bytes:
                return b""

        with pytest.raises((TypeError, ValueError)):
            await read(Reader(), "image")


@pytest.mark.parametrize("source", [Base64("not base64!"), Base64("abc"), Base64("é"), "data:;base64,!!!!"])
async def test_text_that_is_not_base64_is_a_value_error(source: str) -> None:
    with pytest.raises(ValueError, match="the image is not base64"):
        await read_media(source, "image")


async def test_base64_that_is_passed_on_is_not_decoded() -> None:
    assert await to_base64(Base64("as it is"), "image") == "as it is"


@pytest.mark.parametrize("value", [b"aGk=", 5, None, ["aGk="]])
def test_base64_takes_only_text(value: Any) -> None:
    with pytest.raises(TypeError):
        Base64(value)


def test_base64_text_is_a_string_like_any_other() -> None:
    assert Base64("aGk=") == "aGk="
