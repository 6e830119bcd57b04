"""The sandbox's image operations: pixels, text chunks and errors."""

import builtins
import importlib
import io
import pickle
import sys
from collections.abc import Callable

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw

from kellyapi.sandbox.engines.errors import BadInput, EngineMissing
from kellyapi.sandbox.engines.pictures import image_operations, picture_files, prompt_scene


def opened(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png), formats=["PNG"])
    picture.load()
    return picture


def encoded(picture: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def difference(a: bytes, b: bytes) -> float:
    """Return the mean difference of the channels of two pictures, 0 to 255."""
    left, right = (np.asarray(opened(png).convert("RGB"), float) for png in (a, b))
    return float(np.abs(left - right).mean())


@pytest.fixture
def disc() -> bytes:
    """A red disc on a grey gradient, 300 x 200."""
    picture = Image.linear_gradient("L").resize((300, 200)).point(lambda value: 150 + value // 3).convert("RGB")
    ImageDraw.Draw(picture).ellipse([100, 50, 200, 150], fill=(190, 30, 40))
    return encoded(picture)


# -- draw --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 64), (64, 300), (301, 97), (2048, 64)])
@pytest.mark.parametrize(
    "prompt", ["a lake in the mountains", "city", "volcano", "winter aurora", "desert", "rain, beach", "savanna", ""]
)
def test_a_picture_has_exactly_the_requested_size(prompt: str, size: tuple[int, int]) -> None:
    assert opened(image_operations.draw(prompt, *size)).size == size


@pytest.mark.parametrize(("format", "pillow"), [("jpg", "JPEG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_a_picture_of_any_format_says_where_it_comes_from(format: str, pillow: str) -> None:
    picture = Image.open(io.BytesIO(image_operations.draw("a fox", 80, 64, format=format)))
    assert (picture.format, picture.size) == (pillow, (80, 64))
    assert picture.getexif()[ExifTags.Base.ImageDescription] == image_operations.DESCRIPTION


def test_a_variant_is_another_picture_of_the_same_words() -> None:
    plain, first, again, second = (image_operations.draw("a fox", 80, 64, variant=each) for each in ("", "1", "1", "2"))
    assert first == again
    assert len({plain, first, second}) == 3


@pytest.mark.parametrize("size", [(63, 100), (100, 63), (2049, 100), (100, 0), (-5, 100)])
def test_other_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(BadInput) as caught:
        image_operations.draw("a fox", *size)
    assert caught.value.kind == "image"
    with pytest.raises(BadInput):
        image_operations.edit(image_operations.draw("a fox", 64, 64), "a fox", *size)


def test_the_same_prompt_gives_the_same_bytes() -> None:
    first = image_operations.draw("a red fox in snow", 128, 96)
    image_operations.draw.cache_clear()  # which an engines' process keeps
    assert image_operations.draw("a red fox in snow", 128, 96) == first


def test_another_prompt_gives_another_picture() -> None:
    prompts = ["a red fox in snow", "a red fox in the snow", "hello", "hello!", "Ɛte sɛn?", ""]
    pictures = [image_operations.draw(prompt, 128, 128) for prompt in prompts]
    for place, picture in enumerate(pictures):
        assert all(difference(picture, other) > 4 for other in pictures[:place])


def test_words_of_the_prompt_change_the_picture() -> None:
    def mean(prompt: str) -> np.ndarray:
        return np.asarray(opened(image_operations.draw(prompt, 128, 128)), float).mean((0, 1))

    assert mean("a lake at night").sum() < 0.6 * mean("a lake on a sunny day").sum()
    red, blue = mean("a red sunset over the desert"), mean("a blue day by the sea")
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert {"snow"} <= prompt_scene.read_prompt("a fox in the snow").features
    assert "water" in prompt_scene.read_prompt("a ship on the sea").features


def test_words_of_the_negative_prompt_are_not_used() -> None:
    assert "snow" not in prompt_scene.read_prompt("a fox in snow", "snow").features
    assert prompt_scene.read_prompt("a fox in the desert", "desert").terrain != "dunes"
    assert prompt_scene.read_prompt("a fox in snow", "blurry, low quality") == prompt_scene.read_prompt("a fox in snow")


def test_every_place_and_hour_has_the_colours_of_a_palette() -> None:
    for entry in (*prompt_scene.PLACES.values(), *prompt_scene.HOURS.values()):
        assert len(entry.colours.split()) == len(prompt_scene.Palette._fields)


@pytest.mark.parametrize("prompt", ["a red fox", "Ɛte sɛn? 🦊", "two\nlines", "half \ud83e a pair"])
def test_a_picture_includes_a_description_and_its_prompt(prompt: str) -> None:
    picture = opened(image_operations.draw(prompt, 64, 64))
    assert picture.info["Description"] == "Procedural picture by kellyapi's sandbox, not made by a model"
    assert picture.info["Prompt"] == prompt.encode("utf-8", "replace").decode()


# -- edit --------------------------------------------------------------------------------------------------------------


def test_an_edited_picture_shows_both_the_picture_and_the_prompt(disc: bytes) -> None:
    edited = image_operations.edit(disc, "a golden forest", 200, 160)
    picture = opened(edited)
    assert picture.size == (200, 160)
    assert picture.info["Prompt"] == "a golden forest"
    middle, corner = picture.getpixel((100, 80)), picture.getpixel((20, 20))
    assert middle[0] - middle[1] > corner[0] - corner[1] + 40  # the disc is still the red thing in the middle
    assert difference(edited, image_operations.edit(disc, "a city at night", 200, 160)) > 4
    assert edited == image_operations.edit(disc, "a golden forest", 200, 160)


# -- describe ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("colour", "size", "facts"),
    [
        ((255, 0, 0), (90, 60), ["a wide picture of 90 x 60 pixels", "mostly red", "dark"]),
        ((250, 250, 250), (50, 50), ["a square picture of 50 x 50 pixels", "mostly white", "bright"]),
        ((44, 102, 206), (30, 80), ["a tall picture of 30 x 80 pixels", "mostly blue", "of medium brightness"]),
        ((0, 0, 0, 0), (10, 10), ["partly transparent"]),
    ],
)
def test_a_description_states_what_can_be_measured(
    colour: tuple[int, ...], size: tuple[int, int], facts: list[str]
) -> None:
    text = image_operations.describe(encoded(Image.new("RGB" if len(colour) == 3 else "RGBA", size, colour)))
    assert text.startswith("Measured by kellyapi's sandbox")
    assert all(fact in text for fact in facts), text
    assert "prompt" not in text


def test_a_description_names_two_colours_when_there_are_two() -> None:
    picture = Image.new("RGB", (100, 100), (208, 38, 38))
    picture.paste((44, 102, 206), (0, 0, 40, 100))
    assert "mostly red and blue" in image_operations.describe(encoded(picture))


def test_a_description_includes_the_prompt_of_a_sandbox_picture() -> None:
    assert 'drawn by the sandbox for the prompt "a red fox"' in image_operations.describe(
        image_operations.draw("a red fox", 64, 64), "what?"
    )


# -- upscale -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((10, 7), (40, 28)),
        ((1024, 16), (4096, 64)),
        ((2048, 512), (4096, 1024)),
        ((4096, 2), (4096, 2)),
        ((5000, 3), (5000, 3)),
    ],
)
def test_upscaling_is_by_four_up_to_4096_pixels(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert opened(image_operations.upscale(encoded(Image.new("RGB", size)))).size == expected


def test_upscaling_keeps_alpha() -> None:
    picture = Image.new("RGBA", (20, 20), (10, 200, 30, 0))
    picture.paste((10, 200, 30, 255), (0, 0, 10, 20))
    large = opened(image_operations.upscale(encoded(picture)))
    assert large.mode == "RGBA"
    assert large.getpixel((5, 40)) == (10, 200, 30, 255)
    assert large.getpixel((75, 40))[3] == 0


# -- remove_background -------------------------------------------------------------------------------------------------


def test_the_background_becomes_transparent_and_the_disc_stays(disc: bytes) -> None:
    cut = opened(image_operations.remove_background(disc))
    assert cut.mode == "RGBA"
    assert cut.size == (300, 200)
    alpha = cut.getchannel("A")
    assert [alpha.getpixel(corner) for corner in ((0, 0), (299, 0), (0, 199), (299, 199))] == [0, 0, 0, 0]
    assert cut.getpixel((150, 100)) == (190, 30, 40, 255)
    assert alpha.getpixel((101, 100)) != alpha.getpixel((110, 100)) == 255  # the edge is soft
    covered = np.asarray(alpha, float).mean() / 255 * 300 * 200
    assert covered == pytest.approx(np.pi * 50**2, rel=0.03)


def test_background_colours_inside_the_subject_stay(disc: bytes) -> None:
    picture = opened(disc)
    ImageDraw.Draw(picture).ellipse([140, 90, 160, 110], fill=picture.getpixel((10, 100)))
    assert opened(image_operations.remove_background(encoded(picture))).getpixel((150, 100))[3] == 255


def test_a_subject_that_touches_the_border_stays(disc: bytes) -> None:
    picture = opened(disc)
    ImageDraw.Draw(picture).rectangle([120, 100, 180, 199], fill=(190, 30, 40))
    cut = opened(image_operations.remove_background(encoded(picture)))
    assert cut.getpixel((150, 195))[3] == 255
    assert cut.getpixel((5, 195))[3] == 0


def test_transparent_areas_stay_transparent() -> None:
    picture = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle([20, 20, 60, 60], fill=(20, 60, 200, 255))
    ImageDraw.Draw(picture).rectangle([35, 35, 45, 45], fill=(0, 0, 0, 0))
    alpha = opened(image_operations.remove_background(encoded(picture))).getchannel("A")
    assert (alpha.getpixel((5, 5)), alpha.getpixel((40, 40)), alpha.getpixel((27, 40))) == (0, 0, 255)


# -- what is not a picture ---------------------------------------------------------------------------------------------

TAKE_AN_IMAGE = [
    pytest.param(lambda image: image_operations.edit(image, "a fox", 64, 64), id="edit"),
    pytest.param(image_operations.describe, id="describe"),
    pytest.param(image_operations.upscale, id="upscale"),
    pytest.param(image_operations.remove_background, id="remove_background"),
]


WHOLE = encoded(Image.effect_noise((64, 64), 60))
NOT_PICTURES = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"hello", id="text"),
    pytest.param(WHOLE[: len(WHOLE) // 2], id="cut off"),
    pytest.param(encoded(Image.new("RGB", (8, 8)), "BMP"), id="another format"),
    pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", id="a program"),
]


@pytest.mark.parametrize("call", TAKE_AN_IMAGE)
@pytest.mark.parametrize("image", NOT_PICTURES)
def test_bytes_that_are_not_a_picture_are_refused(call: Callable[[bytes], object], image: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        call(image)
    assert caught.value.kind == "image"
    assert pickle.loads(pickle.dumps(caught.value)).message == caught.value.message


@pytest.mark.parametrize("call", TAKE_AN_IMAGE)
def test_a_decompression_bomb_is_refused(call: Callable[[bytes], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_files, "MAX_PIXELS", 99)
    with pytest.raises(BadInput, match="more than 99 pixels") as caught:
        call(encoded(Image.new("RGB", (10, 10))))
    assert caught.value.kind == "image"


@pytest.mark.parametrize(
    ("mode", "format"),
    [
        ("RGB", "JPEG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGBA", "WEBP"),
        ("P", "GIF"),
        ("1", "PNG"),
        ("I;16", "PNG"),
        ("LA", "PNG"),
    ],
)
@pytest.mark.parametrize("call", TAKE_AN_IMAGE)
def test_every_usual_kind_of_picture_is_accepted(call: Callable[[bytes], object], mode: str, format: str) -> None:
    assert call(encoded(Image.new(mode, (70, 40)), format))


def test_a_photograph_is_rotated_by_its_exif_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert opened(image_operations.upscale(encoded(Image.new("RGB", (20, 10)), "JPEG", exif=exif))).size == (40, 80)


# -- missing packages --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "package"),
    [("image_operations", "PIL"), ("image_operations", "numpy"), ("code_image", "PIL"), ("code_image", "pygments")],
)
def test_a_missing_package_is_named_with_what_to_install(
    module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.partition(".")[0] == package:
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, f"kellyapi.sandbox.engines.pictures.{module}", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EngineMissing, match=r'pip install "kellyapi\[sandbox\]"'):
        importlib.import_module(f"kellyapi.sandbox.engines.pictures.{module}")
