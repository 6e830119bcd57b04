"""Picture files: every mode keeps its colours, and large pictures are refused by their headers."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import GifImagePlugin, Image, ImageFile

from kellyapi.sandbox.engines.errors import BadInput
from kellyapi.sandbox.engines.pictures import image_operations
from kellyapi.sandbox.engines.pictures.picture_files import MAX_PIXELS, _count_gif_frames, open_picture, to_rgb


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def new(mode: str, size: tuple[int, int], colour: object) -> Image.Image:
    """Return a picture of one colour. A palette holds the greys."""
    picture = Image.new(mode, size, colour)  # type: ignore[arg-type]  # Pillow names no type for colours
    if mode.startswith("P"):
        picture.putpalette(bytes(grey for grey in range(256) for _ in range(3)))
    return picture


def png(width: int, height: int, depth: int = 8, colour: int = 0, data: bytes = b"") -> bytes:
    """Return a PNG with this header, whatever its data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


GREY = (128, 128, 128)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 128, GREY),
        ("LA", (128, 50), (*GREY, 50)),
        ("La", (64, 128), (127, 127, 127, 128)),
        ("P", 3, (3, 3, 3)),
        ("PA", (3, 50), (3, 3, 3, 50)),
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 40), (10, 20, 30, 40)),
        ("RGBX", (10, 20, 30, 0), (10, 20, 30)),
        ("RGBa", (64, 128, 0, 128), (127, 255, 0, 128)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("YCbCr", (128, 128, 128), GREY),
        ("HSV", (0, 255, 255), (255, 0, 0)),
        ("I", 128, GREY),
        ("I", 0x8080, GREY),
        ("I", 2**31 - 1, (255, 255, 255)),
        ("I", -5, (0, 0, 0)),
        ("I;16", 0x8080, GREY),
        ("I;16", 0x0080, (0, 0, 0)),
        ("I;16L", 0x8080, GREY),
        ("I;16B", 0x8080, GREY),
        ("I;16N", 0x8080, GREY),
        ("F", 0.502, GREY),
        ("F", 128.0, GREY),
        ("F", 32896.0, GREY),
        ("F", float("nan"), (0, 0, 0)),
    ],
)
def test_every_mode_keeps_its_colours(mode: str, colour: object, expected: tuple[int, ...]) -> None:
    picture = to_rgb(new(mode, (3, 2), colour))
    assert (picture.mode, picture.size) == ("RGB" if len(expected) == 3 else "RGBA", (3, 2))
    assert picture.getpixel((2, 1)) == expected


@pytest.mark.parametrize(
    ("mode", "colours", "transparency", "expected"),
    [
        ("1", (0, 1), 255, [(0, 0, 0, 255), (255, 255, 255, 0)]),
        ("L", (100, 200), 100, [(100, 100, 100, 0), (200, 200, 200, 255)]),
        ("RGB", ((1, 2, 3), (4, 5, 6)), (4, 5, 6), [(1, 2, 3, 255), (4, 5, 6, 0)]),
        ("P", (0, 1), 1, [(0, 0, 0, 255), (1, 1, 1, 0)]),
        ("P", (0, 1), bytes([7, 90]), [(0, 0, 0, 7), (1, 1, 1, 90)]),
        ("I;16", (0, 40_000), 40_000, [(0, 0, 0, 255), (156, 156, 156, 0)]),
    ],
)
def test_a_transparent_colour_of_a_png_stays_transparent(
    mode: str, colours: tuple[object, object], transparency: object, expected: list[tuple[int, ...]]
) -> None:
    picture = new(mode, (2, 1), colours[0])
    picture.putpixel((1, 0), colours[1])  # type: ignore[arg-type]
    read = open_picture(encoded(picture, transparency=transparency))
    assert [read.getpixel((x, 0)) for x in range(2)] == expected


def test_a_grey_png_of_16_bits_is_described_and_enlarged_with_its_grey() -> None:
    data = b"".join(b"\0" + b"\x30\x00" * 40 for _ in range(30))  # each line begins with its filter
    dark = png(40, 30, depth=16, data=data)
    assert "dark" in image_operations.describe(dark)
    enlarged = Image.open(io.BytesIO(image_operations.upscale(dark)))
    assert (enlarged.size, enlarged.getpixel((5, 5))) == ((160, 120), (48, 48, 48))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "L"])
