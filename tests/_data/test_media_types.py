"""What the bytes of audio files and images tell."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest
from PIL import Image as Picture

from kellyapi._data.media_types import image_size, is_enough_to_sniff, sniff, wav_shape


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


# How far a file is read


def tag(size: int) -> bytes:
    """Make an ID3 tag of so many bytes behind its head."""
    return b"ID3\4\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + bytes(size)


def brands(count: int) -> bytes:
    """Make the head of an MP4 file with so many brands, of which the last says that it is an AVIF image."""
    return (16 + 4 * count).to_bytes(4, "big") + b"ftypmp42" + bytes(4) + b"free" * (count - 1) + b"avif"


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (b"<!--" + b"x" * (2**16 - 12) + b"--><svg>", "image/svg+xml"),
        (b"<!--" + b"x" * (2**16 - 11) + b"--><svg>", None),
        (tag(0) * 8 + b"fLaC", "audio/flac"),
        (tag(0) * 9 + b"fLaC", "audio/mpeg"),
        (tag(0x7F) + b"fLaC", "audio/flac"),
        (tag(2**21 + 1) + b"fLaC", "audio/flac"),
        (b"ID3\4\0\0\0\0\0\x80" + bytes(128) + b"fLaC", "audio/mpeg"),
        (tag(4)[:10] + b"\xff" * 4 + b"fLaC", "audio/flac"),
        (tag(4)[:5] + b"\xef" + tag(4)[6:] + b"fLaC", "audio/flac"),  # all flags but that of a footer
        (brands(60) + bytes(8), "image/avif"),
        (brands(61), "video/mp4"),
        (brands(1)[:16] + b"avif", "image/avif"),
        (b"\0\0\0\x10ftypmp42" + bytes(4) + b"avif", "video/mp4"),
        (b"\x1a\x45\xdf\xa3" + bytes(245) + b"\x42\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3" + bytes(246) + b"\x42\x82\x84webm", "video/x-matroska"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_tells_the_kind_may_stand_so_far_from_the_beginning(data: bytes, mime: str | None) -> None:
    assert sniff(data) == mime


@pytest.mark.parametrize(
    ("head", "is_enough"),
    [
        (b"", False),
        (b"x" * 11, False),
        (b"x" * 12, True),
        (b"fLa", False),
        (b"fLaC", True),
        (b"ID3\4", False),
        (tag(30) + bytes(11), False),
        (tag(30) + bytes(12), True),
        (tag(0)[:6] + b"\x80" + bytes(5), True),  # no tag has such a size
        (tag(2**21)[: 2**20 + 11], False),
        (tag(2**21)[: 2**20 + 12], True),
    ],
    ids=lambda value: str(value[:12]) if isinstance(value, bytes) else "",
)
def test_no_more_bytes_are_waited_for_than_tell_the_kind(head: bytes, is_enough: bool) -> None:
    assert is_enough_to_sniff(head) is is_enough


# Sound


def sound(seconds: float = 0.5, rate: int = 16000, channels: int = 1, width: int = 2) -> bytes:
    """Make a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((channels, width, rate, 0, "NONE", ""))
        out.writeframes(b"\x00" * (int(seconds * rate) * channels * width))
    return file.getvalue()


WAV = sound()
EMPTY = b"JUNK\x00\x00\x00\x00"
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
        (WAV[:12] + EMPTY * 998 + WAV[12:], (16000, 0.5)),  # with its own two it has a thousand chunks
        (WAV[:12] + EMPTY * 999 + WAV[12:], None),
        (picture("PNG"), None),
        (b"", None),
    ],
)
def test_rate_and_duration_are_read_from_a_wav(data: bytes, shape: tuple[int, float] | None) -> None:
    assert wav_shape(data) == shape


# Pictures


PNG = picture("PNG")


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
    if size == (37, 23):  # once for each kind
        assert {image_size(data[:end]) for end in range(len(data))} <= {None, size}  # cut off anywhere: no error


def test_the_test_pictures_include_all_three_forms_of_webp() -> None:
    made = [picture("WEBP"), picture("WEBP", lossless=True), picture("WEBP", exif=b"Exif\x00\x00x")]
    assert [data[12:16] for data in made] == [b"VP8 ", b"VP8L", b"VP8X"]


@pytest.mark.parametrize("data", [PNG[:16] + bytes(4) + PNG[20:], PNG[:20] + bytes(4) + PNG[24:]])
def test_a_picture_without_width_or_height_has_no_size(data: bytes) -> None:
    assert image_size(data) is None


@pytest.mark.parametrize(("more", "size"), [(0, (37, 23)), (1, None)])
def test_the_size_is_looked_for_in_the_first_mebibyte(more: int, size: tuple[int, int] | None) -> None:
    frame = b"\xff\xc0\x00\x0b\x08\x00\x17\x00\x25\x01"  # as far as imagesize reads it
    comments, rest = divmod(2**20 - 2 - len(frame) - 4 + more, 0x8002)
    comment = b"\xff\xfe\x80\x00" + bytes(0x7FFE)
    last = b"\xff\xfe" + (rest + 2).to_bytes(2, "big") + bytes(rest)
    assert image_size(b"\xff\xd8" + comment * comments + last + frame + bytes(20)) == size


@pytest.mark.parametrize(
    "data", [b"", b"hello", WAV, picture("ICO", (16, 16)), b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x00" * 9, b"GIF89a"]
)
def test_other_bytes_have_no_picture_size(data: bytes) -> None:
    assert image_size(data) is None
