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

MAX_PIXELS = 2**25
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_WHITES = (255, 65_535)
"""Values of white in pictures of 8 and of 16 bits."""


def open_picture(image: bytes) -> Image.Image:
    """Return an upright RGB or RGBA picture. Of an animation, only the first frame is decoded.

    Raises:
        BadInput: If the picture cannot be read, or its header names more than 33.5 million pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # Pillow's limit is higher than ours
            file = Image.open(io.BytesIO(image), formats=FORMATS)  # reads the header
        if file.width * file.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        file.load()
        ImageOps.exif_transpose(file, in_place=True)
        picture = to_rgb(file)
    except Image.DecompressionBombError as error:
        raise BadInput("image", f"the picture has more than {MAX_PIXELS:,} pixels") from error
    except MemoryError as error:
        raise BadInput("image", "the picture needs too much memory") from error
    except Exception as error:  # broad: Pillow documents no list of errors for broken files
        raise BadInput("image", "this is not a PNG, JPEG, WEBP or GIF picture that can be read") from error
    picture.info = file.info
    return picture


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
