"""The sandbox's image operations: draw, edit, describe, upscale, remove the background. The results are PNG bytes, or
another format of a drawn picture.

There is no model. `draw` makes a landscape that the words and the hash of the prompt choose, and the PNG's text chunks
say so. `prompt_scene` turns a prompt into a scene, and `landscape` paints it.
"""

from __future__ import annotations

import io
from functools import lru_cache

from ..errors import BadInput, EngineMissing
from .drawing_tools import Floats
from .landscape import foreground, paint
from .picture_files import open_picture, without_alpha
from .prompt_scene import read_prompt

try:
    import numpy as np
    from PIL import ExifTags, Image, ImageChops, ImageDraw, ImageFilter, ImageOps
    from PIL.PngImagePlugin import PngInfo
except ImportError as error:
    raise EngineMissing(f'pictures need Pillow and numpy: pip install "kellyapi[sandbox]" ({error})') from error

DESCRIPTION = "Procedural picture by kellyapi's sandbox, not made by a model"
FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP"}
"""Pillow's name of each format of a drawn picture."""
SMALLEST, LARGEST = 64, 2048
LARGEST_UPSCALED = 4096
SEARCH_SIZE = 512
"""Longer side of the picture in which the background is searched: Pillow's flood fill takes 0.4 s at this size."""
TOLERANCE = 30.0
"""Greatest difference between a colour and the background's in one of three channels, 0 to 255."""
COLOURS = {
    "black": (15, 15, 18), "dark grey": (70, 72, 76), "grey": (128, 130, 134), "light grey": (196, 198, 202),
    "white": (248, 248, 248), "red": (208, 38, 38), "dark red": (110, 22, 26), "orange": (240, 132, 36),
    "brown": (112, 68, 36), "yellow": (245, 216, 62), "beige": (236, 214, 176), "olive": (122, 120, 52),
    "green": (62, 158, 66), "dark green": (22, 68, 40), "light green": (158, 214, 148), "turquoise": (64, 196, 188),
    "dark turquoise": (24, 96, 104), "light blue": (150, 198, 236), "blue": (44, 102, 206), "dark blue": (20, 34, 84),
    "blue-grey": (96, 122, 148), "purple": (120, 60, 166), "mauve": (172, 136, 178), "pink": (240, 150, 182),
}  # fmt: skip
HUES = np.array([[0.24, 0.47, 0.09], [1.3, -1.3, 0], [-0.5, -0.5, 1]], np.float32).T
"""Matrix from RGB to lightness, red against green and blue against yellow: there, pale pink is nearer to pink than to
grey."""


@lru_cache(maxsize=8)  # tests ask for the same few pictures; one of 1024 × 1024 takes 0.5 s
def draw(
    prompt: str,
    width: int = 1024,
    height: int = 1024,
    negative_prompt: str = "",
    variant: str = "",
    format: str = "png",
) -> bytes:
    """Draw a landscape for a prompt, in one of `FORMATS`. Each variant is another picture of the same words.

    Raises:
        BadInput: If a side has fewer than 64 or more than 2048 pixels.
    """
    _check_size(width, height)
    return _encode(paint(read_prompt(prompt, negative_prompt, variant), width, height), prompt, format)


def edit(image: bytes, prompt: str, width: int, height: int, variant: str = "", format: str = "png") -> bytes:
    """Crop a picture to a size, tint it with the prompt's colours, and draw the prompt's hill and weather in front.

    Raises:
        BadInput: If the image cannot be read or the size is out of range.
    """
    _check_size(width, height)
    scene = read_prompt(prompt, variant=variant)
    picture = ImageOps.fit(without_alpha(open_picture(image)), (width, height), Image.Resampling.LANCZOS)
    canvas = np.asarray(picture, np.float32)
    shade = canvas @ np.array([0.299, 0.587, 0.114], np.float32)
    tones = np.array([scene.palette.plant, scene.palette.top, scene.palette.middle, scene.palette.light], np.float32)
    mapped = np.stack([np.interp(shade, (0, 80, 165, 255), channel) for channel in tones.T], axis=-1)
    canvas = (0.55 * canvas + 0.45 * mapped).astype(np.float32)
    foreground(canvas, scene._replace(features=scene.features - {"water"}))
    return _encode(canvas, prompt, format)


def describe(image: bytes, prompt: str = "") -> str:
    """Describe the size, the colours and the brightness of an image. `prompt`, the question, has no effect.

    Raises:
        BadInput: If the image cannot be read.
    """
    picture = open_picture(image)
    shape = "square" if picture.width == picture.height else "wide" if picture.width > picture.height else "tall"
    pixels = np.asarray(without_alpha(picture).resize((64, 64), Image.Resampling.BOX), np.float32).reshape(-1, 3)
    light = float((pixels @ np.array([0.299, 0.587, 0.114])).mean())
    brightness = "dark" if light < 85 else "bright" if light > 170 else "of medium brightness"
    facts = [
        f"a {shape} picture of {picture.width} x {picture.height} pixels",
        _describe_colours(pixels),
        brightness,
    ]
    if picture.mode == "RGBA" and np.asarray(picture)[..., 3].min() < 255:
        facts.append("partly transparent")
    if picture.info.get("Description") == DESCRIPTION:
        facts.append(f'drawn by the sandbox for the prompt "{picture.info.get("Prompt", "")}"')
    return f"Measured by kellyapi's sandbox, not seen by a model: {', '.join(facts)}."


