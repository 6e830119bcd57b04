"""Picture files: judged by their headers, then decoded to RGB or RGBA."""

from __future__ import annotations

import io
import warnings

from ..errors import BadInput, EngineMissing

try:
    import numpy as np
    from PIL import Image, ImageOps
except ImportError as error:
    raise EngineMissing(f'pictures need Pillow and numpy: pip install "kellyapi[sandbox]" ({error})') from error

MAX_PIXELS = 3 * 2**24
"""Pixels of a picture: those of a camera of 50 megapixels. The providers document no limit. With this one, all work on
a picture fits into the memory of a child."""
MAX_ANIMATION_PIXELS = 2**28
"""Pixels of all frames of an animation together."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_WHITES = (255, 65_535)
"""Values of white in pictures of 8 and of 16 bits."""


def open_picture(image: bytes) -> Image.Image:
    """Return an upright RGB or RGBA picture. Of an animation, only the first frame is decoded.

    Raises:
        BadInput: If the picture cannot be read, or by its header exceeds a limit.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # Pillow's limit is higher than ours
            file = Image.open(io.BytesIO(image), formats=FORMATS)  # reads the header
        pixels = file.width * file.height
        if pixels > MAX_PIXELS:
            raise Image.DecompressionBombError
        frames = _count_frames(file, image)
        if frames * pixels > MAX_ANIMATION_PIXELS:
            reason = f"the {frames:,} frames of the animation have more than {MAX_ANIMATION_PIXELS:,} pixels"
            raise BadInput("image", reason)
        file.load()
        ImageOps.exif_transpose(file, in_place=True)
        picture = to_rgb(file)
    except Image.DecompressionBombError as error:
        raise BadInput("image", f"the picture has more than {MAX_PIXELS:,} pixels") from error
    except BadInput:
        raise
    except MemoryError as error:
        raise BadInput("image", "the picture needs too much memory") from error
    except Exception as error:  # broad: Pillow documents no list of errors for broken files
        raise BadInput("image", "this is not a PNG, JPEG, WEBP or GIF picture that can be read") from error
    picture.info = file.info
    return picture


def without_alpha(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB, on white where it is transparent."""
    if picture.mode == "RGB":
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def _count_frames(file: Image.Image, image: bytes) -> int:
    """Return the number of frames. Only a GIF does not say it in its header."""
    return _count_gif_frames(image) if file.format == "GIF" else int(getattr(file, "n_frames", 1))


def _count_gif_frames(image: bytes) -> int:
    """Count the frames of a GIF by its blocks, in 1 µs each. Pillow takes 4.5, and raises if a later one is broken.

    Source: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
    """
    frames, place = 0, 13 + _table_size(image[10])
    try:
        while image[place] in b",!":
            if image[place] == ord(","):
                frames += 1
                place += 11 + _table_size(image[place + 9])
            else:
                place += 2
            while size := image[place]:
                place += 1 + size
            place += 1
    except IndexError:  # the file is cut off
        pass
    return frames


def _table_size(flags: int) -> int:
    """Return the bytes of a table of colours."""
    return 3 * 2 ** (1 + flags % 8) if flags & 0x80 else 0


def to_rgb(picture: Image.Image) -> Image.Image:
    """Return a picture of any of Pillow's modes as RGB, or as RGBA if it has transparency."""
    if picture.mode[0] in "IF":  # Pillow cuts these off at 255, so that most grey becomes white
        return _scale_grey(picture)
    if picture.mode == "La":  # Pillow converts it to this mode only
        picture = picture.convert("LA")
    return picture.convert("RGBA" if picture.has_transparency_data else "RGB")


def _scale_grey(picture: Image.Image) -> Image.Image:
    """Convert grey of 16 or 32 bits or of fractions. White is 65535, or what the largest value suggests."""
    values = np.nan_to_num(np.asarray(picture).astype(np.float32))
    largest = float(values.max())
    if picture.mode.startswith("I;16"):
        white = 65_535.0
    elif picture.mode == "F" and largest <= 1:
        white = 1.0
    else:
        white = next((float(white) for white in _WHITES if largest <= white), largest)
    grey = Image.fromarray(np.rint(values.clip(0, white) * (255 / white)).astype(np.uint8))
    if (transparent := picture.info.get("transparency")) is None:
        return grey.convert("RGB")
    grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey.convert("RGBA")
