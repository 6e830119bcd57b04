"""What the bytes of audio files and images tell."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest
from PIL import Image as Picture

from kellyapi._data.media_types import image_size, sniff, wav_shape


def picture(format: str, size: tuple[int, int] = (37, 23), **options: Any) -> bytes:
    """Make an image file."""
    file = io.BytesIO()
    Picture.new(options.pop("mode", "RGB"), size, options.pop("color", "red")).save(file, format, **options)
    return file.getvalue()


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
        (b"BMW is a car", None),
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
        (picture("PNG"), None),
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
        lambda size: picture("JPEG", size)[:2] + b"\xff" * 5 + picture("JPEG", size)[2:],
        lambda size: picture("BMP", size),
        lambda size: picture("TIFF", size),
        lambda size: picture("TIFF", size, big_tiff=True),
        lambda size: picture("AVIF", size),
        lambda size: picture("JPEG2000", size),
        lambda size: b'<svg width="%dpx" height="%d"/>' % size,
    ],
    ids=[
        *("png", "gif", "jpeg", "progressive", "commented", "exif", "lossy", "lossless", "alpha", "extended"),
        *("fill bytes", "bmp", "tiff", "bigtiff", "avif", "jpeg2000", "svg"),
    ],
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
    "data", [b"", b"hello", WAV, picture("ICO", (16, 16)), b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x00" * 9, b"GIF89a"]
)
def test_other_bytes_have_no_picture_size(data: bytes) -> None:
    assert image_size(data) is None
