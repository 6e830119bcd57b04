"""Formats of audio and images that are recognised by their bytes, with odd headers too, whole or cut."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from kellyapi._data.media import open_media
from kellyapi._data.media_types import image_size, is_enough_to_sniff, sniff, wav_shape


def chunk(name: bytes, data: bytes, *, size: int | None = None, pad: bool = True) -> bytes:
    """Make a chunk of a RIFF file."""
    length = (len(data) if size is None else size).to_bytes(4, "little")
    return name + length + data + b"\0" * (len(data) % 2 if pad else 0)


def riff(*chunks: bytes, name: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return name + (len(body) if size is None else size).to_bytes(4, "little") + body


def numbers(*pairs: tuple[int, int]) -> bytes:
    """Write numbers of so many bytes, the lowest first."""
    return b"".join(number.to_bytes(length, "little") for number, length in pairs)


UNKNOWN = 0xFFFFFFFF
FMT = chunk(b"fmt ", numbers((1, 2), (1, 2), (16000, 4), (32000, 4), (2, 2), (16, 2)))
EXTENSIBLE = chunk(
    b"fmt ",
    numbers((0xFFFE, 2), (1, 2), (16000, 4), (32000, 4), (2, 2), (16, 2), (22, 2), (16, 2), (4, 4))
    + b"\1"
    + b"\0" * 15,
)
SAMPLES = bytes(16000)  # half a second
DATA = chunk(b"data", SAMPLES)
DS64 = chunk(b"ds64", numbers((16100, 8), (16000, 8), (8000, 8), (0, 4)))
WAVES = {
    "plain": riff(FMT, DATA),
    "JUNK first": riff(chunk(b"JUNK", bytes(28)), FMT, DATA),
    "LIST first": riff(chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0"), FMT, DATA),
    "odd chunk with padding": riff(chunk(b"LIST", b"INFO!"), FMT, DATA),
    "odd chunk without padding": riff(chunk(b"LIST", b"INFO!", pad=False), FMT, DATA),
    "many chunks": riff(*[chunk(b"cue ", bytes(3))] * 9, FMT, chunk(b"fact", bytes(4)), DATA),
    "extensible": riff(EXTENSIBLE, DATA),
    "chunks behind the data": riff(FMT, DATA, chunk(b"LIST", b"INFO")),
    "data of unknown size": riff(FMT, chunk(b"data", SAMPLES, size=UNKNOWN), size=UNKNOWN),
    "data of size 0": riff(FMT, chunk(b"data", SAMPLES, size=0), size=0),
    "size of the file is 0": riff(FMT, DATA, size=0),
    "RF64": riff(DS64, FMT, chunk(b"data", SAMPLES, size=UNKNOWN), name=b"RF64", size=UNKNOWN),
    "RF64 with a chunk behind": riff(
        DS64, FMT, chunk(b"data", SAMPLES, size=UNKNOWN), chunk(b"LIST", b"INFO"), name=b"RF64", size=UNKNOWN
    ),
    "BW64": riff(DS64, FMT, DATA, name=b"BW64", size=UNKNOWN),
}


@pytest.mark.parametrize("name", WAVES)
def test_a_wav_with_an_odd_header_has_its_rate_and_duration(name: str) -> None:
    assert sniff(WAVES[name]) == "audio/wav"
    assert wav_shape(WAVES[name]) == (16000, 0.5)


def test_a_wav_with_the_highest_byte_first_has_its_rate_and_duration() -> None:
    fmt = b"fmt \0\0\0\x10\0\1\0\1" + (16000).to_bytes(4, "big") + (32000).to_bytes(4, "big") + b"\0\2\0\x10"
    data = b"RIFX\0\0\0\0WAVE" + fmt + b"data" + len(SAMPLES).to_bytes(4, "big") + SAMPLES
    assert (sniff(data), wav_shape(data)) == ("audio/wav", (16000, 0.5))


def test_a_wav_of_the_standard_library_has_its_rate_and_duration() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((2, 2, 44100, 0, "NONE", ""))
        out.writeframes(bytes(44100))
    assert wav_shape(file.getvalue()) == (44100, 0.25)


def test_a_wav_of_many_empty_chunks_is_given_up() -> None:
    assert wav_shape(riff(chunk(b"JUNK", b"") * 1_000_000, FMT, DATA)) is None


def id3(size: int, flags: int = 0) -> bytes:
    """Make an ID3 tag of so many bytes behind its head, and a footer if the flags say so."""
    sizes = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return (
        b"ID3\4\0" + bytes([flags]) + sizes + b"TIT2" + bytes(size - 4) + (b"3DI" + bytes(7) if flags & 0x10 else b"")
    )


def ftyp(*brands: bytes) -> bytes:
    major, *others = brands
    return (16 + 4 * len(others)).to_bytes(4, "big") + b"ftyp" + major + bytes(4) + b"".join(others)


def handler(kind: bytes) -> bytes:
    return b"\0\0\0\x21hdlr" + bytes(8) + kind + bytes(13)


def matroska(kind: bytes, *codecs: bytes) -> bytes:
    head = b"\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82" + bytes([0x80 + len(kind)]) + kind
    tracks = b"".join(b"\x86" + bytes([0x80 + len(codec)]) + codec for codec in codecs)
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 + len(head)]) + head + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + tracks


def ogg(packet: bytes) -> bytes:
    return b"OggS\0\2" + bytes(20) + b"\1" + bytes([len(packet)]) + packet


MP3 = b"\xff\xfb\x90\x64" + bytes(413)
FORMATS: dict[str, tuple[bytes, str]] = {
    "MP3": (MP3, "audio/mpeg"),
    "MP3 of MPEG 2": (b"\xff\xf3\x40\xc0" + bytes(100), "audio/mpeg"),
    "MP3 of MPEG 2.5": (b"\xff\xe3\x40\xc0" + bytes(100), "audio/mpeg"),
    "MP3 with a checksum": (b"\xff\xfa\x90\x64" + bytes(100), "audio/mpeg"),
    "MP2": (b"\xff\xfd\x84\x04" + bytes(100), "audio/mpeg"),
    "MP3 behind ID3": (id3(30) + MP3, "audio/mpeg"),
    "MP3 behind a large ID3": (id3(300_000) + MP3, "audio/mpeg"),
    "MP3 behind ID3 and padding": (id3(30) + bytes(99) + MP3, "audio/mpeg"),
    "FLAC": (b"fLaC\0\0\0\x22" + bytes(34), "audio/flac"),
    "FLAC behind ID3": (id3(30) + b"fLaC", "audio/flac"),
    "FLAC behind a large ID3": (id3(300_000) + b"fLaC", "audio/flac"),
    "FLAC behind ID3 with a footer": (id3(30, 0x10) + b"fLaC", "audio/flac"),
    "FLAC behind two of ID3": (id3(30) + id3(70_000) + b"fLaC", "audio/flac"),
    "ADTS": (b"\xff\xf1\x50\x80\x04\x3f\xfc", "audio/aac"),
    "ADTS of MPEG 2": (b"\xff\xf9\x50\x80\x04\x3f\xfc", "audio/aac"),
    "ADTS with a checksum": (b"\xff\xf0\x50\x80\x04\x3f\xfc", "audio/aac"),
    "ADTS behind ID3": (id3(63) + b"\xff\xf1\x50\x80", "audio/aac"),
    "M4A": (ftyp(b"M4A ", b"M4A ", b"mp42", b"isom"), "audio/mp4"),
    "M4B": (ftyp(b"M4B ", b"mp42"), "audio/mp4"),
    "MP4": (ftyp(b"isom", b"iso2", b"mp41"), "video/mp4"),
    "MP4 of sound": (ftyp(b"iso5", b"mp41") + handler(b"soun"), "audio/mp4"),
    "MP4 of sound and film": (ftyp(b"mp42") + handler(b"vide") + handler(b"soun"), "video/mp4"),
    "MP4 that QuickTime plays": (ftyp(b"mp42", b"qt  "), "video/mp4"),
    "QuickTime": (ftyp(b"qt  "), "video/quicktime"),
    "3GP of sound": (ftyp(b"3gp4", b"isom") + handler(b"soun"), "audio/3gpp"),
    "WebM of sound": (matroska(b"webm", b"A_OPUS"), "audio/webm"),
    "WebM of film": (matroska(b"webm", b"V_VP9", b"A_OPUS"), "video/webm"),
    "Matroska of sound": (matroska(b"matroska", b"A_FLAC"), "audio/x-matroska"),
    "Matroska of film": (matroska(b"matroska", b"A_AAC", b"V_MPEG4/ISO/AVC"), "video/x-matroska"),
    "Ogg with Opus": (ogg(b"OpusHead\1\1"), "audio/ogg"),
    "Ogg with Vorbis": (ogg(b"\1vorbis"), "audio/ogg"),
    "Ogg with FLAC": (ogg(b"\x7fFLAC"), "audio/ogg"),
    "Ogg with Theora": (ogg(b"\x80theora\3"), "video/ogg"),
    "AIFF": (b"FORM\0\0\0\x40AIFFCOMM", "audio/aiff"),
    "AIFF-C": (b"FORM\0\0\0\x40AIFCFVER", "audio/aiff"),
    "AMR": (b"#!AMR\n\x3c", "audio/amr"),
    "AMR-WB": (b"#!AMR-WB\n\x3c", "audio/amr-wb"),
    "AVIF": (ftyp(b"avif", b"mif1", b"miaf"), "image/avif"),
    "AVIF of several": (ftyp(b"avis", b"avif", b"msf1"), "image/avif"),
    "AVIF in HEIF": (ftyp(b"mif1", b"miaf", b"avif"), "image/avif"),
    "HEIC": (ftyp(b"heic", b"mif1", b"heic"), "image/heic"),
    "HEIC in HEIF": (ftyp(b"mif1", b"heic"), "image/heic"),
    "HEIF": (ftyp(b"mif1", b"miaf"), "image/heif"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
    "SVG with a prolog": (
        b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a > b --><!DOCTYPE svg [ <!ENTITY a "b"> ]>\n<svg>',
        "image/svg+xml",
    ),
    "SVG with a prefix": (b'<svg:svg xmlns:svg="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
    "cursor": (b"\0\0\2\0\1\0" + bytes(20), "image/x-icon"),
}


@pytest.mark.parametrize("name", FORMATS)
async def test_a_format_is_recognised_by_its_first_bytes(name: str, tmp_path: Path) -> None:
    data, mime = FORMATS[name]
    assert sniff(data) == mime
    (tmp_path / "voice.bin").write_bytes(data)
    for source in (data, tmp_path / "voice.bin", iter([data[at : at + 999] for at in range(0, len(data), 999)])):
        assert (await open_media(source, "file")).mime == mime


@pytest.mark.parametrize("format", ["PNG", "GIF", "JPEG", "WEBP", "BMP", "TIFF", "ICO", "AVIF"])
def test_an_image_that_pillow_writes_is_recognised_as_pillow_says(format: str) -> None:
    file = io.BytesIO()
    Picture.new("RGB", (32, 32)).save(file, format)
    assert sniff(file.getvalue()) == Picture.MIME[format]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        "\ufeffhello".encode("utf-16"),  # begins like MPEG audio
        b"\xff\xfe\x00\x00",
        b"BMW and Audi",
        b"<html><svg></svg></html>",
        b"<!-- " + b"<!-- -->" * 500,
        b"<?xml version='1.0'?><rss/>",
        b"RIFF\0\0\0\0AVI ",
        b"\0\0\0\x20moov",
        bytes(100),
        b"PK\3\4",
        b"%PDF-1.7",
    ],
)
def test_another_file_is_not_taken_for_audio_or_an_image(data: bytes) -> None:
    assert sniff(data) is None
    assert image_size(data) is None
    assert wav_shape(data) is None


@pytest.mark.parametrize("format", ["PNG", "GIF", "JPEG", "WEBP"])
@pytest.mark.parametrize("lead", [b"", b"\xff" * 7])
def test_the_size_of_an_image_is_that_which_is_stored(format: str, lead: bytes) -> None:
    made = Picture.new("RGB", (37, 23))
    exif = made.getexif()
    exif[0x0112] = 6  # to be turned by a viewer
    file = io.BytesIO()
    made.save(file, format, exif=exif)
    data = file.getvalue()
    if format == "JPEG":
        data = data[:2] + lead + data[2:]
    assert image_size(data) == (37, 23)


@pytest.mark.parametrize(
    "data",
    [
        (b"ID3\4\0" + bytes(5)) * 1000,
        b"<!-- " * 10_000,
        b"<!-- -->" * 10_000,
        b"OggS" + b"\x80theorA" * 10_000,
        b"\x1a\x45\xdf\xa3" + b"\x86" * 100_000,
        b"\xff\xd8\xff" + b"\xe0\0\2\xff" * 20_000,
    ],
    ids=["tags", "open comments", "comments", "Ogg", "Matroska", "JPEG"],
)
def test_a_file_of_many_empty_parts_is_given_up(data: bytes) -> None:
    read_all(data)


# Whatever arrives


def samples() -> Iterator[bytes]:
    yield from WAVES.values()
    yield from (data[:5000] for data, _ in FORMATS.values())
    for format in ("PNG", "GIF", "JPEG", "WEBP", "BMP", "TIFF", "ICO", "AVIF", "JPEG2000"):
        file = io.BytesIO()
        Picture.effect_noise((20, 10), 50).convert("RGB").save(file, format)
        yield file.getvalue()


SAMPLE = st.sampled_from(list(samples()))


def read_all(data: bytes) -> None:
    """Ask all that can be asked of a file."""
    mime = sniff(data)
    assert mime is None or mime.startswith(("audio/", "image/", "video/"))
    shape, size = wav_shape(data), image_size(data)
    assert shape is None or (shape[0] >= 0 and shape[1] >= 0)
    assert size is None or min(size) > 0
    is_enough_to_sniff(data)


@given(SAMPLE, st.data())
def test_a_file_that_is_cut_off_is_no_error(data: bytes, draw: Any) -> None:
    read_all(data[: draw.draw(st.integers(0, len(data)))])


@given(SAMPLE, st.lists(st.tuples(st.integers(0, 400), st.one_of(st.integers(0, 255), st.sampled_from([0, 255])))))
def test_a_file_with_wrong_bytes_is_no_error(data: bytes, changes: list[tuple[int, int]]) -> None:
    wrong = bytearray(data)
    for at, byte in changes:
        wrong[at % len(wrong)] = byte
    read_all(bytes(wrong))


@given(SAMPLE, st.binary(max_size=40), st.integers(0, 60))
def test_a_file_with_more_or_other_bytes_inside_is_no_error(data: bytes, more: bytes, at: int) -> None:
    read_all(data[:at] + more + data[at:])


@given(st.binary(max_size=200))
def test_any_bytes_are_no_error(data: bytes) -> None:
    read_all(data)