def upscale(image: bytes) -> bytes:
    """Enlarge an image four times, or less so that the longer side has 4096 pixels. It never gets smaller.

    Raises:
        BadInput: If the image cannot be read.
    """
    picture = open_picture(image)
    factor = min(4.0, max(1.0, LARGEST_UPSCALED / max(picture.width, picture.height)))
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return _png(picture.resize(size, Image.Resampling.LANCZOS))


def remove_background(image: bytes) -> bytes:
    """Make the background transparent.

    The background is the area that touches the border and whose colours are near a smooth surface, which is fitted to
    the colours of the border.

    Raises:
        BadInput: If the image cannot be read.
    """
    picture = open_picture(image).convert("RGBA")
    small = without_alpha(picture)
    small.thumbnail((SEARCH_SIZE, SEARCH_SIZE))
    similar = Image.fromarray(np.where(_distance_from_border_colours(small) < TOLERANCE, 255, 0).astype(np.uint8))
    # A rim of one pixel joins the areas along all borders.
    similar = ImageOps.expand(similar.filter(ImageFilter.MedianFilter(3)), 1, fill=255)
    ImageDraw.floodfill(similar, (0, 0), 128)
    subject = similar.crop((1, 1, similar.width - 1, similar.height - 1)).point(
        lambda value: 0 if value == 128 else 255
    )
    soft = subject.filter(ImageFilter.GaussianBlur(1)).resize(picture.size, Image.Resampling.BICUBIC)
    picture.putalpha(ImageChops.multiply(picture.getchannel("A"), soft))
    return _png(picture)


def _describe_colours(pixels: Floats) -> str:
    named = np.array(list(COLOURS.values()), np.float32)
    nearest = np.argmin(((pixels[:, None] @ HUES - named @ HUES) ** 2).sum(-1), axis=1)
    counts = np.bincount(nearest, minlength=len(COLOURS))
    names = [
        list(COLOURS)[place] for place in np.argsort(-counts, kind="stable")[:3] if counts[place] >= 0.08 * len(pixels)
    ]
    if not names:
        return "of many colours"
    if len(names) == 1:
        return f"mostly {names[0]}"
    return f"mostly {', '.join(names[:-1])} and {names[-1]}"


def _distance_from_border_colours(picture: Image.Image) -> Floats:
    """Return each pixel's distance from a quadratic surface, which is fitted to the colours of the border."""
    colours = np.asarray(picture, np.float32)
    y, x = np.mgrid[-1 : 1 : picture.height * 1j, -1 : 1 : picture.width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    rim = np.zeros(x.shape, bool)
    rim[[0, -1]] = rim[:, [0, -1]] = True
    trusted = np.ones(int(rim.sum()), bool)
    for _ in range(3):  # each round leaves out the parts of the subject that touch the border
        surface = np.linalg.lstsq(terms[rim][trusted], colours[rim][trusted], rcond=None)[0]
        distance = np.abs(terms[rim] @ surface - colours[rim]).max(-1)
        trusted = distance <= max(TOLERANCE, 2 * float(np.median(distance)))
    return np.asarray(np.abs(terms @ surface - colours).max(-1), np.float32)


def _check_size(width: int, height: int) -> None:
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise BadInput("image", f"the sandbox draws {SMALLEST} to {LARGEST} pixels a side, not {width} x {height}")


def _encode(canvas: Floats, prompt: str, format: str) -> bytes:
    """Return a file that says where the picture comes from: in text chunks of a PNG, otherwise in its EXIF data."""
    picture = Image.fromarray(canvas.astype(np.uint8))
    if format == "png":
        chunks = PngInfo()
        chunks.add_text("Description", DESCRIPTION)
        chunks.add_text("Prompt", prompt.encode("utf-8", "replace").decode().replace("\0", " "))
        return _png(picture, chunks)
    exif, file = Image.Exif(), io.BytesIO()
    exif[ExifTags.Base.ImageDescription] = DESCRIPTION
    picture.save(file, FORMATS[format], quality=90, exif=exif)
    return file.getvalue()


def _png(picture: Image.Image, chunks: PngInfo | None = None) -> bytes:
    file = io.BytesIO()
    picture.info = {}
    picture.save(file, "PNG", pnginfo=chunks, compress_level=3)
    return file.getvalue()