def test_a_jpeg_of_another_mode_keeps_its_colours(mode: str) -> None:
    red = encoded(Image.new("RGB", (8, 8), (200, 30, 40)).convert(mode), "JPEG", quality=95)
    expected = np.asarray(Image.new("RGB", (1, 1), (200, 30, 40)).convert(mode).convert("RGB"), float)
    assert np.abs(np.asarray(open_picture(red), float) - expected).max() < 12


def webp_header(width: int, height: int) -> bytes:
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


LARGE = 7_095  # its square is the first above the limit


@pytest.mark.parametrize(
    "image",
    [
        png(LARGE, LARGE),
        png(2**31 - 1, 2**31 - 1),
        png(MAX_PIXELS + 1, 1, depth=1),
        b"GIF89a"
        + struct.pack("<HHBBB", LARGE, LARGE, 0, 0, 0)
        + b",\0\0\0\0"
        + struct.pack("<HHB", 1, 1, 0)
        + b"\2\0;",
        b"GIF89a"
        + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
        + b",\0\0\0\0"
        + struct.pack("<HHB", 65535, 65535, 0)
        + b"\2\0;",
        webp_header(16_384, 16_384),
    ],
    ids=["png", "largest png", "line", "gif", "frame of a gif", "webp"],
)
@pytest.mark.parametrize("work", [image_operations.describe, image_operations.upscale])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(
    image: bytes, work: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(BadInput) as raised:
        work(image)  # type: ignore[operator]
    assert raised.value.kind == "image"


def test_the_largest_picture_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kellyapi.sandbox.engines.pictures.picture_files.MAX_PIXELS", 200)
    assert open_picture(encoded(Image.new("1", (20, 10)))).size == (20, 10)
    with pytest.raises(BadInput, match="more than 200 pixels"):
        open_picture(encoded(Image.new("1", (67, 3))))


@pytest.mark.parametrize("size", [(8_064, 6_048), (8_192, 6_144)])
def test_a_picture_of_a_large_camera_is_accepted(size: tuple[int, int]) -> None:
    picture = open_picture(encoded(Image.new("1", size)))
    assert (picture.mode, picture.size) == ("RGB", size)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_the_frames_of_an_animation_count_together(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kellyapi.sandbox.engines.pictures.picture_files.MAX_ANIMATION_PIXELS", 16 * 16 * 10)
    frames = [Image.new("RGB", (16, 16), (20 * n, 0, 0)) for n in range(11)]
    for count in (1, 2, 10):
        animation = encoded(frames[0], format, save_all=True, append_images=frames[1:count])
        assert open_picture(animation).size == (16, 16)
    animation = encoded(frames[0], format, save_all=True, append_images=frames[1:])
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(BadInput, match=r"the 11 frames of the animation have more than 2,560 pixels") as raised:
        open_picture(animation)
    assert raised.value.kind == "image"


def test_many_frames_are_counted_without_parsing_each(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = b"!\xf9\x04\0\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\2\2D\1\0"
    gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff" + frame * 300_000 + b";"
    monkeypatch.setattr(GifImagePlugin.GifImageFile, "n_frames", property(lambda _: pytest.fail("it was parsed")))
    assert open_picture(gif).size == (1, 1)
    monkeypatch.setattr("kellyapi.sandbox.engines.pictures.picture_files.MAX_ANIMATION_PIXELS", 299_999)
    with pytest.raises(BadInput, match="300,000 frames"):
        open_picture(gif)


def test_a_gif_that_is_cut_off_has_the_frames_that_are_there() -> None:
    palette = new("P", (16, 16), 0)
    frames = [Image.new("RGB", (16, 16), (20 * n, 200, 0)) for n in range(5)]
    gif = encoded(palette, "GIF", save_all=True, append_images=frames, duration=40)
    assert [_count_gif_frames(gif[:end]) for end in (14, len(gif) // 2, len(gif) - 1, len(gif))] == [0, 3, 6, 6]


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_only_the_first_frame_of_an_animation_is_decoded(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), (20 * n, 0, 0)) for n in range(10)]
    animation = encoded(
        frames[5], format, save_all=True, append_images=frames, **({"lossless": True} if format == "WEBP" else {})
    )
    assert open_picture(animation).convert("RGB").getpixel((3, 3)) == (100, 0, 0)
