"""Sources of media, and what their first bytes say."""

from __future__ import annotations

import base64
import io
import os
import tempfile
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from kellyapi import Base64
from kellyapi._data.media import Media, from_base64, image_size, open_media, read_media, sniff, to_base64, wav_shape


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


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": on_disk,
    "str": lambda folder: str(on_disk(folder)),
    "bytes": lambda folder: DATA,
    "bytearray": lambda folder: bytearray(DATA),
    "memoryview": lambda folder: memoryview(DATA),
    "strided memoryview": lambda folder: memoryview(bytes(byte for one in DATA for byte in (one, 0)))[::2],
    "binary file in memory": lambda folder: io.BytesIO(DATA),
    "binary file half read": half_read,
    "unseekable file": lambda folder: Unseekable(DATA),
    "async iterator": lambda folder: pieces(DATA[:10], DATA[10:]),
    "async iterator with empty pieces": lambda folder: pieces(b"", DATA[:10], b"", DATA[10:]),
    "data URL in base64": lambda folder: f"data:image/png;base64,{TEXT}",
    "data URL with parameters": lambda folder: f"data:image/png;name=fox.png;base64,{TEXT}",
    "data URL percent-encoded": lambda folder: "data:image/png," + "".join(f"%{byte:02X}" for byte in DATA),
    "Base64": lambda folder: Base64(TEXT),
    "Base64 with line breaks": lambda folder: Base64(base64.encodebytes(DATA).decode()),
}
ONE_SHOT = {"unseekable file", "async iterator", "async iterator with empty pieces"}


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
    assert media.mime == "image/png" or name.startswith("async")
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
            lambda: "data:image/png",
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
        "source", [None, 1, ["a"], {"a": 1}, object(), iter([b"a"])], ids=lambda one: type(one).__name__
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


@pytest.mark.parametrize("source", [Base64("not base64!"), Base64("abc"), Base64("é"), "data:;base64,####"])
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
    assert from_base64("aG\r\nk= ") == b"hi"


# What first bytes say


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (b"", None),
        (b"RIFF", None),
        (b"RIFF\x00\x00\x00\x00WAVE", "audio/wav"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"RIFF\x00\x00\x00\x00AVI ", None),
        (b"ID3\x03", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"\xff\xe3", "audio/mpeg"),
        (b"\xff\x00", None),
        (b"\xff", None),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"fLaC", "audio/flac"),
        (b"OggS", "audio/ogg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\x89PNG", None),
        (b"GIF89a", "image/gif"),
        (b"BM", "image/bmp"),
        (b"<html>", None),
        (b"hello", None),
    ],
)
def test_the_first_bytes_tell_the_kind(data: bytes, mime: str | None) -> None:
    assert sniff(data) == mime
    assert sniff(bytearray(data)) == mime


# Sound


def sound(seconds: float = 0.5, rate: int = 16000, channels: int = 1, width: int = 2) -> bytes:
    """Make a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((channels, width, rate, 0, "NONE", ""))
        out.writeframes(b"\x00" * (int(seconds * rate) * channels * width))
    return file.getvalue()


WAV = sound()
LIST = b"LIST\x05\x00\x00\x00INFO!\x00"


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        (WAV, (16000, 0.5)),
        (sound(1.0, 22050), (22050, 1.0)),
        (sound(0.25, 44100, 2), (44100, 0.25)),
        (sound(0.5, 8000, 1, 1), (8000, 0.5)),
        (WAV[:12] + LIST + WAV[12:], (16000, 0.5)),
        (WAV[:40] + b"\xff\xff\xff\xff" + WAV[44:], (16000, 0.5)),  # a header written before the length was known
        (WAV[: 44 + 8000], (16000, 0.25)),
        (sound(0), (16000, 0.0)),
        (WAV[:44], (16000, 0.0)),
        (WAV[:43], None),
        (WAV[:20], None),
        (WAV[:12] + WAV[36:], None),
        (WAV[:28] + b"\x00\x00\x00\x00" + WAV[32:], None),
        (b"RIFF\x00\x00\x00\x00WAVE" + b"\x00" * 64, None),
        (DATA, None),
        (b"", None),
    ],
)
def test_rate_and_duration_are_read_from_a_wav(data: bytes, shape: tuple[int, float] | None) -> None:
    assert wav_shape(data) == shape


# Pictures


@pytest.mark.parametrize(
    "make",
    [
        lambda size: picture("PNG", size),
        lambda size: picture("GIF", size),
        lambda size: picture("JPEG", size),
        lambda size: picture("JPEG", size, progressive=True),
        lambda size: picture("JPEG", size, comment="a longer comment before the frame" * 9, optimize=True),
        lambda size: picture("JPEG", size, exif=b"Exif\x00\x00" + b"x" * 400, mode="L", color=9),
        lambda size: picture("WEBP", size),
        lambda size: picture("WEBP", size, lossless=True),
        lambda size: picture("WEBP", size, lossless=True, mode="RGBA"),
        lambda size: picture("WEBP", size, exif=b"Exif\x00\x00" + b"x" * 40),
    ],
    ids=["png", "gif", "jpeg", "progressive", "commented", "exif", "lossy", "lossless", "alpha", "extended"],
)
@pytest.mark.parametrize("size", [(37, 23), (1, 300), (1025, 2)])
def test_the_size_is_read_from_every_kind_of_picture(make: Any, size: tuple[int, int]) -> None:
    data = make(size)
    assert image_size(data) == size
    assert {image_size(data[:end]) for end in range(len(data))} <= {None, size}  # cut off anywhere: no error


def test_the_test_pictures_include_all_three_forms_of_webp() -> None:
    made = [picture("WEBP"), picture("WEBP", lossless=True), picture("WEBP", exif=b"Exif\x00\x00x")]
    assert [data[12:16] for data in made] == [b"VP8 ", b"VP8L", b"VP8X"]


@pytest.mark.parametrize(
    "data", [b"", b"hello", WAV, picture("BMP"), b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x00" * 9, b"GIF89a"]
)
def test_other_bytes_have_no_picture_size(data: bytes) -> None:
    assert image_size(data) is None
